import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CodedError } from '../base/errors.js';
import type { ReelSource } from '../log/reel-source.js';

/** A recording in a file, read at random. */
export class ReelFileSource implements ReelSource {
  readonly size: number;
  readonly #descriptor: number;

  constructor(readonly file: string) {
    try {
      this.#descriptor = openSync(file, 'r');
      this.size = fstatSync(this.#descriptor).size;
    } catch (cause) {
      throw new CodedError('HOST_IO', 'the recording cannot be opened', { where: file, cause });
    }
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let filled = 0;
    try {
      while (filled < length) {
        const count = readSync(this.#descriptor, bytes, filled, length - filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
    } catch (cause) {
      throw new CodedError('HOST_IO', 'the recording cannot be read', { where: this.file, cause });
    }
    return filled === length ? bytes : bytes.subarray(0, filled);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
