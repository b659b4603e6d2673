import { NS_PER_SECOND } from '../base/units.js';

/** The machine's one clock: retired (or faulted) instructions plus skipped idle ticks. A safe integer. */
export type Tick = number;

/** Read-only view of time that devices get. */
export interface Clock {
  /** The current tick; exact inside a port access. */
  readonly now: Tick;
  /** Nanoseconds of guest time per tick, a whole number. */
  readonly nsPerTick: number;
}

/** Ticks until at least `ns` nanoseconds have passed. */
export function ticksFromNs(ns: number, nsPerTick: number): number {
  return Math.ceil(ns / nsPerTick);
}

/**
 * Cycles of a crystal of `hz` that have completed at `tick`. Exact integer arithmetic: tick x nsPerTick x hz exceeds
 * 2^53 long before a day has passed.
 */
export function cyclesAt(tick: Tick, nsPerTick: number, hz: number): number {
  const seconds = Math.floor(tick / (NS_PER_SECOND / nsPerTick));
  if (NS_PER_SECOND % nsPerTick !== 0 || hz >= 2 ** 23) {
    return Number((BigInt(tick) * BigInt(nsPerTick) * BigInt(hz)) / BigInt(NS_PER_SECOND));
  }
  const rest = tick - seconds * (NS_PER_SECOND / nsPerTick);
  // rest * nsPerTick < 1e9 and hz < 2^23 keep the product below 2^53.
  return seconds * hz + Math.floor((rest * nsPerTick * hz) / NS_PER_SECOND);
}

/** The first tick at which `cycles` cycles of a crystal of `hz` have completed: the inverse of cyclesAt. */
export function tickOfCycle(cycles: number, nsPerTick: number, hz: number): Tick {
  const exact = (BigInt(cycles) * BigInt(NS_PER_SECOND) + BigInt(nsPerTick * hz) - 1n) / BigInt(nsPerTick * hz);
  return Number(exact);
}
