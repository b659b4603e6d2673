import { PAGE_SHIFT, PAGE_SIZE } from '../../base/units.js';
import { LAYOUT, PAGE_FLAG, TLB_ASLEEP, TLB_CAREFUL, TLB_FAST, tlbEntry } from './layout.js';
import type { PhysicalMemory } from './physical.js';

const READ = [LAYOUT.tlbReadSupervisor >> 2, LAYOUT.tlbReadUser >> 2] as const;
const WRITE = [LAYOUT.tlbWriteSupervisor >> 2, LAYOUT.tlbWriteUser >> 2] as const;
const ALL = [...READ, ...WRITE];
/** More than one linear page may map the physical page for writing. */
const SEVERAL = 0xffff_ffff;

const FOUR_GIB_PAGES = 1 << 20;
/** Pages are listed by slots of 2 MiB, which is what the smallest entry above a page table translates. */
const SLOT_SHIFT = 21;
const SLOT_BYTES = 2 ** SLOT_SHIFT;
const SLOTS = 2 ** (32 - SLOT_SHIFT);
const PAGES_TO_SLOT = SLOT_SHIFT - PAGE_SHIFT;
/** Pages that may be written, before flushWrites() makes room. */
const MAX_WRITABLE = 1 << 16;
/** Behind the last page of a list. */
const END = -1;

/** What is left of an entry without its address says that it is one for writing. */
function isTag(tag: number): boolean {
  return tag > 0 && tag <= (TLB_FAST | TLB_CAREFUL);
}

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
  /** Linear pages that may have an entry, each once, in a list per slot: the first + 1, or END. */
  readonly #first = new Int32Array(SLOTS).fill(END);
  /** By linear page: the next one of its slot + 1, END, or 0 for a page that is in no list. */
  readonly #next = new Int32Array(FOUR_GIB_PAGES);
  /** Linear pages that got an entry for writing since the last flushWrites(); some more than once, some gone. */
  #writable: number[] = [];
  readonly #tables = new Map<number, TableUse[]>();
  /** Tables whose entries translate single pages, by the slot of the first. */
  readonly #leaves = new Map<number, Set<number>>();
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
    if (this.#next[page] !== 0) return;
    const slot = page >>> PAGES_TO_SLOT;
    this.#next[page] = this.#first[slot];
    this.#first[slot] = page + 1;
  }

  #forEach(visit: (page: number) => void): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      for (let at = this.#first[slot]; at !== END; at = this.#next[at - 1]) visit(at - 1);
    }
  }

  /** Drops all entries of a slot, and forgets what they derive from below the directory. */
  #clear(slot: number): void {
    const t = this.#i32;
    let at = this.#first[slot];
    this.#first[slot] = END;
    while (at !== END) {
      const page = at - 1;
      t[ALL[0] + page] = t[ALL[1] + page] = t[ALL[2] + page] = t[ALL[3] + page] = 0;
      at = this.#next[page];
      this.#next[page] = 0;
    }
    const leaves = this.#leaves.get(slot);
    if (leaves === undefined) return;
    this.#leaves.delete(slot);
    for (const table of leaves) this.#forgetUse(table, slot * SLOT_BYTES, PAGE_SIZE);
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
    if (this.#writable.length === MAX_WRITABLE) this.flushWrites();
    this.#writable.push(page);
    this.#i32[WRITE[user ? 1 : 0] + page] = tlbEntry(linear, host & ~0xfff, flags === 0 ? TLB_FAST : TLB_CAREFUL);
  }

  #noteWriter(page: number, physicalPage: number): void {
    const known = this.#writers[physicalPage];
    if (known === SEVERAL || known === page + 1) return;
    const inUse = known !== 0 && this.#mapsForWriting(known - 1, physicalPage);
    this.#writers[physicalPage] = inUse ? SEVERAL : page + 1;
  }

  #mapsForWriting(page: number, physicalPage: number): boolean {
    const t = this.#i32;
    const entry = tlbEntry(page << PAGE_SHIFT, LAYOUT.ram + physicalPage * PAGE_SIZE, 0);
    const ofSupervisor = t[WRITE[0] + page] - entry;
    const ofUser = t[WRITE[1] + page] - entry;
    return isTag(ofSupervisor) || isTag(ofUser);
  }

  flushAll(): void {
    for (let slot = 0; slot < SLOTS; slot++) this.#clear(slot);
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
    const tableBytes = 2 ** 32 / after.length;
    const span = (tableBytes * entryBytes) / PAGE_SIZE;
    after.forEach((table, i) => {
      const old = before.length === after.length ? before[i] : null;
      const linearBase = i * tableBytes;
      this.#dropDifferent(old, table, { linearBase, span, entryBytes });
      if (old === table) return;
      if (old !== null) this.#forgetTable(old, linearBase, span);
      if (table !== null) this.noteTable(table, linearBase, span, entryBytes);
    });
    this.onCodeDropped();
  }

  /** Drops what lies below the entries that differ between two directories for the same range. */
  #dropDifferent(old: number | null, table: number | null, { linearBase, span, entryBytes }: TableUse): void {
    // Tables outside RAM have no entries that could have been used.
    const [a, b] = [old, table].map((t) => (t === null ? 0 : this.physical.host(this.physical.gated(t)) >> 2));
    const words = this.#i32;
    const wordsPerEntry = entryBytes / 4;
    const slotsPerEntry = span / SLOT_BYTES;
    const firstSlot = linearBase / SLOT_BYTES;
    const isComparable = a !== 0 && b !== 0;
    for (let entry = 0; entry < PAGE_SIZE / entryBytes; entry++) {
      const at = entry * wordsPerEntry;
      const isSame = isComparable && words[a + at] === words[b + at];
      if (isSame && (entryBytes === 4 || words[a + at + 1] === words[b + at + 1])) continue;
      for (let i = 0; i < slotsPerEntry; i++) this.#clear(firstSlot + entry * slotsPerEntry + i);
    }
  }

  #forgetTable(table: number, linearBase: number, span: number): void {
    const host = this.physical.host(this.physical.gated(table));
    if (host !== 0) this.#forgetUse((host - LAYOUT.ram) >>> PAGE_SHIFT, linearBase, span);
  }

  /** A page that no translation derives from any more is an ordinary page again. */
  #forgetUse(page: number, linearBase: number, span: number): void {
    const uses = this.#tables.get(page)?.filter((u) => u.linearBase !== linearBase || u.span !== span);
    if (uses === undefined) return;
    if (uses.length > 0) {
      this.#tables.set(page, uses);
      return;
    }
    this.#tables.delete(page);
    this.physical.clearFlag(page, PAGE_FLAG.TABLE);
  }

  /** The next write to each page is noticed again. */
  flushWrites(): void {
    const t = this.#i32;
    for (const page of this.#writable) {
      for (const table of WRITE) {
        const entry = t[table + page];
        if (entry & (TLB_FAST | TLB_CAREFUL)) t[table + page] = (entry & ~0xfff) | TLB_ASLEEP;
      }
    }
    this.#writable = [];
  }

  /** A write to a page that flushWrites() has been at: the host address, without a walk; 0 for any other page. */
  wake(linear: number, user: boolean): number {
    const entry = this.lookupWrite(linear, user);
    if ((entry & TLB_ASLEEP) === 0) return 0;
    const host = (linear + (entry & ~0xfff) + PAGE_SIZE) >>> 0;
    this.fillWrite(linear, host, user);
    return host;
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
    if (writer === SEVERAL) {
      let found = 0;
      this.#forEach((page) => {
        if (!this.#mapsForWriting(page, physicalPage)) return;
        this.#demoteEntry(page, physicalPage);
        found = found === 0 ? page + 1 : SEVERAL;
      });
      this.#writers[physicalPage] = found;
    } else if (writer !== 0) this.#demoteEntry(writer - 1, physicalPage);
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
    } else {
      for (const u of uses) if (u.linearBase === linearBase && u.span === span) return;
      uses.push({ linearBase, span, entryBytes });
    }
    if (span !== PAGE_SIZE) return;
    const slot = linearBase / SLOT_BYTES;
    const leaves = this.#leaves.get(slot);
    if (leaves === undefined) this.#leaves.set(slot, new Set([page]));
    else leaves.add(page);
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
    this.onCodeDropped();
    const first = start / SLOT_BYTES;
    for (let i = 0; i < bytes / SLOT_BYTES; i++) this.#clear(first + i);
  }
}
