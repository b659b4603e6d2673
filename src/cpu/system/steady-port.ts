import type { Tick } from '../../core/clock.js';
import { STATE } from '../../isa/cpu-state.js';

/** What marks STATE.steadyPort as holding a port. */
export const STEADY = 0x1_0000;

/**
 * The byte that was read from a port last, where the device says how long it stands: programs that poll need not ask it
 * again. Whatever might make it untrue has it forgotten, and between slices nothing is known. A cache only.
 */
export class SteadyPort {
  constructor(private readonly view: DataView) {}

  forget(): void {
    this.view.setUint32(STATE.steadyPort, 0, true);
  }

  note(port: number, value: number, until: Tick): void {
    const { view } = this;
    const end = Math.min(until, Number.MAX_SAFE_INTEGER);
    view.setUint32(STATE.steadyPort, STEADY | port, true);
    view.setUint32(STATE.steadyValue, value, true);
    view.setUint32(STATE.steadyUntil, end >>> 0, true);
    view.setUint32(STATE.steadyUntil + 4, Math.floor(end / 2 ** 32), true);
  }
}
