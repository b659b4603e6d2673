/**
 * Guest memory by linear address for code in TypeScript. `user` says whose rights count: false for implicit accesses
 * (descriptor tables, TSS) and for stacks of rings 0 to 2. Addresses and values are unsigned; an access may throw a
 * GuestFault (#PF). A write that throws has written nothing.
 */
export interface LinearMemory {
  read8(linear: number, user: boolean): number;
  read16(linear: number, user: boolean): number;
  read32(linear: number, user: boolean): number;
  write8(linear: number, value: number, user: boolean): void;
  write16(linear: number, value: number, user: boolean): void;
  write32(linear: number, value: number, user: boolean): void;
  /** Throws what writing `sizeBytes` bytes would throw. At most one page boundary may be crossed. */
  checkWrite(linear: number, sizeBytes: number, user: boolean): void;
}

/** Physical memory as the page walker sees it. Addresses have up to 36 bits; where there is nothing, ones are read. */
export interface PageTableMemory {
  read32(physical: number): number;
  /** Sets accessed and dirty bits. */
  write32(physical: number, value: number): void;
}

/** What the system routines tell the soft TLB, which is coherent with page tables in memory. */
export interface TlbControl {
  /** CR0, CR4: every translation may mean something else now. */
  flushAll(): void;
  /** CR3 was loaded, possibly with the same value; see directories() in page-walk.ts. */
  directoriesChanged(before: readonly (number | null)[], after: readonly (number | null)[]): void;
}
