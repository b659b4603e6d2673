import { assert } from '../base/assert.js';
import { ByteReader, ByteWriter } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../base/units.js';

/**
 * An image of pages (RAM, a frame buffer) as a list of runs. Each block starts with the image's page count and the
 * block's first page, and goes on where the block before it ended:
 *   u8 kind, u32 page count, and for COPY a u32 source page, for INLINE the pages themselves.
 */
const enum Run {
  /** Pages of zeros. */
  ZERO = 0,
  /** The pages follow. */
  INLINE = 1,
  /** Equal to the pages of this image that start at the source page, all of which lie before. */
  COPY = 2,
  /** As in the state before this one in the recording; not in a snapshot. */
  KEEP = 3,
}

/** Inline pages of one block: with every run's header it stays below the largest payload of an entry. */
const BLOCK_PAGES = 248;
/** Runs of one block, for the same reason. */
const BLOCK_RUNS = 1024;

/** Pages of zeros take time to find, though no space: a block has no more than these. */
const BLOCK_SCANNED = 4096;

/** Pages to be encoded. A page must stay as it is until forget() says that it is not needed any more. */
export interface PageSource {
  readonly pageCount: number;
  /** PAGE_SIZE bytes, aligned to 4 within their buffer. */
  page(index: number): Uint8Array;
  /** True if the page is as it was in the state before this one; only asked for checkpoints. */
  unchanged?(index: number): boolean;
  /** How many pages from `first` on, up to `most`, are known to hold zeros without a look at them. */
  zeros?(first: number, most: number): number;
  /** Pages below `first` have been encoded. */
  forget?(first: number): void;
}

/** The pages of `bytes`, a whole number of them. */
export function pagesOf(bytes: Uint8Array): PageSource {
  assert(bytes.length % PAGE_SIZE === 0, `${bytes.length} bytes are no whole number of pages`);
  return {
    pageCount: bytes.length >>> PAGE_SHIFT,
    page: (index) => bytes.subarray(index << PAGE_SHIFT, (index + 1) << PAGE_SHIFT),
  };
}

function isZero(page: Uint8Array): boolean {
  const words = new Uint32Array(page.buffer, page.byteOffset, PAGE_SIZE / 4);
  // Eight at a time: most of a guest's RAM is zeros, and this is most of what they cost.
  for (let i = 0; i < PAGE_SIZE / 4; i += 8) {
    const low = words[i]! | words[i + 1]! | words[i + 2]! | words[i + 3]!;
    const high = words[i + 4]! | words[i + 5]! | words[i + 6]! | words[i + 7]!;
    if ((low | high) !== 0) return false;
  }
  return true;
}

interface PendingRun {
  kind: Run;
  first: number;
  count: number;
  source: number;
}

/** What one page is, or several in a row. */
type Finding = Pick<PendingRun, 'kind' | 'count' | 'source'>;

/** Finds what each page is; remembers the first page of every content. */
class PageClassifier {
  /** By SHA-256: with a faster checksum a guest could fill its RAM with collisions. */
  readonly #firstOf = new Map<string, number>();

  constructor(
    private readonly pages: PageSource,
    private readonly hashing: Hashing,
    private readonly mayKeep: boolean,
  ) {}

  /** Of `most` pages from `index` on as many as are known to be alike, the first one at least. */
  classify(index: number, most: number): Finding {
    if (this.mayKeep && this.pages.unchanged?.(index) === true) return { kind: Run.KEEP, count: 1, source: 0 };
    const zeros = this.pages.zeros?.(index, most) ?? 0;
    if (zeros > 0) return { kind: Run.ZERO, count: zeros, source: 0 };
    const page = this.pages.page(index);
    if (isZero(page)) return { kind: Run.ZERO, count: 1, source: 0 };
    const hash = this.hashing.sha256Hex(page);
    const first = this.#firstOf.get(hash);
    if (first !== undefined) return { kind: Run.COPY, count: 1, source: first };
    this.#firstOf.set(hash, index);
    return { kind: Run.INLINE, count: 1, source: 0 };
  }
}

/** Encodes an image block by block; `mayKeep` where a state before this one exists. */
export function* encodePages(pages: PageSource, hashing: Hashing, mayKeep: boolean): Generator<Uint8Array> {
  const classifier = new PageClassifier(pages, hashing, mayKeep);
  let first = 0;
  do {
    const runs: PendingRun[] = [];
    let inline = 0;
    let index = first;
    const end = Math.min(pages.pageCount, first + BLOCK_SCANNED);
    while (index < end && inline < BLOCK_PAGES && runs.length < BLOCK_RUNS) {
      const { kind, count, source } = classifier.classify(index, end - index);
      const run = runs.at(-1);
      if (run?.kind === kind && (kind !== Run.COPY || run.source + run.count === source)) {
        run.count += count;
      } else {
        runs.push({ kind, first: index, count, source });
      }
      if (kind === Run.INLINE) inline += count;
      index += count;
    }
    const block = writeBlock(pages, first, runs, inline);
    first = index;
    pages.forget?.(first);
    yield block;
  } while (first < pages.pageCount);
}

function writeBlock(pages: PageSource, first: number, runs: readonly PendingRun[], inline: number): Uint8Array {
  const out = new ByteWriter(8 + 9 * runs.length + inline * PAGE_SIZE);
  out.u32(pages.pageCount).u32(first);
  for (const run of runs) {
    out.u8(run.kind).u32(run.count);
    if (run.kind === Run.COPY) out.u32(run.source);
    if (run.kind !== Run.INLINE) continue;
    for (let i = 0; i < run.count; i++) out.raw(pages.page(run.first + i));
  }
  return out.view();
}

/** Memory that an image is decoded into. */
export interface PageTarget {
  /** As many pages as the image has. */
  readonly bytes: Uint8Array;
  /** How many pages from `first` on, up to `most`, are known to hold zeros without a look at them. */
  zeros?(first: number, most: number): number;
  /** The page is about to be written. */
  willWrite?(page: number): void;
}

/** Decodes the blocks of one image in order. */
export class PageDecoder {
  #target: PageTarget | undefined;
  #pageCount = 0;
  #next = 0;

  /** `allocate` gives the bytes to decode into; for a checkpoint they hold the state before it. */
  constructor(
    private readonly allocate: (pageCount: number) => PageTarget,
    private readonly mayKeep: boolean,
    private readonly where: string,
  ) {}

  #damaged(message: string): CodedError {
    return new CodedError('DAMAGED', message, { where: this.where });
  }

  apply(block: Uint8Array): void {
    const input = new ByteReader(block, this.where);
    const pageCount = input.u32();
    const first = input.u32();
    if (this.#target === undefined) this.#begin(pageCount);
    if (pageCount !== this.#pageCount) throw this.#damaged('the blocks of an image disagree on its size');
    if (first !== this.#next) throw this.#damaged(`page ${first} where page ${this.#next} is expected`);
    while (input.remaining > 0) this.#run(input, this.#target!);
  }

  #begin(pageCount: number): void {
    const target = this.allocate(pageCount);
    if (target.bytes.length !== pageCount * PAGE_SIZE) {
      throw new CodedError('MISMATCH', `an image of ${pageCount} pages where ${target.bytes.length} bytes fit`, {
        where: this.where,
      });
    }
    this.#target = target;
    this.#pageCount = pageCount;
  }

  #run(input: ByteReader, target: PageTarget): void {
    const kind = input.u8();
    const count = input.u32();
    if (count === 0 || count > this.#pageCount - this.#next) throw this.#damaged(`a run of ${count} pages`);
    const { bytes } = target;
    const from = this.#next * PAGE_SIZE;
    const willWrite = (): void => {
      for (let page = this.#next; page < this.#next + count; page++) target.willWrite?.(page);
    };
    switch (kind) {
      case Run.ZERO:
        this.#clear(target, this.#next, this.#next + count);
        break;
      case Run.INLINE:
        willWrite();
        bytes.set(input.raw(count * PAGE_SIZE), from);
        break;
      case Run.COPY: {
        const source = input.u32();
        if (source + count > this.#next) throw this.#damaged(`a copy of page ${source} before it is known`);
        willWrite();
        bytes.copyWithin(from, source * PAGE_SIZE, (source + count) * PAGE_SIZE);
        break;
      }
      case Run.KEEP:
        if (!this.mayKeep) throw this.#damaged('a snapshot refers to a state before it');
        break;
      default:
        throw this.#damaged(`a run of the unknown kind ${kind}`);
    }
    this.#next += count;
  }

  /** A host gives memory to pages that are read, and more so to those that are written: most hold zeros already. */
  #clear(target: PageTarget, first: number, end: number): void {
    for (let page = first; page < end; page++) {
      page += target.zeros?.(page, end - page) ?? 0;
      if (page === end) return;
      const bytes = target.bytes.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
      if (isZero(bytes)) continue;
      target.willWrite?.(page);
      bytes.fill(0);
    }
  }

  /** All blocks have been applied. */
  end(): void {
    if (this.#target === undefined || this.#next !== this.#pageCount) {
      throw this.#damaged(`an image ends after ${this.#next} of ${this.#pageCount} pages`);
    }
  }
}
