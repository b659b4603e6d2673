/** Data transfers of the 82077AA: sectors, sector addresses and formatting (datasheet, section 6.1). */
import { SECTOR_BYTES } from '../core/block.js';
import type { Dma } from './dma.js';
import {
  ENABLE_COUNT,
  FDC,
  IMPLIED_SEEK,
  MULTI_TRACK,
  NON_DMA,
  SCANS,
  SKIP,
  ST0,
  ST1,
  ST2,
  TO_CPU,
  WRITES,
} from './fdc-commands.js';
import { DOR_DMA_GATE, EMPTY, type FdcState } from './fdc-state.js';
import type { FloppyDrives } from './floppy-drives.js';

const DMA_CHANNEL = 2;
/** A sector under the head, a step of the head, and the least that a command takes. */
const SECTOR_NS = 100_000;
const STEP_NS = 100_000;
const COMMAND_NS = 50_000;
/** The code for SECTOR_BYTES; media have no other sectors. */
const SIZE_CODE = 2;
/** Cylinder, head, sector and size of a sector to be formatted. */
const ADDRESS_BYTES = 4;

export interface FdcTransferOptions {
  readonly dma: Dma;
  readonly drives: FloppyDrives;
  /** continue() is called after so many nanoseconds. */
  readonly later: (ns: number) => void;
  /** Nanoseconds of guest time. */
  readonly nowNs: () => number;
  /** The next sector is on its way. */
  readonly isMoving: () => boolean;
  /** Ends the command; with `interrupts` the CPU is told that there is a result. */
  readonly finish: (result: Uint8Array, interrupts: boolean) => void;
  readonly setIrq: (level: boolean) => void;
}

/** Time that a seek takes. */
export function seekNs(tracks: number): number {
  return COMMAND_NS + Math.abs(tracks) * STEP_NS;
}

/** The command that is being executed, as far as it moves data. */
export class FdcTransfer {
  constructor(
    private readonly state: FdcState,
    private readonly options: FdcTransferOptions,
  ) {}

  get opcode(): number {
    return this.state.command[0] & 0x1f;
  }
  get unit(): number {
    return this.state.command[1] & 3;
  }
  /** From the medium to the CPU. */
  get isRead(): boolean {
    return TO_CPU.includes(this.opcode);
  }
  get isWithoutDma(): boolean {
    return (this.state.specify[1] & NON_DMA) !== 0;
  }
  /** Without DMA: the FIFO has a byte for the CPU, or takes one. */
  get isWaitingForCpu(): boolean {
    return this.isWithoutDma && this.state.position < this.state.buffer.length && !this.options.isMoving();
  }
  get #side(): number {
    return (this.state.command[1] >> 2) & 1;
  }
  get #isWrite(): boolean {
    return WRITES.includes(this.opcode);
  }

  /** Starts a command that moves data or looks for a sector. */
  begin(): void {
    const { state, opcode } = this;
    Object.assign(state, { st1: 0, st2: 0, done: 0, isLast: false, buffer: EMPTY, position: 0 });
    if (opcode === FDC.READ_ID) return this.options.later(SECTOR_NS);
    if (opcode === FDC.FORMAT) {
      state.lastSector = state.command[3];
      return this.options.later(COMMAND_NS + SECTOR_NS);
    }
    const [, , cylinder, head, sector] = state.command;
    Object.assign(state, { cylinder, head, sector, lastSector: state.command[6] });
    let tracks = 0;
    if ((state.configure[1] & IMPLIED_SEEK) !== 0) {
      tracks = cylinder - state.cylinders[this.unit];
      this.options.drives.step(this.unit, tracks);
      state.cylinders[this.unit] = cylinder;
    }
    this.options.later(seekNs(tracks) + SECTOR_NS);
  }

  /** A sector has come under the head. */
  continue(): void {
    if (!this.state.executing) return;
    switch (this.opcode) {
      case FDC.READ_ID:
        return this.#readId();
      case FDC.FORMAT:
        return this.#formatSector();
      default:
        return this.#sectorArrived();
    }
  }

  // ---- sectors
  /** Number on the medium of the sector that the command has come to, or -1 with the reason in ST1 and ST2. */
  #locate(): number {
    const { state, unit } = this;
    const { drives } = this.options;
    const side = this.#side;
    const sectors = drives.sectorsOfTrack(unit, side);
    if (sectors === 0) {
      state.st1 |= ST1.MISSING_ADDRESS_MARK;
      return -1;
    }
    const isTrack = this.opcode === FDC.READ_TRACK;
    const isThisCylinder = state.cylinder === drives.cylinder(unit);
    const isNamed = isThisCylinder && state.head === side && state.command[5] === SIZE_CODE;
    // READ TRACK takes the sectors as they come and only says whether they are those that were asked for.
    const lba = drives.sectorNumber(unit, side, isTrack ? (state.done % sectors) + 1 : state.sector);
    const isFound = isNamed && (!isTrack || state.sector === (state.done % sectors) + 1);
    if (lba >= 0 && isFound) return lba;
    state.st1 |= ST1.NO_DATA;
    if (lba >= 0 && !isThisCylinder) state.st2 |= ST2.WRONG_CYLINDER;
    return isTrack ? lba : -1;
  }

  #sectorArrived(): void {
    const { state, unit } = this;
    const lba = this.#locate();
    if (lba < 0) return this.#end(ST0.ABNORMAL);
    const medium = this.options.drives.medium(unit)!;
    if (this.#isWrite) {
      if (!medium.readOnly) return this.#fromCpu(SECTOR_BYTES);
      state.st1 |= ST1.NOT_WRITABLE;
      return this.#end(ST0.ABNORMAL);
    }
    if (this.opcode !== FDC.READ_TRACK && !this.#hasRightMark(lba)) {
      state.st2 |= ST2.CONTROL_MARK;
      if ((state.command[0] & SKIP) !== 0) return this.#nextSector(false);
      state.isLast = true;
    }
    if (this.opcode === FDC.VERIFY) return this.#sectorDone(false);
    if (SCANS.includes(this.opcode)) return this.#fromCpu(SECTOR_BYTES);
    this.#toCpu(medium.read(lba, 1));
  }

  #hasRightMark(lba: number): boolean {
    return this.options.drives.isDeleted(this.unit, lba) === (this.opcode === FDC.READ_DELETED);
  }

  #sectorDone(isTerminal: boolean): void {
    if (this.state.isLast) return this.#end(0);
    this.#nextSector(isTerminal);
  }

  /** Behind a sector: to the next one, the other side (MT), or the end. */
  #nextSector(isTerminal: boolean): void {
    const { state, opcode } = this;
    const isMultiTrack = (state.command[0] & MULTI_TRACK) !== 0 && opcode !== FDC.READ_TRACK;
    const isVerify = opcode === FDC.VERIFY;
    const isCounted = isVerify && (state.command[1] & ENABLE_COUNT) !== 0;
    state.done = (state.done + 1) & 0xffff;
    const isScan = SCANS.includes(opcode);
    const isTrackEnd = opcode === FDC.READ_TRACK ? state.done >= state.lastSector : state.sector === state.lastSector;
    // A count of 0 stands for 256.
    let isOver = isTerminal || (isCounted && state.done === (state.command[8] || 256));
    if (!isTrackEnd) state.sector = (state.sector + (isScan && state.command[8] === 2 ? 2 : 1)) & 0xff;
    else {
      state.sector = 1;
      const goesOn = isMultiTrack && this.#side === 0;
      if (isMultiTrack) {
        state.command[1] ^= 4;
        state.head ^= 1;
      }
      if (!goesOn) {
        state.cylinder = (state.cylinder + 1) & 0xff;
        // Only a transfer is to end by terminal count.
        if (!isOver && !isVerify && !isScan && opcode !== FDC.READ_TRACK) {
          state.st1 |= ST1.END_OF_CYLINDER;
          return this.#end(ST0.ABNORMAL);
        }
        isOver = true;
      }
    }
    if (isOver) return this.#end(0);
    this.options.later(SECTOR_NS);
  }

  #end(status: number): void {
    const { state } = this;
    const st0 = status | (state.command[1] & 7);
    const place = [state.cylinder, state.head, state.sector, SIZE_CODE];
    this.options.finish(Uint8Array.of(st0, state.st1, state.st2, ...place), true);
  }

  /** The address of whichever sector comes next. */
  #readId(): void {
    const { state, unit } = this;
    const { drives, nowNs } = this.options;
    const sectors = drives.sectorsOfTrack(unit, this.#side);
    Object.assign(state, { cylinder: drives.cylinder(unit), head: this.#side });
    state.sector = sectors === 0 ? 1 : 1 + (Math.floor(nowNs() / SECTOR_NS) % sectors);
    if (sectors === 0) state.st1 |= ST1.MISSING_ADDRESS_MARK;
    this.#end(sectors === 0 ? ST0.ABNORMAL : 0);
  }

  /** Four bytes for each sector say where it belongs; its data becomes the fill byte. */
  #formatSector(): void {
    const { state, unit } = this;
    const medium = this.options.drives.medium(unit);
    if (this.options.drives.sectorsOfTrack(unit, this.#side) === 0 || medium === null) {
      state.st1 |= ST1.MISSING_ADDRESS_MARK;
    } else if (medium.readOnly) state.st1 |= ST1.NOT_WRITABLE;
    if (state.st1 !== 0) return this.#end(ST0.ABNORMAL);
    if (state.done === state.lastSector) return this.#end(0);
    this.#fromCpu(ADDRESS_BYTES);
  }

  #formatAt(address: Uint8Array, isTerminal: boolean): void {
    const { state, unit } = this;
    const { drives } = this.options;
    const [cylinder, head, sector, size] = address;
    Object.assign(state, { cylinder, head, sector });
    const lba = drives.sectorNumber(unit, this.#side, sector);
    const isPossible = cylinder === drives.cylinder(unit) && head === this.#side && size === SIZE_CODE;
    const medium = drives.medium(unit);
    if (lba < 0 || !isPossible || medium === null || medium.readOnly) {
      state.st1 |= medium?.readOnly === true ? ST1.NOT_WRITABLE : ST1.NO_DATA;
      return this.#end(ST0.ABNORMAL);
    }
    medium.write(lba, new Uint8Array(SECTOR_BYTES).fill(state.command[5]));
    drives.mark(unit, lba, false);
    state.done++;
    if (isTerminal || state.done === state.lastSector) return this.#end(0);
    this.options.later(SECTOR_NS);
  }

  // ---- to and from the CPU
  #toCpu(bytes: Uint8Array): void {
    if (this.isWithoutDma) return this.#offer(bytes);
    const { count, isTerminal } = this.#isDmaOff ? NOTHING : this.options.dma.deviceToMemory(DMA_CHANNEL, bytes);
    if (count === 0) return this.#late();
    this.#sectorDone(isTerminal);
  }

  #fromCpu(count: number): void {
    const bytes = new Uint8Array(count);
    if (this.isWithoutDma) return this.#offer(bytes);
    const result = this.#isDmaOff ? NOTHING : this.options.dma.memoryToDevice(DMA_CHANNEL, bytes);
    // What is missing of the last sector is zeros.
    if (result.count === 0) return this.#late();
    this.#gotFromCpu(bytes, result.isTerminal);
  }

  get #isDmaOff(): boolean {
    return (this.state.dor & DOR_DMA_GATE) === 0;
  }

  /** A channel that is masked gives nothing. */
  #late(): void {
    this.state.st1 |= ST1.OVERRUN;
    this.#end(ST0.ABNORMAL);
  }

  #gotFromCpu(bytes: Uint8Array, isTerminal: boolean): void {
    if (this.opcode === FDC.FORMAT) return this.#formatAt(bytes, isTerminal);
    const { state, unit } = this;
    const { drives } = this.options;
    // Without DMA, the medium may have been changed meanwhile.
    const lba = this.#locate();
    const medium = drives.medium(unit);
    if (lba < 0 || medium === null) return this.#end(ST0.ABNORMAL);
    if (!this.#isWrite) {
      if (this.#scan(medium.read(lba, 1), bytes)) return this.#end(0);
    } else if (medium.readOnly) {
      state.st1 |= ST1.NOT_WRITABLE;
      return this.#end(ST0.ABNORMAL);
    } else {
      medium.write(lba, bytes);
      drives.mark(unit, lba, this.opcode === FDC.WRITE_DELETED);
    }
    this.#sectorDone(isTerminal);
  }

  /** Whether the condition holds, which ends the scan. FFh on either side is equal to everything. */
  #scan(medium: Uint8Array, memory: Uint8Array): boolean {
    const { state, opcode } = this;
    let order = 0;
    for (let i = 0; i < SECTOR_BYTES && order === 0; i++) {
      if (medium[i] !== 0xff && memory[i] !== 0xff) order = medium[i] - memory[i];
    }
    const isMet =
      order === 0 ||
      (opcode === FDC.SCAN_LOW_OR_EQUAL && order < 0) ||
      (opcode === FDC.SCAN_HIGH_OR_EQUAL && order > 0);
    const bits = order === 0 ? ST2.SCAN_EQUAL : isMet ? 0 : ST2.SCAN_NOT_SATISFIED;
    state.st2 = (state.st2 & ~(ST2.SCAN_EQUAL | ST2.SCAN_NOT_SATISFIED)) | bits;
    return isMet;
  }

  /** Without DMA: bytes through the FIFO, each asked for by an interrupt. */
  #offer(bytes: Uint8Array): void {
    this.state.buffer = bytes;
    this.state.position = 0;
    this.options.setIrq(true);
  }

  readByte(): number {
    const { state } = this;
    const value = state.buffer[state.position];
    if (this.#byteDone()) this.#sectorDone(false);
    return value;
  }

  writeByte(value: number): void {
    const { state } = this;
    state.buffer[state.position] = value;
    if (!this.#byteDone()) return;
    const bytes = state.buffer;
    state.buffer = EMPTY;
    this.#gotFromCpu(bytes, false);
  }

  /** True behind the last byte of the buffer. */
  #byteDone(): boolean {
    const { state } = this;
    state.position++;
    this.options.setIrq(false);
    if (state.position === state.buffer.length) return true;
    this.options.setIrq(true);
    return false;
  }
}

const NOTHING = { count: 0, isTerminal: false } as const;
