import { expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.js';
import { readState, writeState } from '../../../src/core/state.js';
import { BootDisk, BOOT_DISK_INFO, NO_UNIT, type BootUnit } from '../../../src/devices/bootdisk.js';
import type { Disk } from '../../../src/devices/disk/disk.js';
import { memoryDisk } from '../devices/memory-disk.js';

const LBA = 0;
const COUNT = 4;
const COMMAND = 6;
const INDEX = 7;
const DATA = 8;
const UNIT = 9;
const INFO = 12;

const IMAGE = Uint8Array.from({ length: 16 * 512 }, (_, i) => (i >> 9) * 16 + (i & 15));

function medium(): Disk {
  return memoryDisk(IMAGE, { id: 'fda', kind: 'floppy', cylinders: 2, heads: 1, sectorsPerTrack: 8 }).disk;
}

function unit(number: number, present = medium()): BootUnit {
  return { number, kind: number < 0x80 ? 'floppy' : 'disk', disk: present, driveType: number < 0x80 ? 1 : 0 };
}

function disk(present = medium()): BootDisk {
  return new BootDisk('bootdisk', { units: [unit(0, present)], bootOrder: [0] });
}

function info(d: BootDisk, index: number): number {
  d.ports.write(INDEX, index, 1);
  return d.ports.read(INFO, 4);
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
  expect(IMAGE[5 * 512]).toBe(0x50);
});

test('a sector that is not written to its end keeps its contents', () => {
  const present = medium();
  const d = disk(present);
  begin(d, 2, 5, 1);
  for (let i = 0; i < 255; i++) d.ports.write(DATA, 0xffff, 2);
  d.ports.write(COMMAND, 0, 1);
  expect(present.read(5, 1)[0]).toBe(0x50);
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

test('INFO shows medium, entry and boot order', () => {
  const entry = { cs: 0x9020, ip: 0x12, ss: 0x9000, sp: 0xe000, ds: 0x9000 };
  const d = new BootDisk('bootdisk', { units: [unit(0), unit(0x80)], bootOrder: [0x80, 0], entry });
  expect(info(d, BOOT_DISK_INFO.signature)).toBe(0x4442_5247);
  expect(info(d, BOOT_DISK_INFO.kind)).toBe(2);
  d.ports.write(UNIT, 0, 1);
  expect(info(d, BOOT_DISK_INFO.kind)).toBe(1);
  expect(info(d, BOOT_DISK_INFO.sectorCount)).toBe(16);
  expect(info(d, BOOT_DISK_INFO.cylinders)).toBe(2);
  expect(info(d, BOOT_DISK_INFO.driveType)).toBe(1);
  expect(info(d, BOOT_DISK_INFO.entryCsIp)).toBe(0x9020_0012);
  expect(info(d, BOOT_DISK_INFO.entrySsSp)).toBe(0x9000_e000);
  expect(info(d, BOOT_DISK_INFO.bootOrder)).toBe(0xffff_0080);
  expect(info(d, 200)).toBe(0);
  d.ports.write(UNIT, 0x81, 1);
  expect(info(d, BOOT_DISK_INFO.kind)).toBe(0);
  expect(info(d, BOOT_DISK_INFO.entryCsIp)).toBe(0x9020_0012);
});

test('UNIT selects the medium of a transfer', () => {
  const other = medium();
  const d = new BootDisk('bootdisk', { units: [unit(0), unit(0x80, other)], bootOrder: [0] });
  d.ports.write(UNIT, 0x80, 1);
  begin(d, 2, 1, 1);
  for (let i = 0; i < 128; i++) d.ports.write(DATA, 0x1234_5678, 4);
  expect(other.read(1, 1)[0]).toBe(0x78);
  d.ports.write(UNIT, 0, 1);
  begin(d, 1, 1, 1);
  expect(d.ports.read(DATA, 1)).toBe(0x10);
  d.ports.write(UNIT, 0x80, 1);
  expect(d.ports.read(COMMAND, 1)).toBe(0);
  d.reset();
  expect(d.ports.read(UNIT, 1)).toBe(0);
});

test('a write-protected medium refuses to be written', () => {
  const cd = memoryDisk(IMAGE, { kind: 'cdrom' }).disk;
  const d = new BootDisk('bootdisk', {
    units: [{ number: 0xe0, kind: 'cdrom', disk: cd, driveType: 0 }],
    bootOrder: [0xe0],
  });
  expect(info(d, BOOT_DISK_INFO.flags)).toBe(1);
  expect(begin(d, 2, 0, 1)).toBe(1);
  expect(begin(d, 1, 0, 1)).toBe(2);
});

test('a medium that goes away within a transfer is not reached any more', () => {
  const present = medium();
  const d = disk(present);
  begin(d, 1, 14, 2);
  present.insert({ ...present.state.medium, sectorCount: 0, imageBytes: 0 });
  for (let i = 0; i < 512; i++) d.ports.read(DATA, 2);
  expect(d.ports.read(COMMAND, 1)).toBe(0);
  expect(info(d, BOOT_DISK_INFO.changes)).toBe(1);
});

test('without a medium every transfer is refused', () => {
  const d = new BootDisk('bootdisk');
  expect(d.ports.read(UNIT, 1)).toBe(NO_UNIT);
  expect(begin(d, 1, 0, 1)).toBe(1);
});

test('state saved within a transfer goes on in another device', () => {
  const d = disk();
  begin(d, 2, 9, 1);
  for (let i = 0; i < 256; i++) d.ports.write(DATA, i, 2);
  begin(d, 1, 9, 1);
  for (let i = 0; i < 7; i++) d.ports.read(DATA, 2);
  const other = disk();
  const input = new ByteReader(saved(d));
  readState(input, other.schema, other.state);
  input.end();
  expect(other.ports.read(DATA, 2)).toBe(7);
  expect(saved(other)).not.toEqual(saved(d));
  d.ports.read(DATA, 2);
  expect(saved(other)).toEqual(saved(d));
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
