import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import type { BaseImage } from '../../../src/devices/disk/base-images.js';
import { detectImage, floppyDriveType, imageShape } from '../../../src/machine/loaders/boot-image.js';

const MIB = 1 << 20;

function imageOf(bytes: Uint8Array, sizeBytes = bytes.length): BaseImage {
  return {
    sizeBytes,
    read(offset, count) {
      expect(offset + count).toBeLessThanOrEqual(sizeBytes);
      const out = new Uint8Array(count);
      out.set(bytes.subarray(offset, offset + count));
      return out;
    },
  };
}
const empty = (sizeBytes: number): BaseImage => imageOf(new Uint8Array(0), sizeBytes);
const detect = (image: BaseImage) => detectImage(image, 'image');

/** A disk whose one partition ends at head `endHead`, sector `endSector`. */
function partitioned(bytes: number, endHead: number, endSector: number): BaseImage {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  image.set([0x80, 1, 1, 0, 0x06, endHead, endSector, 0x10], 0x1be);
  view.setUint32(0x1c6, 63, true);
  view.setUint32(0x1ca, bytes / 512 - 63, true);
  image.set([0x55, 0xaa], 510);
  return imageOf(image, bytes);
}

test.each([
  [160, 40, 1, 8, 1],
  [180, 40, 1, 9, 1],
  [320, 40, 2, 8, 1],
  [360, 40, 2, 9, 1],
  [640, 80, 2, 8, 3],
  [720, 80, 2, 9, 3],
  [820, 82, 2, 10, 3],
  [1200, 80, 2, 15, 2],
  [1440, 80, 2, 18, 4],
  [1680, 80, 2, 21, 4],
  [1920, 80, 2, 24, 4],
  [2880, 80, 2, 36, 5],
])(
  '%i KiB is a diskette of %i cylinders, %i heads, %i sectors',
  (kib, cylinders, heads, sectorsPerTrack, driveType) => {
    const geometry = { cylinders, heads, sectorsPerTrack };
    expect(detect(empty(kib * 1024))).toEqual({ kind: 'floppy', sectorCount: kib * 2, geometry });
    expect(floppyDriveType(geometry)).toBe(driveType);
  },
);

test('a boot sector alone is the start of a 1.44 MB diskette', () => {
  expect(detect(empty(512))).toMatchObject({ kind: 'floppy', sectorCount: 2880 });
  expect(detect(empty(2 * MIB))).toMatchObject({ kind: 'floppy', sectorCount: 5760 });
});

test.each([
  [10, 20, 16],
  [504, 1024, 16],
  [1000, 1015, 32],
  [3000, 761, 128],
  [7000, 892, 255],
  [100_000, 1024, 255],
])('an image of %i MiB is a hard disk with %i cylinders and %i heads', (mib, cylinders, heads) => {
  const geometry = { cylinders, heads, sectorsPerTrack: 63 };
  expect(detect(empty(mib * MIB))).toEqual({ kind: 'disk', sectorCount: mib * 2048, geometry });
});

test('a partition table makes a small image a hard disk, and says its shape', () => {
  expect(detect(partitioned(2 * MIB, 3, 17))).toMatchObject({
    kind: 'disk',
    geometry: { heads: 4, sectorsPerTrack: 17, cylinders: 60 },
  });
  expect(detect(partitioned(2 * MIB, 0, 0))).toMatchObject({
    kind: 'disk',
    geometry: { heads: 16, sectorsPerTrack: 63 },
  });
  expect(detect(partitioned(3000 * MIB, 254, 63))).toMatchObject({ kind: 'disk', geometry: { heads: 255 } });
});

test('boot code where the partition table would be is none', () => {
  const image = new Uint8Array(1024).fill(0x90);
  image.set([0x55, 0xaa], 510);
  expect(detect(imageOf(image)).kind).toBe('floppy');
});

test('a volume descriptor makes a CD, also where there is a partition table', () => {
  const bytes = new Uint8Array(0x8800);
  bytes.set([0x55, 0xaa], 510);
  bytes.set([1, ...Buffer.from('CD001')], 0x8000);
  expect(detect(imageOf(bytes, 20 * MIB + 2048))).toMatchObject({ kind: 'cdrom', sectorCount: 20 * 2048 + 4 });
});

test('the drive decides where it is named', () => {
  expect(imageShape('disk', empty(1440 * 1024), '')).toMatchObject({ kind: 'disk', sectorCount: 2880 });
  expect(imageShape('cdrom', empty(1000), '')).toMatchObject({ kind: 'cdrom', sectorCount: 4 });
  expect(() => imageShape('floppy', empty(3 * MIB), '')).toThrow(CodedError);
});

test('an empty image is refused', () => {
  expect(() => detect(empty(0))).toThrow(CodedError);
});

const anySize = fc.oneof(
  fc.integer({ min: 1, max: 5 * MIB }),
  fc.integer({ min: 1, max: 6000 }).map((kib) => kib * 1024),
  fc.integer({ min: 1, max: 2 ** 50 }),
);
/** What may stand in a first sector: anything, or a partition table of anything. */
const anySector = fc
  .tuple(fc.uint8Array({ maxLength: 600 }), fc.uint8Array({ minLength: 64, maxLength: 64 }), fc.boolean())
  .map(([start, table, hasTable]) => {
    if (!hasTable) return start;
    const sector = new Uint8Array(512);
    sector.set(start.subarray(0, 512));
    // Entries are active or not, or there is no table to look at.
    for (let at = 0; at < 64; at += 16) table[at] = table[at]! & 0x80;
    sector.set(table, 0x1be);
    sector.set([0x55, 0xaa], 510);
    return sector;
  });

test('an image of any size, with anything in it, has a shape that holds all of it, or is refused', () => {
  fc.assert(
    fc.property(anySize, anySector, (sizeBytes, sector) => {
      const image = imageOf(sector, sizeBytes);
      for (const kind of [undefined, 'floppy', 'disk', 'cdrom'] as const) {
        let shape;
        try {
          shape = kind === undefined ? detect(image) : imageShape(kind, image, 'image');
        } catch (error) {
          // Only what is too large for a diskette is refused.
          expect(error).toBeInstanceOf(CodedError);
          expect([kind, sizeBytes > 2880 * 1024]).toEqual(['floppy', true]);
          continue;
        }
        const { cylinders, heads, sectorsPerTrack } = shape.geometry;
        expect(shape.sectorCount * 512).toBeGreaterThanOrEqual(sizeBytes);
        expect(cylinders * heads * sectorsPerTrack).toBeLessThanOrEqual(shape.sectorCount);
        if (shape.kind === 'cdrom') expect(shape.sectorCount % 4).toBe(0);
        else {
          expect(Math.min(cylinders, heads, sectorsPerTrack)).toBeGreaterThan(0);
          // What INT 13h can say.
          expect([cylinders <= 1024, heads <= 256, sectorsPerTrack <= 63]).toEqual([true, true, true]);
        }
        if (shape.kind === 'floppy') expect(cylinders * heads * sectorsPerTrack).toBe(shape.sectorCount);
      }
    }),
    { numRuns: 1000 },
  );
});
