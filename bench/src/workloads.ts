import { DEVICE_ROWS, type DeviceRowId } from './devices.js';

/** What is timed. Rows of the tables, in their order. */
export interface Row {
  readonly id: RowId;
  readonly title: string;
  /** The guest's name of the work, on its command line and on its serial line; null for what needs no work. */
  readonly word: string | null;
  /** The row is not the whole of the work but the part that ends with this line. */
  readonly part?: string;
}

export type RowId = 'boot' | 'integer' | 'aligned' | 'sse2' | 'x87' | 'gzip' | 'fork' | 'whole' | DeviceRowId;

export const ROWS: readonly Row[] = [
  { id: 'boot', title: 'boot to userland', word: null },
  { id: 'integer', title: 'integer', word: 'crc' },
  { id: 'aligned', title: 'integer, page-aligned', word: 'crcp' },
  { id: 'sse2', title: 'SSE2 doubles', word: 'fp', part: 'sse' },
  { id: 'x87', title: 'x87 doubles', word: 'fp', part: 'x87' },
  { id: 'gzip', title: 'gzip 8 MB', word: 'gzip' },
  { id: 'fork', title: '300 fork+exec', word: 'fork' },
  { id: 'whole', title: 'whole run', word: null },
];

/** What `--workloads` may name; `boot` is always measured. */
export const WORDS: readonly string[] = ['boot', ...new Set(ROWS.flatMap(({ word }) => word ?? []))];

export const KERNELS = [
  { title: 'crc', word: 'kernel-crc' },
  { title: 'sieve', word: 'kernel-sieve' },
  { title: 'qsort', word: 'kernel-qsort' },
] as const;

export const MEMORY_MIB = 128;

/** The guest's command line; it takes nothing for work. */
export function commandLine(words: readonly string[]): string {
  return `console=ttyS0 work=${words.length === 0 ? 'none' : words.join(',')}`;
}

/** A line of the guest's serial port, and when it was complete: milliseconds since the process was started. */
export interface Line {
  readonly text: string;
  readonly atMs: number;
}

const PART = /PART (\w+) [\d.]+ (\S+)/;
const MILESTONE = /(BOOT-OK|START [\w-]+|END [\w-]+|ALL-DONE) up=/;

/** The milestone that a line reports: `BOOT-OK`, `START crc`, `PART sse`, `END crc`, `ALL-DONE`. */
export function milestoneOf(text: string): string | null {
  const part = PART.exec(text);
  return part === null ? (MILESTONE.exec(text)?.[1] ?? null) : `PART ${part[1]}`;
}

/**
 * What each row took, by `positions` in a series of milestones: positions of time, or of instructions. `begin` and `end`
 * are those of the process. A row is missing where its milestones are.
 */
export function rowSpans(
  milestones: readonly { readonly name: string; readonly at: number }[],
  begin: number,
  end: number,
): Partial<Record<RowId, number>> {
  const spans: Partial<Record<RowId, number>> = {};
  const indexOf = (name: string, from = 0): number => milestones.findIndex((m, i) => i >= from && m.name === name);
  for (const { id, word, part } of [...ROWS, ...DEVICE_ROWS]) {
    if (id === 'boot') {
      const up = milestones[indexOf('BOOT-OK')];
      if (up !== undefined) spans.boot = up.at - begin;
    } else if (id === 'whole') {
      spans.whole = end - begin;
    } else {
      const start = indexOf(`START ${word}`);
      if (start < 0) continue;
      const last = indexOf(part === undefined ? `END ${word}` : `PART ${part}`, start);
      if (last < 0) continue;
      // A part begins where the one before it ended.
      const first = part === undefined ? start : last - 1;
      spans[id] = milestones[last].at - milestones[first].at;
    }
  }
  return spans;
}

/** What the programs in the guest computed, by their parts: it must be the same everywhere. */
export function partResults(lines: readonly string[]): Record<string, string> {
  const found = lines.flatMap((text) => {
    const match = PART.exec(text);
    return match === null ? [] : [[match[1], match[2]] as const];
  });
  return Object.fromEntries(found);
}
