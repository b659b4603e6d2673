/** How an MC146818A's register bytes stand for times: BCD or binary (register B, DM), 12 or 24 hours (register B, 24/12). */
import { civilTime, secondsOf, weekday } from './calendar.js';

const B_BINARY = 0x04;
const B_24_HOURS = 0x02;
const PM = 0x80;

function encode(value: number, regB: number): number {
  return (regB & B_BINARY) !== 0 ? value : ((Math.floor(value / 10) % 10) << 4) | (value % 10);
}

function decode(byte: number, regB: number): number {
  return (regB & B_BINARY) !== 0 ? byte : (byte >> 4) * 10 + (byte & 15);
}

function encodeHour(hour: number, regB: number): number {
  if ((regB & B_24_HOURS) !== 0) return encode(hour, regB);
  return encode(hour % 12 || 12, regB) | (hour >= 12 ? PM : 0);
}

function decodeHour(byte: number, regB: number): number {
  if ((regB & B_24_HOURS) !== 0) return decode(byte, regB);
  return (decode(byte & ~PM, regB) % 12) + ((byte & PM) !== 0 ? 12 : 0);
}

/** Register bytes: second, minute, hour, weekday (1 = Sunday), day, month, year, century. */
export type TimeBytes = [number, number, number, number, number, number, number, number];

/** The bytes of the moment `seconds` after day 0 of calendar.ts; the weekday counts on from the one the guest had set. */
export function encodeTime(seconds: number, weekdayShift: number, regB: number): TimeBytes {
  const t = civilTime(seconds);
  return [
    encode(t.second, regB),
    encode(t.minute, regB),
    encodeHour(t.hour, regB),
    ((weekday(seconds) + weekdayShift) % 7) + 1,
    encode(t.day, regB),
    encode(t.month, regB),
    encode(t.year % 100, regB),
    encode(Math.floor(t.year / 100) % 100, regB),
  ];
}

/** Seconds since day 0 of calendar.ts; values out of range carry over. The weekday is not looked at. */
export function decodeTime(bytes: TimeBytes, regB: number): number {
  return secondsOf({
    second: decode(bytes[0], regB),
    minute: decode(bytes[1], regB),
    hour: decodeHour(bytes[2], regB),
    day: decode(bytes[4], regB),
    month: decode(bytes[5], regB),
    year: decode(bytes[7], regB) * 100 + decode(bytes[6], regB),
  });
}

/** What must be added to the true weekday so that `byte` shows. */
export function weekdayShiftOf(byte: number, seconds: number): number {
  return ((byte & 7) + 6 + 7 - weekday(seconds)) % 7;
}

/** Alarm bytes with both upper bits set match anything. */
function matcher(byte: number, value: number): (candidate: number) => boolean {
  return (byte & 0xc0) === 0xc0 ? () => true : (candidate) => candidate === value;
}

/** Seconds (1-86400) until the next match of the alarm after the second of the day `secondOfDay`, or null: never. */
export function nextAlarm(
  secondOfDay: number,
  alarm: { second: number; minute: number; hour: number },
  regB: number,
): number | null {
  const hourFits = matcher(alarm.hour, decodeHour(alarm.hour, regB));
  const minuteFits = matcher(alarm.minute, decode(alarm.minute, regB));
  const secondFits = matcher(alarm.second, decode(alarm.second, regB));
  let candidate = secondOfDay + 1;
  while (candidate <= secondOfDay + 86_400) {
    if (!hourFits(Math.floor(candidate / 3600) % 24)) candidate = (Math.floor(candidate / 3600) + 1) * 3600;
    else if (!minuteFits(Math.floor(candidate / 60) % 60)) candidate = (Math.floor(candidate / 60) + 1) * 60;
    else if (!secondFits(candidate % 60)) candidate++;
    else return candidate - secondOfDay;
  }
  return null;
}
