/**
 * Floppy disk controller 82077AA with two drives. Intel 82077AA datasheet 290166-007.
 *
 * NOT implemented: gaps and missing address marks of real tracks (a format only fills sectors), deleted-data marks (a
 * sector is never deleted), perpendicular recording (the mode is kept), data rates other than what fits the medium are
 * not refused. Tracks have the medium's sectors in order.
 *
 * Usual ports: 3F0h-3F5h and 3F7h; IRQ 6, DMA channel 2.
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import { ticksFromNs, type Clock } from '../core/clock.js';
import type { Device } from '../core/device.js';
import type { IrqLine } from '../core/irq.js';
import type { Timer, TimerQueue } from '../core/timers.js';
import type { Dma } from './dma.js';
import { FDC, lengthOfCommand, MSR, ST0, ST3 } from './fdc-commands.js';
import {
  DEFAULT_CONFIGURE,
  DEFAULT_SPECIFY,
  DOR_DMA_GATE,
  DOR_NOT_RESET,
  DRIVES,
  EMPTY,
  FDC_SCHEMA,
  newFdcState,
  UNITS,
  type FdcState,
} from './fdc-state.js';
import { COMMAND_NS, FdcTransfer, SECTOR_NS, type FloppyDrive } from './fdc-transfer.js';

/** Ports 3F0h-3F5h. */
export const FDC_PORT_COUNT = 6;
const VERSION_82077 = 0x90;
const PART_ID = 0x41;

const DSR_RESET = 0x80;
const DIR_CHANGE = 0x80;

/** A step of the head. */
const STEP_NS = 100_000;

export interface FdcOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly irq: IrqLine;
  readonly dma: Dma;
  /** Drives A and B; null where there is none. */
  readonly drives: readonly (FloppyDrive | null)[];
}

export class Fdc implements Device<FdcState> {
  readonly kind = 'i82077aa';
  readonly version = 1;
  readonly schema = FDC_SCHEMA;
  readonly state = newFdcState();
  /** FDC_PORT_COUNT ports from 3F0h. */
  readonly ports: PortHandler;
  /** Port 3F7h. */
  readonly directionPorts: PortHandler;
  readonly #options: FdcOptions;
  readonly #step: Timer;
  readonly #transfer: FdcTransfer;
  readonly #seeks: readonly Timer[];

  constructor(
    readonly id: string,
    options: FdcOptions,
  ) {
    this.#options = options;
    this.#step = options.timers.define(`${id}.step`, () => this.#transfer.continue());
    this.#seeks = Array.from({ length: UNITS }, (_, unit) =>
      options.timers.define(`${id}.seek${unit}`, () => this.#seekDone(unit)),
    );
    this.#transfer = new FdcTransfer(this.state, {
      dma: options.dma,
      drives: options.drives,
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
        this.state.dsr = (this.state.dsr & ~3) | (value & 3);
      },
    });
  }

  reset(): void {
    const { state } = this;
    Object.assign(state, { dor: DOR_NOT_RESET | DOR_DMA_GATE, tdr: 0, dsr: 2, locked: false });
    state.tracks.fill(0);
    state.configure.set(DEFAULT_CONFIGURE);
    state.specify.set(DEFAULT_SPECIFY);
    this.#resetChip();
    state.sensed.fill(0);
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
        // Status register A: interrupt pending, index, write protect, track 0 as the AT has them.
        return (state.irq ? 0x80 : 0) | (state.tracks[state.dor & 3] === 0 ? 0 : 0x10);
      case 1:
        return 0xc0 | ((state.dor & 0x20) === 0 ? 0 : 2) | ((state.dor & 0x10) === 0 ? 0 : 1);
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
  #mainStatus(): number {
    const { state } = this;
    if (this.#isInReset) return 0;
    const seeking = this.#seeks.reduce((bits, timer, unit) => bits | (timer.deadline === null ? 0 : 1 << unit), 0);
    if (state.result.length > 0) return MSR.RQM | MSR.DIO | MSR.CB | seeking;
    if (!state.executing) return MSR.RQM | (state.command.length > 0 ? MSR.CB : 0) | seeking;
    if (!this.#transfer.isWithoutDma) return MSR.CB | seeking;
    const isReady = this.#step.deadline === null;
    return MSR.CB | MSR.NDM | (isReady ? MSR.RQM : 0) | (isReady && this.#transfer.isRead ? MSR.DIO : 0) | seeking;
  }

  #direction(): number {
    const unit = this.state.dor & 3;
    const hasMotor = ((this.state.dor >> (4 + unit)) & 1) !== 0;
    if (!hasMotor || unit >= DRIVES) return 0;
    this.#noticeChange(unit);
    return this.state.changed[unit] !== 0 ? DIR_CHANGE : 0;
  }

  #noticeChange(unit: number): void {
    const { state } = this;
    const drive = this.#options.drives[unit];
    const present = drive === null || drive === undefined ? 0 : drive.changes & 0xff;
    if (present === state.seenChanges[unit]) return;
    state.seenChanges[unit] = present;
    state.changed[unit] = 1;
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
    state.perpendicular = 0;
    if (!state.locked) state.configure.set(DEFAULT_CONFIGURE);
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
      if (this.#transfer.isWithoutDma && !this.#transfer.isRead) this.#transfer.writeByte(value);
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
      if (state.result.length === 0) state.command = EMPTY;
      return value;
    }
    if (state.executing && this.#transfer.isWithoutDma && this.#transfer.isRead && this.#step.deadline === null)
      return this.#transfer.readByte();
    return 0;
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
        return this.#seek(0);
      case FDC.SEEK:
        if ((command[0] & 0x80) === 0) return this.#seek(command[2]);
        return this.#seek(state.tracks[this.#transfer.unit] + ((command[0] & 0x40) !== 0 ? command[2] : -command[2]));
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
        state.perpendicular = command[1];
        return this.#finish(EMPTY, false);
      case FDC.LOCK:
        state.locked = (command[0] & 0x80) !== 0;
        return this.#finish(Uint8Array.of(state.locked ? 0x10 : 0), false);
      case FDC.DUMP_REGISTERS:
        return this.#finish(this.#registers(), false);
      case FDC.READ_ID:
      case FDC.FORMAT:
        return this.#later(SECTOR_NS);
      default:
        return this.#transfer.begin();
    }
  }

  #st3(): number {
    const drive = this.#transfer.drive;
    const { command, tracks } = this.state;
    return (
      (command[1] & 7) |
      ST3.READY |
      ST3.TWO_SIDED |
      (tracks[this.#transfer.unit] === 0 ? ST3.TRACK_0 : 0) |
      (drive?.readOnly === true ? ST3.WRITE_PROTECTED : 0)
    );
  }

  #registers(): Uint8Array {
    const { tracks, specify, sector, configure, perpendicular, locked } = this.state;
    return Uint8Array.of(
      ...tracks,
      ...specify,
      sector,
      (locked ? 0x80 : 0) | (perpendicular & 0x7f),
      ...configure.subarray(1),
    );
  }

  #seek(to: number): void {
    const { state } = this;
    const { clock } = this.#options;
    const unit = this.#transfer.unit;
    const target = Math.max(0, Math.min(255, to));
    const steps = Math.abs(target - state.tracks[unit]);
    state.tracks[unit] = target;
    this.#seeks[unit].arm(clock.now + ticksFromNs(COMMAND_NS + steps * STEP_NS, clock.nsPerTick));
    this.#finish(EMPTY, false);
  }

  #seekDone(unit: number): void {
    const { state } = this;
    // A step of the head takes the disk change line back, if there is a medium.
    const drive = this.#options.drives[unit] ?? null;
    if (unit < DRIVES) {
      this.#noticeChange(unit);
      if (drive !== null && drive.sectorCount > 0) state.changed[unit] = 0;
    }
    const failed = drive === null ? ST0.ABNORMAL | ST0.EQUIPMENT_CHECK : 0;
    state.sensed[unit] = ST0.SEEK_END | failed | unit;
    this.#setIrq(true);
  }

  #senseInterrupt(): void {
    const { state } = this;
    const unit = state.sensed.findIndex((st0) => st0 !== 0);
    if (unit < 0) return this.#finish(Uint8Array.of(ST0.INVALID), false);
    const st0 = state.sensed[unit];
    state.sensed[unit] = 0;
    this.#setIrq(false);
    this.#finish(Uint8Array.of(st0, state.tracks[unit]), false);
  }
}
