import type { BlockCompressor } from '../log/block-codec.js';
import { WorkerChannel } from './worker-channel.js';

export interface CompressionRequest {
  readonly block: Uint8Array;
  readonly level: number;
}

/** A block takes milliseconds; a thread that needs this long is gone. */
const PATIENCE_MS = 20_000;

/** Compresses in a thread. A block that it fails at is stored as it is. */
export class BackgroundCompressor implements BlockCompressor {
  readonly #channel: WorkerChannel<CompressionRequest, Uint8Array>;

  constructor(
    workerFile: URL,
    /** Does the work where no thread can be had. */
    private readonly fallback: BlockCompressor,
  ) {
    this.#channel = new WorkerChannel(workerFile);
  }

  compress(block: Uint8Array, level: number, done: (frame: Uint8Array | null) => void): void {
    const isSent = this.#channel.send({ block, level }, (frame) => done(frame ?? null));
    if (!isSent) this.fallback.compress(block, level, done);
  }

  poll(): void {
    this.#channel.poll();
  }

  drain(): void {
    this.#channel.wait(PATIENCE_MS);
  }
}
