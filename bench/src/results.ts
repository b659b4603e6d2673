import type { IdleReport } from './children/idle.js';
import type { PauseReport } from './children/pauses.js';
import type { HostDescription } from './host-description.js';
import type { KernelSpeed } from './probes/kernels.js';
import { DEVICES, type Device, type DeviceRow } from './devices.js';
import { summarize, type Summary } from './statistics.js';
import type { Measured, SystemId } from './systems/system.js';
import { ROWS, type RowId } from './workloads.js';

export interface SystemResults {
  readonly id: SystemId;
  readonly title: string;
  /** Why it was not measured; null when it was. */
  readonly missing: string | null;
  /** One per round; fewer where it was given up. */
  readonly runs: readonly Measured[];
}

/** All of what was measured: what is written as JSON, and what the pages are made of. */
export interface Results {
  readonly host: HostDescription;
  readonly rounds: number;
  readonly words: readonly string[];
  readonly systems: readonly SystemResults[];
  /** Runs of their own, with a device; none of those that were not asked for. */
  readonly devices: Readonly<Partial<Record<Device, readonly SystemResults[]>>>;
  readonly kernels: readonly KernelSpeed[] | null;
  readonly pauses: PauseReport | null;
  readonly idle: IdleReport | null;
}

function runsOf({ systems }: Results, id: SystemId): readonly Measured[] {
  const system = systems.find((candidate) => candidate.id === id);
  return system === undefined || system.missing !== null ? [] : system.runs;
}

const isNumber = (value: number | null | undefined): value is number => value !== null && value !== undefined;

/** Seconds of a row over the rounds; null where it was not measured. */
export function secondsOf(results: Results, id: SystemId, row: RowId): Summary | null {
  return summarize(
    runsOf(results, id)
      .map(({ seconds }) => seconds[row])
      .filter(isNumber),
  );
}

/** Another figure of the runs. */
export function figureOf(
  results: Results,
  id: SystemId,
  name: 'residentBytes' | 'peakBytes' | 'recordingBytes' | 'logBytes',
): Summary | null {
  return summarize(
    runsOf(results, id)
      .map((run) => run[name])
      .filter(isNumber),
  );
}

/** How many times as fast `id` is as `than`: a ratio of medians. */
export function speedup(results: Results, id: SystemId, than: SystemId, row: RowId): number | null {
  const [own, others] = [secondsOf(results, id, row), secondsOf(results, than, row)];
  return own === null || others === null ? null : others.median / own.median;
}

/** Millions of instructions per second. */
export function mipsOf(results: Results, id: SystemId, row: RowId): number | null {
  const speeds = runsOf(results, id).flatMap(({ instructions, seconds }) => {
    const [count, time] = [instructions?.[row], seconds[row]];
    return count === undefined || time === undefined ? [] : [count / 1e6 / time];
  });
  return summarize(speeds)?.median ?? null;
}

/** How much a row of a device moves in a second, in its unit; null where it was not measured. */
export function speedOf({ devices }: Results, id: SystemId, row: DeviceRow): Summary | null {
  const system = devices[row.device]?.find((candidate) => candidate.id === id);
  if (system === undefined || system.missing !== null) return null;
  const seconds = system.runs.map((run) => run.seconds[row.id]).filter(isNumber);
  return summarize(seconds.map((time) => row.amount / time));
}

/** Rows that some system has a time for. */
export function measuredRows(results: Results): typeof ROWS {
  return ROWS.filter(({ id }) => results.systems.some((system) => secondsOf(results, system.id, id) !== null));
}

/** Where a guest's program computed something else than in another system or another round. */
export function disagreements({ systems, devices }: Results): string[] {
  const seen = new Map<string, Map<string, Set<string>>>();
  const all = [...systems, ...DEVICES.flatMap((device) => devices[device] ?? [])];
  for (const { title, runs } of all) {
    for (const [part, value] of runs.flatMap(({ results }) => Object.entries(results))) {
      const values = seen.get(part) ?? seen.set(part, new Map()).get(part)!;
      (values.get(value) ?? values.set(value, new Set()).get(value)!).add(title);
    }
  }
  return [...seen].flatMap(([part, values]) => {
    if (values.size < 2) return [];
    return [`${part}: ${[...values].map(([value, titles]) => `${value} (${[...titles].join(', ')})`).join('; ')}`];
  });
}
