/**
 * System control port A of the PS/2: fast A20 gate and fast reset. IBM PS/2 Hardware Interface Technical Reference
 * (1988), "System Control Port A".
 *
 * NOT implemented: security lock latch, watchdog and the activity light (their bits are kept).
 *
 * The A20 level itself belongs to the machine (the 8042 drives it too): a restore does not call onA20.
 *
 * Usual port: 92h.
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import type { Device } from '../core/device.js';
import { u8, type StateSchema } from '../core/state.js';

const FAST_RESET = 0x01;
const A20 = 0x02;

export interface Port92State {
  value: number;
}

export interface Port92Options {
  readonly onA20: (level: boolean) => void;
  /** The reset line of the CPU is pulsed. */
  readonly onReset: () => void;
}

export class Port92 implements Device<Port92State> {
  readonly kind = 'port92';
  readonly version = 1;
  readonly schema: StateSchema<Port92State> = { value: u8 };
  readonly state: Port92State = { value: A20 };
  /** 1 port. */
  readonly ports: PortHandler;

  constructor(
    readonly id: string,
    options: Port92Options,
  ) {
    this.ports = bytePorts({
      read: () => this.state.value,
      write: (_offset, value) => {
        const before = this.state.value;
        this.state.value = value;
        options.onA20((value & A20) !== 0);
        if (value & ~before & FAST_RESET) options.onReset();
      },
    });
  }

  reset(): void {
    this.state.value = A20;
  }
}
