import type { Tick } from '../core/clock.js';

/** The first difference between a replay and its recording. */
export interface Divergence {
  readonly tick: Tick;
  /** What differs: `cpu`, a device, `ram`, an answer's request, or the course of events. */
  readonly what: string;
  readonly expected: string;
  readonly actual: string;
  /** Label of the last mark before it, null when there was none. */
  readonly after: string | null;
}

/** Thrown inside the machine when a request differs from the recorded one: nothing sensible can follow. */
export class DivergenceError extends Error {
  override readonly name = 'DivergenceError';
  constructor(readonly divergence: Divergence) {
    super(`replay diverged at tick ${divergence.tick}: ${divergence.what}`);
  }
}
