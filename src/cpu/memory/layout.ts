import { MIB } from '../../base/units.js';

/**
 * The engine's linear memory. RAM comes last, so that its size alone decides the total. Guest-physical page p of RAM
 * lies at RAM_BASE + p * 4096.
 */
export const LAYOUT = {
  /** CPU state: isa/cpu-state.ts. */
  state: 0,
  /** Block lookup: LOOKUP_ENTRIES x 16 bytes {physical address, mode, record, 0}. */
  lookup: 8 * MIB,
  /** JUMP_CACHE_ENTRIES x 16 bytes {EIP, key, record, TLB entry}: what the lookup found last. */
  jumpCache: 1 * MIB,
  /** One byte per physical page: PAGE_FLAG bits. */
  pageFlags: 2 * MIB,
  /** One byte per physical page: DIRTY bits of the observers that have not yet seen the last write. */
  pageDirty: 3 * MIB,
  /** Four tables of one i32 per linear page. */
  tlbReadSupervisor: 16 * MIB,
  tlbWriteSupervisor: 20 * MIB,
  tlbReadUser: 24 * MIB,
  tlbWriteUser: 28 * MIB,
  /** Op records. */
  records: 32 * MIB,
  recordsEnd: 64 * MIB,
  /** Eight bytes per physical page: bit n is set when bytes 64n..64n+63 hold decoded code. */
  codeLines: 64 * MIB,
  ram: 72 * MIB,
} as const;

/** Who watches for written pages; each has its own bit. EVER stays: a page without it holds zeros. */
export const DIRTY = { DIGEST: 1, CAPTURE: 2, EVER: 4 } as const;
export const DIRTY_FOR_ALL = 0xff;

export const LOOKUP_ENTRIES = 262144;
export const JUMP_CACHE_ENTRIES = 65536;
export const JUMP_CACHE_BYTES = 16 * JUMP_CACHE_ENTRIES;
/** Tables above are sized for this much RAM, with the memory of devices behind it. */
export const MAX_RAM_BYTES = 2048 * MIB;
export const MAX_DEVICE_BYTES = 64 * MIB;

export const PAGE_FLAG = {
  /** Holds decoded code. */
  CODE: 1,
  /** Was walked as a page table: writes drop derived TLB entries. */
  TABLE: 2,
  /** Guest writes are ignored. */
  ROM: 4,
  /** A data breakpoint lies here. */
  WATCH: 16,
} as const;

/**
 * TLB entry: 0 = nothing known. Bit 0: fast; host address = linear + entry + TLB_BIAS. Bit 1 (write tables only):
 * translated, but the page's flags need attention; host address = linear + entry + TLB_BIAS - 1. Bit 2 (write tables
 * only): translated, but who watches for written pages must be told first; nobody but Tlb.wake() uses it.
 */
export const TLB_FAST = 1;
export const TLB_CAREFUL = 2;
export const TLB_ASLEEP = 4;
export const TLB_BIAS = 4095;

/** Entry that maps the linear page of `linear` to the engine-memory page at `host`. */
export function tlbEntry(linear: number, host: number, tag: number): number {
  return (host - 4096 - (linear & ~0xfff)) | tag | 0;
}
