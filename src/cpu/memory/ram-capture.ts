import { PAGE_SIZE } from '../../base/units.js';
import type { PhysicalMemory } from './physical.js';

/**
 * RAM as it was at one boundary, read while the guest goes on: a page is copied when it is about to be written for the
 * first time, the others are read where they lie. Holds at most one copy of RAM, and less and less as it is read.
 */
export class RamCapture {
  readonly pageCount: number;
  readonly #saved = new Map<number, Uint8Array>();
  /** Saved for pages that were zeros. */
  readonly #zeros = new Uint8Array(PAGE_SIZE);
  /** Pages below have been read for the last time. */
  #first = 0;

  constructor(
    private readonly physical: PhysicalMemory,
    private readonly onClosed: (capture: RamCapture) => void,
  ) {
    this.pageCount = physical.pageCount;
  }

  /** The page at the boundary; valid until the guest runs on. */
  page(index: number): Uint8Array {
    return this.#saved.get(index) ?? this.physical.page(index);
  }

  /** How many pages from `first` on, up to `most`, were zeros at the boundary, as far as that is known without a look. */
  zeros(first: number, most: number): number {
    // What has been written since was saved.
    return this.physical.unwritten(first, most) || (this.#saved.get(first) === this.#zeros ? 1 : 0);
  }

  /** The page is about to be written. */
  save(index: number): void {
    if (index < this.#first || this.#saved.has(index)) return;
    this.#saved.set(index, this.physical.unwritten(index, 1) === 1 ? this.#zeros : this.physical.page(index).slice());
  }

  /** Every page is again as it was. */
  get isUnchanged(): boolean {
    for (const [index, saved] of this.#saved) {
      const page = this.physical.page(index);
      for (let i = 0; i < PAGE_SIZE; i++) if (page[i] !== saved[i]) return false;
    }
    return true;
  }

  /** Pages below `first` are not needed any more. */
  forget(first: number): void {
    for (const index of this.#saved.keys()) if (index < first) this.#saved.delete(index);
    this.#first = first;
    if (first >= this.pageCount) this.close();
  }

  /** Nobody reads on. */
  close(): void {
    this.#first = this.pageCount;
    this.#saved.clear();
    this.onClosed(this);
  }

  /** Of the copies. */
  get bytes(): number {
    let pages = 0;
    for (const page of this.#saved.values()) if (page !== this.#zeros) pages++;
    return pages * PAGE_SIZE;
  }
}
