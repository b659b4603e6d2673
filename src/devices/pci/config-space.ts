/**
 * Configuration space of a PCI function, header type 0. PCI Local Bus Specification 3.0, chapter 6.
 *
 * NOT implemented: capabilities (status bit 4 is 0), BIST, 64-bit base address registers.
 */
import { assert } from '../../base/assert.js';
import type { PortHandler, Width } from '../../core/bus.js';

export const PCI_CONFIG_BYTES = 256;

/** Registers of the header (6.1). */
export const PCI = {
  vendorId: 0x00,
  deviceId: 0x02,
  command: 0x04,
  status: 0x06,
  revisionId: 0x08,
  classCode: 0x09,
  cacheLineSize: 0x0c,
  latencyTimer: 0x0d,
  headerType: 0x0e,
  bar0: 0x10,
  subsystemVendorId: 0x2c,
  subsystemId: 0x2e,
  expansionRom: 0x30,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
} as const;

/** Bits of the command register (6.2.2). */
export const PCI_COMMAND = { io: 0x0001, memory: 0x0002, busMaster: 0x0004, interruptDisable: 0x0400 } as const;
/** Command bits that can be set: I/O, memory, bus master, parity, SERR#, interrupt disable. */
const COMMAND_WRITABLE = 0x0547;

/** A base address register and who answers behind it. */
export interface PciBar {
  /** 0 to 5. */
  readonly index: number;
  readonly space: 'io' | 'memory';
  /** A power of two; at least 4 (I/O) or 16 (memory). */
  readonly sizeBytes: number;
  readonly prefetchable?: boolean;
  /** Offsets count from the BAR's base. Null where pages of device memory lie there. */
  readonly handler: PortHandler | null;
  /** With a null handler: offset in the machine's device memory. */
  readonly deviceMemory?: number;
}

export interface PciIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revisionId?: number;
  /** Base class, sub-class and programming interface: 24 bits, e.g. 010180h for an IDE controller. */
  readonly classCode: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** 0: no interrupt, 1 INTA# to 4 INTD#. */
  readonly interruptPin?: number;
  readonly isMultiFunction?: boolean;
  readonly bars?: readonly PciBar[];
  /** Expansion ROM: a power of two from 2 KiB, and where it lies in device memory. */
  readonly rom?: { readonly sizeBytes: number; readonly deviceMemory: number };
}

/** Bits beyond the header's own that software can change, e.g. `{ offset: 0x60, mask: 0x8f }`. */
export interface PciWritableByte {
  readonly offset: number;
  readonly mask: number;
  readonly initial?: number;
}

/** The registers. A device keeps `bytes` in its state, as `fixedBytes`. */
export class PciConfigSpace {
  readonly bytes = new Uint8Array(PCI_CONFIG_BYTES);
  readonly bars: readonly PciBar[];
  readonly rom: PciBar | null;
  readonly #powerOn = new Uint8Array(PCI_CONFIG_BYTES);
  readonly #writable = new Uint8Array(PCI_CONFIG_BYTES);
  readonly #view = new DataView(this.bytes.buffer);

  constructor(identity: PciIdentity, writable: readonly PciWritableByte[] = []) {
    const { bars = [], rom } = identity;
    const initial = new DataView(this.#powerOn.buffer);
    initial.setUint16(PCI.vendorId, identity.vendorId, true);
    initial.setUint16(PCI.deviceId, identity.deviceId, true);
    initial.setUint32(PCI.revisionId, ((identity.classCode << 8) | (identity.revisionId ?? 0)) >>> 0, true);
    initial.setUint8(PCI.headerType, identity.isMultiFunction === true ? 0x80 : 0);
    initial.setUint16(PCI.subsystemVendorId, identity.subsystemVendorId ?? 0, true);
    initial.setUint16(PCI.subsystemId, identity.subsystemId ?? 0, true);
    initial.setUint8(PCI.interruptPin, identity.interruptPin ?? 0);
    const mask = new DataView(this.#writable.buffer);
    mask.setUint16(PCI.command, COMMAND_WRITABLE, true);
    mask.setUint8(PCI.cacheLineSize, 0xff);
    mask.setUint8(PCI.latencyTimer, 0xff);
    if ((identity.interruptPin ?? 0) !== 0) mask.setUint8(PCI.interruptLine, 0xff);
    for (const bar of bars) {
      const least = bar.space === 'io' ? 4 : 16;
      assert(bar.sizeBytes >= least && (bar.sizeBytes & (bar.sizeBytes - 1)) === 0, `BAR ${bar.index} size`);
      const type = bar.space === 'io' ? 1 : bar.prefetchable === true ? 8 : 0;
      initial.setUint32(PCI.bar0 + 4 * bar.index, type, true);
      mask.setUint32(PCI.bar0 + 4 * bar.index, -bar.sizeBytes >>> 0, true);
    }
    this.bars = bars;
    this.rom = rom === undefined ? null : { index: 6, space: 'memory', handler: null, ...rom };
    if (this.rom !== null) mask.setUint32(PCI.expansionRom, (-this.rom.sizeBytes | 1) >>> 0, true);
    for (const { offset, mask: bits, initial: value } of writable) {
      this.#writable[offset] = bits;
      if (value !== undefined) this.#powerOn[offset] = value;
    }
    this.reset();
  }

  reset(): void {
    this.bytes.set(this.#powerOn);
  }

  /** Access to registers at `offset`; it lies within one dword. */
  read(offset: number, width: Width): number {
    if (width === 1) return this.bytes[offset];
    return width === 2 ? this.#view.getUint16(offset, true) : this.#view.getUint32(offset, true);
  }

  write(offset: number, value: number, width: Width): void {
    for (let i = 0; i < width; i++) {
      const mask = this.#writable[offset + i];
      this.bytes[offset + i] = (this.bytes[offset + i] & ~mask) | ((value >>> (8 * i)) & mask);
    }
  }

  get command(): number {
    return this.#view.getUint16(PCI.command, true);
  }
  get isBusMaster(): boolean {
    return (this.command & PCI_COMMAND.busMaster) !== 0;
  }

  /** Where `bar` answers now, or -1 while decoding is off. 0 is no base. */
  base(bar: PciBar): number {
    const register = this.#view.getUint32(bar === this.rom ? PCI.expansionRom : PCI.bar0 + 4 * bar.index, true);
    const isOn = (this.command & (bar.space === 'io' ? PCI_COMMAND.io : PCI_COMMAND.memory)) !== 0;
    if (!isOn || (bar === this.rom && (register & 1) === 0)) return -1;
    const base = (register & -bar.sizeBytes) >>> 0;
    if (base === 0 || (bar.space === 'io' && base > 0xffff)) return -1;
    return base;
  }
}

/** What the PCI bus needs to know of a device. */
export interface PciFunction {
  readonly config: PciConfigSpace;
  /** After a write to configuration space changed bytes at `offset`..`offset + width - 1`, before BARs move. */
  configWritten?(offset: number, width: number): void;
  /** Ranges that answer besides the BARs, where configuration registers say so. */
  ranges?(): readonly PciRange[];
}

/** A range of ports or addresses that is not behind a BAR. */
export interface PciRange {
  readonly space: 'io' | 'memory';
  readonly base: number;
  readonly sizeBytes: number;
  readonly handler: PortHandler;
}
