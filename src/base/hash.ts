export const CHECKSUM_BYTES = 16;

/** Hashing is the host's (node:crypto); the zone only knows its shape. Synchronous. */
export interface Hashing {
  /** SHA-256 of the concatenation of `parts`: 32 bytes. */
  sha256(...parts: Uint8Array[]): Uint8Array;
  /** SHA-256 in lower-case hexadecimal. */
  sha256Hex(bytes: Uint8Array): string;
  /**
   * CHECKSUM_BYTES that tell two different concatenations of `parts` apart at the speed of memory. Whoever tries can find others
   * that have the same: it detects, and does not authenticate.
   */
  checksum(parts: readonly Uint8Array[]): Uint8Array;
  /** CRC-32 (IEEE), unsigned. `previous` is the CRC of what came before `bytes`, to go on from there. */
  crc32(bytes: Uint8Array, previous?: number): number;
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
