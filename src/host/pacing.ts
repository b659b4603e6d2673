import type { Tick } from '../core/clock.js';

const NS_PER_MS = 1_000_000;

export interface PacerOptions {
  /** Nanoseconds of guest time per tick. */
  readonly nsPerTick: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

/**
 * Maps wall time to ticks. A live machine may go as far as the wall clock and not further; one that fell behind may go
 * at full speed until it has caught up. The guest sees nothing of it but the tick at which an input is admitted.
 */
export class Pacer {
  readonly #nsPerTick: number;
  readonly #nowMs: () => number;
  #startTick: Tick = 0;
  #startMs: number;

  constructor(options: PacerOptions) {
    this.#nsPerTick = options.nsPerTick;
    this.#nowMs = options.nowMs;
    this.#startMs = options.nowMs();
  }

  #elapsedMs(): number {
    return Math.max(0, this.#nowMs() - this.#startMs);
  }

  /** From now on `tick` is this moment. Whatever the machine was behind is forgotten. */
  start(tick: Tick): void {
    this.#startTick = tick;
    this.#startMs = this.#nowMs();
  }

  /** Highest tick allowed now. */
  limit(): Tick {
    return this.#startTick + Math.floor((this.#elapsedMs() * NS_PER_MS) / this.#nsPerTick);
  }

  /** Milliseconds until `tick` is allowed; 0 when it is. */
  waitMs(tick: Tick): number {
    const dueMs = ((tick - this.#startTick) * this.#nsPerTick) / NS_PER_MS;
    return Math.max(0, dueMs - this.#elapsedMs());
  }
}
