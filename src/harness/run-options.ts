import type { Tick } from '../core/clock.js';
import type { MachineStop } from '../machine/machine.js';

/** When run() returns; whichever comes first. Without any: when the machine stops. */
export interface Until {
  /** Text of COM1 behind the last match. */
  readonly serial?: RegExp;
  /** Label of a mark, or name of a phase that begins. */
  readonly mark?: string;
  /** Absolute tick. */
  readonly ticks?: Tick;
  /** Text screen. */
  readonly screen?: RegExp;
}

export type StopReason =
  | { readonly kind: 'matched'; readonly what: 'serial' | 'mark' | 'screen' | 'ticks' }
  | MachineStop
  | { readonly kind: 'interrupted' };

export interface RunOptions {
  readonly until?: Until;
  readonly signal?: AbortSignal;
  /** Called between slices. */
  readonly onProgress?: (tick: Tick) => void;
}
