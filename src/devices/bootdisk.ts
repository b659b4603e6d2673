/**
 * The boot disk: one medium that the boot ROM's INT 13h reads and writes through 16 ports. It stands in for a disk
 * controller and is guestreel's own; no datasheet.
 *
 * | offset | register |
 * |---|---|
 * | 0-3 | LBA: first sector of the next transfer |
 * | 4-5 | COUNT: sectors of the next transfer, 0 for none |
 * | 6 | write COMMAND: 0 end the transfer, 1 read, 2 write; read STATUS: bit 0 refused (outside the medium), bit 1 data is due |
 * | 7 | INDEX of the word that INFO shows |
 * | 8 | DATA: the bytes of the transfer in order, as many as the access is wide (REP INSW, REP OUTSW); all ones when none is due |
 * | 12-15 | INFO, read only: see BOOT_DISK_INFO |
 *
 * Data is there at once. Sectors written go to an overlay, which is state; the image never changes. A sector that was
 * not written to its end keeps its contents.
 *
 * Usual ports: 5260h-526Fh.
 */
import type { ByteReader, ByteWriter } from '../base/bytes.js';
import type { PortHandler, Width } from '../core/bus.js';
import type { Device } from '../core/device.js';
import { bool, fixedBytes, list, u16, u32, u8, type Codec, type StateSchema } from '../core/state.js';

export const SECTOR_BYTES = 512;
/** Ports of the block. */
export const BOOT_DISK_PORT_COUNT = 16;

/** Values of INDEX. */
export const BOOT_DISK_INFO = {
  signature: 0,
  /** 0 none, 1 floppy, 2 hard disk. */
  kind: 1,
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
} as const;

/** "GRBD". */
const SIGNATURE = 0x4442_5247;
const STATUS_REFUSED = 0x01;
const STATUS_DATA = 0x02;
const COMMAND_READ = 1;
const COMMAND_WRITE = 2;

export interface BootDiskGeometry {
  readonly kind: 'floppy' | 'hard-disk';
  readonly sectorCount: number;
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
  /** CMOS type of a diskette drive: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M; 0 for a hard disk. */
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
  /** Absent: there is no medium. */
  readonly geometry?: BootDiskGeometry;
  /** Contents of sector `lba` of the image as it was when the machine was made; SECTOR_BYTES bytes, not kept. */
  readonly readImage?: (lba: number) => Uint8Array;
  readonly entry?: BootDiskEntry;
}

export interface BootDiskState {
  /** What INFO shows. State, so that a replay needs neither the image nor its shape. */
  info: number[];
  lba: number;
  count: number;
  index: number;
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
  /** Sectors that were written. */
  overlay: Map<number, Uint8Array>;
}

/** In order of the sectors, so that equal contents have equal bytes. */
const overlayCodec: Codec<Map<number, Uint8Array>> = {
  write(out: ByteWriter, overlay) {
    out.u32(overlay.size);
    for (const lba of [...overlay.keys()].sort((a, b) => a - b)) out.u32(lba).raw(overlay.get(lba)!);
  },
  read(input: ByteReader) {
    const overlay = new Map<number, Uint8Array>();
    for (let left = input.u32(); left > 0; left--) {
      const lba = input.u32();
      overlay.set(lba, input.raw(SECTOR_BYTES).slice());
    }
    return overlay;
  },
};

/** The sectors of an image held in memory; beyond its end everything is 0. */
export function sectorsOf(image: Uint8Array): (lba: number) => Uint8Array {
  return (lba) => {
    const sector = new Uint8Array(SECTOR_BYTES);
    sector.set(image.subarray(lba * SECTOR_BYTES, (lba + 1) * SECTOR_BYTES));
    return sector;
  };
}

function idle() {
  return { lba: 0, count: 0, index: 0, refused: false, transfer: 0, transferLba: 0, sectorsLeft: 0, position: 0 };
}

export class BootDisk implements Device<BootDiskState> {
  readonly kind = 'boot-disk';
  readonly version = 1;
  readonly schema: StateSchema<BootDiskState> = {
    info: list(u32),
    lba: u32,
    count: u16,
    index: u8,
    refused: bool,
    transfer: u8,
    transferLba: u32,
    sectorsLeft: u16,
    position: u16,
    buffer: fixedBytes,
    overlay: overlayCodec,
  };
  readonly state: BootDiskState;
  /** BOOT_DISK_PORT_COUNT ports. */
  readonly ports: PortHandler;
  readonly #readImage: (lba: number) => Uint8Array;

  constructor(
    readonly id: string,
    options: BootDiskOptions = {},
  ) {
    this.#readImage = options.readImage ?? (() => new Uint8Array(SECTOR_BYTES));
    const buffer = new Uint8Array(SECTOR_BYTES);
    this.state = { info: infoWords(options), ...idle(), buffer, overlay: new Map() };
    this.ports = {
      read: (offset, width) => this.#read(offset, width),
      write: (offset, value, width) => this.#write(offset, value, width),
    };
  }

  /** What was written stays on the medium. */
  reset(): void {
    Object.assign(this.state, idle());
    this.state.buffer.fill(0);
  }

  /** Present contents of a sector, for the host; do not change them. */
  sector(lba: number): Uint8Array {
    return this.state.overlay.get(lba) ?? this.#readImage(lba);
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
    if (offset < 12) return 0xff;
    return ((state.info[state.index] ?? 0) >>> (8 * (offset - 12))) & 0xff;
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
    }
  }

  #command(command: number): void {
    const { state } = this;
    Object.assign(state, { refused: false, transfer: 0, sectorsLeft: 0, position: 0 });
    if (command !== COMMAND_READ && command !== COMMAND_WRITE) return;
    if (state.lba + state.count > state.info[BOOT_DISK_INFO.sectorCount]) {
      state.refused = true;
      return;
    }
    if (state.count === 0) return;
    Object.assign(state, { transfer: command, transferLba: state.lba, sectorsLeft: state.count });
    this.#fetch();
  }

  #fetch(): void {
    const { state } = this;
    if (state.transfer === COMMAND_READ) state.buffer.set(this.sector(state.transferLba));
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
    if (state.position === SECTOR_BYTES - 1) state.overlay.set(state.transferLba, state.buffer.slice());
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

function infoWords({ geometry, entry }: BootDiskOptions): number[] {
  const words = new Array<number>(11).fill(0);
  words[BOOT_DISK_INFO.signature] = SIGNATURE;
  if (geometry !== undefined) {
    words[BOOT_DISK_INFO.kind] = geometry.kind === 'floppy' ? 1 : 2;
    words[BOOT_DISK_INFO.sectorCount] = geometry.sectorCount;
    words[BOOT_DISK_INFO.cylinders] = geometry.cylinders;
    words[BOOT_DISK_INFO.heads] = geometry.heads;
    words[BOOT_DISK_INFO.sectorsPerTrack] = geometry.sectorsPerTrack;
    words[BOOT_DISK_INFO.driveType] = geometry.driveType;
  }
  if (entry !== undefined) {
    words[BOOT_DISK_INFO.hasEntry] = 1;
    words[BOOT_DISK_INFO.entryCsIp] = entry.cs * 0x1_0000 + entry.ip;
    words[BOOT_DISK_INFO.entrySsSp] = entry.ss * 0x1_0000 + entry.sp;
    words[BOOT_DISK_INFO.entryDs] = entry.ds;
  }
  return words;
}
