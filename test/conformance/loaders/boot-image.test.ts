import { expect, test } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { detectGeometry, loadBootImage } from '../../../src/machine/loaders/boot-image.js';

const MIB = 1 << 20;

/** A disk whose one partition ends at head `endHead`, sector `endSector`. */
function partitioned(bytes: number, endHead: number, endSector: number): Uint8Array {
  const image = new Uint8Array(bytes);
  const view = new DataView(image.buffer);
  image.set([0x80, 1, 1, 0, 0x06, endHead, endSector, 0x10], 0x1be);
  view.setUint32(0x1c6, 63, true);
  view.setUint32(0x1ca, bytes / 512 - 63, true);
  image.set([0x55, 0xaa], 510);
  return image;
}

test.each([
  [160, 40, 1, 8, 1],
  [180, 40, 1, 9, 1],
  [320, 40, 2, 8, 1],
  [360, 40, 2, 9, 1],
  [720, 80, 2, 9, 3],
  [1200, 80, 2, 15, 2],
  [1440, 80, 2, 18, 4],
  [2880, 80, 2, 36, 5],
])(
  '%i KiB is a diskette of %i cylinders, %i heads, %i sectors',
  (kib, cylinders, heads, sectorsPerTrack, driveType) => {
    const plan = loadBootImage({ bytes: new Uint8Array(kib * 1024) });
    expect(plan.drive).toBe(0x00);
    expect(plan.writes).toEqual([]);
    expect(plan.cpu).toEqual({ mode: 'reset' });
    expect(plan.geometry).toEqual({
      kind: 'floppy',
      sectorCount: kib * 2,
      cylinders,
      heads,
      sectorsPerTrack,
      driveType,
    });
  },
);

test('a boot sector alone is the start of a 1.44 MB diskette', () => {
  expect(detectGeometry(new Uint8Array(512))).toMatchObject({ kind: 'floppy', sectorCount: 2880 });
  expect(detectGeometry(new Uint8Array(2 * MIB))).toMatchObject({ kind: 'floppy', sectorCount: 5760 });
});

test('a large image is a hard disk with 16 heads of 63 sectors', () => {
  const plan = loadBootImage({ bytes: new Uint8Array(10 * MIB) });
  expect(plan.drive).toBe(0x80);
  expect(plan.geometry).toEqual({
    kind: 'hard-disk',
    sectorCount: 20480,
    cylinders: 20,
    heads: 16,
    sectorsPerTrack: 63,
    driveType: 0,
  });
});

test('a partition table makes a small image a hard disk, and says its shape', () => {
  expect(detectGeometry(partitioned(2 * MIB, 3, 17))).toMatchObject({
    kind: 'hard-disk',
    heads: 4,
    sectorsPerTrack: 17,
    cylinders: 60,
  });
  expect(detectGeometry(partitioned(2 * MIB, 0, 0))).toMatchObject({
    kind: 'hard-disk',
    heads: 16,
    sectorsPerTrack: 63,
  });
});

test('boot code where the partition table would be is none', () => {
  const image = new Uint8Array(1024).fill(0x90);
  image.set([0x55, 0xaa], 510);
  expect(detectGeometry(image).kind).toBe('floppy');
});

test.each([0, 65 * MIB])('an image of %i bytes is refused', (length) => {
  expect(() => loadBootImage({ bytes: new Uint8Array(length) })).toThrow(CodedError);
});
