import type { BlockCodec } from '../../../src/log/block-codec.js';
import { immediateCompressor } from '../../../src/log/block-codec.js';
import type { LogEntry } from '../../../src/log/entries.js';
import type { ReelMeta } from '../../../src/log/meta.js';
import type { ReelReader } from '../../../src/log/reel-reader.js';
import { ReelWriter, type ReelWriterOptions } from '../../../src/log/reel-writer.js';
import type { StateReceiver } from '../../../src/log/state-reader.js';
import { pagesOf, type PageTarget } from '../../../src/log/pages.js';
import { createHashing } from '../../../src/host/hashing.js';

export const hashing = createHashing();

/** A sink in memory. */
export class Tape {
  readonly #parts: Uint8Array[] = [];
  write(bytes: Uint8Array): void {
    this.#parts.push(bytes);
  }
  get bytes(): Uint8Array {
    const all = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

export const SAMPLE_META: Omit<ReelMeta, 'formatVersion'> = {
  recordingId: 'reel-0001',
  name: 'boot',
  reason: 'a test',
  startedBy: 'guest:ring0',
  createdAt: '2024-01-02T03:04:05Z',
  generator: { name: 'guestreel', version: '0.1.0' },
  nsPerTick: 4,
  startTick: 1000,
  epoch: 0,
  machine: { memoryMib: 1, devices: ['pic', 'pit'] },
  cpuid: '00000001:00000633',
  images: [{ role: 'hda', name: 'disk.img', sha256: '0'.repeat(64), bytes: 512 }],
  policySha256: 'ab'.repeat(32),
  parent: { recordingId: 'reel-0000', tick: 999 },
};

/** Bytes that do not compress, the same on every run. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

const hash = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

/** One entry of every kind; two at the same tick. */
export const SAMPLE_ENTRIES: readonly LogEntry[] = [
  { entry: 'ask', tick: 1000, kind: 'backdoor', request: Uint8Array.of(1, 2, 3), answer: Uint8Array.of(0) },
  { entry: 'input', tick: 1001, kind: 'serial', payload: Uint8Array.of(0, 65, 66) },
  { entry: 'input', tick: 1001, kind: 'reset', payload: new Uint8Array(0) },
  { entry: 'block', tick: 1002, image: 'hda', offset: 512, bytes: noise(64) },
  { entry: 'mark', tick: 1003, type: 'begin', label: 'phase "a"', value: 7, by: 'guest:ring3', phaseId: 1 },
  { entry: 'audit', tick: 1003, record: { rule: 'agent-records', effect: 'permit', tick: 1 } },
  { entry: 'output', tick: 2000, kind: 'serial', channel: 0, bytes: Uint8Array.of(79, 75) },
  {
    entry: 'digest',
    tick: 50_000_000_000,
    cpuDevices: hash(1),
    ram: hash(2),
    pages: 3,
    sections: [
      { name: 'pic', hash: 0xfedcba98 },
      { name: 'pit', hash: 2 },
    ],
  },
];

export interface Sample {
  readonly bytes: Uint8Array;
  readonly entries: readonly LogEntry[];
  readonly ram: Uint8Array;
  readonly laterRam: Uint8Array;
}

/** RAM of `pages` pages with zeros, duplicates and noise in it. */
export function sampleRam(pages: number): Uint8Array {
  const ram = new Uint8Array(pages * 4096);
  for (let page = 0; page < pages; page++) {
    if (page % 4 === 1) ram.fill(page % 8, page * 4096, (page + 1) * 4096);
    if (page % 4 === 2) ram.set(noise(4096, page % 16), page * 4096);
  }
  return ram;
}

/** A small recording with a flush after every second entry and a checkpoint in its middle. */
export function writeSample(codec: BlockCodec, options: Partial<ReelWriterOptions> = {}, pages = 6): Sample {
  const tape = new Tape();
  const writer = new ReelWriter({
    sink: tape,
    hashing,
    compressor: immediateCompressor(codec),
    meta: SAMPLE_META,
    ...options,
  });
  const ram = sampleRam(pages);
  const laterRam = ram.slice();
  laterRam.fill(0x5a, 4096, 8192);
  const dirty = (page: number): boolean => page === 1;
  writer.appendState('snapshot', 1000, [
    { name: 'cpu', bytes: noise(40) },
    { name: 'empty', bytes: new Uint8Array(0) },
    { name: 'ram', pages: pagesOf(ram) },
  ]);
  writer.flush();
  SAMPLE_ENTRIES.forEach((entry, i) => {
    if (i === 5) {
      writer.appendState('checkpoint', 1003, [
        { name: 'cpu', bytes: noise(40, 2) },
        { name: 'ram', pages: { ...pagesOf(laterRam), unchanged: (page) => !dirty(page) } },
      ]);
    }
    writer.append(entry);
    if (i % 2 === 1) writer.flush();
  });
  writer.finish({ tick: 60_000_000_000, reason: 'stop', by: 'host:user' });
  const end: LogEntry = { entry: 'end', tick: 60_000_000_000, reason: 'stop', by: 'host:user' };
  return { bytes: tape.bytes, entries: [...SAMPLE_ENTRIES, end], ram, laterRam };
}

export function entriesOf(reader: ReelReader): LogEntry[] {
  return [...reader.cursor()];
}

/** Keeps what it is given. */
export class Sections implements StateReceiver {
  readonly blobs = new Map<string, Uint8Array>();
  readonly images = new Map<string, Uint8Array>();
  bytes(name: string, data: Uint8Array): void {
    this.blobs.set(name, data);
  }
  pages(name: string, pageCount: number): PageTarget {
    const image = new Uint8Array(pageCount * 4096).fill(0xee);
    this.images.set(name, image);
    return { bytes: image };
  }
}
