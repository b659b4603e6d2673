import { PAGE_SHIFT } from '../../base/units.js';
import { LAYOUT, PAGE_FLAG, TLB_CAREFUL, TLB_FAST, tlbEntry } from './layout.js';
import type { PhysicalMemory } from './physical.js';

const READ = [LAYOUT.tlbReadSupervisor >> 2, LAYOUT.tlbReadUser >> 2] as const;
const WRITE = [LAYOUT.tlbWriteSupervisor >> 2, LAYOUT.tlbWriteUser >> 2] as const;
const ALL = [...READ, ...WRITE];
/** More than one linear page may map the physical page for writing. */
const SEVERAL = 0xffff_ffff;

/** Linear pages that derive from one page-table page. */
interface TableUse {
  /** First linear address that entry 0 translates. */
  readonly linearBase: number;
  /** Bytes of linear space per entry. */
  readonly span: number;
  readonly entryBytes: 4 | 8;
}

/**
 * The soft TLB. It is coherent: a guest write to a page-table entry that was walked drops what was derived from it, so
 * keeping or dropping entries can never change what the guest sees, nor when accessed and dirty bits are set.
 */
export class Tlb {
  readonly #i32: Int32Array;
  /** Linear pages that may have an entry, each once. */
  readonly #filled = new Uint32Array(1 << 20);
  readonly #listed = new Uint8Array(1 << 20);
  #filledCount = 0;
  readonly #tables = new Map<number, TableUse[]>();
  /** By physical page: a linear page + 1 with a write entry for it, SEVERAL, or 0. May be out of date. */
  readonly #writers: Uint32Array;
  /** Translations were dropped: code being executed may lie elsewhere now. */
  onDropped: () => void = () => {};

  constructor(private readonly physical: PhysicalMemory) {
    this.#i32 = physical.i32;
    this.#writers = new Uint32Array(physical.ramBytes >>> PAGE_SHIFT);
  }

  lookupRead(linear: number, user: boolean): number {
    return this.#i32[READ[user ? 1 : 0] + (linear >>> PAGE_SHIFT)];
  }
  lookupWrite(linear: number, user: boolean): number {
    return this.#i32[WRITE[user ? 1 : 0] + (linear >>> PAGE_SHIFT)];
  }

  #note(page: number): void {
    if (this.#listed[page] !== 0) return;
    this.#listed[page] = 1;
    this.#filled[this.#filledCount++] = page;
  }

  fillRead(linear: number, host: number, user: boolean): void {
    const page = linear >>> PAGE_SHIFT;
    this.#note(page);
    this.#i32[READ[user ? 1 : 0] + page] = tlbEntry(linear, host & ~0xfff, TLB_FAST);
  }

  /** The page at `host` becomes dirty now: fast writes leave no other trace. */
  fillWrite(linear: number, host: number, user: boolean): void {
    const page = linear >>> PAGE_SHIFT;
    this.#note(page);
    this.physical.markDirty(host);
    const physicalPage = (host - LAYOUT.ram) >>> PAGE_SHIFT;
    const flags = this.physical.flags(physicalPage);
    this.#noteWriter(page, physicalPage);
    this.#i32[WRITE[user ? 1 : 0] + page] = tlbEntry(linear, host & ~0xfff, flags === 0 ? TLB_FAST : TLB_CAREFUL);
  }

  #noteWriter(page: number, physicalPage: number): void {
    const known = this.#writers[physicalPage];
    if (known === SEVERAL || known === page + 1) return;
    const inUse = known !== 0 && this.#mapsForWriting(known - 1, physicalPage);
    this.#writers[physicalPage] = inUse ? SEVERAL : page + 1;
  }

  #mapsForWriting(page: number, physicalPage: number): boolean {
    const entry = tlbEntry(page << PAGE_SHIFT, LAYOUT.ram + physicalPage * 4096, 0);
    const tags = TLB_FAST | TLB_CAREFUL;
    return WRITE.some((table) => (this.#i32[table + page] & tags) !== 0 && (this.#i32[table + page] & ~tags) === entry);
  }

  flushAll(): void {
    const t = this.#i32;
    for (let i = 0; i < this.#filledCount; i++) {
      const page = this.#filled[i];
      t[ALL[0] + page] = t[ALL[1] + page] = t[ALL[2] + page] = t[ALL[3] + page] = 0;
      this.#listed[page] = 0;
    }
    this.#filledCount = 0;
    for (const page of this.#tables.keys()) this.physical.clearFlag(page, PAGE_FLAG.TABLE);
    this.#tables.clear();
    this.onDropped();
  }

  /** Forgets write permissions only: the next write to each page is noticed again. */
  flushWrites(): void {
    const t = this.#i32;
    for (let i = 0; i < this.#filledCount; i++) {
      const page = this.#filled[i];
      t[WRITE[0] + page] = t[WRITE[1] + page] = 0;
    }
  }

  invalidate(linear: number): void {
    const t = this.#i32;
    const page = linear >>> PAGE_SHIFT;
    if ((t[READ[0] + page] | t[READ[1] + page]) !== 0) this.onDropped();
    t[ALL[0] + page] = t[ALL[1] + page] = t[ALL[2] + page] = t[ALL[3] + page] = 0;
  }

  /** Writes to a physical page now need attention: fast write entries to it become careful ones. */
  demote(physicalPage: number): void {
    const writer = this.#writers[physicalPage];
    if (writer === SEVERAL)
      for (let i = 0; i < this.#filledCount; i++) this.#demoteEntry(this.#filled[i], physicalPage);
    else if (writer !== 0) this.#demoteEntry(writer - 1, physicalPage);
  }

  #demoteEntry(page: number, physicalPage: number): void {
    const t = this.#i32;
    const host = LAYOUT.ram + physicalPage * 4096;
    const fast = tlbEntry(page << PAGE_SHIFT, host, TLB_FAST);
    for (const table of WRITE) {
      if (t[table + page] === fast) t[table + page] = tlbEntry(page << PAGE_SHIFT, host, TLB_CAREFUL);
    }
  }

  /** A page walk used the entry at `physicalEntry`; entry 0 of that table translates `linearBase`. */
  noteTable(physicalEntry: number, linearBase: number, span: number, entryBytes: 4 | 8): void {
    const host = this.physical.host(this.physical.gated(physicalEntry));
    if (host === 0) return;
    const page = (host - LAYOUT.ram) >>> PAGE_SHIFT;
    const uses = this.#tables.get(page);
    if (uses === undefined) {
      this.#tables.set(page, [{ linearBase, span, entryBytes }]);
      this.physical.setFlag(page, PAGE_FLAG.TABLE);
      return;
    }
    for (const u of uses) if (u.linearBase === linearBase && u.span === span) return;
    uses.push({ linearBase, span, entryBytes });
  }

  /** Guest data was written to `host`: drop what was derived from table entries there. */
  tableWritten(host: number, bytes: number): void {
    const page = (host - LAYOUT.ram) >>> PAGE_SHIFT;
    const uses = this.#tables.get(page);
    if (uses === undefined) return;
    const offset = host & 0xfff;
    for (const { linearBase, span, entryBytes } of uses) {
      const first = Math.floor(offset / entryBytes);
      const last = Math.floor((offset + bytes - 1) / entryBytes);
      for (let entry = first; entry <= last; entry++) {
        const start = (linearBase + entry * span) >>> 0;
        if (span === 4096) this.invalidate(start);
        else this.#invalidateRange(start, span);
      }
    }
  }

  #invalidateRange(start: number, bytes: number): void {
    const t = this.#i32;
    this.onDropped();
    const first = start >>> PAGE_SHIFT;
    const last = first + (bytes >>> PAGE_SHIFT);
    for (let i = 0; i < this.#filledCount; i++) {
      const page = this.#filled[i];
      if (page >= first && page < last) t[ALL[0] + page] = t[ALL[1] + page] = t[ALL[2] + page] = t[ALL[3] + page] = 0;
    }
  }
}
