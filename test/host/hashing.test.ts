import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hash.js';
import { createHashing } from '../../src/host/hashing.js';

const hashing = createHashing();

describe('checksums and hashes', () => {
  it('are the published ones', () => {
    // FIPS 180-4 examples; GCM specification, test case 1; the check value of CRC-32.
    const abc = new TextEncoder().encode('abc');
    const sha = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(toHex(hashing.sha256(abc))).toBe(sha);
    expect(hashing.sha256Hex(abc)).toBe(sha);
    expect(toHex(hashing.sha256(abc.subarray(0, 1), abc.subarray(1)))).toBe(sha);
    expect(toHex(hashing.sha256())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(toHex(hashing.checksum([]))).toBe('58e2fccefa7e3061367f1d57a4e7455a');
    expect(hashing.crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });

  it('do not depend on where the parts end, but on every bit', () => {
    const bytes = new Uint8Array(randomBytes(3 * 4096));
    const cuts = [
      [bytes],
      [bytes.subarray(0, 4096), bytes.subarray(4096)],
      [bytes.subarray(0, 5), bytes.subarray(5, 5), bytes.subarray(5, 8192), bytes.subarray(8192)],
    ];
    for (const parts of cuts) {
      expect(toHex(hashing.checksum(parts))).toBe(toHex(hashing.checksum([bytes])));
      expect(toHex(hashing.sha256(...parts))).toBe(toHex(hashing.sha256(bytes)));
    }
    const seen = new Set([toHex(hashing.checksum([bytes]))]);
    for (let bit = 0; bit < bytes.length * 8; bit += 97) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      seen.add(toHex(hashing.checksum([bytes])));
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(seen.size).toBe(1 + Math.ceil((bytes.length * 8) / 97));
  });

  it('do not depend on the size of the parts, few or many, small behind large ones and large behind small ones', () => {
    const bytes = new Uint8Array(randomBytes(300_000));
    const whole = toHex(hashing.checksum([bytes]));
    for (const sizes of [[4096], [1, 100_000], [4096, 4096, 150_000], [16_384, 16_385], [20_000, 7], [65_536]]) {
      const parts: Uint8Array[] = [];
      for (let at = 0, i = 0; at < bytes.length; at += sizes[i++ % sizes.length]!) {
        parts.push(bytes.subarray(at, at + sizes[i % sizes.length]!));
      }
      expect(toHex(hashing.checksum(parts))).toBe(whole);
    }
  });

  it('are byte arrays of their own', () => {
    for (const hash of [hashing.sha256(new Uint8Array(3)), hashing.sha256(), hashing.checksum([])]) {
      expect(hash.constructor).toBe(Uint8Array);
      expect(hash.buffer.byteLength).toBe(hash.length);
    }
  });
});
