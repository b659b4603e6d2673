import { expect, test } from 'vitest';
import { cmosMemoryBytes, e820Table, memoryMap, ramEnd } from '../../../src/machine/loaders/e820.js';

const MIB = 1 << 20;

/** What the boot ROM makes of the CMOS bytes: the end of RAM. */
function endFromCmos(ramSizeBytes: number): number {
  const cmos = new Map(cmosMemoryBytes(ramSizeBytes).map(({ index, value }) => [index, value]));
  const word = (index: number): number => cmos.get(index)! | (cmos.get(index + 1)! << 8);
  const blocks = word(0x34);
  return blocks !== 0 ? 16 * MIB + blocks * 65536 : MIB + word(0x30) * 1024;
}

test.each([2, 4, 8, 15, 16, 17, 32, 64, 128, 1024, 2048])('CMOS and memory map agree for %i MiB', (mib) => {
  const size = mib * MIB;
  expect(endFromCmos(size)).toBe(size);
  const high = memoryMap(size).find((r) => r.start === MIB);
  expect(high).toEqual({ start: MIB, sizeBytes: size - MIB, type: 1 });
});

test('CMOS says 640 KiB of base memory and at most 65535 KiB of extended memory', () => {
  const cmos = cmosMemoryBytes(512 * MIB);
  const at = (index: number): number | undefined => cmos.find((b) => b.index === index)?.value;
  expect([at(0x15), at(0x16)]).toEqual([0x80, 0x02]);
  expect([at(0x17), at(0x18), at(0x30), at(0x31)]).toEqual([0xff, 0xff, 0xff, 0xff]);
  expect([at(0x5b), at(0x5c), at(0x5d)]).toEqual([0, 0, 0]);
});

test('ranges are in order and do not overlap', () => {
  for (const mib of [1, 2, 64, 2048]) {
    let end = 0;
    for (const range of memoryMap(mib * MIB)) {
      expect(range.start).toBeGreaterThanOrEqual(end);
      expect(range.sizeBytes).toBeGreaterThan(0);
      end = range.start + range.sizeBytes;
    }
    expect(end).toBe(2 ** 32);
  }
});

test('sizes that CMOS cannot say are rounded down', () => {
  expect(ramEnd(64 * MIB + 100_000)).toBe(64 * MIB + 65536);
  expect(ramEnd(3 * MIB + 1500)).toBe(3 * MIB + 1024);
});

test('table entries have 20 bytes', () => {
  const table = e820Table([{ start: 0x1_0000_0000, sizeBytes: 5, type: 2 }]);
  expect([...table]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
});
