/**
 * Bus master of one ATA channel. Intel 82371SB (PIIX3) datasheet 290550-002, 2.7; Programming Interface for Bus Master
 * IDE Controller, revision 1.0.
 */
import { bytePorts, type PortHandler, type SystemMemory } from '../../core/bus.js';
import { u32, u8, type StateSchema } from '../../core/state.js';

export interface BusMasterState {
  command: number;
  status: number;
  /** Address of the table of physical regions. */
  table: number;
}

export const BUS_MASTER_SCHEMA: StateSchema<BusMasterState> = { command: u8, status: u8, table: u32 };

/** Ports of one channel. */
export const BUS_MASTER_PORTS = 8;
const COMMAND = { START: 0x01, TO_MEMORY: 0x08 } as const;
const STATUS = { ACTIVE: 0x01, ERROR: 0x02, INTERRUPT: 0x04, CAPABLE: 0x60 } as const;
/** A table lies within 64 KiB. */
const MAX_REGIONS = 8192;
const REGIONS_AT_ONCE = 64;
const REGION_BYTES = 8;
const END_OF_TABLE = 0x80;

interface Region {
  readonly address: number;
  readonly count: number;
}

export interface BusMasterOptions {
  readonly memory: SystemMemory;
  /** The function may be master of the bus. */
  readonly isEnabled: () => boolean;
  /** Software set or cleared the start bit. */
  readonly onStart: (isStarted: boolean) => void;
}

/** Moves bytes between a drive and the regions of memory that the guest's table names. */
export class BusMaster {
  /** BUS_MASTER_PORTS ports. */
  readonly ports: PortHandler;

  constructor(
    readonly state: BusMasterState,
    private readonly options: BusMasterOptions,
  ) {
    this.ports = bytePorts({
      read: (offset) => this.#read(offset),
      write: (offset, value) => this.#write(offset, value),
    });
  }

  reset(): void {
    Object.assign(this.state, { command: 0, status: 0, table: 0 });
  }

  get isStarted(): boolean {
    return (this.state.command & COMMAND.START) !== 0;
  }

  /** The channel's interrupt line rose. */
  interrupt(): void {
    this.state.status |= STATUS.INTERRUPT;
  }

  #read(offset: number): number {
    const { command, status, table } = this.state;
    if (offset === 0) return command;
    if (offset === 2) return status;
    return offset < 4 || offset >= BUS_MASTER_PORTS ? 0 : (table >>> (8 * (offset - 4))) & 0xff;
  }

  #write(offset: number, value: number): void {
    const { state } = this;
    if (offset === 0) {
      const was = this.isStarted;
      state.command = value & (COMMAND.START | COMMAND.TO_MEMORY);
      if (this.isStarted === was) return;
      if (this.isStarted) state.status |= STATUS.ACTIVE;
      else state.status &= ~STATUS.ACTIVE;
      this.options.onStart(this.isStarted);
    } else if (offset === 2) {
      const kept = state.status & ~(value & (STATUS.ERROR | STATUS.INTERRUPT));
      state.status = (kept & ~STATUS.CAPABLE) | (value & STATUS.CAPABLE);
    } else if (offset >= 4 && offset < BUS_MASTER_PORTS) {
      const shift = 8 * (offset - 4);
      state.table = ((state.table & ~(0xff << shift)) | (value << shift)) >>> 0;
      state.table = (state.table & ~3) >>> 0;
    }
  }

  /**
   * The regions of the table that hold `bytes`; fewer where the table ends. The second is true when regions are left
   * over, which is no error.
   */
  #regions(bytes: number): { regions: Region[]; hasMore: boolean } {
    const regions: Region[] = [];
    const { memory } = this.options;
    let left = bytes;
    for (let first = 0; first < MAX_REGIONS; first += REGIONS_AT_ONCE) {
      const entries = memory.read(this.state.table + first * REGION_BYTES, REGIONS_AT_ONCE * REGION_BYTES);
      const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
      for (let at = 0; at < entries.length; at += REGION_BYTES) {
        const address = (view.getUint32(at, true) & ~1) >>> 0;
        const size = view.getUint16(at + 4, true) & 0xfffe || 0x1_0000;
        const count = Math.min(size, left);
        regions.push({ address, count });
        left -= count;
        const isLast = (entries[at + 7] & END_OF_TABLE) !== 0;
        if (left === 0) return { regions, hasMore: !isLast || count < size };
        if (isLast) return { regions, hasMore: false };
      }
    }
    return { regions, hasMore: false };
  }

  /**
   * Moves `bytes` from the drive to memory. `source(offset, most)` gives what comes next, at least a byte and at most
   * `most`, and is asked in order. Returns how many the table had room for.
   */
  toMemory(bytes: number, source: (offset: number, most: number) => Uint8Array): number {
    return this.#transfer(bytes, (address, offset, count) => {
      for (let at = 0; at < count;) {
        const piece = source(offset + at, count - at);
        this.options.memory.write(address + at, piece);
        at += piece.length;
      }
    });
  }

  /** Moves `bytes` from memory to the drive. Returns how many the table had. */
  fromMemory(bytes: number, sink: (offset: number, piece: Uint8Array) => void): number {
    return this.#transfer(bytes, (address, offset, count) => sink(offset, this.options.memory.read(address, count)));
  }

  #transfer(bytes: number, move: (address: number, offset: number, count: number) => void): number {
    if (!this.options.isEnabled()) {
      this.state.status |= STATUS.ERROR;
      this.state.status &= ~STATUS.ACTIVE;
      return 0;
    }
    const { regions, hasMore } = this.#regions(bytes);
    let offset = 0;
    for (const { address, count } of regions) {
      move(address, offset, count);
      offset += count;
    }
    if (!hasMore) this.state.status &= ~STATUS.ACTIVE;
    return offset;
  }
}
