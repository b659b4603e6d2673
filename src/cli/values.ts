import { CodedError } from '../base/errors.js';

function wrong(option: string, text: string, hint: string): CodedError {
  return new CodedError('USAGE', `"${text}" is not a value that --${option} takes`, { hint });
}

/** A whole number such as `50000000000`, `50_000_000_000` or `50e9`. */
export function parseCount(option: string, text: string): number {
  const value = /^\d+(_\d+)*(e\d{1,2})?$/i.test(text) ? Number(text.replaceAll('_', '')) : NaN;
  if (!Number.isSafeInteger(value)) throw wrong(option, text, 'a whole number, e.g. 1000, 1_000 or 1e3');
  return value;
}

/** QEMU's `shift=N`: nanoseconds of a tick. */
export function parseIcount(text: string): number {
  const match = /^(?:shift=)?(\d{1,2})$/.exec(text);
  const shift = match === null ? NaN : Number(match[1]);
  if (!(shift <= 10)) throw wrong('icount', text, 'shift=N with N from 0 to 10; recordings are made with --record');
  return 2 ** shift;
}

/** Seconds since 1970, or ISO 8601 with UTC where no zone is given. */
export function parseTime(option: string, text: string, nowMs: () => number): number {
  const iso = /^(\d{4,}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?))?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  let seconds = NaN;
  if (text === 'utc' || text === 'now') seconds = Math.floor(nowMs() / 1000);
  else if (/^\d+$/.test(text)) seconds = Number(text);
  else if (iso !== null) seconds = Date.parse(`${iso[1]}T${iso[2] ?? '00:00'}${iso[3] ?? 'Z'}`) / 1000;
  if (!Number.isSafeInteger(seconds) || seconds < 0) {
    throw wrong(option, text, 'utc, seconds since 1970, or a time such as 2026-01-31T12:00:00, which is UTC');
  }
  return seconds;
}

/** QEMU's `base=TIME`. */
export function parseRtc(text: string, nowMs: () => number): number {
  const match = /^base=([^,]*)(?:,clock=vm)?$/.exec(text);
  if (match === null || match[1] === 'localtime') {
    throw wrong('rtc', text, 'base=utc or base=2026-01-31T12:00:00; the clock is always that of the machine');
  }
  return parseTime('rtc', match[1]!, nowMs);
}

export function parseRegex(option: string, text: string): RegExp {
  try {
    return new RegExp(text, 'm');
  } catch (cause) {
    throw new CodedError('USAGE', `"${text}" is not a regular expression`, {
      where: `--${option}`,
      hint: cause instanceof Error ? cause.message : undefined,
      cause,
    });
  }
}

export type PortTarget = { readonly kind: 'stdio' | 'none' } | { readonly kind: 'file'; readonly path: string };

export function parseSerial(text: string): PortTarget {
  if (text === 'stdio' || text === 'none') return { kind: text };
  if (text === 'mon:stdio') return { kind: 'stdio' };
  if (text === 'null') return { kind: 'none' };
  if (text.startsWith('file:') && text.length > 5) return { kind: 'file', path: text.slice(5) };
  throw wrong('serial', text, 'stdio, file:NAME or none');
}

export function parseParallel(text: string): PortTarget {
  if (text === 'none' || text === 'null') return { kind: 'none' };
  if (text.startsWith('file:') && text.length > 5) return { kind: 'file', path: text.slice(5) };
  throw wrong('parallel', text, 'file:NAME or none');
}

export type Display = 'none' | 'text';

export function parseDisplay(text: string): Display {
  if (text === 'none' || text === 'text') return text;
  throw wrong('display', text, 'text or none');
}

/** Where a replay stops; null is its end. */
export type ReplayUntil = { readonly ticks: number } | { readonly mark: string } | null;

export function parseUntil(text: string): ReplayUntil {
  if (text === 'end') return null;
  if (text.startsWith('mark:') && text.length > 5) return { mark: text.slice(5) };
  if (/^\d/.test(text)) return { ticks: parseCount('until', text) };
  throw wrong('until', text, 'a tick, mark:LABEL or end');
}

export function parseChoice<T extends string>(option: string, text: string | undefined, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  const hint = `one of ${choices.join(', ')}`;
  if (text === undefined) throw new CodedError('USAGE', `--${option} is missing`, { hint });
  throw wrong(option, text, hint);
}
