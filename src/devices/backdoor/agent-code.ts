import { PAGE_SIZE } from '../../base/units.js';
import { AGENT_CODE } from './protocol.js';

/**
 * The agent's code carries a header by which the emulator finds it (AGENT_CODE). Its hash names the program to the
 * policy: the caller's EIP lies inside what is hashed, so that a guest cannot claim another program's name for its code.
 */

/** `length` bytes at a linear address, null when one of them is not there. Has no effect on the guest. */
export type ReadLinear = (linear: number, length: number) => Uint8Array | null;

const { headerBytes, reachBytes, stepBytes, maxCodeBytes } = AGENT_CODE;
const MAGIC = Array.from(AGENT_CODE.magic, (letter) => letter.charCodeAt(0));

/**
 * Header and code around the linear address `eip`; null when no header within reach before it claims it. The nearest
 * header wins. Pages that are missing hold no header.
 */
export function findAgentCode(read: ReadLinear, eip: number): Uint8Array | null {
  const lowest = Math.max(0, eip - reachBytes);
  // A page at a time: a walk of the page tables for every four bytes would make each call slow.
  let pageStart = -1;
  let page: Uint8Array | null = null;
  const byteAt = (linear: number): number => {
    const start = linear - (linear % PAGE_SIZE);
    if (start !== pageStart) {
      pageStart = start;
      page = read(start, PAGE_SIZE);
    }
    return page === null ? -1 : page[linear - start];
  };
  for (let at = eip - (eip % stepBytes); at >= lowest; at -= stepBytes) {
    if (byteAt(at) !== MAGIC[0] || !MAGIC.every((letter, i) => byteAt(at + i) === letter)) continue;
    const header = read(at, headerBytes);
    if (header === null) continue;
    const view = new DataView(header.buffer, header.byteOffset, headerBytes);
    const length = view.getUint32(8, true);
    if (view.getUint32(12, true) !== 0 || length > maxCodeBytes) continue;
    const start = at + headerBytes;
    if (eip >= start && eip < start + length) return read(at, headerBytes + length);
  }
  return null;
}
