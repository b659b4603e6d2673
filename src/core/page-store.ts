import { assert } from '../base/assert.js';

/** Bytes of a page of a store. */
export const STORE_PAGE_BYTES = 4096;

/** The pages of a store at one moment: numbers, and contents that nobody changes any more. */
export type StoredPages = ReadonlyMap<number, Uint8Array>;

/**
 * State too large for a StateSchema: numbered pages of which few exist, e.g. what a guest has written to a disk. A page
 * is never changed in place, so that a copy of the map is a copy of the state.
 */
export class PageStore {
  #pages = new Map<number, Uint8Array>();
  #dirty = new Set<number>();

  get size(): number {
    return this.#pages.size;
  }

  get(number: number): Uint8Array | undefined {
    return this.#pages.get(number);
  }

  /** `page` belongs to the store from now on: nobody may change it. */
  set(number: number, page: Uint8Array): void {
    assert(page.length === STORE_PAGE_BYTES, `a page of ${page.length} bytes`);
    this.#pages.set(number, page);
    this.#dirty.add(number);
  }

  clear(): void {
    for (const number of this.#pages.keys()) this.#dirty.add(number);
    this.#pages.clear();
  }

  /** Takes as long as there are pages, whatever is in them. */
  capture(): StoredPages {
    return new Map(this.#pages);
  }

  /** Puts `pages` in the place of all that is there, as if nothing had been written since the last digest. */
  restore(pages: StoredPages): void {
    this.#pages = new Map(pages);
    this.#dirty.clear();
  }

  /** Numbers of the pages that were written, or went away, since the last call; ascending. */
  takeDirty(): number[] {
    const numbers = [...this.#dirty].sort((a, b) => a - b);
    this.#dirty.clear();
    return numbers;
  }
}
