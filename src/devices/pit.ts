/**
 * 8254 programmable interval timer and port 61h of the PC (speaker gate, refresh toggle, parity bits).
 * Intel 8254 datasheet 231164-005; port 61h: Intel 82371AB (PIIX4) datasheet 290562, section 8.5 (NMISC).
 *
 * NOT implemented: sound output; counter 1 does not drive DRAM refresh (the refresh toggle of port 61h has a fixed period of 18 cycles); the
 * illegal count 1 of modes 2 and 3 counts as 2.
 *
 * Usual ports: counters 40h-43h, control 61h.
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import { cyclesAt, tickOfCycle, type Clock } from '../core/clock.js';
import type { Device } from '../core/device.js';
import type { IrqLine } from '../core/irq.js';
import { fixedList, record, safe, u8, type StateSchema } from '../core/state.js';
import type { Timer, TimerQueue } from '../core/timers.js';
import { COUNTER_SCHEMA, PitCounter, powerOnCounter, type CounterState } from './pit-counter.js';

/** Input clock: a third of the colour carrier, rounded to whole Hertz as every PC emulator and kernel does. */
export const PIT_HZ = 1_193_182;
const REFRESH_CYCLES = 18;

export interface PitState {
  counters: CounterState[];
  /** Bits 0-3 of port 61h as written. */
  control61: number;
  /** Cycle up to which the edges of OUT0 have been driven. */
  drivenCycle: number;
}

export interface PitOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  /** OUT of counter 0. */
  readonly irq0: IrqLine;
}

export class Pit implements Device<PitState> {
  readonly kind = 'i8254';
  readonly version = 1;
  readonly schema: StateSchema<PitState> = {
    counters: fixedList(record(COUNTER_SCHEMA)),
    control61: u8,
    drivenCycle: safe,
  };
  readonly state: PitState;
  /** 4 ports: counters 0-2 and the control word. */
  readonly ports: PortHandler;
  /** 1 port: 61h. */
  readonly controlPorts: PortHandler;
  readonly #clock: Clock;
  readonly #irq0: IrqLine;
  readonly #edge: Timer;
  readonly #counters: PitCounter[];

  constructor(
    readonly id: string,
    options: PitOptions,
  ) {
    this.#clock = options.clock;
    this.#irq0 = options.irq0;
    this.#edge = options.timers.define(`${id}.out0`, () => this.#drive());
    this.state = { counters: [0, 1, 2].map((n) => powerOnCounter(n !== 2)), control61: 0, drivenCycle: 0 };
    this.#counters = this.state.counters.map((counter) => new PitCounter(counter));
    this.ports = bytePorts({
      read: (offset) => (offset === 3 ? 0xff : this.#counters[offset].read(this.#cycle)),
      write: (offset, value) => this.#write(offset, value),
    });
    this.controlPorts = bytePorts({ read: () => this.#read61(), write: (_offset, value) => this.#write61(value) });
  }

  /** Level of the speaker's input: OUT2 gated by the speaker data bit. */
  get speaker(): boolean {
    return (this.state.control61 & 2) !== 0 && this.#counters[2].out(this.#cycle);
  }

  reset(): void {
    this.#edge.cancel();
    for (const n of [0, 1, 2]) Object.assign(this.state.counters[n], powerOnCounter(n !== 2));
    this.state.control61 = 0;
    this.state.drivenCycle = this.#cycle;
    this.#irq0.set(this.#counters[0].out(this.#cycle));
  }

  restored(): void {
    this.#irq0.set(this.#counters[0].out(this.state.drivenCycle));
  }

  get #cycle(): number {
    return cyclesAt(this.#clock.now, this.#clock.nsPerTick, PIT_HZ);
  }

  #write(offset: number, value: number): void {
    const cycle = this.#cycle;
    this.#drive();
    if (offset < 3) {
      this.#counters[offset].write(value, cycle);
    } else if (value >> 6 === 3) {
      // Read-back: COUNT and STATUS are active low.
      for (const n of [0, 1, 2]) {
        if (!((value >> (n + 1)) & 1)) continue;
        if (!(value & 0x20)) this.#counters[n].latchCount(cycle);
        if (!(value & 0x10)) this.#counters[n].latchStatus(cycle);
      }
    } else if ((value & 0x30) === 0) {
      this.#counters[value >> 6].latchCount(cycle);
    } else {
      this.#counters[value >> 6].control(value, cycle);
    }
    this.#irq0.set(this.#counters[0].out(cycle));
    this.#schedule();
  }

  /** Drives every edge of OUT0 up to now, one by one: a tick may be longer than a pulse. */
  #drive(): void {
    const now = this.#cycle;
    for (;;) {
      const edge = this.#counters[0].nextEvent(this.state.drivenCycle);
      if (edge === null || edge > now) break;
      this.state.drivenCycle = edge;
      this.#irq0.set(this.#counters[0].out(edge));
    }
    this.state.drivenCycle = now;
    this.#schedule();
  }

  #schedule(): void {
    const edge = this.#counters[0].nextEvent(this.state.drivenCycle);
    if (edge === null) {
      if (this.#edge.deadline !== null) this.#edge.cancel();
      return;
    }
    const deadline = tickOfCycle(edge, this.#clock.nsPerTick, PIT_HZ);
    if (this.#edge.deadline !== deadline) this.#edge.arm(deadline);
  }

  #read61(): number {
    const cycle = this.#cycle;
    const refresh = Math.floor(cycle / REFRESH_CYCLES) & 1;
    const out2 = this.#counters[2].out(cycle) ? 1 : 0;
    return this.state.control61 | (refresh << 4) | (out2 << 5);
  }

  #write61(value: number): void {
    this.state.control61 = value & 0x0f;
    this.#counters[2].setGate((value & 1) !== 0, this.#cycle);
  }
}
