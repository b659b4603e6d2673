import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { CodedError } from '../base/errors.js';

/** A file that a command writes. What it held before is replaced; `new` insists that it does not exist. */
export class OutputFile {
  #descriptor: number;

  constructor(
    readonly path: string,
    mode: 'replace' | 'new' = 'replace',
  ) {
    try {
      this.#descriptor = openSync(path, mode === 'new' ? 'wx' : 'w');
    } catch (cause) {
      const exists = (cause as { code?: string }).code === 'EEXIST';
      throw new CodedError('HOST_IO', exists ? 'the file exists' : 'the file cannot be written', {
        where: path,
        hint: exists ? 'choose another name' : undefined,
        cause,
      });
    }
  }

  /** Text is written as UTF-8. */
  write(content: Uint8Array | string): void {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
    } catch (cause) {
      throw new CodedError('HOST_IO', 'the file cannot be written', { where: this.path, cause });
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#descriptor < 0) return;
    closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  /** Closes and removes it. */
  discard(): void {
    this.close();
    unlinkSync(this.path);
  }
}
