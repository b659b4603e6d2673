import type { FollowedReplay } from '../library.js';

const MAGIC = 0x4c69_4d45;
const HEADER_BYTES = 32;

/** RAM in the LiME format, version 1: each range behind a header with its first and last address. Volatility reads it. */
export function* limeImage(replay: Pick<FollowedReplay, 'memoryRanges' | 'memoryContents'>): Generator<Uint8Array> {
  for (const range of replay.memoryRanges()) {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(MAGIC, 0);
    header.writeUInt32LE(1, 4);
    header.writeBigUInt64LE(BigInt(range.start), 8);
    header.writeBigUInt64LE(BigInt(range.start + range.sizeBytes - 1), 16);
    yield header;
    yield* replay.memoryContents(range);
  }
}
