import { assert } from './assert.js';
import { CodedError } from './errors.js';
import { utf8Decode, utf8Encode } from './platform.js';

const WORD = 2 ** 32;

/** Growing little-endian byte sink. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  #reserve(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }
  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, true);
    return this;
  }
  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }
  u64(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value, true);
    return this;
  }
  f64(value: number): this {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value, true);
    return this;
  }
  /** Non-negative safe integer as 8 bytes. */
  safe(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, `not a safe unsigned integer: ${value}`);
    return this.u32(value % WORD).u32(Math.floor(value / WORD));
  }
  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }
  /** u32 length, then the bytes. */
  blob(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }
  /** u32 length, then UTF-8. */
  text(value: string): this {
    if (!isAscii(value)) return this.blob(utf8Encode(value));
    // Names are short and many: the platform's encoder takes longer to call than they take to copy.
    this.u32(value.length);
    const at = this.#reserve(value.length);
    for (let i = 0; i < value.length; i++) this.#bytes[at + i] = value.charCodeAt(i);
    return this;
  }
  /** Forgets what was written and keeps the memory. */
  clear(): this {
    this.#length = 0;
    return this;
  }
  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
  /** What was written, until something is written again. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Little-endian cursor; running past the end throws a DAMAGED error that names `source` and the offset. */
export class ByteReader {
  readonly #view: DataView;
  #at = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly source = 'data',
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#at;
  }
  get remaining(): number {
    return this.bytes.length - this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.bytes.length - at) {
      throw new CodedError('DAMAGED', `${count} bytes expected, ${this.bytes.length - at} left`, {
        where: `${this.source} at offset ${at}`,
      });
    }
    this.#at = at + count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }
  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }
  safe(): number {
    const value = this.u32() + this.u32() * WORD;
    if (!Number.isSafeInteger(value)) {
      throw new CodedError('DAMAGED', 'integer out of range', { where: `${this.source} at offset ${this.#at - 8}` });
    }
    return value;
  }
  /** A view, not a copy. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.bytes.subarray(at, at + count);
  }
  blob(): Uint8Array {
    return this.raw(this.u32());
  }
  text(): string {
    return utf8Decode(this.blob());
  }
  /** Throws DAMAGED if bytes are left over. */
  end(): void {
    if (this.remaining !== 0) {
      throw new CodedError('DAMAGED', `${this.remaining} unexpected bytes at the end`, { where: this.source });
    }
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
