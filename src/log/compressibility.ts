/** Smaller ones are compressed without a look. */
const LEAST_BYTES = 64 * 1024;
/** Bytes looked at. */
const SAMPLES = 8192;
/**
 * By how much the chi-squared per sample exceeds that of random bytes. Half of it is what a code for single bytes would
 * save, in natural units: some 3 % here. Headers of messages between random blocks stay below.
 */
const MOST_SKEWED = 0.3;

/**
 * False for bytes that a compressor makes hardly less of, as of encrypted or compressed files: all values are about as
 * frequent. Trying takes longer than all else that is done with a chunk. Depends on the bytes alone.
 */
export function isCompressible(bytes: Uint8Array): boolean {
  if (bytes.length < LEAST_BYTES) return true;
  const counts = new Uint16Array(256);
  // Odd, so that every place within a structure of 2^n bytes has its turn.
  const stride = Math.floor(bytes.length / SAMPLES) | 1;
  for (let at = 0; at < bytes.length; at += stride) counts[bytes[at]!]!++;
  const taken = Math.ceil(bytes.length / stride);
  const mean = taken / counts.length;
  let squares = 0;
  for (const count of counts) squares += (count - mean) * (count - mean);
  return squares / mean > counts.length + MOST_SKEWED * taken;
}
