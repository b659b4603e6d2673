import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Hashing } from '../base/hash.js';

/** SHA-256 and CRC-32 by Node's own libraries. */
export function createHashing(): Hashing {
  return {
    sha256(...parts) {
      const hash = createHash('sha256');
      for (const part of parts) hash.update(part);
      const digest = hash.digest();
      // A plain Uint8Array: a Buffer would compare unequal to one in tests and slices its pool.
      return new Uint8Array(digest);
    },
    crc32: (bytes, previous = 0) => crc32(bytes, previous),
  };
}
