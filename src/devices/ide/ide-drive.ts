import { ticksFromNs, type Clock } from '../../core/clock.js';
import type { Timer, TimerQueue } from '../../core/timers.js';
import type { Disk } from '../disk/disk.js';
import { CONTROL, DEVICE, ERROR, REGISTER, STATUS } from './ata-registers.js';
import type { BusMaster } from './bus-master.js';
import { newDriveState, STEP, type DriveState } from './drive-state.js';

/** Guest time that things take. Nothing moves and nothing turns: a fast solid-state disk. */
export const COMMAND_NS = 20_000;
/** Between two blocks of a PIO command. */
export const BLOCK_NS = 2_000;
/** Transfer of 512 bytes: 400 MB/s. */
export const SECTOR_NS = 1_280;

export interface DriveOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly busMaster: BusMaster;
  /** `interrupt` of the state has changed. */
  readonly onInterrupt: () => void;
}

/** What drives of both kinds have in common: registers, PIO blocks, DMA and the timer of the command in progress. */
export abstract class IdeDrive {
  readonly state: DriveState = newDriveState();
  readonly disk: Disk;
  protected readonly busMaster: BusMaster;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #onInterrupt: () => void;

  constructor(id: string, { disk, clock, timers, busMaster, onInterrupt }: DriveOptions) {
    this.disk = disk;
    this.busMaster = busMaster;
    this.#clock = clock;
    this.#onInterrupt = onInterrupt;
    this.#timer = timers.define(id, () => this.#timerFired());
  }

  /** Puts the signature into the registers (9.12) and ends what is in progress. */
  protected abstract signature(): void;
  protected abstract execute(command: number): void;
  /** The next block of a PIO data-in command. */
  protected abstract loadBlock(): Uint8Array;
  /** The host has read a block to its end. */
  protected abstract blockRead(): void;
  /** The host has written a block to its end. */
  protected abstract storeBlock(): void;
  protected abstract dma(): void;
  protected executePacket(): void {}
  /** Status of a drive that is ready. */
  protected get ready(): number {
    return STATUS.DRDY | STATUS.DSC;
  }

  /** Power-on or hardware reset. */
  powerOn(): void {
    Object.assign(this.state, newDriveState(), { knownChanges: this.disk.changes });
    this.softReset();
  }

  /** SRST, and EXECUTE DEVICE DIAGNOSTIC. */
  softReset(): void {
    this.stop();
    const { state } = this;
    Object.assign(state, { error: 0x01, device: 0, features: 0, power: 0xff });
    Object.assign(state, { hobSectorCount: 0, hobLbaLow: 0, hobLbaMid: 0, hobLbaHigh: 0 });
    this.setInterrupt(false);
    this.signature();
  }

  /** Whatever is in progress ends here. */
  protected stop(): void {
    this.#timer.cancel();
    Object.assign(this.state, { step: STEP.none, sectorsLeft: 0, position: 0, buffer: new Uint8Array(0) });
  }

  setInterrupt(level: boolean): void {
    if (this.state.interrupt === level) return;
    this.state.interrupt = level;
    this.#onInterrupt();
  }

  // ---- registers
  read(offset: number, control: number): number {
    const { state } = this;
    const hob = (control & CONTROL.HOB) !== 0;
    switch (offset) {
      case REGISTER.error:
        return hob ? 0 : state.error;
      case REGISTER.sectorCount:
        return hob ? state.hobSectorCount : state.sectorCount;
      case REGISTER.lbaLow:
        return hob ? state.hobLbaLow : state.lbaLow;
      case REGISTER.lbaMid:
        return hob ? state.hobLbaMid : state.lbaMid;
      case REGISTER.lbaHigh:
        return hob ? state.hobLbaHigh : state.lbaHigh;
      case REGISTER.device:
        return state.device | 0xa0;
      default:
        return state.status;
    }
  }

  /** Writes go to both drives of a channel. */
  write(offset: number, value: number): void {
    const { state } = this;
    switch (offset) {
      case REGISTER.error:
        state.features = value;
        break;
      case REGISTER.sectorCount:
        state.hobSectorCount = state.sectorCount;
        state.sectorCount = value;
        break;
      case REGISTER.lbaLow:
        state.hobLbaLow = state.lbaLow;
        state.lbaLow = value;
        break;
      case REGISTER.lbaMid:
        state.hobLbaMid = state.lbaMid;
        state.lbaMid = value;
        break;
      case REGISTER.lbaHigh:
        state.hobLbaHigh = state.lbaHigh;
        state.lbaHigh = value;
        break;
      case REGISTER.device:
        state.device = value & ~(DEVICE.DEV | 0xa0);
    }
  }

  /** A command for this drive. One that comes while another is in progress is lost. */
  command(command: number): void {
    const { state } = this;
    this.setInterrupt(false);
    const isDeviceReset = command === 0x08;
    if ((state.status & (STATUS.BSY | STATUS.DRQ)) !== 0 && !isDeviceReset) return;
    this.stop();
    state.command = command;
    state.error = 0;
    this.execute(command);
  }

  // ---- the course of a command
  protected begin(step: number, ns: number): void {
    this.state.status = this.ready | STATUS.BSY;
    this.state.step = step;
    this.#timer.arm(this.#clock.now + ticksFromNs(ns, this.#clock.nsPerTick));
  }

  #timerFired(): void {
    const { step } = this.state;
    this.state.step = STEP.none;
    switch (step) {
      case STEP.finish:
        return this.finish();
      case STEP.load:
        this.state.buffer = this.loadBlock();
        return this.#transferBlock();
      case STEP.store:
        return this.storeBlock();
      case STEP.dma:
        return this.dma();
      case STEP.packet:
        return this.executePacket();
    }
  }

  /** DRQ for the block in the buffer, with an interrupt. */
  #transferBlock(): void {
    // Reading ahead of what there is can end a command: then there is no block.
    if (this.state.buffer.length === 0) return;
    this.state.position = 0;
    this.state.status = this.ready | STATUS.DRQ;
    this.setInterrupt(true);
  }

  /** DRQ for a block that the host is to write. */
  protected requestBlock(bytes: number, withInterrupt: boolean): void {
    this.state.buffer = new Uint8Array(bytes);
    this.state.position = 0;
    this.state.status = this.ready | STATUS.DRQ;
    if (withInterrupt) this.setInterrupt(true);
  }

  protected finish(): void {
    this.stop();
    this.state.status = this.ready;
    this.setInterrupt(true);
  }

  protected fail(error: number = ERROR.ABRT): void {
    this.stop();
    this.state.error = error;
    this.state.status = this.ready | STATUS.ERR;
    this.setInterrupt(true);
  }

  /** True while the host is to write the buffer. */
  protected abstract get isDataOut(): boolean;

  get isDataRequested(): boolean {
    return (this.state.status & STATUS.DRQ) !== 0 && this.state.step === STEP.none;
  }

  readData(width: number): number {
    const { state } = this;
    if (!this.isDataRequested || this.isDataOut) return width === 4 ? 0xffff_ffff : 0xffff;
    const { buffer } = state;
    let at = state.position;
    let value = (buffer[at++] ?? 0) | ((buffer[at++] ?? 0) << 8);
    if (width === 4) value = (value | ((buffer[at++] ?? 0) << 16) | ((buffer[at++] ?? 0) << 24)) >>> 0;
    state.position = at;
    if (at >= buffer.length) this.blockRead();
    return value;
  }

  writeData(value: number, width: number): void {
    const { state } = this;
    if (!this.isDataRequested || !this.isDataOut) return;
    const { buffer } = state;
    for (let i = 0; i < width; i++) buffer[state.position++] = value >>> (8 * i);
    if (state.position >= buffer.length) this.blockWritten();
  }

  /** The host has written a block to its end; the drive takes it a little later. */
  protected blockWritten(): void {
    this.begin(STEP.store, BLOCK_NS);
  }

  // ---- DMA
  protected waitForBusMaster(): void {
    this.state.status = this.ready | STATUS.DRQ;
    this.state.step = STEP.waitForBusMaster;
    if (this.busMaster.isStarted) this.busMasterStarted();
  }

  /** Time the data of the DMA command in progress takes. */
  protected abstract get dmaNs(): number;

  busMasterStarted(): void {
    if (this.state.step === STEP.waitForBusMaster) this.begin(STEP.dma, COMMAND_NS + this.dmaNs);
  }

  /** Software stopped the bus master in the middle: the drive still wants its data. */
  busMasterStopped(): void {
    if (this.state.step !== STEP.dma) return;
    this.#timer.cancel();
    this.state.step = STEP.waitForBusMaster;
    this.state.status = this.ready | STATUS.DRQ;
  }

  /** The table of the bus master was too short for the data: nothing more happens until a reset. */
  protected starve(): void {
    this.state.step = STEP.waitForBusMaster;
    this.state.status = this.ready | STATUS.DRQ;
  }
}
