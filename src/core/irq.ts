/** Level of one interrupt request line; the receiver decides whether edges or levels count. */
export interface IrqLine {
  set(level: boolean): void;
}

/** A line that leads nowhere. */
export const UNCONNECTED: IrqLine = { set: () => {} };
