import type { BlockCompressor } from '../log/block-codec.js';
import { WorkerChannel } from './worker-channel.js';

export interface CompressionRequest {
  readonly block: Uint8Array;
  readonly level: number;
}

/** A block takes milliseconds; a thread that needs this long is gone. */
const PATIENCE_MS = 20_000;

/** A thread takes as long to be told of a block of this size as to compress it, and much longer to start. */
const SMALL_BYTES = 64 * 1024;

/** Compresses in a thread what is worth it. A block that the thread fails at is stored as it is. */
export class BackgroundCompressor implements BlockCompressor {
  readonly #channel: WorkerChannel<CompressionRequest, Uint8Array>;

  constructor(
    workerFile: URL,
    /** Does the rest, and everything where no thread can be had. */
    private readonly immediate: BlockCompressor,
  ) {
    this.#channel = new WorkerChannel(workerFile);
  }

  compress(block: Uint8Array, level: number, done: (frame: Uint8Array | null) => void): void {
    const isSent = block.length > SMALL_BYTES && this.#channel.send({ block, level }, (frame) => done(frame ?? null));
    if (!isSent) this.immediate.compress(block, level, done);
  }

  poll(): void {
    this.#channel.poll();
  }

  drain(): void {
    this.#channel.wait(PATIENCE_MS);
  }
}
