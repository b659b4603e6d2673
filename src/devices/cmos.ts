/**
 * MC146818A real-time clock with 128 bytes of battery-backed RAM, and the NMI mask bit of the PC's index port.
 * Motorola MC146818A datasheet (1984); century at 32h and the NMI bit: IBM PC AT Technical Reference (1985).
 *
 * NOT implemented: daylight saving (DSE is kept but has no effect), the SQW pin, other time bases than 32.768 kHz. Time bytes that are no
 * valid time carry over into a valid one instead of counting on through the chip's undefined states.
 *
 * Usual ports: 70h (index, NMI mask), 71h (data).
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import { cyclesAt, tickOfCycle, type Clock } from '../core/clock.js';
import type { Device } from '../core/device.js';
import type { IrqLine } from '../core/irq.js';
import { bool, fixedBytes, safe, u8, type StateSchema } from '../core/state.js';
import type { Timer, TimerQueue } from '../core/timers.js';
import { SECONDS_PER_DAY, SECONDS_TO_1970 } from './calendar.js';
import { decodeTime, encodeTime, nextAlarm, weekdayShiftOf, type TimeBytes } from './rtc-registers.js';

/** The crystal; one second is 2^15 of its cycles. */
const RTC_HZ = 32_768;
/** UIP rises this long before the time changes: 244 us of warning and 1984 us of update. */
const UPDATE_CYCLES = 73;

const REG_A = 0x0a;
const REG_B = 0x0b;
const REG_C = 0x0c;
const REG_D = 0x0d;
const CENTURY = 0x32;

const A_UIP = 0x80;
const B_SET = 0x80;
const B_PIE = 0x40;
const B_AIE = 0x20;
const B_UIE = 0x10;
const B_SQWE = 0x08;
const C_IRQF = 0x80;
const C_PF = 0x40;
const C_AF = 0x20;
const C_UF = 0x10;
const D_VRT = 0x80;

export interface CmosState {
  index: number;
  nmiMasked: boolean;
  /** All 128 bytes; the time bytes and register A bit 7 are computed when read. */
  ram: Uint8Array;
  /** Start of the clock, seconds since 1970 UTC. */
  epochSeconds: number;
  /** The clock showed `baseSeconds` (since day 0 of calendar.ts) at `baseCycle`; it changes every 2^15 cycles from there. */
  baseSeconds: number;
  baseCycle: number;
  /** What is added to the true weekday, 0-6: the guest may set any. */
  weekdayShift: number;
  /** PF, AF and UF are known up to this cycle. */
  flagsCycle: number;
}

export interface CmosOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly irq8: IrqLine;
  /** Seconds since 1970 UTC at tick 0; fractions are dropped, years outside 1970-9999 are brought inside. */
  readonly epochSeconds: number;
}

export class Cmos implements Device<CmosState> {
  readonly kind = 'mc146818a';
  readonly version = 1;
  readonly schema: StateSchema<CmosState> = {
    index: u8,
    nmiMasked: bool,
    ram: fixedBytes,
    epochSeconds: safe,
    baseSeconds: safe,
    baseCycle: safe,
    weekdayShift: u8,
    flagsCycle: safe,
  };
  readonly state: CmosState;
  /** 2 ports: index, data. */
  readonly ports: PortHandler;
  readonly #clock: Clock;
  readonly #irq8: IrqLine;
  readonly #event: Timer;

  constructor(
    readonly id: string,
    options: CmosOptions,
  ) {
    this.#clock = options.clock;
    this.#irq8 = options.irq8;
    this.#event = options.timers.define(`${id}.event`, () => this.#refresh());
    const epochSeconds = Math.min(Math.max(0, Math.floor(options.epochSeconds) || 0), 253_402_300_799);
    this.state = {
      index: REG_D,
      nmiMasked: false,
      ram: new Uint8Array(128),
      epochSeconds,
      baseSeconds: SECONDS_TO_1970 + epochSeconds,
      baseCycle: RTC_HZ,
      weekdayShift: 0,
      flagsCycle: RTC_HZ,
    };
    this.state.ram[REG_A] = 0x26; // 32.768 kHz, 1024 Hz periodic rate
    this.state.ram[REG_B] = 0x02; // BCD, 24 hours
    this.state.ram[REG_D] = D_VRT;
    this.ports = bytePorts({
      read: (offset) => (offset === 0 ? 0xff : this.#read(this.state.index)),
      write: (offset, value) => {
        if (offset !== 0) return this.#write(this.state.index, value);
        this.state.index = value & 0x7f;
        this.state.nmiMasked = (value & 0x80) !== 0;
      },
    });
  }

  /** For wiring: what the set-up program of the firmware would have stored, e.g. drive types. Offsets 0Eh-7Fh. */
  store(offset: number, value: number): void {
    this.state.ram[offset] = value;
  }

  /** NMI is masked through bit 7 of the index port. */
  get nmiMasked(): boolean {
    return this.state.nmiMasked;
  }

  /** RESET clears the interrupt enables and flags; time and RAM are battery-backed (datasheet, "RESET"). */
  reset(): void {
    const { ram } = this.state;
    this.#settle();
    ram[REG_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    ram[REG_C] = 0;
    this.state.nmiMasked = false;
    this.#refresh();
  }

  restored(): void {
    this.#irq8.set((this.state.ram[REG_C] & C_IRQF) !== 0);
  }

  /** Cycles of the crystal; tick 0 is one second after cycle 0, so that a phase before tick 0 is no negative number. */
  get #cycle(): number {
    return RTC_HZ + cyclesAt(this.#clock.now, this.#clock.nsPerTick, RTC_HZ);
  }

  /** The divider chain runs: DV is not 11x. */
  get #dividing(): boolean {
    return (this.state.ram[REG_A] & 0x60) !== 0x60;
  }

  get #updating(): boolean {
    return this.#dividing && (this.state.ram[REG_B] & B_SET) === 0;
  }

  #read(index: number): number {
    const { ram } = this.state;
    switch (index) {
      case REG_A: {
        const rest = (this.#cycle - this.state.baseCycle) % RTC_HZ;
        const inProgress = this.#updating && rest >= RTC_HZ - UPDATE_CYCLES;
        return ram[REG_A] | (inProgress ? A_UIP : 0);
      }
      case REG_C: {
        this.#settle();
        const flags = ram[REG_C];
        ram[REG_C] = 0;
        this.#refresh();
        return flags;
      }
      default:
        if (this.#updating && this.#isTime(index)) this.#showTime();
        return ram[index];
    }
  }

  #write(index: number, value: number): void {
    const { ram } = this.state;
    this.#settle();
    if (index === REG_C || index === REG_D) return;
    if (index === REG_A) this.#writeA(value & 0x7f);
    // SET going high clears UIE (datasheet, "Register B").
    else if (index === REG_B) this.#reinterpret(REG_B, value & B_SET ? value & ~B_UIE : value);
    else if (this.#isTime(index)) this.#reinterpret(index, value);
    else ram[index] = value;
    this.#refresh();
  }

  #writeA(value: number): void {
    const held = !this.#dividing;
    if (held && (value & 0x60) !== 0x60) {
      // Released from reset, the divider makes the first update half a second later (datasheet, "Divider control").
      this.state.baseCycle = this.#cycle - RTC_HZ / 2;
      this.state.flagsCycle = this.#cycle;
    }
    this.#reinterpret(REG_A, value);
  }

  #isTime(index: number): boolean {
    return index === CENTURY || (index < REG_A && (index >= 6 || (index & 1) === 0));
  }

  #timeBytes(): TimeBytes {
    const { ram } = this.state;
    return [ram[0], ram[2], ram[4], ram[6], ram[7], ram[8], ram[9], ram[CENTURY]];
  }

  /** Puts the present time into the register bytes. */
  #showTime(): void {
    const { ram } = this.state;
    const bytes = encodeTime(this.#secondsAt(this.#cycle), this.state.weekdayShift, ram[REG_B]);
    [ram[0], ram[2], ram[4], ram[6], ram[7], ram[8], ram[9], ram[CENTURY]] = bytes;
  }

  /** Writes a byte of the time, or one that says how to read it or whether it runs; the clock then goes on from the bytes. */
  #reinterpret(index: number, value: number): void {
    const { ram } = this.state;
    if (this.#updating) this.#showTime();
    ram[index] = value;
    if (!this.#updating) return;
    const bytes = this.#timeBytes();
    const cycle = this.#cycle;
    // The phase of the divider stays: a written time changes when the old one would have.
    this.state.baseCycle = cycle - ((cycle - this.state.baseCycle) % RTC_HZ);
    this.state.baseSeconds = decodeTime(bytes, ram[REG_B]);
    this.state.weekdayShift = weekdayShiftOf(bytes[3], this.state.baseSeconds);
  }

  #secondsAt(cycle: number): number {
    return this.state.baseSeconds + Math.floor((cycle - this.state.baseCycle) / RTC_HZ);
  }

  /** Cycles between periodic interrupts, 0: none (datasheet, table 5). */
  get #periodCycles(): number {
    const rate = this.state.ram[REG_A] & 0x0f;
    if (rate === 0 || !this.#dividing) return 0;
    return 1 << (rate < 3 ? rate + 6 : rate - 1);
  }

  /** Periods completed at `cycle`. */
  #periodsAt(cycle: number): number {
    return Math.floor((cycle - this.state.baseCycle) / this.#periodCycles);
  }

  #nextAlarmAfter(seconds: number): number | null {
    const { ram } = this.state;
    const alarm = { second: ram[1], minute: ram[3], hour: ram[5] };
    return nextAlarm(seconds % SECONDS_PER_DAY, alarm, ram[REG_B]);
  }

  /** Brings the flags of register C up to the present. */
  #settle(): void {
    const { ram, flagsCycle } = this.state;
    const cycle = this.#cycle;
    if (this.#periodCycles !== 0 && this.#periodsAt(cycle) > this.#periodsAt(flagsCycle)) ram[REG_C] |= C_PF;
    if (this.#updating) {
      const before = this.#secondsAt(flagsCycle);
      const passed = this.#secondsAt(cycle) - before;
      const alarm = passed > 0 ? this.#nextAlarmAfter(before) : null;
      if (passed > 0) ram[REG_C] |= C_UF;
      if (alarm !== null && alarm <= passed) ram[REG_C] |= C_AF;
    }
    this.state.flagsCycle = cycle;
    // PF, AF, UF lie where PIE, AIE, UIE lie in register B.
    if (ram[REG_C] & ram[REG_B] & (C_PF | C_AF | C_UF)) ram[REG_C] |= C_IRQF;
    else ram[REG_C] &= ~C_IRQF;
  }

  /** Drives IRQ8 and arms the timer for the next event that raises it. */
  #refresh(): void {
    this.#settle();
    const request = (this.state.ram[REG_C] & C_IRQF) !== 0;
    this.#irq8.set(request);
    const cycle = request ? null : this.#nextRequestCycle();
    if (cycle === null) {
      if (this.#event.deadline !== null) this.#event.cancel();
      return;
    }
    const deadline = tickOfCycle(cycle - RTC_HZ, this.#clock.nsPerTick, RTC_HZ);
    if (this.#event.deadline !== deadline) this.#event.arm(deadline);
  }

  #nextRequestCycle(): number | null {
    const { ram, baseCycle, baseSeconds } = this.state;
    const cycle = this.#cycle;
    let next = Infinity;
    if (ram[REG_B] & B_PIE && this.#periodCycles !== 0) {
      next = baseCycle + (this.#periodsAt(cycle) + 1) * this.#periodCycles;
    }
    if (this.#updating) {
      const seconds = this.#secondsAt(cycle);
      const alarm = ram[REG_B] & B_AIE ? this.#nextAlarmAfter(seconds) : null;
      const wait = ram[REG_B] & B_UIE ? 1 : alarm;
      if (wait !== null) next = Math.min(next, baseCycle + (seconds + wait - baseSeconds) * RTC_HZ);
    }
    return next === Infinity ? null : next;
  }
}
