/**
 * Debug console of Bochs and QEMU (`-debugcon`): every byte written is output, a read returns E9h so that guests can
 * detect it. No datasheet; QEMU documentation, "isa-debugcon".
 *
 * NOT implemented: nothing is left out.
 *
 * Usual port: E9h.
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import type { Device } from '../core/device.js';
import { u8, type StateSchema } from '../core/state.js';

const PRESENT = 0xe9;

export interface DebugconState {
  lastByte: number;
}

export interface DebugconOptions {
  readonly onOutput: (byte: number) => void;
}

export class Debugcon implements Device<DebugconState> {
  readonly kind = 'debugcon';
  readonly version = 1;
  readonly schema: StateSchema<DebugconState> = { lastByte: u8 };
  readonly state: DebugconState = { lastByte: 0 };
  /** 1 port. */
  readonly ports: PortHandler;

  constructor(
    readonly id: string,
    options: DebugconOptions,
  ) {
    this.ports = bytePorts({
      read: () => PRESENT,
      write: (_offset, value) => {
        this.state.lastByte = value;
        options.onOutput(value);
      },
    });
  }

  reset(): void {
    this.state.lastByte = 0;
  }
}
