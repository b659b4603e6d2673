/**
 * The boot disks: the media that the boot ROM's INT 13h reads and writes through 16 ports. It stands in for the disk
 * controllers and is guestreel's own; no datasheet. The media are those of the controllers: what one writes, the other
 * reads.
 *
 * | offset | register |
 * |---|---|
 * | 0-3 | LBA: first sector of the next transfer, in units of 512 bytes for every unit, CDs too |
 * | 4-5 | COUNT: sectors (512 bytes) of the next transfer, 0 for none |
 * | 6 | write COMMAND: 0 end the transfer, 1 read, 2 write; read STATUS: bit 0 refused (outside the medium, none there, or write-protected), bit 1 data is due |
 * | 7 | INDEX of the word that INFO shows |
 * | 8 | DATA: the bytes of the transfer in order, as many as the access is wide (REP INSW, REP OUTSW); all ones when none is due |
 * | 9 | UNIT: BIOS drive number that LBA, COUNT, COMMAND and INFO are about: 00h, 01h diskettes, 80h-83h hard disks in the order of their channels, E0h-E3h CDs. After a reset the first unit of the boot order. Writing ends a transfer. |
 * | 12-15 | INFO, read only: see BOOT_DISK_INFO |
 *
 * Data is there at once. A sector that was not written to its end keeps its contents.
 *
 * Usual ports: 5260h-526Fh.
 */
import { SECTOR_BYTES, type BlockDevice } from '../core/block.js';
import type { PortHandler, Width } from '../core/bus.js';
import type { Device } from '../core/device.js';
import { bool, fixedBytes, u16, u32, u8, type StateSchema } from '../core/state.js';
import type { Geometry } from './disk/medium.js';

/** Ports of the block. */
export const BOOT_DISK_PORT_COUNT = 16;
/** UNIT of no drive. */
export const NO_UNIT = 0xff;

/** Values of INDEX. */
export const BOOT_DISK_INFO = {
  signature: 0,
  /** Of UNIT's drive: 0 there is none, 1 diskette, 2 hard disk, 3 CD. */
  kind: 1,
  /** 0: no medium. */
  sectorCount: 2,
  cylinders: 3,
  heads: 4,
  sectorsPerTrack: 5,
  /** INT 13h 08h: type of a diskette drive. */
  driveType: 6,
  /** 1: start the program at the entry instead of the boot sector. */
  hasEntry: 7,
  /** Segment in the upper half, offset in the lower. */
  entryCsIp: 8,
  entrySsSp: 9,
  entryDs: 10,
  /** Bit 0: write-protected. */
  flags: 11,
  /** Four bytes, first the lowest: units to boot from in this order, F0h for the network, FFh for none. The same for every UNIT. */
  bootOrder: 12,
  /** How often the medium has been changed; see INT 13h 16h. */
  changes: 13,
} as const;

/** "GRBD". */
const SIGNATURE = 0x4442_5247;
const STATUS_REFUSED = 0x01;
const STATUS_DATA = 0x02;
const COMMAND_READ = 1;
const COMMAND_WRITE = 2;
/** Of the boot order that INFO shows. */
const BOOT_ORDER_UNITS = 4;

const KIND_CODES = { floppy: 1, disk: 2, cdrom: 3 } as const;

/** A drive as the ROM sees it. */
export interface BootUnit {
  /** BIOS drive number. */
  readonly number: number;
  readonly kind: keyof typeof KIND_CODES;
  /** Its medium: contents, shape, and how often it was changed. */
  readonly disk: BlockDevice & { readonly geometry: Geometry; readonly changes: number };
  /** CMOS type of a diskette drive: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M; 0 for others. */
  readonly driveType: number;
}

/** Where the boot ROM starts a program that lies in memory already, in real mode. */
export interface BootDiskEntry {
  readonly cs: number;
  readonly ip: number;
  readonly ss: number;
  readonly sp: number;
  /** DS, ES, FS, GS. */
  readonly ds: number;
}

export interface BootDiskOptions {
  readonly units?: readonly BootUnit[];
  /** Numbers of units to boot from, the first first. */
  readonly bootOrder?: readonly number[];
  readonly entry?: BootDiskEntry;
}

export interface BootDiskState {
  lba: number;
  count: number;
  index: number;
  unit: number;
  refused: boolean;
  /** Command whose data is due, 0: none. */
  transfer: number;
  transferLba: number;
  /** Sectors left, with the present one. */
  sectorsLeft: number;
  /** Bytes of the present sector that have gone through DATA. */
  position: number;
  /** The present sector. */
  buffer: Uint8Array;
}

function idle() {
  return { lba: 0, count: 0, index: 0, refused: false, transfer: 0, transferLba: 0, sectorsLeft: 0, position: 0 };
}

export class BootDisk implements Device<BootDiskState> {
  readonly kind = 'boot-disk';
  readonly version = 2;
  readonly schema: StateSchema<BootDiskState> = {
    lba: u32,
    count: u16,
    index: u8,
    unit: u8,
    refused: bool,
    transfer: u8,
    transferLba: u32,
    sectorsLeft: u16,
    position: u16,
    buffer: fixedBytes,
  };
  readonly state: BootDiskState;
  /** BOOT_DISK_PORT_COUNT ports. */
  readonly ports: PortHandler;
  readonly #units: ReadonlyMap<number, BootUnit>;
  readonly #bootOrder: readonly number[];
  readonly #entry: BootDiskEntry | undefined;

  constructor(
    readonly id: string,
    { units = [], bootOrder = [], entry }: BootDiskOptions = {},
  ) {
    this.#units = new Map(units.map((unit) => [unit.number, unit]));
    this.#bootOrder = bootOrder;
    this.#entry = entry;
    this.state = { ...idle(), unit: this.#firstUnit, buffer: new Uint8Array(SECTOR_BYTES) };
    this.ports = {
      read: (offset, width) => this.#read(offset, width),
      write: (offset, value, width) => this.#write(offset, value, width),
    };
  }

  get #firstUnit(): number {
    return this.#bootOrder[0] ?? NO_UNIT;
  }
  get #unit(): BootUnit | undefined {
    return this.#units.get(this.state.unit);
  }

  /** What was written stays on the media. */
  reset(): void {
    Object.assign(this.state, { ...idle(), unit: this.#firstUnit });
    this.state.buffer.fill(0);
  }

  #read(offset: number, width: Width): number {
    let value = 0;
    for (let i = 0; i < width; i++) {
      const byte = offset === 8 ? this.#readData() : this.#readRegister(offset + i);
      value += byte * 2 ** (8 * i);
    }
    return value;
  }

  #write(offset: number, value: number, width: Width): void {
    for (let i = 0; i < width; i++) {
      const byte = (value >>> (8 * i)) & 0xff;
      if (offset === 8) this.#writeData(byte);
      else this.#writeRegister(offset + i, byte);
    }
  }

  #readRegister(offset: number): number {
    const { state } = this;
    if (offset < 4) return (state.lba >>> (8 * offset)) & 0xff;
    if (offset < 6) return (state.count >>> (8 * (offset - 4))) & 0xff;
    if (offset === 6) return (state.refused ? STATUS_REFUSED : 0) | (state.transfer !== 0 ? STATUS_DATA : 0);
    if (offset === 7) return state.index;
    if (offset === 9) return state.unit;
    if (offset < 12) return 0xff;
    return (this.#info(state.index) >>> (8 * (offset - 12))) & 0xff;
  }

  #writeRegister(offset: number, byte: number): void {
    const { state } = this;
    if (offset < 4) {
      const shift = 8 * offset;
      state.lba = ((state.lba & ~(0xff << shift)) | (byte << shift)) >>> 0;
    } else if (offset < 6) {
      const shift = 8 * (offset - 4);
      state.count = (state.count & ~(0xff << shift)) | (byte << shift);
    } else if (offset === 6) {
      this.#command(byte);
    } else if (offset === 7) {
      state.index = byte;
    } else if (offset === 9) {
      this.#end();
      state.unit = byte;
    }
  }

  #info(index: number): number {
    const unit = this.#unit;
    const entry = this.#entry;
    switch (index) {
      case BOOT_DISK_INFO.signature:
        return SIGNATURE;
      case BOOT_DISK_INFO.kind:
        return unit === undefined ? 0 : KIND_CODES[unit.kind];
      case BOOT_DISK_INFO.sectorCount:
        return Math.min(unit?.disk.sectorCount ?? 0, 0xffff_ffff);
      case BOOT_DISK_INFO.cylinders:
        return unit?.disk.geometry.cylinders ?? 0;
      case BOOT_DISK_INFO.heads:
        return unit?.disk.geometry.heads ?? 0;
      case BOOT_DISK_INFO.sectorsPerTrack:
        return unit?.disk.geometry.sectorsPerTrack ?? 0;
      case BOOT_DISK_INFO.driveType:
        return unit?.driveType ?? 0;
      case BOOT_DISK_INFO.hasEntry:
        return entry === undefined ? 0 : 1;
      case BOOT_DISK_INFO.entryCsIp:
        return entry === undefined ? 0 : entry.cs * 0x1_0000 + entry.ip;
      case BOOT_DISK_INFO.entrySsSp:
        return entry === undefined ? 0 : entry.ss * 0x1_0000 + entry.sp;
      case BOOT_DISK_INFO.entryDs:
        return entry?.ds ?? 0;
      case BOOT_DISK_INFO.flags:
        return unit?.disk.readOnly === true ? 1 : 0;
      case BOOT_DISK_INFO.bootOrder:
        return Array.from({ length: BOOT_ORDER_UNITS }, (_, i) => (this.#bootOrder[i] ?? NO_UNIT) << (8 * i)).reduce(
          (all, byte) => all | byte,
        );
      case BOOT_DISK_INFO.changes:
        return unit?.disk.changes ?? 0;
      default:
        return 0;
    }
  }

  #end(): void {
    Object.assign(this.state, { refused: false, transfer: 0, sectorsLeft: 0, position: 0 });
  }

  #command(command: number): void {
    const { state } = this;
    this.#end();
    if (command !== COMMAND_READ && command !== COMMAND_WRITE) return;
    const disk = this.#unit?.disk;
    if (
      disk === undefined ||
      state.lba + state.count > disk.sectorCount ||
      (command === COMMAND_WRITE && disk.readOnly)
    ) {
      state.refused = true;
      return;
    }
    if (state.count === 0) return;
    Object.assign(state, { transfer: command, transferLba: state.lba, sectorsLeft: state.count });
    this.#fetch();
  }

  /** The medium under a transfer that goes on: another may have taken its place. */
  get #present(): BlockDevice | undefined {
    const disk = this.#unit?.disk;
    return disk !== undefined && this.state.transferLba < disk.sectorCount ? disk : undefined;
  }

  #fetch(): void {
    const { state } = this;
    if (state.transfer !== COMMAND_READ) return;
    const disk = this.#present;
    if (disk === undefined) state.buffer.fill(0);
    else state.buffer.set(disk.read(state.transferLba, 1));
  }

  #readData(): number {
    const { state } = this;
    if (state.transfer !== COMMAND_READ) return 0xff;
    const byte = state.buffer[state.position];
    this.#advance();
    return byte;
  }

  #writeData(byte: number): void {
    const { state } = this;
    if (state.transfer !== COMMAND_WRITE) return;
    state.buffer[state.position] = byte;
    if (state.position === SECTOR_BYTES - 1) {
      const disk = this.#present;
      if (disk?.readOnly === false) disk.write(state.transferLba, state.buffer);
    }
    this.#advance();
  }

  #advance(): void {
    const { state } = this;
    if (++state.position < SECTOR_BYTES) return;
    state.position = 0;
    state.transferLba++;
    if (--state.sectorsLeft > 0) this.#fetch();
    else state.transfer = 0;
  }
}
