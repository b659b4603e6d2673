import { EXCEPTION } from '../../isa/cpu-state.js';
import type { CpuStateView } from '../state/cpu-state-view.js';
import { CR0, CR4 } from '../system/control-bits.js';
import { GuestFault } from '../system/guest-fault.js';
import type { PageTableMemory } from './linear-memory.js';

export interface PageAccess {
  readonly write: boolean;
  /** CPL 3; false for implicit accesses to tables. */
  readonly user: boolean;
  /** Instruction fetch; without NX it is a read. */
  readonly fetch: boolean;
}

export interface Translation {
  /** Physical address of the byte asked for, up to 36 bits. */
  readonly physical: number;
  /** Further writes with the same rights need no walk: allowed, and the dirty bit is set. */
  readonly writable: boolean;
  /** Ring 3 may read it. */
  readonly userAccessible: boolean;
  /** Bytes of the page: 4 KiB, 2 MiB or 4 MiB. */
  readonly pageBytes: number;
}

export interface PageWalkObserver {
  /**
   * A table entry took part in a translation. Entry 0 of its table translates linear addresses from `linearBase`, each
   * entry `spanBytes` of them; an entry has `entryBytes` bytes.
   */
  tableUsed(entryPhysical: number, linearBase: number, spanBytes: number, entryBytes: 4 | 8): void;
}

/** Bits of page-table entries (SDM 3, tables 4-4 to 4-6). */
const ENTRY = { P: 1, RW: 2, US: 4, A: 0x20, D: 0x40, PS: 0x80 } as const;
/** Bits of a #PF error code (SDM 3, 4.7). */
const ERROR = { P: 1, W: 2, U: 4, RSVD: 8 } as const;

/** 36 physical address bits: bits 35-32 lie in the low four bits of a PAE entry's upper half. */
const PAE_HIGH_RESERVED = 0xffff_fff0;
/** Bits 20-13 of a PAE entry that maps 2 MiB. */
const PAE_LARGE_RESERVED = 0x001f_e000;
/** PSE-36: bits 16-13 hold address bits 35-32; bits 21-17 are reserved. */
const PSE_LARGE_RESERVED = 0x003e_0000;
/** PDPTE: bits 2-1 and 8-5. */
const PDPTE_LOW_RESERVED = 0x1e6;

const MIB = 0x10_0000;
const FOUR_GIB = 0x1_0000_0000;

/** A table entry on the way down. */
interface Step {
  readonly physical: number;
  readonly low: number;
}

/** What a walk found; nothing has been changed or checked against rights yet. */
interface Found {
  readonly physical: number;
  readonly pageBytes: number;
  readonly leaf: Step;
  readonly upper: Step | null;
  /** RW and US of all levels together. */
  readonly rights: number;
}

/** A level that has no translation: present bit or reserved bits. */
type Miss = { readonly error: number };

/**
 * Physical addresses of the tables whose entries CR3 (with PAE: the loaded pointers) makes the first level, in the order
 * of the linear addresses that they share equally; null for one that is not present.
 */
export function directories(state: CpuStateView): (number | null)[] {
  if ((state.cr4 & CR4.PAE) === 0) return [(state.cr3 & 0xffff_f000) >>> 0];
  return [0, 1, 2, 3].map((i) => {
    const pointer = state.get64('pdpte', i);
    return (pointer & 1n) === 0n ? null : Number(pointer & 0xf_ffff_f000n);
  });
}

/** Page-table walks of a CPU with PSE, PSE-36 and PAE, without NX (SDM 3, chapter 4). */
export class PageWalker {
  constructor(
    private readonly state: CpuStateView,
    private readonly memory: PageTableMemory,
    private readonly observer: PageWalkObserver = { tableUsed: () => {} },
  ) {}

  /** Translates with paging on or off. Sets accessed and dirty bits once the access is allowed; throws #PF otherwise. */
  walk(linear: number, access: PageAccess): Translation {
    if ((this.state.cr0 & CR0.PG) === 0) {
      return { physical: linear, writable: true, userAccessible: true, pageBytes: 4096 };
    }
    const found = this.#find(linear);
    if ('error' in found) throw this.#fault(linear, access, found.error);
    if (!this.#allowed(found.rights, access.user, access.write)) throw this.#fault(linear, access, ERROR.P);
    this.#report(linear, found);
    if (found.upper !== null) this.#mark(found.upper, ENTRY.A);
    const marked = this.#mark(found.leaf, access.write ? ENTRY.A | ENTRY.D : ENTRY.A);
    return {
      physical: found.physical,
      writable: (marked & ENTRY.D) !== 0 && this.#allowed(found.rights, access.user, true),
      userAccessible: (found.rights & ENTRY.US) !== 0,
      pageBytes: found.pageBytes,
    };
  }

  /** Like walk(), but changes nothing; null where walk() would throw. */
  probe(linear: number, user: boolean, write: boolean): number | null {
    if ((this.state.cr0 & CR0.PG) === 0) return linear;
    const found = this.#find(linear);
    return 'error' in found || !this.#allowed(found.rights, user, write) ? null : found.physical;
  }

  /**
   * The four page-directory-pointer entries that loading `cr3` would load; throws #GP(0) when a present one has
   * reserved bits set (SDM 3, 4.4.1). With PAE paging only.
   */
  readPointers(cr3: number): bigint[] {
    const table = (cr3 & ~0x1f) >>> 0;
    return [0, 1, 2, 3].map((i) => {
      const low = this.memory.read32(table + 8 * i) >>> 0;
      const high = this.memory.read32(table + 8 * i + 4) >>> 0;
      const reserved = (low & PDPTE_LOW_RESERVED) !== 0 || (high & PAE_HIGH_RESERVED) !== 0;
      if ((low & ENTRY.P) !== 0 && reserved) throw new GuestFault(EXCEPTION.GP, 0);
      return (BigInt(high) << 32n) | BigInt(low);
    });
  }

  #fault(linear: number, access: PageAccess, error: number): GuestFault {
    const code = error | (access.write ? ERROR.W : 0) | (access.user ? ERROR.U : 0);
    return new GuestFault(EXCEPTION.PF, code, linear);
  }

  #allowed(rights: number, user: boolean, write: boolean): boolean {
    if (user && (rights & ENTRY.US) === 0) return false;
    return !write || (rights & ENTRY.RW) !== 0 || (!user && (this.state.cr0 & CR0.WP) === 0);
  }

  /** Sets bits in an entry; returns its low half. */
  #mark(step: Step, bits: number): number {
    if ((step.low & bits) === bits) return step.low;
    const low = step.low | bits;
    this.memory.write32(step.physical, low >>> 0);
    return low;
  }

  #report(linear: number, found: Found): void {
    const pae = (this.state.cr4 & CR4.PAE) !== 0;
    const bytes = pae ? 8 : 4;
    const tableSpan = pae ? 2 * MIB : 4 * MIB;
    const directoryBase = pae ? (linear & 0xc000_0000) >>> 0 : 0;
    const directory = found.upper ?? found.leaf;
    this.observer.tableUsed(directory.physical, directoryBase, tableSpan, bytes);
    if (found.upper !== null) {
      this.observer.tableUsed(found.leaf.physical, (linear & -tableSpan) >>> 0, 4096, bytes);
    }
  }

  #find(linear: number): Found | Miss {
    return (this.state.cr4 & CR4.PAE) !== 0 ? this.#findPae(linear) : this.#find32(linear);
  }

  #find32(linear: number): Found | Miss {
    const directory = this.#step32((this.state.cr3 & 0xffff_f000) + (linear >>> 22) * 4);
    if ((directory.low & ENTRY.P) === 0) return { error: 0 };
    if ((directory.low & ENTRY.PS) !== 0 && (this.state.cr4 & CR4.PSE) !== 0) {
      if ((directory.low & PSE_LARGE_RESERVED) !== 0) return { error: ERROR.P | ERROR.RSVD };
      const high = ((directory.low >>> 13) & 15) * FOUR_GIB;
      const physical = high + ((directory.low & 0xffc0_0000) >>> 0) + (linear & 0x3f_ffff);
      return { physical, pageBytes: 4 * MIB, leaf: directory, upper: null, rights: directory.low };
    }
    const page = this.#step32((directory.low & 0xffff_f000) + ((linear >>> 12) & 0x3ff) * 4);
    if ((page.low & ENTRY.P) === 0) return { error: 0 };
    const physical = ((page.low & 0xffff_f000) >>> 0) + (linear & 0xfff);
    return { physical, pageBytes: 4096, leaf: page, upper: directory, rights: directory.low & page.low };
  }

  #step32(address: number): Step {
    const physical = address >>> 0;
    return { physical, low: this.memory.read32(physical) | 0 };
  }

  #findPae(linear: number): Found | Miss {
    const pointer = this.state.get64('pdpte', linear >>> 30);
    if ((pointer & 1n) === 0n) return { error: 0 };
    // The pointers carry no rights and no accessed bit.
    const directory = this.#stepPae(Number(pointer & 0xf_ffff_f000n) + ((linear >>> 21) & 0x1ff) * 8);
    if ((directory.low & ENTRY.P) === 0) return { error: 0 };
    if (directory.reserved) return { error: ERROR.P | ERROR.RSVD };
    if ((directory.low & ENTRY.PS) !== 0) {
      if ((directory.low & PAE_LARGE_RESERVED) !== 0) return { error: ERROR.P | ERROR.RSVD };
      const physical = directory.frame - (directory.frame % (2 * MIB)) + (linear & 0x1f_ffff);
      return { physical, pageBytes: 2 * MIB, leaf: directory, upper: null, rights: directory.low };
    }
    const page = this.#stepPae(directory.frame + ((linear >>> 12) & 0x1ff) * 8);
    if ((page.low & ENTRY.P) === 0) return { error: 0 };
    if (page.reserved) return { error: ERROR.P | ERROR.RSVD };
    const physical = page.frame + (linear & 0xfff);
    return { physical, pageBytes: 4096, leaf: page, upper: directory, rights: directory.low & page.low };
  }

  #stepPae(physical: number): Step & { readonly frame: number; readonly reserved: boolean } {
    const low = this.memory.read32(physical) | 0;
    const high = this.memory.read32(physical + 4) >>> 0;
    return {
      physical,
      low,
      frame: (high & 15) * FOUR_GIB + ((low & 0xffff_f000) >>> 0),
      reserved: (high & PAE_HIGH_RESERVED) !== 0,
    };
  }
}
