import { PAGE_SHIFT, PAGE_SIZE } from '../../base/units.js';
import { LAYOUT, PAGE_FLAG, TLB_CAREFUL, TLB_FAST, tlbEntry } from './layout.js';
import type { PhysicalMemory } from './physical.js';

const READ = [LAYOUT.tlbReadSupervisor >> 2, LAYOUT.tlbReadUser >> 2] as const;
const WRITE = [LAYOUT.tlbWriteSupervisor >> 2, LAYOUT.tlbWriteUser >> 2] as const;
const ALL = [...READ, ...WRITE];
/** More than one linear page may map the physical page for writing. */
const SEVERAL = 0xffff_ffff;

const FOUR_GIB_PAGES = 1 << 20;

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
  /** Translations of pages with decoded code were dropped: what is being executed may lie elsewhere now. */
  onCodeDropped: () => void = () => {};

  constructor(private readonly physical: PhysicalMemory) {
    this.#i32 = physical.i32;
    this.#writers = new Uint32Array(physical.pageCount);
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
    this.onCodeDropped();
  }

  /**
   * Other directories are in force. What lies below entries that are the same in both stays, and is as a walk would find
   * it now; the rest goes.
   */
  directoriesChanged(before: readonly (number | null)[], after: readonly (number | null)[]): void {
    if (before.length === after.length && before.every((table, i) => table === after[i])) return;
    const entryBytes = after.length === 1 ? 4 : 8;
    const entries = 4096 / entryBytes;
    /** Linear pages below one entry. */
    const pages = FOUR_GIB_PAGES / (entries * after.length);
    const keep = new Uint8Array(entries * after.length);
    after.forEach((table, i) => {
      const old = before.length === after.length ? before[i] : null;
      if (old === null || table === null) return;
      const [a, b] = [old, table].map((t) => this.physical.host(this.physical.gated(t)) >> 2);
      // Tables outside RAM have no entries that could have been used.
      if (a === 0 || b === 0) return;
      const words = this.#i32;
      const first = i * entries;
      if (entryBytes === 4) {
        for (let at = 0; at < entries; at++) if (words[a + at] === words[b + at]) keep[first + at] = 1;
        return;
      }
      for (let at = 0; at < entries; at++) {
        const isSame = words[a + 2 * at] === words[b + 2 * at] && words[a + 2 * at + 1] === words[b + 2 * at + 1];
        if (isSame) keep[first + at] = 1;
      }
    });
    this.#keepOnly(keep, pages);
    const span = pages * 4096;
    after.forEach((table, i) => {
      const old = before.length === after.length ? before[i] : null;
      if (old === table) return;
      const linearBase = i * entries * span;
      if (old !== null) this.#forgetTable(old, linearBase, span);
      if (table !== null) this.noteTable(table, linearBase, span, entryBytes);
    });
  }

  /** Drops what lies below first-level entries that are 0 in `keep`; each translates `pages` linear pages. */
  #keepOnly(keep: Uint8Array, pages: number): void {
    const t = this.#i32;
    const shift = 31 - Math.clz32(pages);
    let kept = 0;
    for (let i = 0; i < this.#filledCount; i++) {
      const page = this.#filled[i];
      if (keep[page >>> shift] !== 0) {
        this.#filled[kept++] = page;
        continue;
      }
      t[ALL[0] + page] = t[ALL[1] + page] = t[ALL[2] + page] = t[ALL[3] + page] = 0;
      this.#listed[page] = 0;
    }
    this.#filledCount = kept;
    this.#forgetTables((linearBase) => keep[linearBase / PAGE_SIZE / pages] === 0);
    this.onCodeDropped();
  }

  /** Page tables whose linear range no translation derives from any more are ordinary pages again. */
  #forgetTables(gone: (linearBase: number) => boolean): void {
    for (const [page, uses] of this.#tables) {
      const left = uses.filter((u) => u.span !== PAGE_SIZE || !gone(u.linearBase));
      if (left.length < uses.length) this.#setUses(page, left);
    }
  }

  #forgetTable(table: number, linearBase: number, span: number): void {
    const host = this.physical.host(this.physical.gated(table));
    if (host === 0) return;
    const page = (host - LAYOUT.ram) >>> PAGE_SHIFT;
    const uses = this.#tables.get(page);
    if (uses === undefined) return;
    this.#setUses(
      page,
      uses.filter((u) => u.linearBase !== linearBase || u.span !== span),
    );
  }

  #setUses(page: number, uses: TableUse[]): void {
    if (uses.length > 0) this.#tables.set(page, uses);
    else {
      this.#tables.delete(page);
      this.physical.clearFlag(page, PAGE_FLAG.TABLE);
    }
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
    if (this.#mapsCode(t[READ[0] + page] | t[READ[1] + page], page)) this.onCodeDropped();
    t[ALL[0] + page] = t[ALL[1] + page] = t[ALL[2] + page] = t[ALL[3] + page] = 0;
  }

  /** `entry` is that of either privilege: both map the same page. */
  #mapsCode(entry: number, page: number): boolean {
    if (entry === 0) return false;
    const host = ((page << PAGE_SHIFT) + (entry & ~0xfff) + PAGE_SIZE) >>> 0;
    return (this.physical.flags((host - LAYOUT.ram) >>> PAGE_SHIFT) & PAGE_FLAG.CODE) !== 0;
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
    this.onCodeDropped();
    this.#forgetTables((linearBase) => linearBase >= start && linearBase < start + bytes);
    const first = start >>> PAGE_SHIFT;
    const last = first + (bytes >>> PAGE_SHIFT);
    for (let i = 0; i < this.#filledCount; i++) {
      const page = this.#filled[i];
      if (page >= first && page < last) t[ALL[0] + page] = t[ALL[1] + page] = t[ALL[2] + page] = t[ALL[3] + page] = 0;
    }
  }
}
