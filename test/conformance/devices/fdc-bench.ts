import { SECTOR_BYTES } from '../../../src/core/block.js';
import { Dma } from '../../../src/devices/dma.js';
import { Fdc, FDC_PORT_COUNT } from '../../../src/devices/fdc.js';
import type { FloppyDrive } from '../../../src/devices/floppy-drives.js';
import type { Bench } from './conformance.js';

export interface Shape {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

export const SHAPE_1440K: Shape = { cylinders: 80, heads: 2, sectorsPerTrack: 18 };

/** A diskette whose sectors begin with their number. */
export class Diskette {
  readonly bytes: Uint8Array;
  readonly sectorCount: number;
  readOnly = false;
  changes = 0;

  constructor(readonly geometry: Shape = SHAPE_1440K) {
    this.sectorCount = geometry.cylinders * geometry.heads * geometry.sectorsPerTrack;
    this.bytes = new Uint8Array(this.sectorCount * SECTOR_BYTES);
    for (let lba = 0; lba < this.sectorCount; lba++) this.bytes.set([lba & 0xff, lba >> 8], lba * SECTOR_BYTES);
  }

  read(lba: number, count: number): Uint8Array {
    if (lba < 0 || lba + count > this.sectorCount) throw new RangeError(`sectors from ${lba}`);
    return this.bytes.slice(lba * SECTOR_BYTES, (lba + count) * SECTOR_BYTES);
  }

  write(lba: number, data: Uint8Array): void {
    if (lba < 0 || lba * SECTOR_BYTES + data.length > this.bytes.length) throw new RangeError(`sectors from ${lba}`);
    if (this.readOnly || data.length % SECTOR_BYTES !== 0) throw new RangeError('not to be written');
    this.bytes.set(data, lba * SECTOR_BYTES);
  }

  /** The sector that these bytes begin like. */
  static sectorOf(bytes: Uint8Array): number {
    return bytes[0]! | (bytes[1]! << 8);
  }
}

/** A controller with its DMA on a bench. */
export class FdcBench {
  readonly ram = new Uint8Array(0x4_0000);
  readonly dma: Dma;
  readonly fdc: Fdc;

  constructor(
    readonly bench: Bench,
    drives: readonly (FloppyDrive | null)[],
  ) {
    const { ram } = this;
    this.dma = new Dma('dma', {
      read: (address, count) => Uint8Array.from({ length: count }, (_, i) => ram[address + i] ?? 0xff),
      write: (address, data) => data.forEach((byte, i) => (ram[address + i] = byte)),
    });
    const { clock, timers } = bench;
    this.fdc = new Fdc('fdc', { clock, timers, irq: bench.line('irq6'), dma: this.dma, drives, presetRate: 0 });
    bench.map(0x3f0, FDC_PORT_COUNT, this.fdc.ports);
    bench.map(0x3f7, 1, this.fdc.directionPorts);
  }

  /** With the ports of the DMA controllers. */
  static withDma(bench: Bench, drives: readonly (FloppyDrive | null)[]): FdcBench {
    const made = new FdcBench(bench, drives);
    bench.map(0x00, 16, made.dma.lowPorts);
    bench.map(0x80, 16, made.dma.pagePorts);
    return made;
  }

  /** Out of reset, with the motor of drive A on. */
  start(): void {
    this.bench.write(0x3f2, 0x00);
    this.bench.write(0x3f2, 0x1c);
    for (let unit = 0; unit < 4; unit++) this.command(0x08);
    this.command(0x03, 0xdf, 0x02);
  }

  /** Writes a command, waits, and reads its result. */
  command(...bytes: number[]): number[] {
    for (const byte of bytes) this.bench.write(0x3f5, byte);
    this.bench.advanceNs(50_000_000);
    return this.result();
  }

  result(): number[] {
    const result: number[] = [];
    while ((this.bench.read(0x3f4) & 0xc0) === 0xc0) result.push(this.bench.read(0x3f5));
    return result;
  }

  /** Moves the head of drive A. */
  seek(cylinder: number): void {
    this.command(0x0f, 0, cylinder);
    this.command(0x08);
  }

  /** Channel 2 for `count` bytes at `address`; mode 46h device to memory, 4Ah memory to device. */
  program(mode: number, address: number, count: number): void {
    const { bench } = this;
    bench.write(0x0a, 0x06);
    bench.write(0x0c, 0);
    bench.write(0x0b, mode);
    bench.write(0x04, address & 0xff);
    bench.write(0x04, (address >> 8) & 0xff);
    bench.write(0x81, address >> 16);
    bench.write(0x05, (count - 1) & 0xff);
    bench.write(0x05, (count - 1) >> 8);
    bench.write(0x0a, 0x02);
  }

  /** Which sectors of the medium lie one behind the other in memory. */
  sectorsAt(address: number, count: number): number[] {
    return Array.from({ length: count }, (_, n) => Diskette.sectorOf(this.ram.subarray(address + n * SECTOR_BYTES)));
  }
}
