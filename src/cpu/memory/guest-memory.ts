import { STATE } from '../../isa/cpu-state.js';
import type { Width } from '../../core/bus.js';
import { LAYOUT, PAGE_FLAG, TLB_BIAS, TLB_FAST } from './layout.js';
import type { LinearMemory } from './linear-memory.js';
import type { PageWalker } from './page-walk.js';
import type { PhysicalMemory } from './physical.js';
import { Tlb } from './tlb.js';
import { GuestFault } from '../system/guest-fault.js';

/** Linear addresses: translation on TLB misses for the interpreter, and accesses by system routines. */
export class GuestMemory implements LinearMemory {
  readonly tlb: Tlb;
  /** Physical address of the last device access that mapRead, mapWrite or translateCode announced. */
  #devicePhysical = 0;
  /** Called for each slow access while data breakpoints are armed; see watch(). */
  onWatched: (linear: number, bytes: number, write: boolean) => void = () => {};
  /** Linear pages with data breakpoints: never fast. */
  #watchedPages = new Set<number>();
  /** Written bytes on a page with decoded code. */
  onCodeWritten: (host: number, bytes: number) => void = () => {};

  constructor(
    readonly physical: PhysicalMemory,
    private readonly walker: PageWalker,
  ) {
    this.tlb = new Tlb(physical);
    physical.onFlagged = (page) => this.tlb.demote(page);
    physical.onFlaggedWrite = (host, bytes) => this.pageWritten(host, bytes);
  }

  get #user(): boolean {
    return this.physical.view.getUint32(STATE.cpl, true) === 3;
  }

  /** Host address, or 0 for a device; fills the TLB. Throws #PF. An instruction fetch has 0 `bytes` of data. */
  #map(linear: number, write: boolean, user: boolean, bytes: number): number {
    if (write) {
      const known = this.tlb.wake(linear, user);
      if (known !== 0) return known;
    }
    const watched = this.#watchedPages.has(linear >>> 12);
    const page = this.walker.walk(linear >>> 0, { write, user, fetch: bytes === 0 });
    if (watched && bytes > 0) this.onWatched(linear, bytes, write);
    const physical = this.physical.gated(page.physical);
    const host = this.physical.host(physical);
    if (host === 0) {
      this.#devicePhysical = physical;
      return 0;
    }
    if (watched) {
      if (write) this.physical.markDirty(host);
    } else if (write) this.tlb.fillWrite(linear, host, user);
    else this.tlb.fillRead(linear, host, user);
    return host;
  }

  // ---- host functions of the interpreter
  mapRead(linear: number, bytes: number): number {
    return this.#guarded(linear, false, bytes);
  }
  mapWrite(linear: number, bytes: number): number {
    return this.#guarded(linear, true, bytes);
  }
  #guarded(linear: number, write: boolean, bytes: number): number {
    try {
      return this.#map(linear, write, this.#user, bytes);
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      this.pend(e);
      return -1;
    }
  }

  /** Leaves a fault for the interpreter to deliver. */
  pend(fault: GuestFault): void {
    const { view } = this.physical;
    view.setUint32(STATE.faultVector, 0x100 | fault.vector, true);
    view.setUint32(STATE.faultError, fault.errorCode ?? 0, true);
    if (fault.cr2 !== undefined) view.setUint32(STATE.faultAddress, fault.cr2, true);
  }

  mmioRead(bytes: number): number {
    return this.physical.mmioRead(this.#devicePhysical, bytes as Width);
  }
  mmioWrite(bytes: number, value: number): void {
    const mask = bytes === 4 ? 0xffff_ffff : (1 << (8 * bytes)) - 1;
    this.physical.mmioWrite(this.#devicePhysical, (value & mask) >>> 0, bytes as Width);
  }

  pageWritten(host: number, bytes: number): void {
    const flags = this.physical.flags((host - LAYOUT.ram) >>> 12);
    if (flags & PAGE_FLAG.CODE) this.onCodeWritten(host, bytes);
    if (flags & PAGE_FLAG.TABLE) this.tlb.tableWritten(host, bytes);
  }

  /** Linear ranges to report through onWatched. */
  watch(pages: Iterable<number>): void {
    this.#watchedPages = new Set(pages);
    this.tlb.flushAll();
  }

  // ---- accesses by system routines
  #host(linear: number, write: boolean, user: boolean): number {
    const entry = write ? this.tlb.lookupWrite(linear, user) : this.tlb.lookupRead(linear, user);
    if (entry & TLB_FAST) return (linear + entry + TLB_BIAS) >>> 0;
    return this.#map(linear, write, user, 1);
  }

  read8(linear: number, user: boolean): number {
    const host = this.#host(linear, false, user);
    return host === 0 ? this.mmioRead(1) : this.physical.u8[host];
  }
  read16(linear: number, user: boolean): number {
    if ((linear & 0xfff) > 0xffe) return this.read8(linear, user) | (this.read8((linear + 1) >>> 0, user) << 8);
    const host = this.#host(linear, false, user);
    return host === 0 ? this.mmioRead(2) : this.physical.view.getUint16(host, true);
  }
  read32(linear: number, user: boolean): number {
    if ((linear & 0xfff) > 0xffc) {
      return (this.read16(linear, user) | (this.read16((linear + 2) >>> 0, user) << 16)) >>> 0;
    }
    const host = this.#host(linear, false, user);
    return host === 0 ? this.mmioRead(4) >>> 0 : this.physical.view.getUint32(host, true);
  }

  #store(linear: number, user: boolean, bytes: 1 | 2 | 4, value: number): void {
    if ((linear & 0xfff) > 0x1000 - bytes) {
      this.checkWrite(linear, bytes, user);
      for (let i = 0; i < bytes; i++) this.#store((linear + i) >>> 0, user, 1, (value >>> (8 * i)) & 0xff);
      return;
    }
    const host = this.#host(linear, true, user);
    if (host === 0) {
      this.mmioWrite(bytes, value);
      return;
    }
    const { view } = this.physical;
    const flags = this.physical.flags((host - LAYOUT.ram) >>> 12);
    if (flags & PAGE_FLAG.ROM) return;
    if (bytes === 1) view.setUint8(host, value);
    else if (bytes === 2) view.setUint16(host, value, true);
    else view.setUint32(host, value, true);
    if (flags !== 0) this.pageWritten(host, bytes);
  }
  write8(linear: number, value: number, user: boolean): void {
    this.#store(linear >>> 0, user, 1, value);
  }
  write16(linear: number, value: number, user: boolean): void {
    this.#store(linear >>> 0, user, 2, value);
  }
  write32(linear: number, value: number, user: boolean): void {
    this.#store(linear >>> 0, user, 4, value);
  }

  checkWrite(linear: number, bytes: number, user: boolean): void {
    this.#host(linear >>> 0, true, user);
    const last = (linear + bytes - 1) >>> 0;
    if (last >>> 12 !== linear >>> 12) this.#host((last & ~0xfff) >>> 0, true, user);
  }

  /**
   * Address of a byte of code for the present privilege: engine address, 0 for a device, -1 with a fault pending.
   */
  translateCode(linear: number): number {
    const entry = this.tlb.lookupRead(linear, this.#user);
    if (entry & TLB_FAST) return (linear + entry + TLB_BIAS) >>> 0;
    return this.#guarded(linear, false, 0);
  }
  /** Physical address of the byte for which translateCode() returned 0 last. */
  get devicePhysical(): number {
    return this.#devicePhysical;
  }

  /**
   * Physical address without any effect on accessed bits, TLB or breakpoints; null when not mapped. For debuggers and
   * observers. `user` asks for user rights.
   */
  peek(linear: number, user: boolean, write = false): number | null {
    const physical = this.walker.probe(linear >>> 0, user, write);
    return physical === null ? null : this.physical.gated(physical);
  }
}
