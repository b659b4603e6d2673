import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import { toHex } from '../../src/base/hash.js';
import { openDiskImage } from '../../src/host/disk-image.js';
import { Qcow2Image } from '../../src/host/disk-image-qcow2.js';
import { createHashing } from '../../src/host/hashing.js';
import { writeQcow2, type Cluster } from './qcow2-writer.js';

const folder = mkdtempSync(join(tmpdir(), 'guestreel-images-'));
afterAll(() => rmSync(folder, { recursive: true }));
const hashing = createHashing();

function put(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function fill(bytes: number, value: number): Uint8Array {
  return new Uint8Array(bytes).fill(value);
}

function contents(path: string): Uint8Array {
  const image = openDiskImage(path);
  const out = new Uint8Array(image.sizeBytes);
  for (let at = 0; at < out.length; at += 1000) out.set(image.read(at, Math.min(1000, out.length - at)), at);
  image.close();
  return out;
}

const CLUSTERS: Cluster[] = [
  { data: fill(512, 1) },
  'absent',
  { data: fill(400, 2), compressed: true },
  'zero',
  { data: Uint8Array.from({ length: 512 }, (_, i) => i * 7), compressed: true },
];

describe('a raw image', () => {
  it('is its bytes and known by its hash', () => {
    const bytes = Uint8Array.from({ length: 700_000 }, (_, i) => i >> 8);
    const path = put('plain.img', bytes);
    const image = openDiskImage(path);
    expect(image.sha256).toBe(toHex(hashing.sha256(bytes)));
    expect(image.files).toEqual([{ name: 'plain.img', sha256: image.sha256, bytes: bytes.length }]);
    image.close();
    expect(Buffer.compare(contents(path), bytes)).toBe(0);
  });

  it('is an error when it is not there, no file, or changes while it is in use', () => {
    expect(() => openDiskImage(join(folder, 'none.img'))).toThrow('there is no such file');
    expect(() => openDiskImage(folder)).toThrow('this is no file');
    const path = put('changing.img', fill(30_000_000, 1));
    const image = openDiskImage(path);
    image.read(0, 512);
    writeFileSync(path, fill(30_000_000, 2));
    utimesSync(path, 1, 1);
    expect(() => {
      for (let at = 0; at < image.sizeBytes; at += 262_144) image.read(at, 512);
    }).toThrow('was changed while a machine was using it');
    image.close();
  });

  it('is hashed anew when it is another file under the same name', () => {
    const path = put('same.img', fill(1000, 1));
    const first = openDiskImage(path);
    first.close();
    writeFileSync(path, fill(1000, 2));
    utimesSync(path, 5, 5);
    const second = openDiskImage(path);
    second.close();
    expect(second.sha256).toBe(toHex(hashing.sha256(fill(1000, 2))));
    expect(second.sha256).not.toBe(first.sha256);
  });
});

describe('a qcow2 image', () => {
  it.each([2, 3] as const)('of version %i shows its clusters: plain, compressed, zero and absent', (version) => {
    const clusters = version === 2 ? CLUSTERS.map((c) => (c === 'zero' ? 'absent' : c)) : CLUSTERS;
    const path = put('a.qcow2', writeQcow2({ version, clusterBits: 9, sizeBytes: 2600, clusters }));
    const expected = new Uint8Array(2600);
    expected.set(fill(512, 1), 0);
    expected.set(fill(400, 2), 1024);
    expected.set(
      Uint8Array.from({ length: 512 }, (_, i) => i * 7),
      2048,
    );
    expect(Buffer.compare(contents(path), expected)).toBe(0);
  });

  it('finds its clusters when it has read far away meanwhile', () => {
    const clusters = Array.from({ length: 12 }, (_, i) => ({ data: fill(65_536, i + 1) }));
    const sizeBytes = clusters.length * 65_536;
    const path = put('large.qcow2', writeQcow2({ version: 3, clusterBits: 16, sizeBytes, clusters }));
    const image = openDiskImage(path);
    for (const cluster of [0, 11, 5, 0, 7, 11]) expect(image.read(cluster * 65_536 + 9, 1)[0]).toBe(cluster + 1);
    image.close();
  });

  it('shows what it is based on where it has nothing itself', () => {
    put('base.raw', fill(1100, 0xbb));
    const path = put(
      'top.qcow2',
      writeQcow2({
        version: 3,
        clusterBits: 9,
        sizeBytes: 2048,
        clusters: ['absent', { data: fill(512, 1) }, 'absent', 'zero'],
        backing: { name: 'base.raw', format: 'raw' },
      }),
    );
    const image = openDiskImage(path);
    expect(image.files.map((f) => f.name)).toEqual(['top.qcow2', 'base.raw']);
    const bytes = image.read(0, 2048);
    expect([bytes[0], bytes[511], bytes[512], bytes[1024], bytes[1099], bytes[1100]]).toEqual([
      187, 187, 1, 187, 187, 0,
    ]);
    image.close();
    put('base.raw', fill(1100, 0xcc));
    const other = openDiskImage(path);
    expect(other.sha256).not.toBe(image.sha256);
    other.close();
  });

  it('looks for backing files in its own folder only', () => {
    const outside = mkdtempSync(join(tmpdir(), 'guestreel-outside-'));
    writeFileSync(join(outside, 'secret'), fill(512, 1));
    mkdirSync(join(folder, 'inner'), { recursive: true });
    symlinkSync(join(outside, 'secret'), join(folder, 'inner', 'link'));
    const request = { version: 3, clusterBits: 9, sizeBytes: 512, clusters: [] } as const;
    const names = [join(outside, 'secret'), '../base.raw', 'link', 'nbd://host', 'json:{}', '../../etc/hostname', ''];
    for (const name of names) {
      const path = join(folder, 'inner', 'x.qcow2');
      writeFileSync(path, writeQcow2({ ...request, backing: { name, format: 'raw' } }));
      if (name === '') openDiskImage(path).close();
      else expect(() => openDiskImage(path), name).toThrow(CodedError);
    }
    rmSync(outside, { recursive: true });
  });

  it('that is based on itself is refused', () => {
    const backing = { name: 'loop.qcow2', format: 'qcow2' };
    const path = put('loop.qcow2', writeQcow2({ version: 3, clusterBits: 9, sizeBytes: 512, clusters: [], backing }));
    expect(() => openDiskImage(path)).toThrow('too many backing files');
  });

  it.each([
    ['encryption', 35, 1, 'encryption'],
    ['an unknown version', 7, 4, 'version 4'],
    ['an unknown feature', 79, 8, 'incompatible features 8h'],
    ['corruption', 79, 2, 'marked corrupt'],
    ['clusters of no size', 23, 40, 'clusters of 2^40'],
    ['a table that is not there', 46, 0xff, 'behind the end of the file'],
    ['a table that is too short', 39, 0, 'an L1 table of 0 entries'],
    ['a size beyond all measure', 24, 0xff, 'a disk of'],
  ])('with %s is refused with a reason', (_what, offset, value, message) => {
    const bytes = writeQcow2({ version: 3, clusterBits: 9, sizeBytes: 2600, clusters: CLUSTERS });
    bytes[offset] = value;
    const path = put('bad.qcow2', bytes);
    expect(() => openDiskImage(path)).toThrow(message);
    expect(() => openDiskImage(path)).toThrow(CodedError);
  });

  it('that is damaged gives errors, never bytes from outside the file', () => {
    const good = writeQcow2({ version: 3, clusterBits: 9, sizeBytes: 2600, clusters: CLUSTERS });
    const change = fc.tuple(
      fc.oneof(fc.nat(120), fc.integer({ min: 512, max: 530 }), fc.integer({ min: 1024, max: 1080 }), fc.nat(4000)),
      fc.nat(255),
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(good.length), (changes, cut) => {
        const bytes = cut % 4 === 0 ? good.slice(0, cut) : good.slice();
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const file = {
          sizeBytes: bytes.length,
          read(offset: number, count: number) {
            if (!(offset >= 0 && count >= 0 && offset + count <= bytes.length)) throw new Error('outside');
            return bytes.subarray(offset, offset + count);
          },
        };
        try {
          const backing = {
            sizeBytes: 100,
            read: (offset: number, count: number) => fill(100, 1).subarray(offset, offset + count),
          };
          const image = new Qcow2Image(file, { where: 'x', openBacking: () => backing });
          const size = Math.min(image.sizeBytes, 100_000);
          for (let at = 0; at < size; at += 600) image.read(at, Math.min(600, size - at));
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  const hasQemu = spawnSync('qemu-img', ['--version']).status === 0;
  it.skipIf(!hasQemu)('of qemu-img reads as qemu-img reads it (needs qemu-img)', () => {
    const raw = new Uint8Array(3_000_000);
    for (let i = 0; i < raw.length; i += 7) raw[i] = i % 200_000 < 90_000 ? (i * i) >> 3 : 0;
    const source = put('source.raw', raw);
    const target = join(folder, 'made.qcow2');
    for (const options of [
      [],
      ['-c'],
      ['-o', 'compat=0.10'],
      ['-c', '-o', 'cluster_size=512'],
      ['-o', 'cluster_size=2M'],
    ]) {
      execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...options, source, target]);
      const read = contents(target);
      expect(Buffer.compare(read.subarray(0, raw.length), raw), options.join(' ')).toBe(0);
    }
  });
});
