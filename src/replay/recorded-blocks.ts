import { CodedError } from '../base/errors.js';
import { BLOCK_BYTES } from '../core/block.js';
import type { Position } from '../log/chunk-store.js';
import type { EntryOf } from '../log/entries.js';
import type { ReelReader } from '../log/reel-reader.js';

const ZEROS = new Uint8Array(BLOCK_BYTES);
/** Blocks held in memory besides those of the chunks that the reader has at hand. */
export const CACHED_BLOCKS = 1024;

interface Place {
  readonly position: Position;
  readonly isZero: boolean;
  isUnread: boolean;
}

/** Blocks of base images that a recording has, up to where its replay has come. Contents are read when they are wanted. */
export class RecordedBlocks {
  readonly #places = new Map<string, Map<number, Place>>();
  readonly #cache = new Map<Place, Uint8Array>();
  #unread = 0;

  constructor(private readonly reader: ReelReader) {}

  /** Blocks that nobody has wanted yet. */
  get unread(): number {
    return this.#unread;
  }

  /** Throws DAMAGED for what is no block. */
  add({ image, offset, bytes, tick }: EntryOf<'block'>, position: Position): void {
    if (offset % BLOCK_BYTES !== 0 || (bytes.length !== 0 && bytes.length !== BLOCK_BYTES)) {
      throw new CodedError('DAMAGED', `a block of ${bytes.length} bytes at ${offset} of an image`, {
        where: `tick ${tick}`,
      });
    }
    let places = this.#places.get(image);
    if (places === undefined) this.#places.set(image, (places = new Map()));
    const place = { position, isZero: bytes.length === 0, isUnread: true };
    places.set(offset / BLOCK_BYTES, place);
    this.#unread++;
    // It is read right away, as a rule.
    if (!place.isZero) this.#keep(place, bytes);
  }

  #keep(place: Place, bytes: Uint8Array): void {
    // Not the whole chunk with it.
    this.#cache.set(place, bytes.buffer.byteLength > 2 * BLOCK_BYTES ? bytes.slice() : bytes);
    if (this.#cache.size > CACHED_BLOCKS) this.#cache.delete(this.#cache.keys().next().value!);
  }

  has(image: string, index: number): boolean {
    return this.#places.get(image)?.has(index) === true;
  }

  /** Null for a block that the replay has not come to. */
  read(image: string, index: number): Uint8Array | null {
    const place = this.#places.get(image)?.get(index);
    if (place === undefined) return null;
    if (place.isUnread) {
      place.isUnread = false;
      this.#unread--;
    }
    if (place.isZero) return ZEROS;
    const cached = this.#cache.get(place);
    if (cached !== undefined) return cached;
    const bytes = this.reader.blockAt(place.position);
    this.#keep(place, bytes);
    return bytes;
  }
}
