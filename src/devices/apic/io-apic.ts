/**
 * I/O APIC. Intel 82093AA datasheet 290566-001.
 *
 * NOT implemented: pin polarity (a line here says "asserted", whatever level that is), SMI and INIT deliveries, delivery
 * status (a message arrives at once), destinations other than the one processor.
 *
 * Usual address: FEC00000h.
 */
import { assert } from '../../base/assert.js';
import type { MmioHandler } from '../../core/bus.js';
import type { Device } from '../../core/device.js';
import type { IrqLine } from '../../core/irq.js';
import { list, u32, u8, type StateSchema } from '../../core/state.js';
import { DELIVERY, type ApicMessage } from './message.js';

export const IO_APIC_BASE = 0xfec0_0000;
export const IO_APIC_BYTES = 0x1000;
export const IO_APIC_PINS = 24;

const REG_SELECT = 0x00;
const REG_WINDOW = 0x10;
const ID = 0;
const VERSION = 1;
const ARBITRATION = 2;
const TABLE = 0x10;
const VERSION_VALUE = 0x11 | ((IO_APIC_PINS - 1) << 16);
const ID_MASK = 0x0f00_0000;

/** Redirection table entry, low half (3.2.4). */
const VECTOR = 0xff;
const MODE_SHIFT = 8;
const LOGICAL = 1 << 11;
const REMOTE_IRR = 1 << 14;
const LEVEL = 1 << 15;
const MASKED = 1 << 16;
const LOW_WRITABLE = 0x1afff;
const HIGH_WRITABLE = 0xff00_0000;

export interface IoApicState {
  select: number;
  id: number;
  /** Bit n: pin n is asserted. */
  lines: number;
  /** By pin: low half, high half. */
  table: number[];
}

export interface IoApicOptions {
  /** A message goes to the processor. True when it took it. */
  readonly send: (message: ApicMessage) => boolean;
}

const tableAtReset = (): number[] => Array.from({ length: 2 * IO_APIC_PINS }, (_, i) => (i % 2 === 0 ? MASKED : 0));

export class IoApic implements Device<IoApicState> {
  readonly kind = 'io-apic-82093aa';
  readonly isInterruptController = true;
  readonly version = 1;
  readonly schema: StateSchema<IoApicState> = { select: u8, id: u32, lines: u32, table: list(u32) };
  readonly state: IoApicState = { select: 0, id: 0, lines: 0, table: tableAtReset() };
  /** IO_APIC_BYTES from the base. */
  readonly registers: MmioHandler;

  constructor(
    readonly id: string,
    private readonly options: IoApicOptions,
  ) {
    // Registers are words; parts of one are read from it, and writing only a part does nothing.
    this.registers = {
      read: (offset) => Math.floor(this.#read(offset & ~3) / 2 ** (8 * (offset & 3))) >>> 0,
      write: (offset, value, width) => {
        if ((offset & 0xff) === REG_SELECT) this.state.select = value & 0xff;
        else if ((offset & 0xff) === REG_WINDOW && width === 4) this.#write(this.state.select, value);
      },
    };
  }

  line(pin: number): IrqLine {
    assert(pin >= 0 && pin < IO_APIC_PINS, `no I/O APIC pin ${pin}`);
    const bit = 1 << pin;
    return {
      set: (level) => {
        const { state } = this;
        if (((state.lines & bit) !== 0) === level) return;
        state.lines = (level ? state.lines | bit : state.lines & ~bit) >>> 0;
        if (level) this.#raise(pin);
      },
    };
  }

  /** The processor has ended an interrupt that was level-triggered. */
  endOfInterrupt(vector: number): void {
    const { table } = this.state;
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      const low = table[2 * pin];
      if ((low & REMOTE_IRR) === 0 || (low & VECTOR) !== vector) continue;
      table[2 * pin] = low & ~REMOTE_IRR;
      this.#sample(pin);
    }
  }

  reset(): void {
    // The levels on the pins belong to their drivers.
    Object.assign(this.state, { select: 0, id: 0, table: tableAtReset() });
  }

  #read(offset: number): number {
    const { select, id, table } = this.state;
    if ((offset & 0xff) === REG_SELECT) return select;
    if ((offset & 0xff) !== REG_WINDOW) return 0;
    if (select === ID || select === ARBITRATION) return id;
    if (select === VERSION) return VERSION_VALUE;
    return table[select - TABLE] ?? 0;
  }

  #write(register: number, value: number): void {
    const { state } = this;
    if (register === ID) state.id = (value & ID_MASK) >>> 0;
    const index = register - TABLE;
    if (index < 0 || index >= 2 * IO_APIC_PINS) return;
    const before = state.table[index];
    if (index % 2 === 1) {
      state.table[index] = (value & HIGH_WRITABLE) >>> 0;
      return;
    }
    const remoteIrr = (value & LEVEL) !== 0 ? before & REMOTE_IRR : 0;
    state.table[index] = ((value & LOW_WRITABLE) | remoteIrr) >>> 0;
    this.#sample(index / 2);
  }

  /** A level that is there counts whenever somebody looks. */
  #sample(pin: number): void {
    const low = this.state.table[2 * pin];
    if ((low & LEVEL) !== 0 && ((this.state.lines >>> pin) & 1) !== 0) this.#raise(pin);
  }

  /** An edge that meets a mask is lost (3.2.4, bit 16). */
  #raise(pin: number): void {
    const { table } = this.state;
    const low = table[2 * pin];
    if ((low & MASKED) !== 0 || (low & REMOTE_IRR) !== 0) return;
    const mode = (low >> MODE_SHIFT) & 7;
    const isLevel = (low & LEVEL) !== 0 && (mode === DELIVERY.fixed || mode === DELIVERY.lowest);
    const taken = this.options.send({
      mode,
      vector: low & VECTOR,
      isLevel,
      isLogical: (low & LOGICAL) !== 0,
      destination: table[2 * pin + 1] >>> 24,
    });
    if (taken && isLevel) table[2 * pin] = (low | REMOTE_IRR) >>> 0;
  }
}
