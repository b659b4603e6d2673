import { beforeEach, describe, expect, it } from 'vitest';
import { SECTOR_BYTES } from '../../../src/core/block.js';
import { Dma } from '../../../src/devices/dma.js';
import { Fdc, FDC_PORT_COUNT } from '../../../src/devices/fdc.js';
import type { FloppyDrive } from '../../../src/devices/fdc-transfer.js';
import { Bench, deviceConformance } from './conformance.js';

const GEOMETRY = { cylinders: 80, heads: 2, sectorsPerTrack: 18 };
const SECTORS = 2880;

/** A diskette whose sectors begin with their number. */
function diskette(options: { readOnly?: boolean } = {}) {
  const bytes = new Uint8Array(SECTORS * SECTOR_BYTES);
  for (let lba = 0; lba < SECTORS; lba++) bytes.set([lba & 0xff, lba >> 8], lba * SECTOR_BYTES);
  const drive = {
    geometry: GEOMETRY,
    sectorCount: SECTORS,
    readOnly: options.readOnly ?? false,
    changes: 0,
    read: (lba: number, count: number) => bytes.slice(lba * SECTOR_BYTES, (lba + count) * SECTOR_BYTES),
    write: (lba: number, data: Uint8Array) => bytes.set(data, lba * SECTOR_BYTES),
  };
  return { bytes, drive };
}

/** With `hasDma` the DMA controller is on the bench too; without, all its channels are masked for good. */
function wire(bench: Bench, drives: readonly (FloppyDrive | null)[], hasDma = true) {
  const ram = new Uint8Array(0x20000);
  const dma = new Dma('dma', {
    read: (address, count) => ram.slice(address, address + count),
    write: (address, data) => ram.set(data.subarray(0, Math.max(0, ram.length - address)), address),
  });
  if (hasDma) {
    bench.map(0x00, 16, dma.lowPorts);
    bench.map(0x80, 16, dma.pagePorts);
  }
  const fdc = new Fdc('fdc', { clock: bench.clock, timers: bench.timers, irq: bench.line('irq6'), dma, drives });
  bench.map(0x3f0, FDC_PORT_COUNT, fdc.ports);
  bench.map(0x3f7, 1, fdc.directionPorts);
  return { ram, fdc };
}

describe('82077AA', () => {
  let bench: Bench;
  let media: ReturnType<typeof diskette>;
  let ram: Uint8Array;

  beforeEach(() => {
    bench = new Bench();
    media = diskette();
    ({ ram } = wire(bench, [media.drive, null]));
    bench.write(0x3f2, 0x00);
    bench.write(0x3f2, 0x1c);
    for (let unit = 0; unit < 4; unit++) command(0x08);
    command(0x03, 0xdf, 0x02);
  });

  /** Writes a command, waits, and reads its result. */
  function command(...bytes: number[]): number[] {
    for (const byte of bytes) bench.write(0x3f5, byte);
    bench.advanceNs(50_000_000);
    const result: number[] = [];
    while ((bench.read(0x3f4) & 0xc0) === 0xc0) result.push(bench.read(0x3f5));
    return result;
  }

  /** Channel 2 for `count` bytes at `address`; mode 46h device to memory, 4Ah memory to device. */
  function program(mode: number, address: number, count: number): void {
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

  it('comes out of a reset with an interrupt and the status of four drives', () => {
    bench.write(0x3f2, 0x00);
    expect(bench.read(0x3f4)).toBe(0);
    bench.write(0x3f2, 0x0c);
    expect(bench.levels.irq6).toBe(true);
    expect([0, 1, 2, 3].map(() => command(0x08)[0])).toEqual([0xc0, 0xc1, 0xc2, 0xc3]);
    expect(command(0x08)).toEqual([0x80]);
    expect(bench.levels.irq6).toBe(false);
  });

  it('says what it is', () => {
    expect(command(0x10)).toEqual([0x90]);
    expect(command(0x18)).toEqual([0x41]);
    expect(command(0x1f)).toEqual([0x80]);
  });

  it('seeks, and tells when it is asked', () => {
    expect(command(0x0f, 0x00, 10)).toEqual([]);
    expect(command(0x08)).toEqual([0x20, 10]);
    expect(command(0x07, 0x00)).toEqual([]);
    expect(command(0x08)).toEqual([0x20, 0]);
    command(0x8f, 0x00, 3);
    expect(command(0x08)).toEqual([0x20, 0]);
    command(0xcf, 0x00, 3);
    expect(command(0x08)).toEqual([0x20, 3]);
  });

  it('shows a change of media until the head moves', () => {
    expect(bench.read(0x3f7)).toBe(0x80);
    command(0x0f, 0, 1);
    command(0x08);
    expect(bench.read(0x3f7)).toBe(0);
    media.drive.changes = 1;
    expect(bench.read(0x3f7)).toBe(0x80);
  });

  it('reads sectors by DMA, over both sides, until terminal count', () => {
    program(0x46, 0x1000, 3 * SECTOR_BYTES);
    command(0x0f, 0, 2);
    command(0x08);
    expect(command(0xe6, 0x00, 2, 0, 17, 2, 18, 0x1b, 0xff)).toEqual([0x04, 0, 0, 2, 1, 2, 2]);
    const first = (2 * 2 * 18 + 16) & 0xff;
    expect([0, 1, 2].map((n) => ram[0x1000 + n * SECTOR_BYTES])).toEqual([first, first + 1, first + 2]);
    expect(bench.read(0x08) & 0x04).toBe(0x04);
  });

  it('writes, and refuses what is protected', () => {
    ram.fill(0x5a, 0x2000, 0x2000 + SECTOR_BYTES);
    program(0x4a, 0x2000, SECTOR_BYTES);
    expect(command(0x45, 0, 0, 0, 3, 2, 18, 0x1b, 0xff).slice(0, 3)).toEqual([0, 0, 0]);
    expect(media.bytes.subarray(2 * SECTOR_BYTES, 3 * SECTOR_BYTES).every((byte) => byte === 0x5a)).toBe(true);
    media.drive.readOnly = true;
    program(0x4a, 0x2000, SECTOR_BYTES);
    expect(command(0x45, 0, 0, 0, 3, 2, 18, 0x1b, 0xff).slice(0, 2)).toEqual([0x40, 0x02]);
  });

  it('formats a track with what DMA says of its sectors', () => {
    for (let n = 0; n < 18; n++) ram.set([0, 1, n + 1, 2], 4 * n);
    program(0x4a, 0, 72);
    expect(command(0x4d, 0x04, 2, 18, 0x50, 0xf6)[0]).toBe(0x04);
    expect(media.bytes[18 * SECTOR_BYTES]).toBe(0xf6);
    expect(media.bytes[36 * SECTOR_BYTES - 1]).toBe(0xf6);
    expect(media.bytes[36 * SECTOR_BYTES]).toBe(36);
  });

  it('says why a sector is not found', () => {
    program(0x46, 0, SECTOR_BYTES);
    expect(command(0x46, 0, 0, 0, 19, 2, 19, 0x1b, 0xff).slice(0, 3)).toEqual([0x40, 0x04, 0]);
    expect(command(0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 3)).toEqual([0x40, 0x04, 0x10]);
    expect(command(0x4a, 0x01).slice(0, 2)).toEqual([0x41, 0x01]);
  });

  it('gives the bytes to the CPU where DMA is off', () => {
    command(0x03, 0xdf, 0x03);
    for (const byte of [0x46, 0, 0, 0, 5, 2, 5, 0x1b, 0xff]) bench.write(0x3f5, byte);
    bench.advanceNs(1_000_000);
    expect(bench.read(0x3f4)).toBe(0xf0);
    expect(bench.levels.irq6).toBe(true);
    const sector = Array.from({ length: SECTOR_BYTES }, () => bench.read(0x3f5));
    expect(sector.slice(0, 3)).toEqual([4, 0, 0]);
    const result = Array.from({ length: 7 }, () => bench.read(0x3f5));
    expect(result.slice(0, 2)).toEqual([0x40, 0x80]);
  });
});

deviceConformance('82077AA', {
  make: (bench) => wire(bench, [diskette({ readOnly: true }).drive, null], false).fdc,
  prepare: (bench) => {
    bench.write(0x3f2, 0x1c);
    for (const byte of [0x0f, 0x00, 0x05]) bench.write(0x3f5, byte);
  },
  mutate: (bench) => {
    for (const byte of [0x03, 0xaf, 0x02, 0x13, 0, 0x57, 0]) bench.write(0x3f5, byte);
  },
});
