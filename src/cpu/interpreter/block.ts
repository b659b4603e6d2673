import { LAYOUT } from '../memory/layout.js';

const PAGE = 4096;
/** The block lies in one page. */
export const NO_PAGE = -2;

/** A straight run of decoded code. */
export interface Block {
  readonly key: number;
  readonly physical: number;
  readonly firstRecord: number;
  readonly recordCount: number;
  readonly byteLength: number;
  /** Physical pages its bytes come from: one or two. */
  readonly pages: readonly number[];
  /** Engine address of the second page's first byte, or NO_PAGE. */
  readonly secondHost: number;
}

/** Bytes that lie in the first of its pages. */
export function bytesInFirst({ physical, byteLength }: Block): number {
  return Math.min(byteLength, PAGE - (physical & (PAGE - 1)));
}

/** True when one of a block's bytes lies in a physical range, counted from the start of RAM. */
export function hasBytes(block: Block, start: number, end: number): boolean {
  const inFirst = bytesInFirst(block);
  if (block.physical < end && start < block.physical + inFirst) return true;
  const second = block.secondHost - LAYOUT.ram;
  return block.secondHost !== NO_PAGE && second < end && start < second + block.byteLength - inFirst;
}
