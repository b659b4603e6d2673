import { assert } from '../base/assert.js';
import type { Tick } from './clock.js';

/** Width of one access in bytes. */
export type Width = 1 | 2 | 4;

/** A device's view of its ports: offsets from the base it was mapped at. Values are unsigned. */
export interface PortHandler {
  read(offset: number, width: Width): number;
  write(offset: number, value: number, width: Width): void;
  /**
   * Asked behind a read of one byte: tick up to which reading it again would give the same value and change nothing,
   * if until then no timer fires, no input arrives and nobody uses another port or device.
   */
  steadyUntil?(offset: number): Tick;
  /** Reading leaves every device as it is. */
  readonly readsChangeNothing?: true;
}

/** Only byte ports: wider accesses are split little-endian into byte accesses. */
export function bytePorts(handler: {
  read(offset: number): number;
  write(offset: number, value: number): void;
  steadyUntil?(offset: number): Tick;
}): PortHandler {
  return {
    ...(handler.steadyUntil === undefined ? {} : { steadyUntil: (offset) => handler.steadyUntil!(offset) }),
    read(offset, width) {
      let value = 0;
      for (let i = 0; i < width; i++) value |= handler.read(offset + i) << (8 * i);
      return value >>> 0;
    },
    write(offset, value, width) {
      for (let i = 0; i < width; i++) handler.write(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };
}

/** Guest-physical RAM as bus masters see it: what lies outside RAM reads as ones and takes no writes. */
export interface SystemMemory {
  read(address: number, count: number): Uint8Array;
  write(address: number, bytes: Uint8Array): void;
}

/** Memory of a device's own that the CPU can be given access to, e.g. video memory. Part of every snapshot. */
export interface DeviceMemory {
  readonly bytes: Uint8Array;
  /** The device is about to write `count` bytes from `offset`. */
  willWrite(offset: number, count: number): void;
}

/** A range of ports or addresses and who answers there. */
export interface Mapping {
  readonly base: number;
  readonly count: number;
  readonly owner: string;
  readonly handler: PortHandler;
  /** See Device. */
  readonly isInterruptController?: true;
}

/** Finds who answers at an address that software can move: PCI's base address registers. */
export type MovableMappings = (address: number) => Mapping | undefined;

const OPEN_BUS: Record<Width, number> = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff };

/** The 64 K I/O port space. An access belongs to the device at its first port; nothing there reads as all ones. */
export class PortBus {
  readonly #map: (Mapping | undefined)[] = new Array<Mapping | undefined>(0x10000);
  /** How often somebody was told something or asked what may have changed it, at least. */
  accesses = 0;
  /** Asked where nothing is mapped for good. */
  movable: MovableMappings = () => undefined;

  /** Maps `count` ports from `base`; overlaps are our own mistake and throw. */
  map(owner: string, base: number, count: number, handler: PortHandler): void {
    const mapping = { base, count, owner, handler };
    for (let port = base; port < base + count; port++) {
      const present = this.#map[port];
      assert(!present, `port ${port.toString(16)}h: ${owner} overlaps ${present?.owner}`);
      this.#map[port] = mapping;
    }
  }

  read(port: number, width: Width): number {
    const mapping = this.#map[port] ?? this.movable(port);
    if (mapping?.handler.readsChangeNothing !== true) this.accesses++;
    if (mapping === undefined) return this.#readApart(port, width);
    if (port + width > mapping.base + mapping.count && width > 1) return this.#readApart(port, width);
    return mapping.handler.read(port - mapping.base, width) >>> 0;
  }

  /** See PortHandler.steadyUntil(); 0 where nobody knows. */
  steadyUntil(port: number): Tick {
    const mapping = this.#map[port];
    return mapping?.handler.steadyUntil?.(port - mapping.base) ?? 0;
  }

  write(port: number, value: number, width: Width): void {
    this.accesses++;
    const mapping = this.#map[port] ?? this.movable(port);
    if (mapping === undefined || (port + width > mapping.base + mapping.count && width > 1)) {
      if (width > 1) for (let i = 0; i < width; i++) this.write((port + i) & 0xffff, (value >>> (8 * i)) & 0xff, 1);
      return;
    }
    mapping.handler.write(port - mapping.base, value, width);
  }

  /** An access that crosses a mapping's edge is made byte by byte, as the chipset does. */
  #readApart(port: number, width: Width): number {
    if (width === 1) return OPEN_BUS[1];
    let value = 0;
    for (let i = 0; i < width; i++) value |= this.read((port + i) & 0xffff, 1) << (8 * i);
    return value >>> 0;
  }
}

/** A memory-mapped device; `offset` counts from its base. */
export type MmioHandler = PortHandler;

/** Physical memory space outside RAM and ROM. */
export class MmioBus {
  readonly #regions: Mapping[] = [];
  /** How often a device was told or asked something, interrupt controllers apart. */
  accesses = 0;
  /** Asked where nothing is mapped for good. */
  movable: MovableMappings = () => undefined;

  map(owner: string, base: number, count: number, handler: MmioHandler): void {
    for (const r of this.#regions) {
      assert(
        base + count <= r.base || r.base + r.count <= base,
        `${owner} overlaps ${r.owner} at ${base.toString(16)}h`,
      );
    }
    this.#regions.push({ base, count, owner, handler });
  }

  #find(address: number): Mapping | undefined {
    for (const r of this.#regions) if (address >= r.base && address < r.base + r.count) return r;
    return this.movable(address);
  }

  #access(address: number): Mapping | undefined {
    const region = this.#find(address);
    if (region?.isInterruptController !== true) this.accesses++;
    return region;
  }

  /** True when a device answers at physical `address`. */
  has(address: number): boolean {
    return this.#find(address) !== undefined;
  }

  read(address: number, width: Width): number {
    const region = this.#access(address);
    return region === undefined ? OPEN_BUS[width] : region.handler.read(address - region.base, width) >>> 0;
  }

  write(address: number, value: number, width: Width): void {
    const region = this.#access(address);
    if (region !== undefined) region.handler.write(address - region.base, value, width);
  }
}
