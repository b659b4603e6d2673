import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../base/errors.js';
import type { ReelSink } from '../log/reel-file.js';

const EXTENSION = '.reel';
const PARTIAL = '.partial';

/** What a guest or user calls a recording, as a file name: it stays inside the folder, whatever it contains. */
export function sanitizeName(name: string): string {
  const safe = name
    .normalize('NFKC')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 80);
  return safe === '' ? 'recording' : safe;
}

/** A recording being written as NAME.reel.partial; it gets its final name when it has ended cleanly. */
export class ReelFileSink implements ReelSink {
  readonly partialFile: string;
  readonly file: string;
  #descriptor: number;

  private constructor(folder: string, base: string) {
    this.file = join(folder, base + EXTENSION);
    this.partialFile = this.file + PARTIAL;
    // Exclusive: two recordings never share a file.
    this.#descriptor = openSync(this.partialFile, 'wx');
  }

  /** Picks a free name in `folder`: NAME, NAME-2, NAME-3... Nothing is ever overwritten. */
  static create(folder: string, name: string): ReelFileSink {
    const base = sanitizeName(name);
    try {
      mkdirSync(folder, { recursive: true });
      for (let n = 1; ; n++) {
        const candidate = n === 1 ? base : `${base}-${n}`;
        const taken = [EXTENSION, EXTENSION + PARTIAL].some((e) => existsSync(join(folder, candidate + e)));
        if (!taken) return new ReelFileSink(folder, candidate);
      }
    } catch (cause) {
      throw new CodedError('HOST_IO', 'the recording cannot be created', {
        where: folder,
        hint: 'check that the output folder exists and can be written',
        cause,
      });
    }
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
  }

  /** Every byte is on its way to disk and the file has its final name. */
  finish(): void {
    try {
      fsyncSync(this.#descriptor);
      closeSync(this.#descriptor);
      this.#descriptor = -1;
      renameSync(this.partialFile, this.file);
    } catch (cause) {
      throw new CodedError('HOST_IO', 'the recording cannot be completed', {
        where: this.partialFile,
        hint: 'reel recover makes a whole recording of it',
        cause,
      });
    }
  }

  /** Leaves the partial file as it is. */
  abandon(): void {
    if (this.#descriptor < 0) return;
    closeSync(this.#descriptor);
    this.#descriptor = -1;
  }
}
