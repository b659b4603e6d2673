/**
 * 16550A UART. National Semiconductor PC16550D datasheet (June 1995); OUT2 gates the interrupt as on the PC's serial
 * adapter (IBM PC AT Technical Reference).
 *
 * NOT implemented: received breaks, parity and framing errors, sending a break, DMA signalling (RXRDY, TXRDY), 5 to 7 bit
 * characters are sent with their upper bits.
 *
 * Receiving: the host's bytes wait in a queue without bound, which is state, and enter the FIFO at the programmed character rate and never
 * into a full FIFO, so that a guest does not overrun whatever the host sends.
 * Transmitting: a byte leaves at once and THRE is raised again at once. Consoles that poll LSR (Linux printk, DOS programs through INT 14h) then
 * never spin a character time per byte, and interrupt-driven drivers see one THRE interrupt for each refill, because the edge is
 * kept: pending is set by the THR becoming empty or by enabling the interrupt while it is empty, and cleared by IIR or THR.
 *
 * Usual ports: 3F8h-3FFh IRQ 4, 2F8h-2FFh IRQ 3.
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import { ticksFromNs, type Clock } from '../core/clock.js';
import type { Device } from '../core/device.js';
import type { IrqLine } from '../core/irq.js';
import { bool, bytes, safe, u16, u8, type StateSchema } from '../core/state.js';
import type { Timer, TimerQueue } from '../core/timers.js';

const FIFO_BYTES = 16;
const TRIGGER_BYTES = [1, 4, 8, 14];
/** 1.8432 MHz / 16. */
const MAX_BAUD = 115_200;

const IER_RDA = 0x01;
const IER_THRE = 0x02;
const IER_RLS = 0x04;
const IER_MS = 0x08;

const IIR_NONE = 0x01;
const IIR_MS = 0x00;
const IIR_THRE = 0x02;
const IIR_RDA = 0x04;
const IIR_RLS = 0x06;
const IIR_TIMEOUT = 0x0c;

const LCR_DLAB = 0x80;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;

const LSR_DR = 0x01;
const LSR_OE = 0x02;
const LSR_ERRORS = 0x1e;
const LSR_THRE = 0x20;
const LSR_TEMT = 0x40;

/** Modem inputs, as MSR bits. */
export const MODEM_CTS = 0x10;
export const MODEM_DSR = 0x20;
export const MODEM_RI = 0x40;
export const MODEM_DCD = 0x80;

export interface Ns16550State {
  divisor: number;
  ier: number;
  /** FCR bits 0 and 6-7. */
  fcr: number;
  lcr: number;
  mcr: number;
  /** Error bits of LSR; the others are computed. */
  lsrErrors: number;
  /** Delta bits of MSR. */
  msrDeltas: number;
  /** CTS, DSR, RI, DCD at the connector. */
  modemInputs: number;
  scr: number;
  /** Received characters: the FIFO, or the one receiver buffer. */
  rx: Uint8Array;
  /** Last character read, seen again when RBR is read empty. */
  rbr: number;
  thrEmptyPending: boolean;
  timeoutPending: boolean;
  /** From the host, not yet on the wire; the first `incomingTaken` have gone. */
  incoming: Uint8Array;
  incomingTaken: number;
}

export interface Ns16550Options {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly irq: IrqLine;
  /** A byte leaves on the wire. */
  readonly onTransmit: (byte: number) => void;
}

function powerOn() {
  return {
    divisor: 12,
    ier: 0,
    fcr: 0,
    lcr: 0x03,
    mcr: 0,
    lsrErrors: 0,
    msrDeltas: 0,
    scr: 0,
    rx: new Uint8Array(0),
    rbr: 0,
    thrEmptyPending: false,
    timeoutPending: false,
  };
}

export class Ns16550 implements Device<Ns16550State> {
  readonly kind = 'ns16550a';
  readonly version = 1;
  readonly schema: StateSchema<Ns16550State> = {
    divisor: u16,
    ier: u8,
    fcr: u8,
    lcr: u8,
    mcr: u8,
    lsrErrors: u8,
    msrDeltas: u8,
    modemInputs: u8,
    scr: u8,
    rx: bytes,
    rbr: u8,
    thrEmptyPending: bool,
    timeoutPending: bool,
    incoming: bytes,
    incomingTaken: safe,
  };
  readonly state: Ns16550State = {
    ...powerOn(),
    modemInputs: MODEM_CTS | MODEM_DSR | MODEM_DCD,
    incoming: new Uint8Array(0),
    incomingTaken: 0,
  };
  /** 8 ports. */
  readonly ports: PortHandler;
  readonly #clock: Clock;
  readonly #irq: IrqLine;
  readonly #onTransmit: (byte: number) => void;
  readonly #arrival: Timer;
  readonly #timeout: Timer;

  constructor(
    readonly id: string,
    options: Ns16550Options,
  ) {
    this.#clock = options.clock;
    this.#irq = options.irq;
    this.#onTransmit = options.onTransmit;
    this.#arrival = options.timers.define(`${id}.rx`, () => this.#arrive());
    this.#timeout = options.timers.define(`${id}.timeout`, () => {
      this.state.timeoutPending = true;
      this.#drive();
    });
    this.ports = bytePorts({
      read: (offset) => this.#read(offset),
      write: (offset, value) => this.#write(offset, value),
    });
  }

  /** Bytes from the host; never lost, whatever the guest does, not even by its reset. */
  receive(data: Uint8Array): void {
    const { state } = this;
    const waiting = state.incoming.subarray(state.incomingTaken);
    const joined = new Uint8Array(waiting.length + data.length);
    joined.set(waiting);
    joined.set(data, waiting.length);
    state.incoming = joined;
    state.incomingTaken = 0;
    this.#listen();
  }

  /** Bytes of the host that the guest's UART has not yet taken. */
  get waitingBytes(): number {
    return this.state.incoming.length - this.state.incomingTaken;
  }

  /** Levels of CTS, DSR, RI, DCD at the connector (MODEM_* bits). */
  setModemInputs(levels: number): void {
    const before = this.#modemLines;
    this.state.modemInputs = levels & 0xf0;
    this.#noteModem(before);
    this.#drive();
  }

  reset(): void {
    this.#arrival.cancel();
    this.#timeout.cancel();
    Object.assign(this.state, powerOn());
    this.#listen();
    this.#drive();
  }

  restored(): void {
    this.#drive();
  }

  get #fifoEnabled(): boolean {
    return (this.state.fcr & 1) !== 0;
  }

  get #capacity(): number {
    return this.#fifoEnabled ? FIFO_BYTES : 1;
  }

  get #loopback(): boolean {
    return (this.state.mcr & MCR_LOOP) !== 0;
  }

  /** Duration of one character on the wire: start, data, parity and stop bits. */
  get #characterTicks(): number {
    const { lcr, divisor } = this.state;
    const bits = 1 + 5 + (lcr & 3) + (lcr & 8 ? 1 : 0) + (lcr & 4 ? 2 : 1);
    const ns = Math.ceil((bits * (divisor || 1) * 1_000_000_000) / MAX_BAUD);
    return ticksFromNs(ns, this.#clock.nsPerTick);
  }

  /** MSR bits 4-7. */
  get #modemLines(): number {
    const { mcr, modemInputs } = this.state;
    if (!this.#loopback) return modemInputs;
    // DTR -> DSR, RTS -> CTS, OUT1 -> RI, OUT2 -> DCD (datasheet, "Modem control register", bit 4).
    return ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
  }

  #noteModem(before: number): void {
    const now = this.#modemLines;
    const changed = (before ^ now) & (MODEM_CTS | MODEM_DSR | MODEM_DCD);
    // RI counts by its trailing edge only.
    const ringEnded = before & ~now & MODEM_RI;
    this.state.msrDeltas |= (changed | ringEnded) >> 4;
  }

  #read(offset: number): number {
    const { state } = this;
    if (offset < 2 && state.lcr & LCR_DLAB) return offset === 0 ? state.divisor & 0xff : state.divisor >> 8;
    switch (offset) {
      case 0:
        return this.#readRbr();
      case 1:
        return state.ier;
      case 2: {
        const cause = this.#cause();
        if (cause === IIR_THRE) {
          state.thrEmptyPending = false;
          this.#drive();
        }
        return cause | (this.#fifoEnabled ? 0xc0 : 0);
      }
      case 3:
        return state.lcr;
      case 4:
        return state.mcr;
      case 5: {
        const lsr = LSR_THRE | LSR_TEMT | (state.rx.length > 0 ? LSR_DR : 0) | state.lsrErrors;
        state.lsrErrors = 0;
        this.#drive();
        return lsr;
      }
      case 6: {
        const msr = this.#modemLines | state.msrDeltas;
        state.msrDeltas = 0;
        this.#drive();
        return msr;
      }
      default:
        return state.scr;
    }
  }

  #readRbr(): number {
    const { state } = this;
    if (state.rx.length > 0) {
      state.rbr = state.rx[0];
      state.rx = state.rx.slice(1);
    }
    this.#restartTimeout();
    this.#listen();
    this.#drive();
    return state.rbr;
  }

  #write(offset: number, value: number): void {
    const { state } = this;
    if (offset < 2 && state.lcr & LCR_DLAB) {
      state.divisor = offset === 0 ? (state.divisor & 0xff00) | value : (state.divisor & 0xff) | (value << 8);
      return;
    }
    switch (offset) {
      case 0:
        this.#transmit(value);
        break;
      case 1:
        // Enabling the interrupt while THR is empty raises it, again if need be: drivers kick the transmitter this way.
        if (value & ~state.ier & IER_THRE) state.thrEmptyPending = true;
        state.ier = value & 0x0f;
        break;
      case 2:
        this.#writeFcr(value);
        break;
      case 3:
        state.lcr = value;
        break;
      case 4: {
        const before = this.#modemLines;
        state.mcr = value & 0x1f;
        this.#noteModem(before);
        break;
      }
      case 7:
        state.scr = value;
        break;
      default: // LSR and MSR are read-only.
        return;
    }
    this.#drive();
  }

  #transmit(value: number): void {
    if (this.#loopback) this.#intoFifo(value);
    else this.#onTransmit(value);
    this.state.thrEmptyPending = true;
  }

  #writeFcr(value: number): void {
    const { state } = this;
    const toggled = ((value ^ state.fcr) & 1) !== 0;
    // Bits other than FIFO enable are only taken when it is written as 1.
    if (toggled || (value & 3) === 3) {
      state.rx = new Uint8Array(0);
      this.#restartTimeout();
    }
    if (toggled || (value & 5) === 5) state.thrEmptyPending = true;
    state.fcr = value & 1 ? value & 0xc1 : 0;
    this.#listen();
  }

  /** Puts the next waiting byte on the wire, if the receiver has room and none is under way. */
  #listen(): void {
    if (this.#arrival.deadline !== null || this.waitingBytes === 0) return;
    if (this.state.rx.length >= this.#capacity) return;
    this.#arrival.arm(this.#clock.now + this.#characterTicks);
  }

  #arrive(): void {
    const { state } = this;
    // In loopback the receiver is cut off from the wire; a loopback byte may have filled the FIFO meanwhile.
    if (this.waitingBytes > 0 && !this.#loopback && state.rx.length < this.#capacity) {
      this.#intoFifo(state.incoming[state.incomingTaken++]);
      if (this.waitingBytes === 0) {
        state.incoming = new Uint8Array(0);
        state.incomingTaken = 0;
      }
    }
    this.#listen();
    this.#drive();
  }

  #intoFifo(byte: number): void {
    const { state } = this;
    const full = state.rx.length >= this.#capacity;
    if (full) state.lsrErrors |= LSR_OE;
    // A full FIFO keeps what it has; a full receiver buffer is overwritten (datasheet, "Line status register", bit 1).
    if (full && this.#fifoEnabled) return;
    state.rx = full ? Uint8Array.of(byte) : Uint8Array.of(...state.rx, byte);
    this.#restartTimeout();
  }

  /** Characters that stay in the FIFO for four character times are reported although they are few. */
  #restartTimeout(): void {
    this.state.timeoutPending = false;
    if (this.#fifoEnabled && this.state.rx.length > 0) this.#timeout.arm(this.#clock.now + 4 * this.#characterTicks);
    else if (this.#timeout.deadline !== null) this.#timeout.cancel();
  }

  /** IIR bits 0-3, by priority. */
  #cause(): number {
    const { state } = this;
    if (state.ier & IER_RLS && state.lsrErrors & LSR_ERRORS) return IIR_RLS;
    if (state.ier & IER_RDA) {
      const trigger = this.#fifoEnabled ? TRIGGER_BYTES[state.fcr >> 6] : 1;
      if (state.rx.length >= trigger) return IIR_RDA;
      if (state.timeoutPending) return IIR_TIMEOUT;
    }
    if (state.ier & IER_THRE && state.thrEmptyPending) return IIR_THRE;
    if (state.ier & IER_MS && state.msrDeltas !== 0) return IIR_MS;
    return IIR_NONE;
  }

  /** OUT2 connects the interrupt to the bus; loopback disconnects the modem outputs, OUT2 among them. */
  #drive(): void {
    const connected = (this.state.mcr & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    this.#irq.set(connected && this.#cause() !== IIR_NONE);
  }
}
