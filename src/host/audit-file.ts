import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { CodedError } from '../base/errors.js';
import { AUDIT_GENESIS, hashOfLine } from '../policy/audit.js';

/** Longer than any entry: names and reasons in them are cut. */
const TAIL_BYTES = 64 * 1024;

/**
 * An audit log on disk. It is only ever appended to, one whole line per write, so that several runs can share a file.
 */
export class AuditFile {
  /** Hash of the last whole entry that the file held when it was opened: what this run's first entry follows. */
  readonly lastHash: string;
  #descriptor: number;

  /** Creates the file and its folder if need be. Throws HOST_IO. */
  constructor(readonly path: string) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#descriptor = openSync(path, 'a+');
      const tail = this.#tail();
      // A line that a crash cut off is left as evidence, and must not swallow the next one.
      if (tail !== '' && !tail.endsWith('\n')) writeSync(this.#descriptor, '\n');
      this.lastHash = lastHashIn(tail);
    } catch (cause) {
      throw this.#error(cause);
    }
  }

  append(line: string): void {
    const bytes = new TextEncoder().encode(`${line}\n`);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
    } catch (cause) {
      throw this.#error(cause);
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#descriptor < 0) return;
    closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  #tail(): string {
    const { size } = fstatSync(this.#descriptor);
    const bytes = new Uint8Array(Math.min(size, TAIL_BYTES));
    const count = readSync(this.#descriptor, bytes, 0, bytes.length, size - bytes.length);
    return new TextDecoder().decode(bytes.subarray(0, count));
  }

  #error(cause: unknown): CodedError {
    return new CodedError('HOST_IO', 'the audit file cannot be written', { where: this.path, cause });
  }
}

function lastHashIn(tail: string): string {
  for (const line of tail.split('\n').reverse()) {
    const hash = hashOfLine(line);
    if (hash !== null) return hash;
  }
  return AUDIT_GENESIS;
}
