import { beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { SECTOR_BYTES } from '../../../src/core/block.js';
import { Bench, deviceConformance } from './conformance.js';
import { Diskette, FdcBench, type Shape } from './fdc-bench.js';

describe('82077AA', () => {
  let bench: Bench;
  let disk: Diskette;
  let fdc: FdcBench;
  let ram: Uint8Array;
  beforeEach(() => {
    bench = new Bench();
    disk = new Diskette();
    fdc = FdcBench.withDma(bench, [{ medium: disk, type: 4 }, null]);
    ram = fdc.ram;
    fdc.start();
  });
  const command = (...bytes: number[]): number[] => fdc.command(...bytes);
  const program = (mode: number, address: number, count: number): void => fdc.program(mode, address, count);

  describe('its registers', () => {
    it('come out of a reset with one interrupt and the status of four drives', () => {
      bench.write(0x3f2, 0x00);
      expect(bench.read(0x3f4)).toBe(0);
      bench.write(0x3f2, 0x0c);
      expect(bench.levels['irq6']).toBe(true);
      bench.write(0x3f5, 0x08);
      expect([bench.read(0x3f5), bench.levels['irq6'], bench.read(0x3f5)]).toEqual([0xc0, false, 0]);
      expect([1, 2, 3].map(() => command(0x08)[0])).toEqual([0xc1, 0xc2, 0xc3]);
      expect(command(0x08)).toEqual([0x80]);
      expect(bench.levels['irq6']).toBe(false);
    });

    it('can be reset by DSR as well', () => {
      command(0x13, 0, 0x57, 0x10);
      bench.write(0x3f5, 0x03);
      bench.write(0x3f4, 0x80);
      expect(bench.levels['irq6']).toBe(true);
      expect(command(0x08)).toEqual([0xc0, 0]);
    });

    it('show a command in progress', () => {
      expect(bench.read(0x3f4)).toBe(0x80);
      bench.write(0x3f5, 0x0f);
      expect(bench.read(0x3f4)).toBe(0x90);
      bench.write(0x3f5, 0);
      bench.write(0x3f5, 20);
      expect(bench.read(0x3f4)).toBe(0x81);
      bench.advanceNs(5_000_000);
      expect(bench.read(0x3f4)).toBe(0x80);
      expect(bench.levels['irq6']).toBe(true);
      bench.write(0x3f5, 0x10);
      expect(bench.read(0x3f4)).toBe(0xd0);
    });

    it('let no interrupt out while the gate in DOR is closed', () => {
      bench.write(0x3f2, 0x14);
      command(0x0f, 0, 3);
      expect(bench.levels['irq6']).toBe(false);
      bench.write(0x3f2, 0x1c);
      expect(bench.levels['irq6']).toBe(true);
    });

    it('keep what is written to DOR and TDR', () => {
      bench.write(0x3f3, 0x02);
      expect([bench.read(0x3f2), bench.read(0x3f3) & 3]).toEqual([0x1c, 2]);
    });

    it('show a change of media until the head moves', () => {
      expect(bench.read(0x3f7)).toBe(0x80);
      // Track 0 is where the head is: no step, no change.
      command(0x07, 0);
      command(0x08);
      expect(bench.read(0x3f7)).toBe(0x80);
      fdc.seek(1);
      expect(bench.read(0x3f7)).toBe(0);
      disk.changes++;
      expect(bench.read(0x3f7)).toBe(0x80);
      // Only of a drive that is selected and turns.
      bench.write(0x3f2, 0x0c);
      expect(bench.read(0x3f7)).toBe(0);
    });
  });

  describe('commands without data', () => {
    it('say what it is', () => {
      expect(command(0x10)).toEqual([0x90]);
      expect(command(0x18)).toEqual([0x41]);
    });

    it('are refused where they do not exist', () => {
      for (const first of [0x00, 0x1f, 0x30, 0x88, 0x4f, 0x25, 0x2e]) {
        expect(command(first), first.toString(16)).toEqual([0x80]);
      }
    });

    it('seek, and tell when asked', () => {
      expect(command(0x0f, 0x00, 10)).toEqual([]);
      expect(command(0x08)).toEqual([0x20, 10]);
      expect(command(0x07, 0x00)).toEqual([]);
      expect(command(0x08)).toEqual([0x20, 0]);
    });

    it('seek by a number of tracks', () => {
      command(0xcf, 0x00, 8);
      expect(command(0x08)).toEqual([0x20, 8]);
      command(0x8f, 0x00, 3);
      expect(command(0x08)).toEqual([0x20, 5]);
      expect(command(0x4a, 0).slice(0, 4)).toEqual([0, 0, 0, 5]);
    });

    it('recalibrate by 79 steps at most, and fail without a drive', () => {
      command(0x0f, 0, 83);
      command(0x08);
      command(0x07, 0);
      expect(command(0x08)).toEqual([0x70, 0]);
      command(0x07, 0);
      expect(command(0x08)).toEqual([0x20, 0]);
      command(0x07, 1);
      expect(command(0x08)).toEqual([0x71, 0]);
    });

    it('seek with both drives at once', () => {
      const two = new Bench();
      const both = FdcBench.withDma(two, [
        { medium: disk, type: 4 },
        { medium: new Diskette(), type: 4 },
      ]);
      both.start();
      for (const byte of [0x0f, 0, 40, 0x0f, 1, 2]) two.write(0x3f5, byte);
      expect(two.read(0x3f4)).toBe(0x83);
      two.advanceNs(1_000_000);
      expect(two.read(0x3f4)).toBe(0x81);
      expect(both.command(0x08)).toEqual([0x21, 2]);
      expect(two.levels['irq6']).toBe(true);
      expect(both.command(0x08)).toEqual([0x20, 40]);
      expect(two.levels['irq6']).toBe(false);
    });

    it('tell the state of a drive', () => {
      expect(command(0x04, 0x04)).toEqual([0x3c]);
      disk.readOnly = true;
      fdc.seek(1);
      expect(command(0x04, 0x00)).toEqual([0x68]);
      expect(command(0x04, 0x01)).toEqual([0x29]);
    });

    it('dump the registers, and lock some of them against resets by software', () => {
      fdc.seek(7);
      command(0x03, 0xaf, 0x1e);
      command(0x13, 0, 0x4a, 0x33);
      command(0x12, 0x87);
      expect(command(0x0e)).toEqual([7, 0, 0, 0, 0xaf, 0x1e, 0, 0x07, 0x4a, 0x33]);
      expect(command(0x94)).toEqual([0x10]);
      bench.write(0x3f2, 0);
      bench.write(0x3f2, 0x1c);
      for (let n = 0; n < 4; n++) command(0x08);
      // Seeks by themselves are not among what is locked, nor are GAP and WGATE; the drives' bits survive.
      expect(command(0x0e)).toEqual([7, 0, 0, 0, 0xaf, 0x1e, 0, 0x84, 0x0a, 0x33]);
      expect(command(0x14)).toEqual([0]);
      bench.write(0x3f4, 0x80);
      for (let n = 0; n < 4; n++) command(0x08);
      expect(command(0x0e).slice(7)).toEqual([0x04, 0x20, 0]);
      command(0x12, 0x01);
      expect(command(0x0e)[7]).toBe(0x05);
    });
  });

  describe('transfers by DMA', () => {
    it('read sectors over both sides until terminal count', () => {
      program(0x46, 0x1000, 3 * SECTOR_BYTES);
      fdc.seek(2);
      expect(command(0xe6, 0x00, 2, 0, 17, 2, 18, 0x1b, 0xff)).toEqual([0x04, 0, 0, 2, 1, 2, 2]);
      expect(fdc.sectorsAt(0x1000, 3)).toEqual([88, 89, 90]);
      expect(bench.read(0x08) & 0x04).toBe(0x04);
    });

    it('go on to no other cylinder', () => {
      program(0x46, 0x1000, 64 * SECTOR_BYTES);
      expect(command(0xe6, 0x04, 0, 1, 18, 2, 18, 0x1b, 0xff)).toEqual([0x40, 0x80, 0, 1, 0, 1, 2]);
      program(0x46, 0x1000, 64 * SECTOR_BYTES);
      expect(command(0x46, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff)).toEqual([0x40, 0x80, 0, 1, 0, 1, 2]);
    });

    it('write what memory has', () => {
      ram.fill(0x5a, 0x2000, 0x2000 + SECTOR_BYTES);
      program(0x4a, 0x2000, SECTOR_BYTES);
      expect(command(0x45, 0, 0, 0, 3, 2, 18, 0x1b, 0xff)).toEqual([0, 0, 0, 0, 0, 4, 2]);
      expect(disk.read(2, 1).every((byte) => byte === 0x5a)).toBe(true);
      expect(Diskette.sectorOf(disk.read(3, 1))).toBe(3);
    });

    it('fill up a sector that was written in part', () => {
      ram.fill(0x5a, 0x2000, 0x2000 + SECTOR_BYTES);
      program(0x4a, 0x2000, 10);
      expect(command(0x45, 0, 0, 0, 3, 2, 18, 0x1b, 0xff)[0]).toBe(0);
      expect([...disk.read(2, 1).subarray(8, 12)]).toEqual([0x5a, 0x5a, 0, 0]);
    });

    it('refuse to write what is protected', () => {
      disk.readOnly = true;
      program(0x4a, 0x2000, SECTOR_BYTES);
      expect(command(0x45, 0, 0, 0, 3, 2, 18, 0x1b, 0xff).slice(0, 2)).toEqual([0x40, 0x02]);
      expect(command(0x4d, 0, 2, 18, 0x1b, 0xf6).slice(0, 2)).toEqual([0x40, 0x02]);
    });

    it('seek by themselves where that is configured', () => {
      command(0x13, 0, 0x60, 0);
      program(0x46, 0x1000, SECTOR_BYTES);
      expect(command(0x46, 0, 40, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 4)).toEqual([0, 0, 0, 40]);
      expect(fdc.sectorsAt(0x1000, 1)).toEqual([40 * 36]);
    });

    it('say why a sector is not found', () => {
      program(0x46, 0, SECTOR_BYTES);
      expect(command(0x46, 0, 0, 0, 19, 2, 19, 0x1b, 0xff).slice(0, 3)).toEqual([0x40, 0x04, 0]);
      expect(command(0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 3)).toEqual([0x40, 0x04, 0x10]);
      expect(command(0x46, 0, 0, 1, 1, 2, 18, 0x1b, 0xff).slice(0, 3)).toEqual([0x40, 0x04, 0]);
      expect(command(0x46, 0, 0, 0, 1, 3, 18, 0x1b, 0xff).slice(0, 3)).toEqual([0x40, 0x04, 0]);
      // The second drive is not there.
      expect(command(0x46, 1, 0, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 2)).toEqual([0x41, 0x01]);
    });

    it('are late where nobody takes the data', () => {
      bench.write(0x0a, 0x06);
      expect(command(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 2)).toEqual([0x40, 0x10]);
    });

    it('need the data rate of the medium', () => {
      bench.write(0x3f7, 2);
      program(0x46, 0, SECTOR_BYTES);
      expect(command(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 2)).toEqual([0x40, 0x01]);
      expect(command(0x4a, 0).slice(0, 2)).toEqual([0x40, 0x01]);
      bench.write(0x3f4, 0);
      expect(command(0x4a, 0).slice(0, 2)).toEqual([0, 0]);
    });

    it('find the sectors of a track as they come round', () => {
      const seen = new Set<number>();
      for (let n = 0; n < 200; n++) {
        bench.advanceNs(70_000);
        seen.add(command(0x4a, 0x04)[5]!);
      }
      expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 18 }, (_, n) => n + 1));
    });

    it('read a track from its beginning, whatever the sectors are called', () => {
      program(0x46, 0x1000, 3 * SECTOR_BYTES);
      expect(command(0x42, 0x04, 0, 1, 1, 2, 18, 0x1b, 0xff)).toEqual([0x04, 0, 0, 0, 1, 4, 2]);
      expect(fdc.sectorsAt(0x1000, 3)).toEqual([18, 19, 20]);
      program(0x46, 0x1000, 3 * SECTOR_BYTES);
      expect(command(0x42, 0x04, 9, 1, 5, 2, 2, 0x1b, 0xff).slice(0, 3)).toEqual([0x04, 0x04, 0x10]);
      expect(fdc.sectorsAt(0x1000, 2)).toEqual([18, 19]);
    });

    it('format a track with what DMA says of its sectors', () => {
      for (let n = 0; n < 18; n++) ram.set([0, 1, ((n * 5) % 18) + 1, 2], 4 * n);
      program(0x4a, 0, 72);
      expect(command(0x4d, 0x04, 2, 18, 0x50, 0xf6).slice(0, 3)).toEqual([0x04, 0, 0]);
      const written = [18, 35].map((lba) => disk.read(lba, 1).every((byte) => byte === 0xf6));
      expect(written).toEqual([true, true]);
      expect([17, 36].map((lba) => Diskette.sectorOf(disk.read(lba, 1)))).toEqual([17, 36]);
    });

    it('format nothing that the image cannot hold', () => {
      ram.set([0, 0, 19, 2], 0);
      program(0x4a, 0, 72);
      expect(command(0x4d, 0, 2, 18, 0x50, 0xf6).slice(0, 2)).toEqual([0x40, 0x04]);
    });

    it('verify sectors without moving them', () => {
      expect(command(0x56, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)).toEqual([0, 0, 0, 1, 0, 1, 2]);
      expect(command(0x56, 0x80, 0, 0, 3, 2, 18, 0x1b, 4)).toEqual([0, 0, 0, 0, 0, 7, 2]);
      expect(command(0x56, 0, 0, 0, 1, 2, 19, 0x1b, 0xff).slice(0, 2)).toEqual([0x40, 0x04]);
    });

    it('scan for what is in memory', () => {
      const scan = (opcode: number, sector: number): number[] => {
        program(0x4a, 0x3000, 18 * SECTOR_BYTES);
        return command(opcode, 0, 0, 0, sector, 2, 18, 0x1b, 1);
      };
      for (let n = 0; n < 18; n++) ram.set(disk.read(5, 1), 0x3000 + n * SECTOR_BYTES);
      expect(scan(0x51, 3)).toEqual([0, 0, 0x08, 0, 0, 6, 2]);
      expect(scan(0x51, 7).slice(0, 3)).toEqual([0, 0, 0x04]);
      // The medium's sector is lower, or higher.
      expect(scan(0x59, 2)).toEqual([0, 0, 0, 0, 0, 2, 2]);
      expect(scan(0x5d, 2)).toEqual([0, 0, 0x08, 0, 0, 6, 2]);
      expect(scan(0x5d, 9)).toEqual([0, 0, 0, 0, 0, 9, 2]);
      ram[0x3000] = 0xff;
      expect(scan(0x51, 8)).toEqual([0, 0, 0x08, 0, 0, 8, 2]);
    });
  });

  describe('deleted data', () => {
    const read = (first: number, sectors: number): number[] => {
      program(0x46, 0x1000, sectors * SECTOR_BYTES);
      return command(first, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    };
    beforeEach(() => {
      ram.set([2, 0], 0x2000);
      program(0x4a, 0x2000, SECTOR_BYTES);
      expect(command(0x49, 0, 0, 0, 3, 2, 18, 0x1b, 0xff).slice(0, 2)).toEqual([0, 0]);
    });

    it('ends a read', () => {
      expect(read(0x46, 5)).toEqual([0, 0, 0x40, 0, 0, 3, 2]);
      expect(fdc.sectorsAt(0x1000, 3)).toEqual([0, 1, 2]);
    });

    it('is skipped where that is asked for', () => {
      expect(read(0x66, 4)).toEqual([0, 0, 0x40, 0, 0, 6, 2]);
      expect(fdc.sectorsAt(0x1000, 4)).toEqual([0, 1, 3, 4]);
    });

    it('is read by a command of its own', () => {
      expect(read(0x6c, 1)).toEqual([0, 0, 0x40, 0, 0, 4, 2]);
      expect(fdc.sectorsAt(0x1000, 1)).toEqual([2]);
    });

    it('is data again when it is written, or when the medium is another', () => {
      program(0x4a, 0x2000, SECTOR_BYTES);
      command(0x45, 0, 0, 0, 3, 2, 18, 0x1b, 0xff);
      expect(read(0x46, 5)[2]).toBe(0);
      program(0x4a, 0x2000, SECTOR_BYTES);
      command(0x49, 0, 0, 0, 3, 2, 18, 0x1b, 0xff);
      disk.changes++;
      expect(read(0x46, 5)[2]).toBe(0);
    });
  });

  describe('transfers without DMA', () => {
    beforeEach(() => command(0x03, 0xdf, 0x03));
    const begin = (...bytes: number[]): void => {
      for (const byte of bytes) bench.write(0x3f5, byte);
      bench.advanceNs(1_000_000);
    };

    it('give the bytes to the CPU', () => {
      begin(0x46, 0, 0, 0, 5, 2, 5, 0x1b, 0xff);
      expect(bench.read(0x3f4)).toBe(0xf0);
      expect(bench.levels['irq6']).toBe(true);
      const sector = Uint8Array.from({ length: SECTOR_BYTES }, () => bench.read(0x3f5));
      expect(Diskette.sectorOf(sector)).toBe(4);
      expect(fdc.result()).toEqual([0x40, 0x80, 0, 1, 0, 1, 2]);
    });

    it('take the bytes from the CPU', () => {
      begin(0x45, 0, 0, 0, 5, 2, 18, 0x1b, 0xff);
      for (const fill of [0x11, 0x22]) {
        expect(bench.read(0x3f4)).toBe(0xb0);
        for (let n = 0; n < SECTOR_BYTES; n++) bench.write(0x3f5, fill);
        expect(bench.read(0x3f4)).toBe(0x30);
        bench.advanceNs(200_000);
      }
      expect([4, 5].map((lba) => disk.read(lba, 1)[511])).toEqual([0x11, 0x22]);
    });

    it('survive that the medium is taken out meanwhile', () => {
      begin(0x45, 0, 0, 0, 5, 2, 18, 0x1b, 0xff);
      disk.readOnly = true;
      for (let n = 0; n < SECTOR_BYTES; n++) bench.write(0x3f5, 1);
      expect(fdc.result().slice(0, 2)).toEqual([0x40, 0x02]);
    });

    it('format a track', () => {
      begin(0x4d, 0, 2, 2, 0x50, 0xe5);
      for (const sector of [1, 2]) {
        for (const byte of [0, 0, sector, 2]) bench.write(0x3f5, byte);
        bench.advanceNs(200_000);
      }
      expect(fdc.result()[0]).toBe(0);
      expect(disk.read(1, 1)[0]).toBe(0xe5);
    });
  });
});

describe('diskettes of every format', () => {
  const FORMATS: readonly (readonly [name: string, shape: Shape, type: number, rate: number])[] = [
    ['160K', { cylinders: 40, heads: 1, sectorsPerTrack: 8 }, 1, 2],
    ['180K', { cylinders: 40, heads: 1, sectorsPerTrack: 9 }, 1, 2],
    ['320K', { cylinders: 40, heads: 2, sectorsPerTrack: 8 }, 1, 2],
    ['360K', { cylinders: 40, heads: 2, sectorsPerTrack: 9 }, 1, 2],
    ['360K in a 1.2M drive', { cylinders: 40, heads: 2, sectorsPerTrack: 9 }, 2, 1],
    ['720K', { cylinders: 80, heads: 2, sectorsPerTrack: 9 }, 3, 2],
    ['1.2M', { cylinders: 80, heads: 2, sectorsPerTrack: 15 }, 2, 0],
    ['1.44M', { cylinders: 80, heads: 2, sectorsPerTrack: 18 }, 4, 0],
    ['1.68M', { cylinders: 80, heads: 2, sectorsPerTrack: 21 }, 4, 0],
    ['1.72M', { cylinders: 82, heads: 2, sectorsPerTrack: 21 }, 4, 0],
    ['2.88M', { cylinders: 80, heads: 2, sectorsPerTrack: 36 }, 5, 3],
  ];
  it.each(FORMATS)('%s', (name, shape, type, rate) => {
    const bench = new Bench();
    const disk = new Diskette(shape);
    const fdc = FdcBench.withDma(bench, [{ medium: disk, type }, null]);
    fdc.start();
    bench.write(0x3f7, rate);
    const { cylinders, heads, sectorsPerTrack } = shape;
    const head = heads - 1;
    const last = cylinders - 1;
    fdc.seek(name.includes('in a') ? 2 * last : last);
    fdc.program(0x46, 0x1000, SECTOR_BYTES);
    const read = [0x46, head << 2, last, head, sectorsPerTrack, 2, sectorsPerTrack, 0x1b, 0xff];
    expect(fdc.command(...read).slice(0, 3)).toEqual([head << 2, 0, 0]);
    expect(fdc.sectorsAt(0x1000, 1)).toEqual([disk.sectorCount - 1]);
  });
});

it('82077AA: whatever a guest writes, it stays inside the medium and ends', () => {
  const port = fc.constantFrom(0x3f2, 0x3f4, 0x3f5, 0x3f5, 0x3f5, 0x3f5, 0x3f7, 0x04, 0x05, 0x0a, 0x0b, 0x81);
  const first = fc.constantFrom(
    0x46,
    0xe6,
    0x45,
    0xc5,
    0x4d,
    0x42,
    0x56,
    0x51,
    0x59,
    0x5d,
    0x0f,
    0xcf,
    0x07,
    0x4a,
    0x49,
  );
  const small = fc.integer({ min: 0, max: 22 });
  const step = fc.oneof(
    fc.record({ port, value: fc.oneof(fc.integer({ min: 0, max: 255 }), small, first) }),
    fc.record({ command: first, bytes: fc.array(fc.oneof(small, fc.integer({ min: 0, max: 255 })), { maxLength: 9 }) }),
    fc.record({ wait: fc.integer({ min: 0, max: 2_000_000 }) }),
    fc.record({ read: fc.integer({ min: 0, max: 600 }) }),
    fc.record({ change: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, isWithoutDma) => {
      const bench = new Bench();
      const disk = new Diskette();
      const fdc = FdcBench.withDma(bench, [{ medium: disk, type: 4 }, null]);
      fdc.start();
      fdc.command(0x03, 0xdf, isWithoutDma ? 3 : 2);
      fdc.program(0x46, 0x1000, 4 * SECTOR_BYTES);
      for (const item of steps) {
        if ('port' in item) bench.write(item.port, item.value);
        else if ('command' in item) for (const byte of [item.command, ...item.bytes]) bench.write(0x3f5, byte);
        else if ('wait' in item) bench.advanceNs(item.wait);
        else if ('read' in item) for (let n = 0; n < item.read; n++) bench.read(0x3f5);
        else {
          disk.changes++;
          disk.readOnly = item.change;
        }
      }
      // Within a track's time everything has ended, or waits for the CPU.
      bench.advanceNs(100_000_000);
      expect(bench.timers.next).toBe(Infinity);
      bench.write(0x3f2, 0);
      bench.write(0x3f2, 0x1c);
      expect(bench.read(0x3f4)).toBe(0x80);
    }),
    { numRuns: 400 },
  );
});

deviceConformance('82077AA', {
  make: (bench) => new FdcBench(bench, [{ medium: new Diskette(), type: 4 }, null]).fdc,
  prepare: (bench) => {
    bench.write(0x3f2, 0x1c);
    for (const byte of [0x0f, 0x00, 0x05]) bench.write(0x3f5, byte);
  },
  mutate: (bench) => {
    for (const byte of [0x03, 0xaf, 0x02, 0x13, 0, 0x57, 0]) bench.write(0x3f5, byte);
  },
});
