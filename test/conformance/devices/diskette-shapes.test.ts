import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BootDisk, BOOT_DISK_PORT_COUNT } from '../../../src/devices/bootdisk.js';
import { imageShape } from '../../../src/machine/loaders/boot-image.js';
import { driveType } from '../../../src/machine/drives.js';
import { Bench } from './conformance.js';
import { FdcBench } from './fdc-bench.js';
import { memoryDisk } from './memory-disk.js';

const BOOT_DISK = 0x5260;
const KIB = 1024;
/** Formats, images that are cut off, and odd sizes. */
const imageBytes = fc.oneof(
  fc.constantFrom(160, 180, 320, 360, 640, 720, 800, 820, 1200, 1440, 1680, 1722, 1743, 1920, 2880).map((n) => n * KIB),
  fc.integer({ min: 1, max: 2880 * KIB }),
);

const PATTERN = new Uint8Array(2880 * KIB);
for (let at = 0; at < PATTERN.length; at++) PATTERN[at] = (at >> 9) * 5 + at;

/** An image that says of an access outside it that it is one. */
function diskette(bytes: number) {
  const image = PATTERN.slice(0, bytes);
  const asked: number[] = [];
  const read = (offset: number, count: number): Uint8Array => {
    asked.push(offset, offset + count);
    return image.subarray(offset, offset + count);
  };
  const shape = imageShape('floppy', { sizeBytes: bytes, read }, '');
  const medium = { ...shape.geometry, sectorCount: shape.sectorCount };
  const { disk } = memoryDisk(image, { id: 'fda', kind: 'floppy', ...medium });
  return { image, disk, shape, asked };
}

/** Which sector of the image a sector's bytes are of, or that it lies behind its end. */
function expectedSector(image: Uint8Array, lba: number): Uint8Array {
  const sector = new Uint8Array(512);
  sector.set(image.subarray(lba * 512, (lba + 1) * 512));
  return sector;
}

it('a diskette of any size is read where it has sectors, by controller and firmware alike, and nowhere else', () => {
  const place = fc.record({
    cylinder: fc.nat(90),
    head: fc.nat(1),
    sector: fc.nat(40),
    rate: fc.nat(3),
    lba: fc.oneof(fc.nat(6000), fc.integer({ min: 0, max: 0xffff_ffff })),
    count: fc.nat(300),
  });
  fc.assert(
    fc.property(imageBytes, fc.array(place, { minLength: 1, maxLength: 6 }), (bytes, places) => {
      const { image, disk, shape, asked } = diskette(bytes);
      const { cylinders, heads, sectorsPerTrack } = shape.geometry;
      const bench = new Bench();
      const type = driveType({ ...shape.geometry, sha256: '', imageBytes: bytes, sectorCount: 0, readOnly: false });
      const fdc = FdcBench.withDma(bench, [{ medium: disk, type }, null]);
      fdc.start();
      const rom = new BootDisk('bootdisk', {
        units: [{ number: 0, kind: 'floppy', disk, driveType: type }],
        bootOrder: [0],
      });
      bench.map(BOOT_DISK, BOOT_DISK_PORT_COUNT, rom.ports);
      for (const { cylinder, head, sector, rate, lba, count } of places) {
        bench.write(0x3f7, rate);
        fdc.seek(cylinder);
        fdc.program(0x46, 0x1000, 512);
        fdc.ram.fill(0xee, 0x1000, 0x1200);
        const [status] = fdc.command(0x46, head << 2, cylinder, head, sector, 2, sector, 0x1b, 0xff);
        const isThere = cylinder < cylinders && head < heads && sector >= 1 && sector <= sectorsPerTrack;
        if (!isThere) expect(status! & 0xc0).toBe(0x40);
        if ((status! & 0xc0) === 0) {
          const at = (cylinder * heads + head) * sectorsPerTrack + sector - 1;
          expect(Buffer.compare(fdc.ram.subarray(0x1000, 0x1200), expectedSector(image, at))).toBe(0);
        }
        bench.write(BOOT_DISK, lba, 4);
        bench.write(BOOT_DISK + 4, count, 2);
        bench.write(BOOT_DISK + 6, 1);
        const isRefused = (bench.read(BOOT_DISK + 6) & 1) !== 0;
        expect(isRefused).toBe(lba + count > shape.sectorCount);
        if (!isRefused && count > 0) {
          const first = Uint8Array.from({ length: 512 }, () => bench.ports.read(BOOT_DISK + 8, 1));
          expect(Buffer.compare(first, expectedSector(image, lba))).toBe(0);
        }
      }
      expect(Math.max(0, ...asked)).toBeLessThanOrEqual(bytes);
      expect(Buffer.compare(image, PATTERN.subarray(0, bytes))).toBe(0);
    }),
    { numRuns: 150 },
  );
});

it('every format is read from its first sector to its last', () => {
  for (const kib of [
    160, 180, 320, 360, 640, 720, 800, 820, 1200, 1440, 1476, 1600, 1680, 1743, 1760, 1840, 1920, 2880,
  ]) {
    const { image, disk, shape } = diskette(kib * KIB);
    const { cylinders, heads, sectorsPerTrack } = shape.geometry;
    expect(shape.sectorCount * 512).toBe(image.length);
    const bench = new Bench();
    const type = driveType({ ...shape.geometry, sha256: '', imageBytes: 0, sectorCount: 0, readOnly: false });
    const fdc = FdcBench.withDma(bench, [{ medium: disk, type }, null]);
    fdc.start();
    const rates = [0, 1, 2, 3];
    for (const [cylinder, head, sector] of [
      [0, 0, 1],
      [cylinders - 1, heads - 1, sectorsPerTrack],
    ] as const) {
      fdc.seek(cylinder);
      const results = rates.map((rate) => {
        bench.write(0x3f7, rate);
        fdc.program(0x46, 0x1000, 512);
        return fdc.command(0x46, head << 2, cylinder, head, sector, 2, sector, 0x1b, 0xff)[0]! & 0xc0;
      });
      expect(results, `${kib} KiB`).toContain(0);
      const at = (cylinder * heads + head) * sectorsPerTrack + sector - 1;
      expect(Buffer.compare(fdc.ram.subarray(0x1000, 0x1200), expectedSector(image, at)), `${kib} KiB`).toBe(0);
    }
  }
});
