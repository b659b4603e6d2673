/**
 * The machine's memory map, one declaration for the boot ROM (through CMOS) and for the loaders that do without it.
 * ACPI specification 6.4, section 15.
 */
import { ByteWriter } from '../../base/bytes.js';
import { assert } from '../../base/assert.js';
import { KIB, MIB } from '../../base/units.js';

export const E820_RAM = 1;
export const E820_RESERVED = 2;

/** Conventional memory that the guest may use; the last KiB below 640 KiB is the EBDA. */
export const BASE_MEMORY_KIB = 639;
/** ACPI tables and the boot ROM. */
export const ROM_AREA_START = 0xe_0000;
/** The boot ROM's alias at the end of 4 GiB. */
export const TOP_ROM_START = 0xffff_0000;
const VIDEO_START = 0xa_0000;
const HIGH_MEMORY_START = MIB;

export interface MemoryRange {
  readonly start: number;
  readonly sizeBytes: number;
  /** E820_RAM or E820_RESERVED. */
  readonly type: number;
}

/** End of RAM as firmware and CMOS can say it: whole KiB, above 16 MiB whole 64 KiB. */
export function ramEnd(ramSizeBytes: number): number {
  assert(Number.isSafeInteger(ramSizeBytes) && ramSizeBytes >= MIB, `RAM of ${ramSizeBytes} bytes`);
  const unit = ramSizeBytes >= 16 * MIB ? 64 * KIB : KIB;
  return ramSizeBytes - (ramSizeBytes % unit);
}

/** As INT 15h E820h answers. */
export function memoryMap(ramSizeBytes: number): MemoryRange[] {
  const base = BASE_MEMORY_KIB * KIB;
  const high = ramEnd(ramSizeBytes) - HIGH_MEMORY_START;
  const map: MemoryRange[] = [
    { start: 0, sizeBytes: base, type: E820_RAM },
    { start: base, sizeBytes: VIDEO_START - base, type: E820_RESERVED },
    { start: ROM_AREA_START, sizeBytes: MIB - ROM_AREA_START, type: E820_RESERVED },
  ];
  if (high > 0) map.push({ start: HIGH_MEMORY_START, sizeBytes: high, type: E820_RAM });
  map.push({ start: TOP_ROM_START, sizeBytes: 0x1_0000_0000 - TOP_ROM_START, type: E820_RESERVED });
  return map;
}

/** Entries of 20 bytes. */
export function e820Table(map: readonly MemoryRange[]): Uint8Array {
  const out = new ByteWriter(map.length * 20);
  for (const { start, sizeBytes, type } of map) out.u64(BigInt(start)).u64(BigInt(sizeBytes)).u32(type);
  return out.finish();
}

/** KiB of RAM from 1 MiB. */
export function highMemoryKib(ramSizeBytes: number): number {
  return (ramEnd(ramSizeBytes) - HIGH_MEMORY_START) / KIB;
}

export interface CmosByte {
  readonly index: number;
  readonly value: number;
}

function bytesAt(index: number, value: number, count: number): CmosByte[] {
  return Array.from({ length: count }, (_, i) => ({ index: index + i, value: (value >>> (8 * i)) & 0xff }));
}

/** Sizes in CMOS: 15h base, 17h and 30h extended (KiB), 34h above 16 MiB, 5Bh above 4 GiB (64 KiB). */
export function cmosMemoryBytes(ramSizeBytes: number): CmosByte[] {
  const highKib = Math.min(highMemoryKib(ramSizeBytes), 0xffff);
  const blocks = Math.max(0, ramEnd(ramSizeBytes) - 16 * MIB) / (64 * KIB);
  return [
    ...bytesAt(0x15, 640, 2),
    ...bytesAt(0x17, highKib, 2),
    ...bytesAt(0x30, highKib, 2),
    ...bytesAt(0x34, blocks, 2),
    ...bytesAt(0x5b, 0, 3),
  ];
}
