import { CodedError } from '../base/errors.js';
import { MIB } from '../base/units.js';

/** Largest block, raw: what every codec can hold in its heap at level 9. */
export const MAX_BLOCK_BYTES = MIB;
export const MIN_LEVEL = 1;
export const MAX_LEVEL = 9;
/** Beyond this a frame cannot come from a block of at most MAX_BLOCK_BYTES. */
export const MAX_FRAME_BYTES = MAX_BLOCK_BYTES + MAX_BLOCK_BYTES / 128 + 1024;

/** Compresses independent blocks to zstd frames (RFC 8878). The implementation is the host's. */
export interface BlockCodec {
  /** `block` has 1 to MAX_BLOCK_BYTES bytes, `level` is 1 to 9. */
  compress(block: Uint8Array, level: number): Uint8Array;
  /** Throws DAMAGED unless `frame` decodes to exactly `rawBytes` bytes. */
  decompress(frame: Uint8Array, rawBytes: number): Uint8Array;
}

/**
 * Compresses away from the caller's thread if it likes: `done` may be called during the call or later, in any order
 * among blocks; null says that it failed, and the block is then stored as it is.
 */
export interface BlockCompressor {
  compress(block: Uint8Array, level: number, done: (frame: Uint8Array | null) => void): void;
  /** Calls `done` for what has been done meanwhile. */
  poll(): void;
  /** Waits until all is done. */
  drain(): void;
}

/** The compressor that is done when it returns. */
export function immediateCompressor(codec: BlockCodec): BlockCompressor {
  return { compress: (block, level, done) => done(codec.compress(block, level)), poll: () => {}, drain: () => {} };
}

export function damagedFrame(message: string, cause?: unknown): CodedError {
  return new CodedError('DAMAGED', message, { where: 'zstd frame', cause });
}
