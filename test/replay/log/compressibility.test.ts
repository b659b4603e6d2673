import { createCipheriv } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { isCompressible } from '../../../src/log/compressibility.js';

const BYTES = 1 << 20;

/** Random as far as anybody can tell, and the same every time. */
function random(bytes: number): Uint8Array {
  return createCipheriv('aes-128-ctr', new Uint8Array(16), new Uint8Array(16)).update(new Uint8Array(bytes));
}

function text(bytes: number): Uint8Array {
  return Uint8Array.from(random(bytes), (byte) => 97 + (byte % 26));
}

describe('a chunk', () => {
  it('of random bytes is not worth compressing, at any size that is looked at', () => {
    for (const bytes of [64 * 1024, 100_000, 300_001, BYTES]) expect(isCompressible(random(bytes))).toBe(false);
  });

  it('of compressed text is not', () => {
    expect(isCompressible(deflateRawSync(text(BYTES)))).toBe(false);
  });

  it('of random blocks with a header each is not', () => {
    const bytes = random(BYTES);
    for (let at = 0; at < bytes.length; at += 4096 + 39) bytes.fill(0, at, at + 20);
    expect(isCompressible(bytes)).toBe(false);
  });

  it('of zeros, of text, of few values or of bytes that count is', () => {
    expect(isCompressible(new Uint8Array(BYTES))).toBe(true);
    expect(isCompressible(text(BYTES))).toBe(true);
    expect(isCompressible(random(BYTES).map((byte) => byte & 0x7f))).toBe(true);
  });

  it('of random bytes with something else in one place or in every structure is', () => {
    const tail = random(BYTES);
    tail.fill(0, BYTES - BYTES / 16);
    expect(isCompressible(tail)).toBe(true);
    const fields = random(BYTES);
    for (let at = 3; at < fields.length; at += 16) fields[at] = 0;
    expect(isCompressible(fields)).toBe(true);
  });

  it('that is small is tried anyway', () => {
    expect(isCompressible(random(64 * 1024 - 1))).toBe(true);
  });
});
