import { expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.js';
import { readState, writeState } from '../../../src/core/state.js';
import { BootDisk, BOOT_DISK_INFO, sectorsOf, type BootDiskGeometry } from '../../../src/devices/bootdisk.js';

const GEOMETRY: BootDiskGeometry = {
  kind: 'floppy',
  sectorCount: 16,
  cylinders: 2,
  heads: 1,
  sectorsPerTrack: 8,
  driveType: 1,
};
const LBA = 0;
const COUNT = 4;
const COMMAND = 6;
const INDEX = 7;
const DATA = 8;
const INFO = 12;

function disk(): BootDisk {
  const image = Uint8Array.from({ length: 16 * 512 }, (_, i) => (i >> 9) * 16 + (i & 15));
  return new BootDisk('bootdisk', { geometry: GEOMETRY, readImage: sectorsOf(image) });
}

function begin(d: BootDisk, command: number, lba: number, count: number): number {
  d.ports.write(LBA, lba, 4);
  d.ports.write(COUNT, count, 2);
  d.ports.write(COMMAND, command, 1);
  return d.ports.read(COMMAND, 1);
}

function saved(d: BootDisk): Uint8Array {
  const out = new ByteWriter();
  writeState(out, d.schema, d.state);
  return out.finish();
}

test('a read delivers its sectors word by word and then nothing', () => {
  const d = disk();
  expect(begin(d, 1, 3, 2)).toBe(2);
  expect(d.ports.read(DATA, 2)).toBe(0x3130);
  for (let i = 1; i < 256; i++) d.ports.read(DATA, 2);
  expect(d.ports.read(DATA, 4)).toBe(0x4342_4140);
  for (let i = 1; i < 128; i++) d.ports.read(DATA, 4);
  expect(d.ports.read(COMMAND, 1)).toBe(0);
  expect(d.ports.read(DATA, 2)).toBe(0xffff);
});

test('what is written is read back, and the image stays', () => {
  const d = disk();
  begin(d, 2, 5, 1);
  for (let i = 0; i < 256; i++) d.ports.write(DATA, 0xa000 + i, 2);
  expect(d.ports.read(COMMAND, 1)).toBe(0);
  begin(d, 1, 5, 1);
  expect(d.ports.read(DATA, 2)).toBe(0xa000);
  expect(disk().sector(5)[0]).toBe(0x50);
});

test('a sector that is not written to its end keeps its contents', () => {
  const d = disk();
  begin(d, 2, 5, 1);
  for (let i = 0; i < 255; i++) d.ports.write(DATA, 0xffff, 2);
  d.ports.write(COMMAND, 0, 1);
  expect(d.sector(5)[0]).toBe(0x50);
});

test.each([
  [1, 16, 1],
  [2, 15, 2],
  [1, 0xffff_ffff, 1],
  [1, 0, 17],
])('command %i of sectors from %i, %i of them, is refused', (command, lba, count) => {
  const d = disk();
  expect(begin(d, command, lba, count)).toBe(1);
  expect(d.ports.read(DATA, 2)).toBe(0xffff);
});

test('INFO shows medium and entry', () => {
  const entry = { cs: 0x9020, ip: 0x12, ss: 0x9000, sp: 0xe000, ds: 0x9000 };
  const d = new BootDisk('bootdisk', { geometry: GEOMETRY, entry });
  const info = (index: number): number => {
    d.ports.write(INDEX, index, 1);
    return d.ports.read(INFO, 4);
  };
  expect(info(BOOT_DISK_INFO.signature)).toBe(0x4442_5247);
  expect(info(BOOT_DISK_INFO.kind)).toBe(1);
  expect(info(BOOT_DISK_INFO.sectorCount)).toBe(16);
  expect(info(BOOT_DISK_INFO.entryCsIp)).toBe(0x9020_0012);
  expect(info(BOOT_DISK_INFO.entrySsSp)).toBe(0x9000_e000);
  expect(info(200)).toBe(0);
});

test('without a medium every transfer is refused', () => {
  const d = new BootDisk('bootdisk');
  expect(begin(d, 1, 0, 1)).toBe(1);
});

test('state saved within a transfer goes on in a device without image or shape', () => {
  const d = disk();
  begin(d, 2, 9, 1);
  for (let i = 0; i < 256; i++) d.ports.write(DATA, i, 2);
  begin(d, 1, 9, 1);
  for (let i = 0; i < 7; i++) d.ports.read(DATA, 2);
  const other = new BootDisk('bootdisk');
  const input = new ByteReader(saved(d));
  readState(input, other.schema, other.state);
  input.end();
  expect(other.ports.read(DATA, 2)).toBe(7);
  expect(saved(other)).not.toEqual(saved(d));
  d.ports.read(DATA, 2);
  expect(saved(other)).toEqual(saved(d));
});

test('the overlay has the same bytes whatever the order of writing was', () => {
  const write = (d: BootDisk, lba: number): void => {
    begin(d, 2, lba, 1);
    for (let i = 0; i < 256; i++) d.ports.write(DATA, lba, 2);
  };
  const a = disk();
  const b = disk();
  for (const lba of [4, 2, 9]) write(a, lba);
  for (const lba of [2, 9, 4]) write(b, lba);
  a.reset();
  b.reset();
  expect(saved(a)).toEqual(saved(b));
});

test('no access of any width to any port throws', () => {
  const d = disk();
  for (const width of [1, 2, 4] as const) {
    for (let offset = 0; offset < 16; offset++) {
      d.ports.write(offset, 0xffff_ffff, width);
      expect(d.ports.read(offset, width)).toBeGreaterThanOrEqual(0);
    }
  }
});
