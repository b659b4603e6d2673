import type { Tick } from '../../core/clock.js';

/** What a program has had to do with devices since forget(): for whoever asks whether it would go the same way again. */
export class Outside {
  #isTouched = false;
  #steadyUntil: Tick = Infinity;
  /** The port that answered so. */
  #steadyPort: number | null = null;

  forget(): void {
    this.#isTouched = false;
    this.#steadyUntil = Infinity;
    this.#steadyPort = null;
  }

  /** A device was told something, or asked what it may answer otherwise the next time. */
  touch(): void {
    this.#isTouched = true;
  }

  /** A device answered, and will answer the same at every tick below `until`, as long as no other port is used. */
  noteSteady(port: number, until: Tick): void {
    if (this.#steadyPort !== null && this.#steadyPort !== port) this.touch();
    this.#steadyPort = port;
    this.#steadyUntil = Math.min(this.#steadyUntil, until);
  }

  get isTouched(): boolean {
    return this.#isTouched;
  }

  /** First tick at which a device might answer otherwise than it did. */
  get steadyUntil(): Tick {
    return this.#steadyUntil;
  }
}
