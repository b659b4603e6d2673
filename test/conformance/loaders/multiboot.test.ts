import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import type { LoadPlan } from '../../../src/machine/loaders/load-plan.js';
import { loadMultiboot, type MultibootOptions } from '../../../src/machine/loaders/multiboot.js';
import { findMultibootHeader } from '../../../src/machine/loaders/multiboot-image.js';

const MIB = 1 << 20;
const RAM = 32 * MIB;

function header(view: DataView, offset: number, flags: number, ...addresses: number[]): void {
  view.setUint32(offset, 0x1bad_b002, true);
  view.setUint32(offset + 4, flags, true);
  view.setUint32(offset + 8, -(0x1bad_b002 + flags) >>> 0, true);
  addresses.forEach((a, i) => view.setUint32(offset + 12 + 4 * i, a, true));
}

interface TestSegment {
  virtual: number;
  physical: number;
  fileBytes: number;
  memoryBytes: number;
}

/** ELF32 with its multiboot header right behind the program headers. */
function elf(entry: number, segments: TestSegment[], flags = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(0x1000 + segments.reduce((n, s) => n + s.fileBytes, 0));
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(24, entry, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, segments.length, true);
  let offset = 0x1000;
  segments.forEach((s, i) => {
    [1, offset, s.virtual, s.physical, s.fileBytes, s.memoryBytes].forEach((v, k) =>
      view.setUint32(52 + 32 * i + 4 * k, v, true),
    );
    bytes.fill(i + 1, offset, offset + s.fileBytes);
    offset += s.fileBytes;
  });
  header(view, 0x800, flags);
  return bytes;
}

/** Reads bytes as the guest would, zero where nothing was written. */
function memory(plan: LoadPlan): { u8(a: number): number; u32(a: number): number; text(a: number): string } {
  const u8 = (a: number): number => {
    const found = plan.writes.find((w) => a >= w.address && a < w.address + w.bytes.length);
    return found === undefined ? 0 : found.bytes[a - found.address];
  };
  const u32 = (a: number): number => (u8(a) | (u8(a + 1) << 8) | (u8(a + 2) << 16) | (u8(a + 3) << 24)) >>> 0;
  const text = (a: number): string => (u8(a) === 0 ? '' : String.fromCharCode(u8(a)) + text(a + 1));
  return { u8, u32, text };
}

function refusal(options: MultibootOptions): CodedError {
  try {
    loadMultiboot(options);
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

const SIMPLE: TestSegment = { virtual: 0x10_0000, physical: 0x10_0000, fileBytes: 100, memoryBytes: 9000 };

test('an ELF kernel starts with the magic in EAX, the information in EBX and flat segments', () => {
  const plan = loadMultiboot({ kernel: elf(0x10_0004, [SIMPLE]), append: 'a b', ramSizeBytes: RAM });
  if (plan.cpu.mode !== 'protected') throw new Error(plan.cpu.mode);
  expect(plan.cpu.eip).toBe(0x10_0004);
  expect(plan.cpu.eax).toBe(0x2bad_b002);
  const m = memory(plan);
  const info = plan.cpu.ebx;
  expect(m.u32(info) & 0x124d).toBe(0x124d);
  expect([m.u32(info + 4), m.u32(info + 8)]).toEqual([639, 31 * 1024]);
  expect(m.text(m.u32(info + 16))).toBe('a b');
  expect(m.text(m.u32(info + 64))).toBe('guestreel');
  expect(m.u32(plan.cpu.gdtBase + 0x14)).toBe(0x00cf_9b00);
  expect(m.u8(0x10_0000)).toBe(1);
  expect(m.u8(0x10_0000 + 100)).toBe(0);
});

test('the memory map lists every range with its own size field', () => {
  const plan = loadMultiboot({ kernel: elf(0x10_0000, [SIMPLE]), ramSizeBytes: RAM });
  if (plan.cpu.mode !== 'protected') throw new Error(plan.cpu.mode);
  const m = memory(plan);
  let at = m.u32(plan.cpu.ebx + 48);
  const end = at + m.u32(plan.cpu.ebx + 44);
  const ranges: number[][] = [];
  for (; at < end; at += m.u32(at) + 4) ranges.push([m.u32(at + 4), m.u32(at + 12), m.u32(at + 20)]);
  expect(at).toBe(end);
  expect(ranges).toContainEqual([0, 639 * 1024, 1]);
  expect(ranges).toContainEqual([MIB, 31 * MIB, 1]);
});

test('modules follow the zeros of the kernel, each at a page with its text', () => {
  const modules = [
    { bytes: new Uint8Array(10).fill(0xa1), append: 'first' },
    { bytes: new Uint8Array(5000).fill(0xa2), append: 'second' },
  ];
  const plan = loadMultiboot({ kernel: elf(0x10_0000, [SIMPLE]), modules, ramSizeBytes: RAM });
  if (plan.cpu.mode !== 'protected') throw new Error(plan.cpu.mode);
  const m = memory(plan);
  expect(m.u32(plan.cpu.ebx + 20)).toBe(2);
  const list = m.u32(plan.cpu.ebx + 24);
  expect([m.u32(list), m.u32(list + 4)]).toEqual([0x10_3000, 0x10_300a]);
  expect([m.u32(list + 16), m.u32(list + 20)]).toEqual([0x10_4000, 0x10_4000 + 5000]);
  expect(m.text(m.u32(list + 8))).toBe('first');
  expect(m.u8(0x10_4000)).toBe(0xa2);
});

test('an entry in virtual addresses moves to where its segment lies', () => {
  const kernel = elf(0xc010_0010, [{ virtual: 0xc010_0000, physical: 0x10_0000, fileBytes: 64, memoryBytes: 64 }]);
  expect(loadMultiboot({ kernel, ramSizeBytes: RAM }).cpu).toMatchObject({ eip: 0x10_0010 });
});

test('a header with addresses loads what it names and stops at load_end', () => {
  const bytes = new Uint8Array(0x400).fill(0x5a);
  const view = new DataView(bytes.buffer);
  header(view, 0x40, 0x1_0000, 0x20_0040, 0x20_0000, 0x20_0100, 0x20_2000, 0x20_0080);
  const plan = loadMultiboot({ kernel: bytes, ramSizeBytes: RAM });
  expect(plan.cpu).toMatchObject({ eip: 0x20_0080 });
  const m = memory(plan);
  expect([m.u8(0x20_00ff), m.u8(0x20_0100)]).toEqual([0x5a, 0]);
});

test('the multiboot guest image is loaded whole', () => {
  const kernel = new Uint8Array(readFileSync(new URL('../../../guest-images/built/multiboot.bin', import.meta.url)));
  const plan = loadMultiboot({ kernel, ramSizeBytes: RAM });
  expect(plan.writes.find((w) => w.address === MIB)?.bytes).toEqual(kernel);
});

test('the header is found at multiples of 4 within 8 KiB only', () => {
  const bytes = new Uint8Array(16384);
  const view = new DataView(bytes.buffer);
  header(view, 8192, 0);
  expect(findMultibootHeader(bytes)).toBe(-1);
  header(view, 6, 0);
  expect(findMultibootHeader(bytes)).toBe(-1);
  header(view, 8180, 0);
  expect(findMultibootHeader(bytes)).toBe(8180);
  view.setUint32(8188, 1, true);
  expect(findMultibootHeader(bytes)).toBe(-1);
});

test.each([
  ['without header', new Uint8Array(100), 'no multiboot header'],
  ['with unknown demands', elf(0x10_0000, [SIMPLE], 0x0100), 'demands'],
  ['that starts outside its segments', elf(0x50_0000, [SIMPLE]), 'starts at'],
  ['below the loader', elf(0x9_8000, [{ ...SIMPLE, virtual: 0x9_8000, physical: 0x9_8000 }]), 'wants to lie'],
  ['beyond the memory', elf(0x10_0000, [{ ...SIMPLE, memoryBytes: RAM }]), 'wants to lie'],
  ['without segments', elf(0x10_0000, []), 'nothing to load'],
])('a kernel %s is refused', (_name, kernel, message) => {
  const error = refusal({ kernel, ramSizeBytes: RAM });
  expect(error.code).toBe('USAGE');
  expect(error.where).toBe('kernel');
  expect(error.message).toContain(message);
  expect(error.hint).toBeTruthy();
});

test('modules that do not fit are refused', () => {
  const error = refusal({
    kernel: elf(0x10_0000, [SIMPLE]),
    modules: [{ bytes: new Uint8Array(RAM) }],
    ramSizeBytes: RAM,
  });
  expect(error.where).toBe('module');
});

test('an ELF kernel cut anywhere is refused or loaded, never anything else', () => {
  const kernel = elf(0x10_0000, [SIMPLE]);
  for (let length = 0; length <= kernel.length; length += 53) {
    try {
      loadMultiboot({ kernel: kernel.subarray(0, length), ramSizeBytes: RAM });
    } catch (error) {
      expect(error).toBeInstanceOf(CodedError);
    }
  }
});
