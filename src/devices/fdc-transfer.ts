/** Data transfers of the 82077AA: sectors, sector addresses and formatting (datasheet, section 6.1). */
import { SECTOR_BYTES, type BlockDevice } from '../core/block.js';
import type { Dma } from './dma.js';
import { FDC, IMPLIED_SEEK, ST0, ST1 } from './fdc-commands.js';
import { EMPTY, type FdcState } from './fdc-state.js';

const DMA_CHANNEL = 2;
/** A sector under the head, and the least that a command takes. */
export const SECTOR_NS = 100_000;
export const COMMAND_NS = 50_000;

/** A medium with the shape of its tracks. */
export interface FloppyDrive extends BlockDevice {
  readonly geometry: { readonly cylinders: number; readonly heads: number; readonly sectorsPerTrack: number };
  /** Changes with every medium that comes or goes. */
  readonly changes: number;
}

export interface FdcTransferOptions {
  readonly dma: Dma;
  readonly drives: readonly (FloppyDrive | null)[];
  /** continue() is called after so many nanoseconds. */
  readonly later: (ns: number) => void;
  /** The next sector is on its way. */
  readonly isMoving: () => boolean;
  /** Ends the command; with `interrupts` the CPU is told that there is a result. */
  readonly finish: (result: Uint8Array, interrupts: boolean) => void;
  readonly setIrq: (level: boolean) => void;
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
    return ([FDC.READ_DATA, FDC.READ_DELETED, FDC.READ_TRACK] as number[]).includes(this.opcode);
  }
  /** SPECIFY's ND bit. */
  get isWithoutDma(): boolean {
    return (this.state.specify[1] & 1) !== 0;
  }
  /** The drive that the command names, if there is a medium in it. */
  get drive(): FloppyDrive | null {
    const drive = this.options.drives[this.unit] ?? null;
    return drive !== null && drive.sectorCount > 0 ? drive : null;
  }

  /** Starts a command that moves data. */
  begin(): void {
    const { state } = this;
    const [, , cylinder, head, sector] = state.command;
    Object.assign(state, { cylinder, head, sector, st1: 0, st2: 0, buffer: EMPTY, position: 0 });
    if ((state.configure[1] & IMPLIED_SEEK) !== 0) state.tracks[this.unit] = cylinder;
    if (this.opcode === FDC.READ_TRACK) state.sector = 1;
    this.options.later(COMMAND_NS + SECTOR_NS);
  }

  /** A sector has come under the head. */
  continue(): void {
    if (!this.state.executing) return;
    switch (this.opcode) {
      case FDC.READ_ID:
        return this.#readId();
      case FDC.FORMAT:
        return this.#format();
      default:
        return this.#sectorArrived();
    }
  }

  /** Sector number on the medium where the head and the command are, or -1 with the reason in ST1 and ST2. */
  #locate(): number {
    const { state } = this;
    const drive = this.drive;
    if (drive === null) {
      state.st1 |= ST1.MISSING_ADDRESS_MARK;
      return -1;
    }
    const { cylinders, heads, sectorsPerTrack } = drive.geometry;
    const track = state.tracks[this.unit];
    const side = (state.command[1] >> 2) & 1;
    const isThere = track < cylinders && side < heads && state.sector >= 1 && state.sector <= sectorsPerTrack;
    if (!isThere || state.cylinder !== track || state.head !== side) {
      state.st1 |= ST1.NO_DATA;
      if (isThere && state.cylinder !== track) state.st2 |= 0x10;
      return -1;
    }
    return (track * heads + side) * sectorsPerTrack + state.sector - 1;
  }

  #sectorArrived(): void {
    const { state } = this;
    const lba = this.#locate();
    if (lba < 0) return this.#endTransfer(ST0.ABNORMAL);
    const drive = this.drive!;
    const isWrite = this.opcode === FDC.WRITE_DATA || this.opcode === FDC.WRITE_DELETED;
    if (isWrite && drive.readOnly) {
      state.st1 |= ST1.NOT_WRITABLE;
      return this.#endTransfer(ST0.ABNORMAL);
    }
    if (this.opcode === FDC.VERIFY) return this.#nextSector(false);
    if (this.isWithoutDma) return this.#offerSector(drive, lba);
    const { dma } = this.options;
    if (this.isRead) {
      const { count, isTerminal } = dma.deviceToMemory(DMA_CHANNEL, drive.read(lba, 1));
      return this.#moved(count, isTerminal);
    }
    const sector = new Uint8Array(SECTOR_BYTES);
    const { count, isTerminal } = dma.memoryToDevice(DMA_CHANNEL, sector);
    if (isWrite) {
      // What is missing of the last sector is zeros.
      if (count > 0) drive.write(lba, sector);
    } else if (!this.#scan(drive.read(lba, 1), sector)) return this.#endTransfer(0);
    this.#moved(count, isTerminal);
  }

  /** A masked channel gives nothing: the data is late. */
  #moved(count: number, isTerminal: boolean): void {
    if (count === 0) {
      this.state.st1 |= ST1.OVERRUN;
      return this.#endTransfer(ST0.ABNORMAL);
    }
    this.#nextSector(isTerminal);
  }

  /** False when the scan is over: the condition holds. */
  #scan(medium: Uint8Array, memory: Uint8Array): boolean {
    const { state } = this;
    let order = 0;
    for (let i = 0; i < SECTOR_BYTES && order === 0; i++) {
      if (medium[i] !== 0xff && memory[i] !== 0xff) order = medium[i] - memory[i];
    }
    const isMet =
      order === 0 ||
      (this.opcode === FDC.SCAN_LOW_OR_EQUAL && order < 0) ||
      (this.opcode === FDC.SCAN_HIGH_OR_EQUAL && order > 0);
    state.st2 = (state.st2 & ~0x0c) | (order === 0 ? 0x08 : isMet ? 0 : 0x04);
    return !isMet;
  }

  /** Behind a sector: to the next one, the other side (MT), or the end. */
  #nextSector(isTerminal: boolean): void {
    const { state } = this;
    const lastSector = state.command[6];
    const isMultiTrack = (state.command[0] & 0x80) !== 0;
    if (state.sector !== lastSector) state.sector = (state.sector + 1) & 0xff;
    else {
      state.sector = 1;
      if (isMultiTrack && (state.command[1] & 4) === 0) {
        state.command[1] |= 4;
        state.head = 1;
      } else {
        state.cylinder = (state.cylinder + 1) & 0xff;
        if (isMultiTrack) state.head = 0;
        if (!isTerminal) {
          state.st1 |= this.opcode === FDC.VERIFY ? 0 : ST1.END_OF_CYLINDER;
          return this.#endTransfer(this.opcode === FDC.VERIFY ? 0 : ST0.ABNORMAL);
        }
      }
    }
    if (isTerminal) return this.#endTransfer(0);
    this.options.later(SECTOR_NS);
  }

  #endTransfer(status: number): void {
    const { state } = this;
    const st0 = status | (state.command[1] & 7);
    this.options.finish(Uint8Array.of(st0, state.st1, state.st2, state.cylinder, state.head, state.sector, 2), true);
  }

  #readId(): void {
    const { state } = this;
    const drive = this.drive;
    Object.assign(state, { cylinder: state.tracks[this.unit], head: (state.command[1] >> 2) & 1, st1: 0, st2: 0 });
    state.sector = 1;
    const found = drive !== null && this.#locate() >= 0;
    if (!found) state.st1 = ST1.MISSING_ADDRESS_MARK;
    this.#endTransfer(found ? 0 : ST0.ABNORMAL);
  }

  /** Four bytes by DMA for each sector say where it belongs; its data becomes the fill byte. */
  #format(): void {
    const { state } = this;
    const drive = this.drive;
    Object.assign(state, { st1: 0, st2: 0 });
    for (let n = 0; n < state.command[3]; n++) {
      const address = new Uint8Array(4);
      const { count } = this.options.dma.memoryToDevice(DMA_CHANNEL, address);
      if (count < 4) break;
      [state.cylinder, state.head, state.sector] = address;
      const lba = this.#locate();
      if (lba < 0 || drive!.readOnly) {
        if (lba >= 0) state.st1 |= ST1.NOT_WRITABLE;
        return this.#endTransfer(ST0.ABNORMAL);
      }
      drive!.write(lba, new Uint8Array(SECTOR_BYTES).fill(state.command[5]));
    }
    this.#endTransfer(0);
  }

  // ---- without DMA: bytes through the FIFO, an interrupt for each sector
  #offerSector(drive: FloppyDrive, lba: number): void {
    const { state } = this;
    state.buffer = this.isRead ? drive.read(lba, 1) : new Uint8Array(SECTOR_BYTES);
    state.position = 0;
    this.options.setIrq(true);
  }

  readByte(): number {
    const { state } = this;
    const value = state.buffer[state.position++];
    this.options.setIrq(false);
    if (state.position === SECTOR_BYTES) this.#nextSector(false);
    return value;
  }

  writeByte(value: number): void {
    const { state } = this;
    if (state.buffer.length === 0 || this.options.isMoving()) return;
    state.buffer[state.position++] = value;
    this.options.setIrq(false);
    if (state.position < SECTOR_BYTES) return;
    const lba = this.#locate();
    if (lba >= 0) this.drive!.write(lba, state.buffer);
    this.#nextSector(false);
  }
}
