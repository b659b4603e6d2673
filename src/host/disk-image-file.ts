import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import { resolve } from 'node:path';
import { CodedError } from '../base/errors.js';
import { MIB } from '../base/units.js';

/** Bytes that can be read at random. */
export interface ReadAt {
  readonly sizeBytes: number;
  /** `count` bytes from `offset`, all inside; not to be changed, and there until the next call. */
  read(offset: number, count: number): Uint8Array;
}

const HASH_STRIDE_BYTES = MIB;
/** Read ahead: a guest that reads block by block reads on, as a rule. */
const WINDOW_BYTES = 256 * 1024;
/** Reads between looks at whether the file is still the same. */
const READS_PER_CHECK = 64;

/** Hashes of files of this process, by path, size and times: opening an image a second time is quick. */
const hashes = new Map<string, string>();

/** A file that an image consists of. It must stay as it is while it is open: a change is noticed, and is an error. */
export class ImageFile implements ReadAt {
  readonly sizeBytes: number;
  readonly #descriptor: number;
  readonly #identity: string;
  /** Memory of the window, from the first read on. */
  #memory: Uint8Array | null = null;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;
  #readsToCheck = READS_PER_CHECK;
  #isClosed = false;

  /** Throws HOST_IO. */
  constructor(readonly path: string) {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(path, 'r');
      const status = fstatSync(descriptor, { bigint: true });
      if (!status.isFile() && !status.isBlockDevice()) {
        throw new CodedError('HOST_IO', 'this is no file', { where: path, hint: 'give a raw or qcow2 disk image' });
      }
      this.#descriptor = descriptor;
      this.sizeBytes = Number(status.size);
      this.#identity = identity(status);
    } catch (cause) {
      if (descriptor !== undefined) closeSync(descriptor);
      if (cause instanceof CodedError) throw cause;
      const isMissing = (cause as { code?: string }).code === 'ENOENT';
      throw new CodedError('HOST_IO', isMissing ? 'there is no such file' : 'the disk image cannot be opened', {
        where: path,
        cause,
      });
    }
  }

  read(offset: number, count: number): Uint8Array {
    if (count > WINDOW_BYTES) return this.#readFile(offset, new Uint8Array(count));
    let at = offset - this.#windowAt;
    if (at < 0 || at + count > this.#window.length) {
      this.#moveWindow(offset);
      at = 0;
      if (--this.#readsToCheck <= 0) this.check();
    }
    return this.#window.subarray(at, at + count);
  }

  #moveWindow(offset: number): void {
    const memory = (this.#memory ??= new Uint8Array(WINDOW_BYTES));
    // Should it fail, nobody knows what is in there.
    this.#window = memory.subarray(0, 0);
    this.#window = this.#readFile(offset, memory.subarray(0, Math.min(WINDOW_BYTES, this.sizeBytes - offset)));
    this.#windowAt = offset;
  }

  /** Throws MISMATCH if the file is not what it was when it was opened. */
  check(): void {
    this.#readsToCheck = READS_PER_CHECK;
    if (identity(fstatSync(this.#descriptor, { bigint: true })) === this.#identity) return;
    throw new CodedError('MISMATCH', 'the disk image was changed while a machine was using it', {
      where: this.path,
      hint: 'images must stay as they are; start again',
    });
  }

  /** Fills `bytes`. */
  #readFile<T extends Uint8Array>(offset: number, bytes: T): T {
    const count = bytes.length;
    let filled = 0;
    try {
      while (filled < count) {
        const got = readSync(this.#descriptor, bytes, filled, count - filled, offset + filled);
        if (got === 0) break;
        filled += got;
      }
    } catch (cause) {
      throw new CodedError('HOST_IO', 'the disk image cannot be read', { where: this.path, cause });
    }
    if (filled === count) return bytes;
    this.check();
    throw new CodedError('HOST_IO', `the disk image ends ${count - filled} bytes too early`, { where: this.path });
  }

  /** Of the whole file, lower-case hex. */
  sha256(): string {
    const key = `${resolve(this.path)}\n${this.#identity}`;
    const known = hashes.get(key);
    if (known !== undefined) return known;
    const hash = createHash('sha256');
    const stride = new Uint8Array(Math.min(HASH_STRIDE_BYTES, this.sizeBytes));
    for (let at = 0; at < this.sizeBytes; at += stride.length) {
      hash.update(this.#readFile(at, stride.subarray(0, this.sizeBytes - at)));
    }
    this.check();
    const text = hash.digest('hex');
    hashes.set(key, text);
    return text;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#descriptor);
  }
}

function identity({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
