import { deflateRawSync } from 'node:zlib';

/** What a cluster of an image is to be. */
export type Cluster = { readonly data: Uint8Array; readonly compressed?: boolean } | 'zero' | 'absent';

export interface Qcow2Request {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly sizeBytes: number;
  readonly clusters: readonly Cluster[];
  readonly backing?: { readonly name: string; readonly format?: string };
}

/** A small qcow2 image: one L2 table, clusters in order. Reference counts, which readers do not need, are left out. */
export function writeQcow2({ version, clusterBits, sizeBytes, clusters, backing }: Qcow2Request): Uint8Array {
  const clusterBytes = 2 ** clusterBits;
  const pieces: Uint8Array[] = [];
  let end = 3 * clusterBytes;
  const l2 = new DataView(new ArrayBuffer(clusterBytes));
  clusters.forEach((cluster, i) => {
    if (cluster === 'absent') return;
    if (cluster === 'zero') return l2.setBigUint64(8 * i, 1n);
    const padded = new Uint8Array(clusterBytes);
    padded.set(cluster.data);
    if (cluster.compressed === true) {
      const stored = new Uint8Array(deflateRawSync(padded));
      const sectors = BigInt(Math.ceil(stored.length / 512) - 1);
      const entry = BigInt(end) | (sectors << BigInt(62 - (clusterBits - 8))) | (1n << 62n);
      l2.setBigUint64(8 * i, entry);
      const kept = new Uint8Array(Math.ceil(stored.length / clusterBytes) * clusterBytes);
      kept.set(stored);
      pieces.push(kept);
      end += kept.length;
    } else {
      l2.setBigUint64(8 * i, BigInt(end) | (1n << 63n));
      pieces.push(padded);
      end += clusterBytes;
    }
  });
  const file = new Uint8Array(end);
  const header = new DataView(file.buffer);
  header.setUint32(0, 0x5146_49fb);
  header.setUint32(4, version);
  header.setUint32(20, clusterBits);
  header.setBigUint64(24, BigInt(sizeBytes));
  header.setUint32(36, 1);
  header.setBigUint64(40, BigInt(clusterBytes));
  if (version === 3) header.setUint32(100, 104);
  if (backing !== undefined) putBacking(file, header, version, backing);
  header.setBigUint64(clusterBytes, BigInt(2 * clusterBytes) | (1n << 63n));
  file.set(new Uint8Array(l2.buffer), 2 * clusterBytes);
  let at = 3 * clusterBytes;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}

function putBacking(
  file: Uint8Array,
  header: DataView,
  version: number,
  backing: { name: string; format?: string },
): void {
  let at = version === 3 ? 104 : 72;
  if (backing.format !== undefined) {
    header.setUint32(at, 0xe279_2aca);
    header.setUint32(at + 4, backing.format.length);
    file.set(new TextEncoder().encode(backing.format), at + 8);
    at += 8 + Math.ceil(backing.format.length / 8) * 8;
  }
  at += 8;
  const name = new TextEncoder().encode(backing.name);
  header.setBigUint64(8, BigInt(at));
  header.setUint32(16, name.length);
  file.set(name, at);
}
