import { createCipheriv, createHash, hash as hashOnce } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Hashing } from '../base/hash.js';

/** GMAC (NIST SP 800-38D) under a key that is no secret: processors have instructions for it. */
const GMAC = 'aes-128-gcm';
const KEY = new Uint8Array(16);
const NONCE = new Uint8Array(12);
/** OpenSSL counts the bytes of a call in 31 bits. */
const MOST_BYTES = 2 ** 30;
/** Parts up to a quarter of this are gathered: a call costs as much as copying some pages. */
const GATHERED_BYTES = 64 * 1024;

/** GMAC of the parts, which are handed over in as few calls as pay. */
function gmacOf(parts: readonly Uint8Array[], gathered: Uint8Array): Uint8Array {
  const gmac = createCipheriv(GMAC, KEY, NONCE);
  let count = 0;
  const flush = (): void => {
    if (count > 0) gmac.setAAD(gathered.subarray(0, count));
    count = 0;
  };
  for (const part of parts) {
    if (count + part.length > gathered.length) flush();
    if (part.length <= gathered.length / 4) {
      gathered.set(part, count);
      count += part.length;
    } else {
      flush();
      for (let at = 0; at < part.length; at += MOST_BYTES) gmac.setAAD(part.subarray(at, at + MOST_BYTES));
    }
  }
  flush();
  gmac.final();
  return new Uint8Array(gmac.getAuthTag());
}

/** Checksums and hashes by Node's own libraries. */
export function createHashing(): Hashing {
  const gathered = new Uint8Array(GATHERED_BYTES);
  return {
    sha256(...parts) {
      const [only] = parts;
      // One call instead of four: a digest of the machine has as many parts as it has devices.
      if (parts.length === 1 && only !== undefined) return new Uint8Array(hashOnce('sha256', only, 'buffer'));
      const hash = createHash('sha256');
      for (const part of parts) hash.update(part);
      const digest = hash.digest();
      // A plain Uint8Array: a Buffer would compare unequal to one in tests and slices its pool.
      return new Uint8Array(digest);
    },
    sha256Hex: (bytes) => hashOnce('sha256', bytes),
    checksum: (parts) => gmacOf(parts, gathered),
    crc32: (bytes, previous = 0) => crc32(bytes, previous),
  };
}
