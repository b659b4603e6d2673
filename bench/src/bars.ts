import { DEVICE_ROWS, type DeviceRowId } from './devices.js';
import { figureOf, speedOf, speedup, type Results } from './results.js';
import { median } from './statistics.js';
import { ROWS, WORDS } from './workloads.js';
import type { SystemId } from './systems/system.js';

/** A figure that must not be missed, and one that is aimed at. */
export interface Bar {
  readonly title: string;
  readonly unit: 'times' | 'ratio' | 'ms' | 'KB' | 'bytes' | 'MB' | 'MB/s' | 'Mbit/s';
  /** A larger figure is the better one. */
  readonly isAtLeast: boolean;
  /** Null where there is only an aim. */
  readonly must: number | null;
  readonly aim: number;
  /** Null where it was not measured. */
  readonly value: number | null;
}

const ON: SystemId = 'guestreel-on';

/** The bars of the whole run are for all of the work. */
function isWhole({ words }: Results): boolean {
  return WORDS.every((word) => word === 'boot' || words.includes(word));
}

function wholeRunSpeedup(results: Results, id: SystemId, than: SystemId): number | null {
  return isWhole(results) ? speedup(results, id, than, 'whole') : null;
}

/** Each row against a peer. */
function against(
  results: Results,
  peer: SystemId,
  name: string,
  each: [number, number],
  whole: [number, number],
): Bar[] {
  return ROWS.map(({ id, title }) => {
    const [must, aim] = id === 'whole' ? whole : each;
    const value = id === 'whole' ? wholeRunSpeedup(results, ON, peer) : speedup(results, ON, peer, id);
    return { title: `${title}, against ${name}`, unit: 'times', isAtLeast: true, must, aim, value };
  });
}

function wholeRunRatio(results: Results, one: SystemId, other: SystemId): number | null {
  return wholeRunSpeedup(results, other, one);
}

function atMost(title: string, unit: Bar['unit'], must: number, aim: number, value: number | null): Bar {
  return { title, unit, isAtLeast: false, must, aim, value };
}

function wholeRunFigure(results: Results, name: 'logBytes' | 'residentBytes', unit: number): number | null {
  const summary = isWhole(results) ? figureOf(results, ON, name) : null;
  return summary === null ? null : summary.median / unit;
}

/** While it records. */
function deviceBar(results: Results, id: DeviceRowId, must: number): Bar {
  const row = DEVICE_ROWS.find((candidate) => candidate.id === id)!;
  const value = speedOf(results, ON, row)?.median ?? null;
  return { title: `${row.title}, recording on`, unit: row.unit, isAtLeast: true, must, aim: must, value };
}

const middle = (values: readonly number[] | undefined): number | null => (values?.length ? median(values) : null);

export function barsOf(results: Results): readonly Bar[] {
  const { pauses, idle } = results;
  return [
    ...against(results, 'v86', 'v86 with nothing recorded', [1.2, 2], [2, 3]),
    ...against(results, 'qemu-record', 'QEMU rr record', [0.7, 1], [1, 1]),
    {
      title: 'whole run, against plain QEMU',
      unit: 'times',
      isAtLeast: true,
      must: null,
      aim: 1,
      value: wholeRunSpeedup(results, ON, 'qemu'),
    },
    atMost('replay over recording, whole run', 'ratio', 1, 0.7, wholeRunRatio(results, 'guestreel-replay', ON)),
    atMost('recording on over off, whole run', 'ratio', 1.03, 1.01, wholeRunRatio(results, ON, 'guestreel-off')),
    atMost('pause at START by the host, median', 'ms', 20, 5, middle(pauses?.hostStart)),
    atMost('pause at START by the guest, median', 'ms', 20, 5, middle(pauses?.guestStart)),
    atMost('pause at a checkpoint, median', 'ms', 20, 5, middle(pauses?.guestCheckpoint)),
    atMost('log of the whole run without its snapshot', 'KB', 100, 20, wholeRunFigure(results, 'logBytes', 1000)),
    atMost("idle guest's log per guest minute, paced", 'bytes', 1000, 100, idle?.paced ?? null),
    atMost("idle guest's log per guest minute, at full speed", 'bytes', 1000, 100, idle?.atFullSpeed ?? null),
    deviceBar(results, 'diskRead', 100),
    deviceBar(results, 'download', 200),
    atMost('resident memory after the whole run', 'MB', 400, 300, wholeRunFigure(results, 'residentBytes', 1e6)),
  ];
}

const isMet = (bar: Bar, value: number, limit: number): boolean => (bar.isAtLeast ? value >= limit : value <= limit);

/** By how much it is missed, as a part of the limit. */
function shortfall(value: number, limit: number): string {
  const percent = Math.abs(value / limit - 1) * 100;
  if (percent > 100) return `missed: ${(value / limit).toFixed(1)} times as much`;
  return `missed by ${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

/** Whether it is met, or by how much it is missed. */
export function verdictOf(bar: Bar): string {
  const { value, must, aim } = bar;
  if (value === null) return 'not measured';
  if (must !== null && !isMet(bar, value, must)) return `**${shortfall(value, must)}**`;
  if (isMet(bar, value, aim)) return must === null ? 'aim met' : 'met, and the aim';
  return `${must === null ? '' : 'met; '}aim ${shortfall(value, aim)}`;
}

/** A bar that must be met and is not. */
export function isMissed(bar: Bar): boolean {
  return bar.value !== null && bar.must !== null && !isMet(bar, bar.value, bar.must);
}
