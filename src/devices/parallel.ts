/**
 * Parallel port with a printer that is always ready. IBM Personal System/2 Hardware Interface Technical Reference (1988),
 * "Parallel Port Controller"; the handshake: IEEE 1284-1994, compatibility mode.
 *
 * NOT implemented: EPP and ECP; nothing is ever received (with the direction bit set the data lines float high); the
 * printer neither runs out of paper nor fails.
 *
 * Usual ports: 378h-37Ah, IRQ 7.
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import { ticksFromNs, type Clock } from '../core/clock.js';
import type { Device } from '../core/device.js';
import type { IrqLine } from '../core/irq.js';
import { bool, u8, type StateSchema } from '../core/state.js';
import type { Timer, TimerQueue } from '../core/timers.js';

/** Data, status and control. */
export const PARALLEL_PORT_COUNT = 3;

const STATUS_NOT_PENDING = 0x04;
const STATUS_NO_ERROR = 0x08;
const STATUS_SELECTED = 0x10;
const STATUS_NOT_ACK = 0x40;
const STATUS_NOT_BUSY = 0x80;
const STATUS_UNUSED = 0x03;

const CONTROL_STROBE = 0x01;
const CONTROL_INITIALISE_OFF = 0x04;
const CONTROL_IRQ = 0x10;
const CONTROL_INPUT = 0x20;
const CONTROL_UNUSED = 0xc0;
const CONTROL_WRITABLE = 0x3f;

/** What the printer does with the character it got. */
const IDLE = 0;
const BUSY = 1;
const ACKNOWLEDGING = 2;

/** Time to take a character, and width of the acknowledge pulse. */
const BUSY_NS = 2_000;
const ACK_NS = 1_000;

export interface ParallelState {
  data: number;
  control: number;
  printer: number;
  /** Acknowledged since the status was last read, with the interrupt enabled. */
  pending: boolean;
}

export interface ParallelOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly irq: IrqLine;
  /** The printer takes a character. */
  readonly onByte: (byte: number) => void;
}

function powerOn(): ParallelState {
  return { data: 0, control: CONTROL_INITIALISE_OFF, printer: IDLE, pending: false };
}

export class Parallel implements Device<ParallelState> {
  readonly kind = 'parallel';
  readonly version = 1;
  readonly schema: StateSchema<ParallelState> = { data: u8, control: u8, printer: u8, pending: bool };
  readonly state: ParallelState = powerOn();
  /** PARALLEL_PORT_COUNT ports. */
  readonly ports: PortHandler;
  readonly #options: ParallelOptions;
  readonly #printer: Timer;

  constructor(
    readonly id: string,
    options: ParallelOptions,
  ) {
    this.#options = options;
    this.#printer = options.timers.define(`${id}.printer`, () => this.#printerGoesOn());
    this.ports = bytePorts({
      read: (offset) => this.#read(offset),
      write: (offset, value) => this.#write(offset, value),
    });
  }

  reset(): void {
    this.#printer.cancel();
    Object.assign(this.state, powerOn());
    this.#drive();
  }

  restored(): void {
    this.#drive();
  }

  #drive(): void {
    this.#options.irq.set(this.state.pending);
  }

  #read(offset: number): number {
    const { state } = this;
    if (offset === 0) return (state.control & CONTROL_INPUT) !== 0 ? 0xff : state.data;
    if (offset === 2) return state.control | CONTROL_UNUSED;
    const status =
      STATUS_UNUSED |
      STATUS_NO_ERROR |
      STATUS_SELECTED |
      (state.pending ? 0 : STATUS_NOT_PENDING) |
      (state.printer === ACKNOWLEDGING ? 0 : STATUS_NOT_ACK) |
      (state.printer === IDLE ? STATUS_NOT_BUSY : 0);
    state.pending = false;
    this.#drive();
    return status;
  }

  #write(offset: number, value: number): void {
    const { state } = this;
    if (offset === 0) state.data = value;
    if (offset !== 2) return;
    const isStrobe = (value & ~state.control & CONTROL_STROBE) !== 0;
    state.control = value & CONTROL_WRITABLE;
    if ((value & CONTROL_IRQ) === 0) state.pending = false;
    // A printer that is busy, or whose host does not drive the data, takes nothing.
    if (isStrobe && state.printer === IDLE && (value & CONTROL_INPUT) === 0) {
      // What was not looked at yields to the next interrupt, which must be an edge.
      state.pending = false;
      this.#enter(BUSY, BUSY_NS);
      this.#options.onByte(state.data);
    }
    this.#drive();
  }

  #enter(phase: number, ns: number): void {
    const { clock } = this.#options;
    this.state.printer = phase;
    this.#printer.arm(clock.now + ticksFromNs(ns, clock.nsPerTick));
  }

  #printerGoesOn(): void {
    const { state } = this;
    if (state.printer === BUSY) return this.#enter(ACKNOWLEDGING, ACK_NS);
    state.printer = IDLE;
    // The end of the pulse interrupts.
    if ((state.control & CONTROL_IRQ) !== 0) state.pending = true;
    this.#drive();
  }
}
