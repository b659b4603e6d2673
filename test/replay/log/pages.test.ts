import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { MAX_PAYLOAD_BYTES } from '../../../src/log/chunk-builder.js';
import { encodePages, PageDecoder, pagesOf, type PageTarget } from '../../../src/log/pages.js';
import { hashing, noise } from './sample.js';

const PAGE = 4096;

function decode(blocks: Iterable<Uint8Array>, target: Uint8Array, mayKeep = false): Uint8Array {
  const decoder = new PageDecoder(() => ({ bytes: target }), mayKeep, 'ram');
  for (const block of blocks) decoder.apply(block);
  decoder.end();
  return target;
}

/** Memory whose page n has the content that `contents[n]` names: 0 is zeros. */
function memory(contents: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(contents.length * PAGE);
  contents.forEach((content, page) => {
    if (content === 1) bytes[page * PAGE + PAGE - 1] = 1;
    else if (content > 0) bytes.set(noise(PAGE, content), page * PAGE);
  });
  return bytes;
}

describe('an image of pages', () => {
  it('comes back whatever repeats in it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(6), { maxLength: 60 }), (contents) => {
        const bytes = memory(contents);
        const target = new Uint8Array(bytes.length).fill(0xee);
        decode(encodePages(pagesOf(bytes), hashing, false), target);
        expect(Buffer.compare(target, bytes)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('stores zero pages and repeated pages once', () => {
    const size = (contents: number[]): number =>
      [...encodePages(pagesOf(memory(contents)), hashing, false)].reduce((sum, block) => sum + block.length, 0);
    expect(size(new Array<number>(10_000).fill(0))).toBeLessThan(60);
    expect(size([2, 3, 2, 3, 2, 3, 0, 0, 2, 3])).toBeLessThan(2 * PAGE + 100);
    expect(size([2, 3, 4])).toBeGreaterThan(3 * PAGE);
  });

  it('tells the memory which pages it writes, and leaves alone what holds zeros already', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { maxLength: 40 }), (pairs) => {
        const before = memory(pairs.map(([from]) => from));
        const after = memory(pairs.map(([, to]) => to));
        const told = new Set<number>();
        const target: PageTarget = {
          bytes: before.slice(),
          zeros: (page) => (pairs[page]![0] === 0 && !told.has(page) ? 1 : 0),
          willWrite: (page) => {
            // Before it is written.
            if (!told.has(page)) {
              const range = [page * PAGE, (page + 1) * PAGE] as const;
              expect(Buffer.compare(target.bytes.subarray(...range), before.subarray(...range))).toBe(0);
            }
            told.add(page);
          },
        };
        const decoder = new PageDecoder(() => target, false, 'ram');
        for (const block of encodePages(pagesOf(after), hashing, false)) decoder.apply(block);
        decoder.end();
        expect(Buffer.compare(target.bytes, after)).toBe(0);
        pairs.forEach(([from, to], page) => {
          if (from !== to) expect(told.has(page)).toBe(true);
          else if (to === 0) expect(told.has(page)).toBe(false);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('stores of a later state only what changed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { maxLength: 40 }), (pairs) => {
        const before = memory(pairs.map(([from]) => from));
        const after = memory(pairs.map(([, to]) => to));
        const unchanged = (page: number): boolean => pairs[page]![0] === pairs[page]![1];
        const blocks = encodePages({ ...pagesOf(after), unchanged }, hashing, true);
        expect(Buffer.compare(decode(blocks, before, true), after)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('is cut into blocks that fit into an entry, also where every page is a run of its own', () => {
    const bytes = noise(700 * PAGE);
    const alternating = memory(Array.from({ length: 5000 }, (_, page) => (page % 2 === 0 ? 0 : 1)));
    for (const source of [bytes, alternating]) {
      const blocks = [...encodePages(pagesOf(source), hashing, false)];
      expect(blocks.length).toBeGreaterThan(1);
      for (const block of blocks) expect(block.length).toBeLessThan(MAX_PAYLOAD_BYTES);
      expect(Buffer.compare(decode(blocks, new Uint8Array(source.length)), source)).toBe(0);
    }
  });

  it('that is malformed is a DAMAGED error, never more', () => {
    const [block] = [...encodePages(pagesOf(memory([2, 0, 0, 2, 3, 1])), hashing, false)];
    fc.assert(
      fc.property(
        fc.nat(60),
        fc.constantFrom(0, 1, 2, 3, 4, 0x7f, 0xff),
        fc.nat(block!.length),
        (at, value, length) => {
          const changed = block!.slice(0, at % 2 === 0 ? length : block!.length);
          if (at < changed.length) changed[at] = value;
          try {
            decode([changed], new Uint8Array(6 * PAGE));
          } catch (error) {
            if (!(error instanceof CodedError)) throw error;
            expect(['DAMAGED', 'MISMATCH']).toContain(error.code);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('of another size than the memory is a MISMATCH', () => {
    const blocks = encodePages(pagesOf(memory([1])), hashing, false);
    expect(() => decode(blocks, new Uint8Array(2 * PAGE))).toThrow(expect.objectContaining({ code: 'MISMATCH' }));
  });
});
