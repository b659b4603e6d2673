/**
 * One counter of an 8254. Intel 8254 datasheet 231164-005, "Mode definitions". Nothing is stepped: the counting
 * element and OUT follow from the input cycle at which the count was loaded.
 */
import { bool, nullable, safe, u16, u32, u8, type StateSchema } from '../core/state.js';

export interface CounterState {
  mode: number;
  bcd: boolean;
  /** Control word RW bits: 1 = LSB, 2 = MSB, 3 = LSB then MSB. */
  access: number;
  gate: boolean;
  /** Count register, as written. */
  count: number;
  /** First byte of a two-byte count was written. */
  msbNext: boolean;
  lowByte: number;
  /** First byte of a two-byte read was taken. */
  readMsbNext: boolean;
  latchedCount: number;
  /** Bytes of latchedCount still to be read; 0: not latched. */
  latchedBytes: number;
  latchedStatus: number | null;
  /** A whole count was written since the control word. */
  countWritten: boolean;
  /** The status bit NULL COUNT: the count register has not yet reached the counting element. */
  nullCount: boolean;
  /** Cycles that the counting element counts down from, 0: never loaded. */
  period: number;
  /** Cycle at which it was loaded (moved on by the time that GATE held it; mode 3 in its low half: the next high half). */
  loadedCycle: number;
  /** OUT follows the count: set by loading, cleared by the control word. */
  running: boolean;
  /** Counted cycles at which GATE stopped it. */
  heldAt: number | null;
  /** Cycle at which the count register will be loaded. */
  pendingCycle: number | null;
}

export const COUNTER_SCHEMA: StateSchema<CounterState> = {
  mode: u8,
  bcd: bool,
  access: u8,
  gate: bool,
  count: u16,
  msbNext: bool,
  lowByte: u8,
  readMsbNext: bool,
  latchedCount: u16,
  latchedBytes: u8,
  latchedStatus: nullable(u8),
  countWritten: bool,
  nullCount: bool,
  period: u32,
  loadedCycle: safe,
  running: bool,
  heldAt: nullable(safe),
  pendingCycle: nullable(safe),
};

export function powerOnCounter(gate: boolean): CounterState {
  return {
    mode: 0,
    bcd: false,
    access: 3,
    gate,
    count: 0,
    msbNext: false,
    lowByte: 0,
    readMsbNext: false,
    latchedCount: 0,
    latchedBytes: 0,
    latchedStatus: null,
    countWritten: false,
    nullCount: true,
    period: 0,
    loadedCycle: 0,
    running: false,
    heldAt: null,
    pendingCycle: null,
  };
}

function fromBcd(digits: number): number {
  return (digits & 15) + ((digits >> 4) & 15) * 10 + ((digits >> 8) & 15) * 100 + (digits >> 12) * 1000;
}

function toBcd(value: number): number {
  const digit = (unit: number) => Math.floor(value / unit) % 10;
  return digit(1) | (digit(10) << 4) | (digit(100) << 8) | (digit(1000) << 12);
}

function modulo(value: number, modulus: number): number {
  const rest = value % modulus;
  return rest < 0 ? rest + modulus : rest;
}

/** Behaviour over one CounterState; `cycle` is the present cycle of the input clock and never goes back. */
export class PitCounter {
  constructor(private readonly s: CounterState) {}

  /** Writes the control word. */
  control(value: number, cycle: number): void {
    this.#stop(cycle);
    const { s } = this;
    s.access = (value >> 4) & 3;
    const mode = (value >> 1) & 7;
    s.mode = mode > 5 ? mode & 3 : mode;
    s.bcd = (value & 1) !== 0;
    s.msbNext = false;
    s.readMsbNext = false;
    s.latchedBytes = 0;
    s.latchedStatus = null;
    s.countWritten = false;
    s.nullCount = true;
  }

  /** Writes a byte of the count. */
  write(value: number, cycle: number): void {
    this.#sync(cycle);
    const { s } = this;
    // Mode 0: the first byte stops counting and OUT goes low at once.
    if (s.mode === 0) this.#stop(cycle);
    if (s.access === 3 && !s.msbNext) {
      s.lowByte = value;
      s.msbNext = true;
      return;
    }
    if (s.access === 1) s.count = value;
    else if (s.access === 2) s.count = value << 8;
    else s.count = s.lowByte | (value << 8);
    s.msbNext = false;
    s.countWritten = true;
    s.nullCount = true;
    if (s.mode === 1 || s.mode === 5) return; // Loaded by the trigger.
    if (!this.#periodic || !s.running) s.pendingCycle = cycle + 1;
    // Modes 2 and 3 while counting: at the end of the period or half period; held by GATE: at the trigger.
    else s.pendingCycle = s.heldAt === null ? this.#nextReload(cycle) : null;
  }

  setGate(level: boolean, cycle: number): void {
    const { s } = this;
    if (s.gate === level) return;
    this.#sync(cycle);
    s.gate = level;
    const triggered = s.mode === 1 || s.mode === 5;
    if (level && (triggered || this.#periodic)) {
      // A trigger loads the count on the next pulse, whether or not a new one was written.
      if (s.countWritten) s.pendingCycle = cycle + 1;
    } else if (level && s.running && s.heldAt !== null) {
      s.loadedCycle = cycle - s.heldAt;
      s.heldAt = null;
    } else if (!level && !triggered && s.running) {
      s.heldAt = this.#elapsed(cycle);
      if (this.#periodic) s.pendingCycle = null;
    }
  }

  latchCount(cycle: number): void {
    if (this.s.latchedBytes !== 0) return;
    this.s.latchedCount = this.#value(cycle);
    this.s.latchedBytes = this.s.access === 3 ? 2 : 1;
  }

  latchStatus(cycle: number): void {
    const { s } = this;
    if (s.latchedStatus !== null) return;
    const out = this.out(cycle) ? 0x80 : 0;
    s.latchedStatus = out | (s.nullCount ? 0x40 : 0) | (s.access << 4) | (s.mode << 1) | (s.bcd ? 1 : 0);
  }

  read(cycle: number): number {
    const { s } = this;
    if (s.latchedStatus !== null) {
      const status = s.latchedStatus;
      s.latchedStatus = null;
      return status;
    }
    const latched = s.latchedBytes !== 0;
    const value = latched ? s.latchedCount : this.#value(cycle);
    const msb = s.access === 2 || (s.access === 3 && s.readMsbNext);
    if (s.access === 3) s.readMsbNext = !s.readMsbNext;
    if (latched) s.latchedBytes--;
    return msb ? value >> 8 : value & 0xff;
  }

  /** Level of OUT. */
  out(cycle: number): boolean {
    this.#sync(cycle);
    const { s } = this;
    if (!s.running) return s.mode !== 0;
    const elapsed = this.#elapsed(cycle);
    switch (s.mode) {
      case 0:
      case 1:
        return elapsed >= s.period;
      case 2:
        return s.heldAt !== null || elapsed !== s.period - 1;
      case 3:
        return s.heldAt !== null || elapsed < this.#highCycles;
      default:
        return s.heldAt !== null || elapsed !== s.period;
    }
  }

  /** The next cycle after `cycle` at which OUT or the counting element changes course, or null. */
  nextEvent(cycle: number): number | null {
    this.#sync(cycle);
    const edge = this.#nextEdge(cycle);
    const { pendingCycle } = this.s;
    if (edge === null || pendingCycle === null) return edge ?? pendingCycle;
    return Math.min(edge, pendingCycle);
  }

  #nextEdge(cycle: number): number | null {
    const { s } = this;
    if (!s.running || s.heldAt !== null) return null;
    const elapsed = this.#elapsed(cycle);
    if (s.mode === 3) return cycle + (elapsed < this.#highCycles ? this.#highCycles : s.period) - elapsed;
    if (s.mode === 2) return cycle + (elapsed < s.period - 1 ? s.period - 1 - elapsed : 1);
    if (elapsed < s.period) return cycle + s.period - elapsed;
    return s.mode >= 4 && elapsed === s.period ? cycle + 1 : null;
  }

  get #periodic(): boolean {
    return this.s.mode === 2 || this.s.mode === 3;
  }

  /** Mode 3: an odd count gives its extra cycle to the high half. */
  get #highCycles(): number {
    return Math.ceil(this.s.period / 2);
  }

  /** Cycles counted since the load; in the periodic modes since the period began. */
  #elapsed(cycle: number): number {
    const { s } = this;
    if (s.heldAt !== null) return s.heldAt;
    const elapsed = cycle - s.loadedCycle;
    return this.#periodic && s.period !== 0 ? modulo(elapsed, s.period) : elapsed;
  }

  #stop(cycle: number): void {
    this.#sync(cycle);
    this.s.heldAt = this.#elapsed(cycle);
    this.s.running = false;
    this.s.pendingCycle = null;
  }

  #nextReload(cycle: number): number {
    const elapsed = this.#elapsed(cycle);
    const end = this.s.mode === 3 && elapsed < this.#highCycles ? this.#highCycles : this.s.period;
    return cycle + end - elapsed;
  }

  /** Loads the counting element if its time has come. */
  #sync(cycle: number): void {
    const { s } = this;
    if (s.pendingCycle === null || s.pendingCycle > cycle) return;
    const at = s.pendingCycle;
    const lowHalfNext = s.mode === 3 && s.running && s.heldAt === null && this.#elapsed(at) === this.#highCycles;
    const count = s.bcd ? fromBcd(s.count) || 10_000 : s.count || 0x1_0000;
    s.period = this.#periodic ? Math.max(2, count) : count;
    s.loadedCycle = lowHalfNext ? at + (s.period >> 1) : at;
    s.pendingCycle = null;
    s.nullCount = false;
    s.running = true;
    s.heldAt = s.gate || s.mode === 1 || s.mode === 5 ? null : 0;
  }

  /** The counting element as it would be read. */
  #value(cycle: number): number {
    this.#sync(cycle);
    const { s } = this;
    if (s.period === 0) return 0;
    const elapsed = this.#elapsed(cycle);
    let value = s.period - elapsed;
    if (s.mode === 3) {
      const half = elapsed < this.#highCycles ? elapsed : elapsed - this.#highCycles;
      value = (s.period & ~1) - 2 * half;
    }
    return s.bcd ? toBcd(modulo(value, 10_000)) : modulo(value, 0x1_0000);
  }
}
