import { ByteReader, ByteWriter, sameBytes } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import { utf8Encode } from '../base/platform.js';

/** Name of the attachment that closes the chain. */
export const CHAIN_ATTACHMENT = 'guestreel.chain';
export const CHAIN_MEDIA_TYPE = 'application/vnd.guestreel.chain';
const HASH_BYTES = 32;

/**
 * The hash chain over the chunks' contents: value(0) = SHA-256 of a label, value(n + 1) = SHA-256(value(n), SHA-256
 * of the uncompressed records of chunk n).
 */
export class HashChain {
  readonly #hashes: Uint8Array[] = [];
  #value: Uint8Array;

  constructor(private readonly hashing: Hashing) {
    this.#value = hashing.sha256(utf8Encode('guestreel hash chain 1'));
  }

  /** Over all chunks so far. */
  get value(): Uint8Array {
    return this.#value;
  }
  /** The chunks so far. */
  get length(): number {
    return this.#hashes.length;
  }

  add(contentHash: Uint8Array): void {
    this.#hashes.push(contentHash);
    this.#value = this.hashing.sha256(this.#value, contentHash);
  }

  /** The attachment: u32 count, the content hash of every chunk, the last value. */
  encode(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(4 + HASH_BYTES * (this.#hashes.length + 1));
    out.u32(this.#hashes.length);
    for (const hash of this.#hashes) out.raw(hash);
    return out.raw(this.#value).finish();
  }
}

/** A closed chain as read from its attachment, recomputed and compared. */
export interface ClosedChain {
  /** Per chunk: the hash of its content. */
  readonly hashes: readonly Uint8Array[];
  /** Per chunk: the chain's value before it. */
  readonly values: readonly Uint8Array[];
  readonly last: Uint8Array;
}

export function decodeChain(bytes: Uint8Array, hashing: Hashing, where: string): ClosedChain {
  const input = new ByteReader(bytes, where);
  const count = input.u32();
  const chain = new HashChain(hashing);
  const hashes: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const hash = input.raw(HASH_BYTES);
    values.push(chain.value);
    hashes.push(hash);
    chain.add(hash);
  }
  const last = input.raw(HASH_BYTES);
  input.end();
  if (!sameBytes(last, chain.value)) throw new CodedError('DAMAGED', 'the hash chain does not close', { where });
  return { hashes, values, last };
}
