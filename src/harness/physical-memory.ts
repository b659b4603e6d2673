import { E820_RAM, memoryMap } from '../machine/loaders/e820.js';
import type { Pc } from '../machine/pc.js';

/** A range of guest-physical RAM. */
export interface MemoryRange {
  readonly start: number;
  readonly sizeBytes: number;
}

const PIECE_BYTES = 1024 * 1024;

/** RAM as firmware tells an operating system of it: without what it keeps for itself. */
export function memoryRanges(pc: Pc): MemoryRange[] {
  return memoryMap(pc.config.memoryBytes)
    .filter(({ type }) => type === E820_RAM)
    .map(({ start, sizeBytes }) => ({ start, sizeBytes }));
}

/** The bytes of a range at this moment, in pieces that are valid until the machine goes on. */
export function* memoryContents(pc: Pc, { start, sizeBytes }: MemoryRange): Generator<Uint8Array> {
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    yield pc.machine.cpu.physical.dma.read(start + at, Math.min(PIECE_BYTES, sizeBytes - at));
  }
}
