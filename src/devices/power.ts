/**
 * ACPI fixed hardware: PM1 event and control blocks, PM timer, power button, SCI. ACPI specification 6.4, section 4.8.
 *
 * NOT implemented: legacy mode (SCI_EN is always 1 and there is no SMI command port), sleep states other than S5, bus
 * master and global lock events, general-purpose events.
 *
 * Port block (offsets): 0 PM1_STS, 2 PM1_EN, 4 PM1_CNT, 8-11 PM_TMR. Usual base: 600h; SCI usually IRQ 9, level-triggered.
 */
import type { PortHandler, Width } from '../core/bus.js';
import { cyclesAt, tickOfCycle, type Clock } from '../core/clock.js';
import type { Device } from '../core/device.js';
import type { IrqLine } from '../core/irq.js';
import { safe, u16, type StateSchema } from '../core/state.js';
import type { Timer, TimerQueue } from '../core/timers.js';

export const PM_TIMER_HZ = 3_579_545;
/** SLP_TYP of S5, which the DSDT's \_S5 names. */
export const SLEEP_TYPE_S5 = 5;
/** Ports of the block. */
export const POWER_PORT_COUNT = 16;

const STS_TMR = 0x0001;
const STS_PWRBTN = 0x0100;
const STS_WAK = 0x8000;
/** Status bits that raise SCI when enabled: timer, global lock, power button, sleep button, RTC. */
const EVENTS = 0x0721;
const CNT_SCI_EN = 0x0001;
/** BM_RLD and SLP_TYP read back. */
const CNT_KEPT = 0x1c02;
const CNT_SLP_EN = 0x2000;

export interface PowerState {
  /** Without TMR_STS, which is computed. */
  pm1Status: number;
  pm1Enable: number;
  pm1Control: number;
  /** Changes of the PM timer's top bit that TMR_STS was cleared for. */
  timerHalvesSeen: number;
}

export interface PowerOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  /** System control interrupt, level-triggered. */
  readonly sci: IrqLine;
  /** The guest enters S5. */
  readonly onPowerOff: () => void;
  /** Width of the PM timer; must agree with the FADT. 32 if left out. */
  readonly timerBits?: 24 | 32;
}

export class Power implements Device<PowerState> {
  readonly kind = 'acpi-pm';
  readonly version = 1;
  readonly schema: StateSchema<PowerState> = { pm1Status: u16, pm1Enable: u16, pm1Control: u16, timerHalvesSeen: safe };
  readonly state: PowerState = { pm1Status: 0, pm1Enable: 0, pm1Control: CNT_SCI_EN, timerHalvesSeen: 0 };
  /** POWER_PORT_COUNT ports. */
  readonly ports: PortHandler;
  readonly #options: PowerOptions;
  readonly #halfCycles: number;
  readonly #overflow: Timer;

  constructor(
    readonly id: string,
    options: PowerOptions,
  ) {
    this.#options = options;
    this.#halfCycles = 2 ** ((options.timerBits ?? 32) - 1);
    this.#overflow = options.timers.define(`${id}.timer`, () => this.#refresh());
    this.ports = {
      // Linux reads the PM timer all the time.
      readsChangeNothing: true,
      read: (offset, width) => this.#read(offset, width),
      write: (offset, value, width) => this.#write(offset, value, width),
    };
  }

  /** The host presses the power button: SCI, if the guest listens. */
  pressPowerButton(): void {
    this.state.pm1Status |= STS_PWRBTN;
    this.#refresh();
  }

  reset(): void {
    Object.assign(this.state, { pm1Status: 0, pm1Enable: 0, pm1Control: CNT_SCI_EN, timerHalvesSeen: this.#halves });
    this.#refresh();
  }

  restored(): void {
    this.#options.sci.set((this.#status & this.state.pm1Enable & EVENTS) !== 0);
  }

  get #cycle(): number {
    return cyclesAt(this.#options.clock.now, this.#options.clock.nsPerTick, PM_TIMER_HZ);
  }

  /** How often the top bit of the PM timer has changed. */
  get #halves(): number {
    return Math.floor(this.#cycle / this.#halfCycles);
  }

  get #status(): number {
    return this.state.pm1Status | (this.#halves !== this.state.timerHalvesSeen ? STS_TMR : 0);
  }

  /** 32-bit register that `offset` lies in. */
  #register(offset: number): number {
    switch (offset >> 2) {
      case 0:
        return this.#status | (this.state.pm1Enable << 16);
      case 1:
        return this.state.pm1Control;
      case 2:
        return this.#cycle % (2 * this.#halfCycles);
      default:
        return 0;
    }
  }

  #read(offset: number, width: Width): number {
    let value = 0;
    for (let i = 0; i < width; i++) {
      const byte = (this.#register(offset + i) / 2 ** (8 * ((offset + i) & 3))) & 0xff;
      value += byte * 2 ** (8 * i);
    }
    return value;
  }

  #write(offset: number, value: number, width: Width): void {
    for (let i = 0; i < width; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
    this.#refresh();
  }

  #writeByte(offset: number, value: number): void {
    const { state } = this;
    const shift = 8 * (offset & 1);
    const word = value << shift;
    const kept = 0xff00 >> shift;
    switch (offset >> 1) {
      case 0:
        // Writing 1 clears.
        state.pm1Status &= ~word;
        if (word & STS_TMR) state.timerHalvesSeen = this.#halves;
        break;
      case 1:
        state.pm1Enable = (state.pm1Enable & kept) | (word & EVENTS);
        break;
      case 2:
        state.pm1Control = (state.pm1Control & kept) | (word & CNT_KEPT) | CNT_SCI_EN;
        if (word & CNT_SLP_EN) this.#sleep();
        break;
    }
  }

  #sleep(): void {
    if (((this.state.pm1Control >> 10) & 7) === SLEEP_TYPE_S5) this.#options.onPowerOff();
    // Other states are not offered: the machine is awake again at once.
    else this.state.pm1Status |= STS_WAK;
  }

  #refresh(): void {
    const { clock, sci } = this.#options;
    sci.set((this.#status & this.state.pm1Enable & EVENTS) !== 0);
    const wanted = (this.state.pm1Enable & STS_TMR) !== 0 && (this.#status & STS_TMR) === 0;
    if (!wanted) {
      if (this.#overflow.deadline !== null) this.#overflow.cancel();
      return;
    }
    const deadline = tickOfCycle((this.#halves + 1) * this.#halfCycles, clock.nsPerTick, PM_TIMER_HZ);
    if (this.#overflow.deadline !== deadline) this.#overflow.arm(deadline);
  }
}
