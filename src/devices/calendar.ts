/** Civil dates as plain integers. Day 0 is 0000-03-01 of the proleptic Gregorian calendar, so that leap days end a year. */

const DAYS_PER_400_YEARS = 146_097;
/** Days from day 0 to 1970-01-01. */
const DAY_OF_1970 = 719_468;
export const SECONDS_PER_DAY = 86_400;
/** Seconds from day 0 to 1970-01-01T00:00:00. */
export const SECONDS_TO_1970 = DAY_OF_1970 * SECONDS_PER_DAY;

export interface CivilTime {
  /** 0-9999. */
  readonly year: number;
  /** 1-12. */
  readonly month: number;
  /** 1-31. */
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Day number; months and days beyond their range carry over. Years before 0000-03-01 count as that day. */
export function dayNumber(year: number, month: number, day: number): number {
  // Years begin in March here.
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = month > 2 ? month - 3 : month + 9;
  if (marchYear < 0) return 0;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return Math.max(0, marchYear * 365 + leapDays + Math.floor((153 * marchMonth + 2) / 5) + day - 1);
}

/** Seconds since day 0. */
export function secondsOf(time: CivilTime): number {
  const seconds = (time.hour * 60 + time.minute) * 60 + time.second;
  return dayNumber(time.year, time.month, time.day) * SECONDS_PER_DAY + seconds;
}

/** The date and time that lie `seconds` after day 0. */
export function civilTime(seconds: number): CivilTime {
  const dayOfEra = Math.floor(seconds / SECONDS_PER_DAY);
  const era = Math.floor(dayOfEra / DAYS_PER_400_YEARS);
  const day = dayOfEra % DAYS_PER_400_YEARS;
  const yearOfEra = Math.floor(
    (day - Math.floor(day / 1460) + Math.floor(day / 36_524) - Math.floor(day / 146_096)) / 365,
  );
  const dayOfYear = day - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const rest = seconds % SECONDS_PER_DAY;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
  };
}

/** 0 = Sunday. */
export function weekday(seconds: number): number {
  // 0000-03-01 was a Wednesday.
  return (Math.floor(seconds / SECONDS_PER_DAY) + 3) % 7;
}
