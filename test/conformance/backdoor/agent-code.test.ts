import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { findAgentCode, type ReadLinear } from '../../../src/devices/backdoor/agent-code.js';
import { ascii, Bench } from './fake-guest.js';

const BASE = 0x40_0000;
const HEADER_BYTES = 16;

function header(length: number, zero = 0): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(ascii('REELCODE'));
  new DataView(bytes.buffer).setUint32(8, length, true);
  new DataView(bytes.buffer).setUint32(12, zero, true);
  return bytes;
}

/** Memory from BASE on with headers at some offsets; pages named in `missing` are not there. */
function memory(bytes: number, headers: Record<number, Uint8Array>, missing: readonly number[] = []): ReadLinear {
  const content = new Uint8Array(bytes).fill(0x90);
  for (const [offset, header] of Object.entries(headers)) content.set(header, Number(offset));
  return (linear, length) => {
    const from = linear - BASE;
    if (from < 0 || from + length > bytes) return null;
    for (let page = from >> 12; page <= (from + length - 1) >> 12; page++) if (missing.includes(page)) return null;
    return content.slice(from, from + length);
  };
}

/** First byte and length of what is found for an EIP at `offset`. */
function found(read: ReadLinear, offset: number): number | undefined {
  return findAgentCode(read, BASE + offset)?.length;
}

describe('the code of an agent', () => {
  it('is what a header before EIP claims, header included', () => {
    const read = memory(0x3000, { 0x104: header(0x200) });
    expect(found(read, 0x104 + 16)).toBe(0x210);
    expect(found(read, 0x104 + 16 + 0x1ff)).toBe(0x210);
    expect(findAgentCode(read, BASE + 0x180)).toEqual(read(BASE + 0x104, 0x210));
  });

  it('does not reach beyond its length, nor to the header itself', () => {
    const read = memory(0x3000, { 0x104: header(0x200) });
    expect(found(read, 0x104 + 16 + 0x200)).toBeUndefined();
    expect(found(read, 0x104 + 15)).toBeUndefined();
    expect(found(read, 0x100)).toBeUndefined();
  });

  it('begins at most 8 KiB before EIP', () => {
    const read = memory(0x8000, { 0x1000: header(0x5000) });
    expect(found(read, 0x3000)).toBe(0x5010);
    expect(found(read, 0x3001)).toBeUndefined();
  });

  it('has its header at a multiple of four bytes', () => {
    expect(found(memory(0x3000, { 0x102: header(0x200) }), 0x180)).toBeUndefined();
  });

  it('is at most 64 KiB long', () => {
    expect(found(memory(0x20000, { 0: header(0x10000) }), 0x100)).toBe(0x10010);
    expect(found(memory(0x20000, { 0: header(0x10001) }), 0x100)).toBeUndefined();
    expect(found(memory(0x20000, { 0: header(0xffff_ffff) }), 0x100)).toBeUndefined();
  });

  it('is not claimed by a header whose last word is not zero', () => {
    expect(found(memory(0x3000, { 0: header(0x200, 1) }), 0x100)).toBeUndefined();
  });

  it('is that of the nearest header that holds EIP', () => {
    const read = memory(0x3000, { 0: header(0x1000), 0x100: header(0x80), 0x200: header(0x10) });
    expect(found(read, 0x120)).toBe(0x90);
    expect(found(read, 0x300)).toBe(0x1010);
  });

  it('must be mapped whole', () => {
    expect(found(memory(0x4000, { 0xf00: header(0x2000) }, [2]), 0x1100)).toBeUndefined();
    expect(found(memory(0x4000, { 0xf00: header(0x2000) }, [3]), 0x1100)).toBe(0x2010);
  });

  it('may have its header across two pages, and a missing page between is passed over', () => {
    expect(found(memory(0x4000, { 0xff8: header(0x1000) }), 0x1100)).toBe(0x1010);
    expect(found(memory(0x4000, { 0xff8: header(0x1000) }, [0]), 0x1100)).toBeUndefined();
  });

  it('can lie at the very start and is sought no lower', () => {
    const start = memory(0x1000, { 0: header(0x100) });
    expect(findAgentCode((linear, length) => start(BASE + linear, length), 0x20)).toHaveLength(0x110);
    expect(findAgentCode(() => null, 3)).toBeNull();
    expect(findAgentCode(() => null, 0xffff_ffff)).toBeNull();
  });

  it('is hashed for the policy, with supervisor rights', () => {
    const at = new Bench();
    at.caller.map(BASE, 'supervisor').poke(BASE, header(0x40));
    at.caller.cpl = 3;
    at.caller.linearEip = BASE + 0x30;
    at.call('STATUS');
    const code = at.caller.peek(BASE, 0x50);
    expect(at.service.requests[0].caller.codeSha256).toBe(createHash('sha256').update(code).digest('hex'));
  });
});
