import { assert } from '../../base/assert.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../../base/units.js';
import type { DeviceMemory, MmioBus, SystemMemory, Width } from '../../core/bus.js';
import { DIRTY, DIRTY_FOR_ALL, LAYOUT, MAX_DEVICE_BYTES, MAX_RAM_BYTES, PAGE_FLAG } from './layout.js';
import { RamCapture } from './ram-capture.js';

/** A place at which pages of device memory appear, e.g. a frame buffer or the firmware at the top of 4 GiB. */
export interface Aperture {
  readonly base: number;
  readonly size: number;
  /** Offset in device memory. */
  readonly target: number;
}

export interface PhysicalOptions {
  readonly memory: WebAssembly.Memory;
  readonly ramBytes: number;
  /** Memory of devices, in whole pages: ROM, video memory. It lies behind RAM in the engine and nowhere until it is mapped. */
  readonly deviceBytes?: number;
  readonly mmio: MmioBus;
}

const A20 = 0x10_0000;
const FOUR_GIB = 0x1_0000_0000;
/** What is read where nothing answers. */
const OPEN_BUS: Record<Width, number> = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff };

/** Number of 64 KiB WebAssembly pages for a machine with `bytes` of RAM and device memory. */
export function engineMemoryPages(bytes: number): number {
  return Math.ceil((LAYOUT.ram + bytes) / 65536);
}

/** A0000h-FFFFFh: what is there is the chipset's choice. */
const WINDOW_FIRST_PAGE = 0xa0;
const WINDOW_PAGES = 0x60;
const DEVICE = -1;

/**
 * Guest-physical memory: RAM in the engine's linear memory, devices behind it. Every write by anyone but the CPU's fast
 * path comes through here, so that dirty tracking, decoded code and TLB entries stay true.
 */
export class PhysicalMemory {
  readonly ramBytes: number;
  /** Pages of RAM and, behind them, of device memory: all that a snapshot holds. */
  readonly pageCount: number;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly view: DataView;
  readonly mmio: MmioBus;
  /** Called behind a write to a page with CODE or TABLE set. `host` is an engine-memory address. */
  onFlaggedWrite: (host: number, bytes: number) => void = () => {};
  /** A device is asked or told something. */
  onMmio: () => void = () => {};
  /** A page gained a flag: fast write mappings to it must go. */
  onFlagged: (physicalPage: number) => void = () => {};
  readonly #captures = new Set<RamCapture>();
  /** Pages without a place in a digest since they were written: those with DIRTY.DIGEST. */
  #written: number[] = [];
  readonly #apertures = new Map<string, Aperture>();
  /** By page from A0000h: the page of RAM or device memory that is there, or DEVICE. */
  readonly #window = Int32Array.from({ length: WINDOW_PAGES }, (_, i) => WINDOW_FIRST_PAGE + i);
  #a20Open = true;

  constructor(options: PhysicalOptions) {
    const deviceBytes = options.deviceBytes ?? 0;
    assert(options.ramBytes % PAGE_SIZE === 0 && options.ramBytes <= MAX_RAM_BYTES, 'RAM size');
    assert(deviceBytes % PAGE_SIZE === 0 && deviceBytes <= MAX_DEVICE_BYTES, 'size of device memory');
    this.ramBytes = options.ramBytes;
    this.pageCount = (options.ramBytes + deviceBytes) >>> PAGE_SHIFT;
    this.mmio = options.mmio;
    const { buffer } = options.memory;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.view = new DataView(buffer);
  }

  /** Maps, moves or (null) takes away the aperture `name`. TLBs must be flushed by the caller. */
  setAperture(name: string, aperture: Aperture | null): void {
    if (aperture === null) this.#apertures.delete(name);
    else this.#apertures.set(name, aperture);
  }

  /**
   * What is at `page` of A0000h-FFFFFh: `ram`, a device (accesses go to the MMIO bus), or the page of device memory at an offset.
   * TLBs must be flushed by the caller.
   */
  setWindow(page: number, target: 'ram' | 'device' | number): void {
    const at = page - WINDOW_FIRST_PAGE;
    assert(at >= 0 && at < WINDOW_PAGES, `page ${page.toString(16)}h is no page of the window`);
    this.#window[at] = target === 'ram' ? page : target === 'device' ? DEVICE : (this.ramBytes + target) >>> PAGE_SHIFT;
  }

  /** Page number, for flags and dirty bits, of device memory at `offset`. */
  devicePage(offset: number): number {
    return (this.ramBytes + offset) >>> PAGE_SHIFT;
  }

  /** A part of device memory, for the device whose it is. */
  deviceMemory(offset: number, sizeBytes: number): DeviceMemory {
    const start = LAYOUT.ram + this.ramBytes + offset;
    return {
      bytes: this.u8.subarray(start, start + sizeBytes),
      willWrite: (at, count) => {
        const last = (start + at + count - 1 - LAYOUT.ram) >>> PAGE_SHIFT;
        for (let page = (start + at - LAYOUT.ram) >>> PAGE_SHIFT; page <= last; page++) {
          this.#touch(page);
          // Nothing runs before the write is done, so that it does not matter which comes first.
          if (this.flags(page) & (PAGE_FLAG.CODE | PAGE_FLAG.TABLE)) this.onFlaggedWrite(start + at, count);
        }
      },
    };
  }

  /** Address line 20: masked to zero while the gate is closed. TLBs must be flushed by the caller. */
  set a20(open: boolean) {
    this.#a20Open = open;
  }
  get a20(): boolean {
    return this.#a20Open;
  }

  /** The address that leaves the CPU, up to 36 bits. The gate is the CPU's alone: DMA does not pass it. */
  gated(physical: number): number {
    if (this.#a20Open) return physical;
    const low = (physical & ~A20) >>> 0;
    return physical - (physical % FOUR_GIB) + low;
  }

  /** Engine-memory address of a guest-physical byte (up to 36 bits), 0 when a device or nothing is there. */
  host(address: number): number {
    if (address < this.ramBytes) {
      const at = Math.floor(address / PAGE_SIZE) - WINDOW_FIRST_PAGE;
      if (at < 0 || at >= WINDOW_PAGES) return LAYOUT.ram + address;
      const page = this.#window[at];
      return page === DEVICE ? 0 : LAYOUT.ram + page * PAGE_SIZE + (address & (PAGE_SIZE - 1));
    }
    for (const a of this.#apertures.values()) {
      if (address >= a.base && address < a.base + a.size) {
        return LAYOUT.ram + this.ramBytes + a.target + (address - a.base);
      }
    }
    return 0;
  }

  flags(page: number): number {
    return this.u8[LAYOUT.pageFlags + page];
  }
  setFlag(page: number, flag: number): void {
    const at = LAYOUT.pageFlags + page;
    if (this.u8[at] & flag) return;
    this.u8[at] |= flag;
    this.onFlagged(page);
  }
  clearFlag(page: number, flag: number): void {
    this.u8[LAYOUT.pageFlags + page] &= ~flag;
  }

  /** The page at `host` is about to be written, now or for as long as write mappings to it last. */
  markDirty(host: number): void {
    this.#touch((host - LAYOUT.ram) >>> PAGE_SHIFT);
  }
  #touch(page: number): void {
    const at = LAYOUT.pageDirty + page;
    const seen = this.u8[at];
    if (seen === DIRTY_FOR_ALL) return;
    if (this.#captures.size > 0 && !(seen & DIRTY.CAPTURE)) {
      for (const capture of this.#captures) capture.save(page);
    }
    if (!(seen & DIRTY.DIGEST)) this.#written.push(page);
    this.u8[at] = DIRTY_FOR_ALL;
  }

  /** RAM as it is now, to be read later. The caller flushes write mappings afterwards. */
  capture(): RamCapture {
    const end = LAYOUT.pageDirty + this.pageCount;
    // Four pages at a time.
    for (let at = LAYOUT.pageDirty; at < end; at += 4) this.i32[at >> 2] &= ~(DIRTY.CAPTURE * 0x01010101);
    const capture = new RamCapture(this, (closed) => this.#captures.delete(closed));
    this.#captures.add(capture);
    return capture;
  }

  /** Pages written since the last call, ascending. The caller flushes write mappings afterwards. */
  takeDirty(): number[] {
    const pages = this.#written.sort((a, b) => a - b);
    this.#written = [];
    for (const page of pages) this.u8[LAYOUT.pageDirty + page] &= ~DIRTY.DIGEST;
    return pages;
  }

  /**
   * How many pages from `first` on, up to `most`, have never held anything but zeros; known without a look, for a host gives
   * memory to pages that are read.
   */
  unwritten(first: number, most: number): number {
    const { u8, i32 } = this;
    const start = LAYOUT.pageDirty + first;
    const end = Math.min(start + most, LAYOUT.pageDirty + this.pageCount);
    let at = start;
    while (at < end) {
      if (at % 4 === 0 && (i32[at >> 2] & (DIRTY.EVER * 0x01010101)) === 0) at += 4;
      else if ((u8[at] & DIRTY.EVER) === 0) at++;
      else break;
    }
    return Math.min(at, end) - start;
  }

  /** RAM and device memory, for a state to be put there. The CPU must be told behind it: Cpu.restored(). */
  get image(): { bytes: Uint8Array; zeros(first: number, most: number): number; willWrite(page: number): void } {
    return {
      bytes: this.u8.subarray(LAYOUT.ram, LAYOUT.ram + this.pageCount * PAGE_SIZE),
      zeros: (first, most) => this.unwritten(first, most),
      willWrite: (page) => this.#touch(page),
    };
  }

  /** Contents of pages in ascending order: views, of neighbours a single one. */
  pages(numbers: readonly number[]): Uint8Array[] {
    const views: Uint8Array[] = [];
    for (let i = 0; i < numbers.length;) {
      const first = i++;
      while (i < numbers.length && numbers[i] === numbers[i - 1] + 1) i++;
      const at = LAYOUT.ram + numbers[first] * PAGE_SIZE;
      views.push(this.u8.subarray(at, at + (i - first) * PAGE_SIZE));
    }
    return views;
  }

  /** Contents of one RAM page; a view. */
  page(page: number): Uint8Array {
    const at = LAYOUT.ram + page * PAGE_SIZE;
    return this.u8.subarray(at, at + PAGE_SIZE);
  }

  /**
   * For page walks. Tables lie in RAM: elsewhere entries read as ones, since how often a device would be asked depends
   * on what the TLB remembers.
   */
  read32(physical: number): number {
    const host = this.host(this.gated(physical));
    return host === 0 ? OPEN_BUS[4] : this.view.getUint32(host, true);
  }
  /** For the page walker's accessed and dirty bits: never concerns TLB entries that exist. */
  write32(physical: number, value: number): void {
    const host = this.host(this.gated(physical));
    if (host === 0) return;
    const page = (host - LAYOUT.ram) >>> PAGE_SHIFT;
    if (this.flags(page) & PAGE_FLAG.ROM) return;
    this.#touch(page);
    this.view.setUint32(host, value, true);
    if (this.flags(page) & PAGE_FLAG.CODE) this.onFlaggedWrite(host, 4);
  }

  /** What bus masters reach: RAM alone, whatever lies over it for the CPU. */
  readonly dma: SystemMemory = {
    read: (address, count) => {
      const end = Math.min(address + count, this.ramBytes);
      if (end === address + count) return this.u8.slice(LAYOUT.ram + address, LAYOUT.ram + end);
      const out = new Uint8Array(count).fill(0xff);
      if (address < end) out.set(this.u8.subarray(LAYOUT.ram + address, LAYOUT.ram + end));
      return out;
    },
    write: (address, bytes) => {
      const end = Math.min(address + bytes.length, this.ramBytes);
      for (let at = address; at < end;) {
        const run = Math.min(end - at, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
        const flags = this.flags(at >>> PAGE_SHIFT);
        if (!(flags & PAGE_FLAG.ROM)) {
          this.#touch(at >>> PAGE_SHIFT);
          this.u8.set(bytes.subarray(at - address, at - address + run), LAYOUT.ram + at);
          if (flags & (PAGE_FLAG.CODE | PAGE_FLAG.TABLE)) this.onFlaggedWrite(LAYOUT.ram + at, run);
        }
        at += run;
      }
    },
  };

  /** Bytes at a physical address; devices read as if byte by byte. */
  read(physical: number, count: number): Uint8Array {
    const out = new Uint8Array(count);
    for (let i = 0; i < count;) {
      const address = physical + i;
      const run = Math.min(count - i, PAGE_SIZE - (address & (PAGE_SIZE - 1)));
      const host = this.host(address);
      if (host !== 0) out.set(this.u8.subarray(host, host + run), i);
      else for (let k = 0; k < run; k++) out[i + k] = this.mmioRead(address + k, 1);
      i += run;
    }
    return out;
  }

  /** Device DMA and loaders: like guest writes, but ROM can be filled with `force`. */
  write(physical: number, bytes: Uint8Array, force = false): void {
    for (let i = 0; i < bytes.length;) {
      const address = physical + i;
      const run = Math.min(bytes.length - i, PAGE_SIZE - (address & (PAGE_SIZE - 1)));
      const host = this.host(address);
      if (host === 0) {
        for (let k = 0; k < run; k++) this.mmioWrite(address + k, bytes[i + k], 1);
      } else {
        const page = (host - LAYOUT.ram) >>> PAGE_SHIFT;
        const flags = this.flags(page);
        if (force || !(flags & PAGE_FLAG.ROM)) {
          this.#touch(page);
          this.u8.set(bytes.subarray(i, i + run), host);
          if (flags & (PAGE_FLAG.CODE | PAGE_FLAG.TABLE)) this.onFlaggedWrite(host, run);
        }
      }
      i += run;
    }
  }

  mmioRead(physical: number, width: Width): number {
    this.onMmio();
    return physical < FOUR_GIB ? this.mmio.read(physical, width) : OPEN_BUS[width];
  }
  mmioWrite(physical: number, value: number, width: Width): void {
    this.onMmio();
    if (physical < FOUR_GIB) this.mmio.write(physical, value >>> 0, width);
  }
}
