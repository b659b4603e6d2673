/** Level of one interrupt request line; the receiver decides whether edges or levels count. */
export interface IrqLine {
  set(level: boolean): void;
}

/** A line that leads nowhere. */
export const UNCONNECTED: IrqLine = { set: () => {} };

/**
 * A line that several sources drive: high while one of them is. Holds no state of its own, because each source drives
 * its input again after a restore.
 */
export class SharedIrqLine {
  readonly #asserted = new Set<object>();
  #level = false;

  constructor(private readonly output: IrqLine) {}

  /** A further source. */
  input(): IrqLine {
    const source = {
      set: (level: boolean): void => {
        if (level) this.#asserted.add(source);
        else this.#asserted.delete(source);
        // While sources drive their lines after a restore one by one, nothing must look like an edge.
        if (this.#level === this.#asserted.size > 0) return;
        this.#level = !this.#level;
        this.output.set(this.#level);
      },
    };
    return source;
  }
}
