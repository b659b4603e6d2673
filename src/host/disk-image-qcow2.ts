/**
 * Reads qcow2 images. "QCOW2 image format", docs/interop/qcow2.txt of QEMU: versions 2 and 3, clusters compressed with
 * zlib, backing files, extended headers.
 *
 * NOT implemented, and refused: encryption, internal snapshots as a view (the active one is read), external data files,
 * extended L2 entries, zstd compression, images marked corrupt. Lazy reference counts and bitmaps concern writers only.
 */
import { inflateRawSync } from 'node:zlib';
import { CodedError } from '../base/errors.js';
import { MIB } from '../base/units.js';
import type { ReadAt } from './disk-image-file.js';

const MAGIC = 0x5146_49fb;
const HEADER_BYTES = 104;
const HEADER_BYTES_V2 = 72;
/** Bits of an L1 or L2 entry that are an offset. */
const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;
const COMPRESSED = 1n << 62n;
const ZERO_CLUSTER = 1n;
/** Compressed data is counted in these. */
const COMPRESSED_UNIT = 512;
const INCOMPATIBLE_DIRTY = 1n;
const INCOMPATIBLE_CORRUPT = 2n;
/** As QEMU has it: 2^63 is no size that anybody means. */
const MAX_SIZE_BYTES = 2 ** 50;
const MAX_L1_BYTES = 32 * MIB;
const MAX_BACKING_NAME = 1023;
/** L2 tables and decompressed clusters held in memory. */
const CACHED_TABLES = 64;
const CACHED_CLUSTERS = 32;

/** True for a file that says it is a qcow image. */
export function isQcow2(file: ReadAt): boolean {
  if (file.sizeBytes < 8) return false;
  return view(file.read(0, 4)).getUint32(0) === MAGIC;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Youngest last; the oldest goes when there are too many. */
class Cache<V> {
  readonly #entries = new Map<number, V>();

  constructor(private readonly most: number) {}

  get(key: number, make: () => V): V {
    const value = this.#entries.get(key) ?? make();
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.most) this.#entries.delete(this.#entries.keys().next().value!);
    return value;
  }
}

export interface Qcow2Options {
  /** Opens what the image is based on, by the name in its header. */
  readonly openBacking: (name: string, format: string | null) => ReadAt;
  readonly where: string;
}

/** A qcow2 image as the bytes of the disk that it stands for. Whatever the file holds, only the file is read. */
export class Qcow2Image implements ReadAt {
  readonly sizeBytes: number;
  readonly #clusterBits: number;
  readonly #l1: BigUint64Array;
  readonly #backing: ReadAt | null;
  readonly #tables = new Cache<DataView>(CACHED_TABLES);
  readonly #clusters = new Cache<Uint8Array>(CACHED_CLUSTERS);

  /** Throws DAMAGED for an image that makes no sense, USAGE for one that cannot be read. */
  constructor(
    private readonly file: ReadAt,
    private readonly options: Qcow2Options,
  ) {
    if (file.sizeBytes < HEADER_BYTES_V2) throw this.#damaged('the header is cut off');
    const header = view(this.#bytes(0, Math.min(HEADER_BYTES, file.sizeBytes)));
    const version = header.getUint32(4);
    if (version !== 2 && version !== 3) {
      throw this.#unsupported(`version ${version} of qcow`, 'versions 2 and 3 are read; qemu-img convert makes them');
    }
    if (version === 3 && header.byteLength < HEADER_BYTES) throw this.#damaged('the header is cut off');
    this.#clusterBits = header.getUint32(20);
    if (this.#clusterBits < 9 || this.#clusterBits > 21) {
      throw this.#damaged(`clusters of 2^${this.#clusterBits} bytes`);
    }
    const size = header.getBigUint64(24);
    if (size > BigInt(MAX_SIZE_BYTES)) throw this.#damaged(`a disk of ${size} bytes`);
    this.sizeBytes = Number(size);
    if (header.getUint32(32) !== 0) throw this.#unsupported('encryption', 'decrypt it with qemu-img convert');
    const headerBytes = version === 3 ? header.getUint32(100) : HEADER_BYTES_V2;
    if (version === 3) this.#checkFeatures(header, headerBytes);
    this.#l1 = this.#readL1(header.getUint32(36), header.getBigUint64(40));
    this.#backing = this.#openBacking(header.getBigUint64(8), header.getUint32(16), headerBytes);
  }

  #damaged(message: string): CodedError {
    return new CodedError('DAMAGED', `${message} in a qcow2 image`, { where: this.options.where });
  }
  #unsupported(what: string, hint: string): CodedError {
    return new CodedError('USAGE', `the qcow2 image uses what cannot be read here: ${what}`, {
      where: this.options.where,
      hint,
    });
  }

  #checkFeatures(header: DataView, headerBytes: number): void {
    if (headerBytes < HEADER_BYTES || headerBytes % 8 !== 0) throw this.#damaged(`a header of ${headerBytes} bytes`);
    const incompatible = header.getBigUint64(72);
    if ((incompatible & INCOMPATIBLE_CORRUPT) !== 0n) {
      throw this.#unsupported('it is marked corrupt', 'qemu-img check -r repairs it');
    }
    const unknown = incompatible & ~INCOMPATIBLE_DIRTY;
    if (unknown !== 0n) {
      throw this.#unsupported(
        `incompatible features ${unknown.toString(16)}h`,
        'make a plain one with qemu-img convert',
      );
    }
  }

  /** A copy of bytes of the file; throws DAMAGED where it has none. */
  #bytes(offset: number, count: number): Uint8Array {
    if (offset + count > this.file.sizeBytes)
      throw this.#damaged(`${count} bytes at ${offset}, behind the end of the file,`);
    return this.file.read(offset, count).slice();
  }

  get #clusterBytes(): number {
    return 2 ** this.#clusterBits;
  }
  /** L2 entries of a table. */
  get #tableEntries(): number {
    return 2 ** (this.#clusterBits - 3);
  }

  #offset(entry: bigint): number {
    const offset = Number(entry & OFFSET_MASK);
    if (offset % this.#clusterBytes !== 0) throw this.#damaged(`the offset ${offset} that is not at a cluster`);
    return offset;
  }

  #readL1(entries: number, offset: bigint): BigUint64Array {
    const needed = Math.ceil(this.sizeBytes / (this.#clusterBytes * this.#tableEntries));
    if (entries < needed || needed * 8 > MAX_L1_BYTES) throw this.#damaged(`an L1 table of ${entries} entries`);
    if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#damaged('an L1 table nowhere');
    const table = view(this.#bytes(Number(offset), needed * 8));
    return BigUint64Array.from({ length: needed }, (_, i) => table.getBigUint64(8 * i));
  }

  #openBacking(offset: bigint, nameBytes: number, headerBytes: number): ReadAt | null {
    if (offset === 0n || nameBytes === 0) return null;
    if (nameBytes > MAX_BACKING_NAME || offset > BigInt(this.#clusterBytes)) throw this.#damaged('a backing file name');
    const name = new TextDecoder().decode(this.#bytes(Number(offset), nameBytes));
    return this.options.openBacking(name, this.#backingFormat(headerBytes, Number(offset)));
  }

  /** Of the header extensions, which end where the name begins. */
  #backingFormat(headerBytes: number, end: number): string | null {
    const BACKING_FORMAT = 0xe279_2aca;
    for (let at = headerBytes; at + 8 <= end;) {
      const head = view(this.#bytes(at, 8));
      const [type, length] = [head.getUint32(0), head.getUint32(4)];
      if (type === 0) return null;
      if (at + 8 + length > end) throw this.#damaged('a header extension that does not end');
      if (type === BACKING_FORMAT) return new TextDecoder().decode(this.#bytes(at + 8, length));
      at += 8 + Math.ceil(length / 8) * 8;
    }
    return null;
  }

  read(offset: number, count: number): Uint8Array {
    const out = new Uint8Array(count);
    for (let at = 0; at < count;) {
      const within = (offset + at) % this.#clusterBytes;
      const run = Math.min(this.#clusterBytes - within, count - at);
      this.#readCluster(Math.floor((offset + at) / this.#clusterBytes), within, out.subarray(at, at + run));
      at += run;
    }
    return out;
  }

  #readCluster(cluster: number, within: number, out: Uint8Array): void {
    const entry = this.#entry(cluster);
    if ((entry & COMPRESSED) !== 0n) {
      out.set(this.#decompressed(cluster, entry).subarray(within, within + out.length));
      return;
    }
    const offset = this.#offset(entry);
    // Zeros, whether or not a cluster is kept for them: version 2 has no such bit and writes 0 there.
    if ((entry & ZERO_CLUSTER) !== 0n) return;
    if (offset !== 0) {
      // The last cluster of a file may be cut off where nothing was ever written.
      const present = Math.max(0, Math.min(out.length, this.file.sizeBytes - offset - within));
      if (offset >= this.file.sizeBytes) throw this.#damaged(`a cluster at ${offset}, behind the end of the file,`);
      if (present > 0) out.set(this.file.read(offset + within, present));
      return;
    }
    this.#readBacking(cluster * this.#clusterBytes + within, out);
  }

  #readBacking(position: number, out: Uint8Array): void {
    const backing = this.#backing;
    if (backing === null || position >= backing.sizeBytes) return;
    const count = Math.min(out.length, backing.sizeBytes - position);
    out.set(backing.read(position, count));
  }

  #entry(cluster: number): bigint {
    const l1 = this.#l1[Math.floor(cluster / this.#tableEntries)];
    const offset = this.#offset(l1);
    if (offset === 0) return 0n;
    const table = this.#tables.get(offset, () => view(this.#bytes(offset, this.#clusterBytes)));
    return table.getBigUint64(8 * (cluster % this.#tableEntries));
  }

  #decompressed(cluster: number, entry: bigint): Uint8Array {
    return this.#clusters.get(cluster, () => {
      const offsetBits = BigInt(62 - (this.#clusterBits - 8));
      const offset = Number(entry & ((1n << offsetBits) - 1n));
      const units = Number((entry & (COMPRESSED - 1n)) >> offsetBits) + 1;
      if (offset >= this.file.sizeBytes) throw this.#damaged('a compressed cluster behind the end of the file');
      const end = Math.min((Math.floor(offset / COMPRESSED_UNIT) + units) * COMPRESSED_UNIT, this.file.sizeBytes);
      let bytes: Uint8Array;
      try {
        bytes = inflateRawSync(this.file.read(offset, end - offset), { maxOutputLength: this.#clusterBytes });
      } catch (cause) {
        throw new CodedError('DAMAGED', 'a compressed cluster of a qcow2 image cannot be read', {
          where: this.options.where,
          cause,
        });
      }
      if (bytes.length !== this.#clusterBytes) throw this.#damaged(`a compressed cluster of ${bytes.length} bytes`);
      return bytes;
    });
  }
}
