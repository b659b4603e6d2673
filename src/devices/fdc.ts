/**
 * Floppy disk controller 82077AA with two drives. Intel 82077AA datasheet 290166-007.
 *
 * NOT implemented: tracks of any other shape than the medium has: sectors of 512 bytes in order, which a format fills, and
 * fails where it is to make others; FM and CRC errors; perpendicular recording (the mode is kept); powering down; the
 * FIFO's threshold; times are fixed and shorter than a drive's, whatever SPECIFY says. Motors turn always. An image has no
 * deleted data marks: they are gone with the medium.
 *
 * Usual ports: 3F0h-3F5h and 3F7h; IRQ 6, DMA channel 2.
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import { ticksFromNs, type Clock } from '../core/clock.js';
import type { Device } from '../core/device.js';
import type { IrqLine } from '../core/irq.js';
import type { Timer, TimerQueue } from '../core/timers.js';
import type { Dma } from './dma.js';
import { FDC, INWARDS, lengthOfCommand, LOCK_SET, MSR, OVERWRITE, RELATIVE, ST0, ST3 } from './fdc-commands.js';
import {
  DEFAULT_CONFIGURE,
  DOR_DMA_GATE,
  DOR_NOT_RESET,
  EMPTY,
  FDC_SCHEMA,
  newFdcState,
  resetFdcState,
  UNITS,
  type FdcState,
} from './fdc-state.js';
import { FdcTransfer, seekNs } from './fdc-transfer.js';
import { FloppyDrives, type FloppyDrive } from './floppy-drives.js';

/** Ports 3F0h-3F5h. */
export const FDC_PORT_COUNT = 6;
const VERSION_82077 = 0x90;
const PART_ID = 0x41;

const DSR_RESET = 0x80;
const DSR_RATE = 0x03;
const DIR_CHANGE = 0x80;
/** Status register A: interrupt pending, no second drive, head not at track 0, not write protected. */
const SRA = { PENDING: 0x80, ONE_DRIVE: 0x40, NOT_TRACK_0: 0x10, WRITABLE: 0x02 } as const;
/** Status register B: unused bits, drive A selected, motors as in the DOR. */
const SRB = { UNUSED: 0xc0, DRIVE_A: 0x20, MOTORS: 0x03 } as const;

/** RECALIBRATE gives up after so many steps. */
const MOST_RECALIBRATION_STEPS = 79;
/** Of CONFIGURE, what LOCK keeps over a reset by software: the FIFO's bits; and all of the third byte. */
const LOCKED_CONFIGURE = 0x2f;
/** PERPENDICULAR MODE: the drives' bits, which only a reset by hardware clears. */
const PERPENDICULAR_DRIVES = 0x3c;

export interface FdcOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly irq: IrqLine;
  readonly dma: Dma;
  /** Drives A and B; null where there is none. */
  readonly drives: readonly (FloppyDrive | null)[];
  /** Data rate that firmware has left, as CCR has it; 250 kbit/s, as after power-on, unless given. */
  readonly presetRate?: number;
}

const RATE_250 = 2;

export class Fdc implements Device<FdcState> {
  readonly kind = 'i82077aa';
  readonly version = 2;
  readonly schema = FDC_SCHEMA;
  readonly state: FdcState;
  /** FDC_PORT_COUNT ports from 3F0h. */
  readonly ports: PortHandler;
  /** Port 3F7h. */
  readonly directionPorts: PortHandler;
  readonly #options: FdcOptions;
  readonly #step: Timer;
  readonly #transfer: FdcTransfer;
  readonly #seeks: readonly Timer[];
  readonly #drives: FloppyDrives;

  constructor(
    readonly id: string,
    options: FdcOptions,
  ) {
    this.#options = options;
    this.state = newFdcState(options.presetRate ?? RATE_250);
    this.#drives = new FloppyDrives(this.state, options.drives);
    this.#step = options.timers.define(`${id}.step`, () => this.#transfer.continue());
    this.#seeks = Array.from({ length: UNITS }, (_, unit) =>
      options.timers.define(`${id}.seek${unit}`, () => this.#seekDone(unit)),
    );
    this.#transfer = new FdcTransfer(this.state, {
      dma: options.dma,
      drives: this.#drives,
      nowNs: () => options.clock.now * options.clock.nsPerTick,
      later: (ns) => this.#later(ns),
      isMoving: () => this.#step.deadline !== null,
      finish: (result, interrupts) => this.#finish(result, interrupts),
      setIrq: (level) => this.#setIrq(level),
    });
    this.ports = bytePorts({
      read: (offset) => this.#read(offset),
      write: (offset, value) => this.#write(offset, value),
    });
    this.directionPorts = bytePorts({
      read: () => this.#direction(),
      write: (_offset, value) => {
        this.state.dsr = (this.state.dsr & ~DSR_RATE) | (value & DSR_RATE);
      },
    });
  }

  reset(): void {
    resetFdcState(this.state, this.#options.presetRate ?? RATE_250);
    this.#step.cancel();
    for (const timer of this.#seeks) timer.cancel();
    this.#setIrq(false);
  }

  restored(): void {
    this.#options.irq.set(this.state.irq && (this.state.dor & DOR_DMA_GATE) !== 0);
  }

  // ---- registers
  #read(offset: number): number {
    const { state } = this;
    switch (offset) {
      case 0:
        return this.#statusA();
      case 1:
        return SRB.UNUSED | ((state.dor & 1) === 0 ? SRB.DRIVE_A : 0) | ((state.dor >> 4) & SRB.MOTORS);
      case 2:
        return state.dor;
      case 3:
        return state.tdr | 0xfc;
      case 4:
        return this.#mainStatus();
      default:
        return this.#readFifo();
    }
  }

  #write(offset: number, value: number): void {
    const { state } = this;
    if (offset === 2) {
      const before = state.dor;
      state.dor = value;
      if ((value & DOR_NOT_RESET) === 0) this.#resetChip();
      else if ((before & DOR_NOT_RESET) === 0) this.#resetOver();
      this.#setIrq(state.irq);
    } else if (offset === 3) {
      state.tdr = value & 3;
    } else if (offset === 4) {
      state.dsr = value & ~DSR_RESET;
      if ((value & DSR_RESET) !== 0) {
        this.#resetChip();
        this.#resetOver();
      }
    } else if (offset === 5) this.#writeFifo(value);
  }

  get #isInReset(): boolean {
    return (this.state.dor & DOR_NOT_RESET) === 0;
  }

  #statusA(): number {
    const { state } = this;
    const unit = state.dor & 3;
    return (
      (state.irq ? SRA.PENDING : 0) |
      (this.#drives.isPresent(1) ? 0 : SRA.ONE_DRIVE) |
      (this.#drives.isAtTrack0(unit) ? 0 : SRA.NOT_TRACK_0) |
      (this.#drives.medium(unit)?.readOnly === true ? 0 : SRA.WRITABLE)
    );
  }

  #mainStatus(): number {
    const { state } = this;
    if (this.#isInReset) return 0;
    const seeking = this.#seeks.reduce((bits, timer, unit) => bits | (timer.deadline === null ? 0 : 1 << unit), 0);
    if (state.result.length > 0) return MSR.RQM | MSR.DIO | MSR.CB | seeking;
    if (!state.executing) return MSR.RQM | (state.command.length > 0 ? MSR.CB : 0) | seeking;
    if (!this.#transfer.isWithoutDma) return MSR.CB | seeking;
    const isReady = this.#transfer.isWaitingForCpu;
    return MSR.CB | MSR.NDM | (isReady ? MSR.RQM : 0) | (isReady && this.#transfer.isRead ? MSR.DIO : 0) | seeking;
  }

  #direction(): number {
    const unit = this.state.dor & 3;
    const hasMotor = ((this.state.dor >> (4 + unit)) & 1) !== 0;
    return hasMotor && this.#drives.isChanged(unit) ? DIR_CHANGE : 0;
  }

  #setIrq(level: boolean): void {
    this.state.irq = level;
    this.#options.irq.set(level && (this.state.dor & DOR_DMA_GATE) !== 0);
  }

  // ---- reset
  #resetChip(): void {
    const { state } = this;
    this.#step.cancel();
    for (const timer of this.#seeks) timer.cancel();
    Object.assign(state, {
      command: EMPTY,
      result: EMPTY,
      buffer: EMPTY,
      executing: false,
      position: 0,
      st1: 0,
      st2: 0,
    });
    state.sensed.fill(0);
    state.perpendicular &= PERPENDICULAR_DRIVES;
    const [first, second, third] = state.configure;
    state.configure.set(DEFAULT_CONFIGURE);
    if (state.locked) state.configure.set([first, second & LOCKED_CONFIGURE, third]);
    this.#setIrq(false);
  }

  /** The polling that follows a reset finds all four drives changed from not ready to ready. */
  #resetOver(): void {
    for (let unit = 0; unit < UNITS; unit++) this.state.sensed[unit] = ST0.POLLING | unit;
    this.#setIrq(true);
  }

  // ---- phases
  #writeFifo(value: number): void {
    const { state } = this;
    if (this.#isInReset || state.result.length > 0) return;
    if (state.executing) {
      if (this.#transfer.isWaitingForCpu && !this.#transfer.isRead) this.#transfer.writeByte(value);
      return;
    }
    const command = new Uint8Array(state.command.length + 1);
    command.set(state.command);
    command[state.command.length] = value;
    state.command = command;
    const length = lengthOfCommand(command[0]);
    if (length === 0) this.#finish(Uint8Array.of(ST0.INVALID), false);
    else if (command.length === length) this.#execute();
  }

  #readFifo(): number {
    const { state } = this;
    if (state.result.length > 0) {
      const value = state.result[0];
      state.result = state.result.slice(1);
      this.#setIrq(false);
      if (state.result.length === 0) {
        state.command = EMPTY;
        // Another drive that has arrived interrupts anew; the four of a reset share one interrupt.
        if (state.sensed.some((st0) => st0 !== 0 && st0 < ST0.POLLING)) this.#setIrq(true);
      }
      return value;
    }
    const hasByte = state.executing && this.#transfer.isWaitingForCpu && this.#transfer.isRead;
    return hasByte ? this.#transfer.readByte() : 0;
  }

  /** Ends the command; with `interrupts` the CPU is told that there is a result. */
  #finish(result: Uint8Array, interrupts: boolean): void {
    const { state } = this;
    Object.assign(state, { executing: false, result, buffer: EMPTY, position: 0 });
    if (result.length === 0) state.command = EMPTY;
    if (interrupts) this.#setIrq(true);
  }

  #later(ns: number): void {
    const { clock } = this.#options;
    this.state.executing = true;
    this.#step.arm(clock.now + ticksFromNs(ns, clock.nsPerTick));
  }

  // ---- commands
  #execute(): void {
    const { state } = this;
    const { command } = state;
    switch (this.#transfer.opcode) {
      case FDC.SPECIFY:
        state.specify.set(command.subarray(1, 3));
        return this.#finish(EMPTY, false);
      case FDC.SENSE_DRIVE:
        return this.#finish(Uint8Array.of(this.#st3()), false);
      case FDC.RECALIBRATE:
        return this.#recalibrate();
      case FDC.SEEK:
        return this.#seek(command[0], command[2]);
      case FDC.SENSE_INTERRUPT:
        return this.#senseInterrupt();
      case FDC.VERSION:
        return this.#finish(Uint8Array.of(VERSION_82077), false);
      case FDC.PART_ID:
        return this.#finish(Uint8Array.of(PART_ID), false);
      case FDC.CONFIGURE:
        state.configure.set(command.subarray(1, 4));
        return this.#finish(EMPTY, false);
      case FDC.PERPENDICULAR:
        state.perpendicular =
          (command[1] & OVERWRITE) !== 0
            ? command[1] & ~OVERWRITE
            : (state.perpendicular & PERPENDICULAR_DRIVES) | (command[1] & ~PERPENDICULAR_DRIVES);
        return this.#finish(EMPTY, false);
      case FDC.LOCK:
        state.locked = (command[0] & LOCK_SET) !== 0;
        return this.#finish(Uint8Array.of(state.locked ? 0x10 : 0), false);
      case FDC.DUMP_REGISTERS:
        return this.#finish(this.#registers(), false);
      default:
        return this.#transfer.begin();
    }
  }

  #st3(): number {
    const { unit } = this.#transfer;
    return (
      (this.state.command[1] & (ST3.HEAD | 3)) |
      ST3.READY |
      ST3.TWO_SIDED |
      (this.#drives.isAtTrack0(unit) ? ST3.TRACK_0 : 0) |
      (this.#drives.medium(unit)?.readOnly === true ? ST3.WRITE_PROTECTED : 0)
    );
  }

  #registers(): Uint8Array {
    const { cylinders, specify, lastSector, configure, perpendicular, locked } = this.state;
    const modes = (locked ? 0x80 : 0) | (perpendicular & 0x3f);
    return Uint8Array.of(...cylinders, ...specify, lastSector, modes, ...configure.subarray(1));
  }

  /** The controller counts cylinders and cannot see the head, whose way has an end. */
  #seek(first: number, cylinder: number): void {
    const { cylinders } = this.state;
    const { unit } = this.#transfer;
    const relative = (first & INWARDS) !== 0 ? cylinder : -cylinder;
    const steps = (first & RELATIVE) !== 0 ? relative : cylinder - cylinders[unit];
    cylinders[unit] = (cylinders[unit] + steps) & 0xff;
    this.#drives.step(unit, steps);
    this.#moving(unit, steps, ST0.SEEK_END | unit);
  }

  #recalibrate(): void {
    const { unit } = this.#transfer;
    const steps = Math.min(MOST_RECALIBRATION_STEPS, this.state.tracks[unit]);
    this.state.cylinders[unit] = 0;
    this.#drives.step(unit, -steps);
    // Where there is no drive, nothing says that track 0 is reached.
    const failed = this.#drives.isAtTrack0(unit) ? 0 : ST0.ABNORMAL | ST0.EQUIPMENT_CHECK;
    this.#moving(unit, steps, ST0.SEEK_END | failed | unit);
  }

  /** The command is over; `st0` is there to be sensed when the head has arrived. */
  #moving(unit: number, steps: number, st0: number): void {
    const { clock } = this.#options;
    this.state.arriving[unit] = st0;
    this.#seeks[unit].arm(clock.now + ticksFromNs(seekNs(steps), clock.nsPerTick));
    this.#finish(EMPTY, false);
  }

  #seekDone(unit: number): void {
    const { state } = this;
    state.sensed[unit] = state.arriving[unit];
    this.#setIrq(true);
  }

  #senseInterrupt(): void {
    const { state } = this;
    const unit = state.sensed.findIndex((st0) => st0 !== 0);
    if (unit < 0) return this.#finish(Uint8Array.of(ST0.INVALID), false);
    const st0 = state.sensed[unit];
    state.sensed[unit] = 0;
    this.#finish(Uint8Array.of(st0, state.cylinders[unit]), false);
    this.#setIrq(false);
  }
}
