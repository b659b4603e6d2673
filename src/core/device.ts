import type { PageStore } from './page-store.js';
import type { StateSchema } from './state.js';

/**
 * One chip. `state` holds everything the guest can observe and everything that decides what happens next; timers are
 * defined on the machine's TimerQueue and saved by it. Hosts and wiring are constructor arguments.
 */
export interface Device<S extends object = object> {
  /** Unique name within the machine, also the section name of its snapshot, e.g. `uart0`. */
  readonly id: string;
  /** Chip, e.g. `ns16550a`. */
  readonly kind: string;
  /** Version of the state layout. */
  readonly version: number;
  readonly schema: StateSchema<S>;
  /**
   * The processor talks to it without an access: INTA cycles, interrupts' ends. All other devices change at an access, an
   * alarm or an input only, or at a reset.
   */
  readonly isInterruptController?: true;
  readonly state: S;
  /** State that is too large for `schema`; snapshots and digests contain it all the same. */
  readonly pages?: PageStore;
  /** Hardware reset: power-on values. */
  reset(): void;
  /** After `state` was replaced by a restore: re-drive lines, recompute caches. Must not arm timers. */
  restored?(): void;
}
