import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIB } from '../../../src/base/units.js';
import { decodeMediaChange, encodeMediaChange } from '../../../src/devices/disk/medium.js';
import { memoryDisk } from './memory-disk.js';

function pattern(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (i >> 9) * 7 + i);
}

describe('a disk', () => {
  it('shows its image, and zeros behind its end', () => {
    const image = pattern(1000);
    const { disk } = memoryDisk(image, { sectorCount: 20 });
    const all = disk.read(0, 20);
    expect(all.subarray(0, 1000)).toEqual(image);
    expect(all.subarray(1000).every((byte) => byte === 0)).toBe(true);
  });

  it('holds what was written, whatever the pieces, and never writes to its image', () => {
    const image = pattern(64 * 512);
    const original = image.slice();
    const piece = fc.tuple(fc.nat(63), fc.integer({ min: 1, max: 40 }), fc.nat(255));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const { disk } = memoryDisk(image);
        const model = image.slice();
        for (const [lba, length, fill] of pieces) {
          const count = Math.min(length, 64 - lba);
          const bytes = new Uint8Array(count * 512).fill(fill);
          disk.write(lba, bytes);
          bytes.fill(0);
          model.fill(fill, lba * 512, (lba + count) * 512);
          expect(Buffer.compare(disk.read(0, 64), model)).toBe(0);
        }
        expect(Buffer.compare(image, original)).toBe(0);
      }),
    );
  });

  it('takes a small image in at once and asks for nothing later', () => {
    const { disk, asked } = memoryDisk(pattern(10_000));
    expect(asked).toEqual([0, 1, 2]);
    disk.read(0, 20);
    expect(asked).toEqual([0, 1, 2]);
    expect(disk.wantedImage).toBeNull();
  });

  it('reads blocks of a large image when they are wanted, not those that were overwritten', () => {
    const { disk, asked } = memoryDisk(new Uint8Array(5 * MIB));
    expect(asked).toEqual([]);
    disk.write(8, new Uint8Array(4096).fill(1));
    disk.write(17, new Uint8Array(512).fill(2));
    disk.read(0, 24);
    expect(asked).toEqual([2, 0]);
    expect(disk.wantedImage).toBe('a'.repeat(64));
  });

  it('changes its medium with all that was written', () => {
    const { disk, images, medium } = memoryDisk(pattern(4096));
    disk.write(0, new Uint8Array(512).fill(9));
    const other = { ...medium, sha256: 'b'.repeat(64), imageBytes: 512, sectorCount: 1 };
    images.add(other.sha256, { sizeBytes: 512, read: () => new Uint8Array(512).fill(5) });
    const input = decodeMediaChange(encodeMediaChange(3, other));
    expect(input).toEqual({ drive: 3, medium: other });
    disk.insert(input.medium);
    expect(disk.read(0, 1)).toEqual(new Uint8Array(512).fill(5));
    expect(disk.changes).toBe(1);
    disk.insert(decodeMediaChange(encodeMediaChange(3, null)).medium);
    expect(disk.sectorCount).toBe(0);
    expect(disk.pages.size).toBe(0);
  });

  it('gives captures that later writes leave alone', () => {
    const { disk } = memoryDisk(pattern(8192));
    const before = disk.pages.capture();
    const first = before.get(0)!.slice();
    disk.write(1, new Uint8Array(512).fill(0xee));
    expect(before.get(0)).toEqual(first);
    expect(disk.pages.takeDirty()).toEqual([0, 1]);
    disk.pages.restore(before);
    expect(disk.pages.takeDirty()).toEqual([]);
    expect(disk.read(1, 1)).toEqual(pattern(8192).slice(512, 1024));
  });
});
