/** Where nothing else was asked for: the shortest slices, and how much longer they get. */
const LEAST_TICKS = 4_000_000;
const MOST_TICKS = 16 * LEAST_TICKS;
/** Wall time that a slice is to take at most: whoever wants something of the machine waits for its end. */
const SLICE_MS = 10;

/** Ticks between looks at the host: fixed, or as many as the host has time for. What the guest does is the same. */
export class SliceLength {
  #ticks: number;

  constructor(private readonly fixed: number | undefined) {
    this.#ticks = fixed ?? LEAST_TICKS;
  }

  get ticks(): number {
    return this.#ticks;
  }

  /** A slice has taken so long. */
  took(ms: number): void {
    if (this.fixed !== undefined) return;
    if (ms > SLICE_MS) this.#ticks = Math.max(this.#ticks / 2, LEAST_TICKS);
    else if (ms < SLICE_MS / 2) this.#ticks = Math.min(this.#ticks * 2, MOST_TICKS);
  }
}
