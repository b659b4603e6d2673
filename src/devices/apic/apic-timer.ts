import type { Clock, Tick } from '../../core/clock.js';
import { nullable, safe, u32, u8, type StateSchema } from '../../core/state.js';
import type { Timer, TimerQueue } from '../../core/timers.js';

/** What the timer counts; part of the local APIC's state. */
export interface ApicTimerState {
  initialCount: number;
  /** Divide configuration register. */
  divide: number;
  /** Tick at which the count stood at `initialCount`; null while nothing is counted. */
  start: Tick | null;
}

export const APIC_TIMER_SCHEMA: StateSchema<ApicTimerState> = { initialCount: u32, divide: u8, start: nullable(safe) };

export const apicTimerAtReset = (): ApicTimerState => ({ initialCount: 0, divide: 0, start: null });

/**
 * Periodic interrupts come no faster than this, nanoseconds: below it there would be nothing but interrupts, and the
 * host would be busy with a guest that gets nowhere.
 */
const SHORTEST_PERIOD_NS = 1000;

export interface ApicTimerOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly isPeriodic: () => boolean;
  /** The count reached zero. */
  readonly onExpired: () => void;
}

/**
 * The local APIC's timer (SDM 3A, 11.5.4). Its input clock is the machine's tick, which CPUID leaf 15h says: what a guest
 * reads is exact in every division.
 *
 * NOT implemented: TSC-deadline mode (CPUID does not offer it).
 */
export class ApicTimer {
  readonly #alarm: Timer;

  constructor(
    private readonly options: ApicTimerOptions,
    private readonly state: () => ApicTimerState,
  ) {
    this.#alarm = options.timers.define(options.id, (deadline) => this.#expire(deadline), true);
  }

  /** Ticks for each count: 1, 2, 4 ... 128. */
  get #divisor(): number {
    const { divide } = this.state();
    const code = (divide & 3) | ((divide >> 1) & 4);
    return code === 7 ? 1 : 2 << code;
  }

  get #periodTicks(): number {
    const { initialCount } = this.state();
    const ticks = initialCount * this.#divisor;
    const shortest = Math.ceil(SHORTEST_PERIOD_NS / this.options.clock.nsPerTick);
    return this.options.isPeriodic() ? Math.max(ticks, shortest) : ticks;
  }

  /** Current count register. */
  get count(): number {
    const { start, initialCount } = this.state();
    if (start === null) return 0;
    return Math.max(0, initialCount - Math.floor((this.options.clock.now - start) / this.#divisor));
  }

  /** Writing the initial count starts the timer; zero stops it. */
  setInitialCount(count: number): void {
    const state = this.state();
    state.initialCount = count;
    state.start = count === 0 ? null : this.options.clock.now;
    this.#arm();
  }

  /** What is left of a running count is counted at the new rate. */
  setDivide(value: number): void {
    const state = this.state();
    const left = this.count;
    state.divide = value & 0x0b;
    if (state.start !== null) state.start = this.options.clock.now - (state.initialCount - left) * this.#divisor;
    this.#arm();
  }

  /** The mode changed, or everything. */
  update(): void {
    this.#arm();
  }

  #arm(): void {
    const { start } = this.state();
    if (start !== null) this.#alarm.arm(start + this.#periodTicks);
    else if (this.#alarm.deadline !== null) this.#alarm.cancel();
  }

  #expire(deadline: Tick): void {
    this.state().start = this.options.isPeriodic() ? deadline : null;
    this.#arm();
    this.options.onExpired();
  }
}
