import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { createWasmBlockCodec } from '../../../src/host/block-codec.js';
import type { BlockCodec } from '../../../src/log/block-codec.js';
import type { LogEntry } from '../../../src/log/entries.js';
import { recover, RECOVERED } from '../../../src/log/recover.js';
import { bytesSource } from '../../../src/log/reel-source.js';
import { ReelReader } from '../../../src/log/reel-reader.js';
import { entriesOf, hashing, noise, Sections, Tape, writeSample, type Sample } from './sample.js';

let codec: BlockCodec;
let sample: Sample;
beforeAll(async () => {
  codec = await createWasmBlockCodec();
  sample = writeSample(codec);
});

/** The result of `attempt`, or the coded error it threw; anything else that is thrown fails the test. */
function outcome<T>(attempt: () => T): T | CodedError {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
}

/** Reads everything there is. */
function readAll(bytes: Uint8Array): LogEntry[] {
  const reader = ReelReader.open(bytesSource(bytes), codec, hashing);
  reader.loadState(reader.snapshot, new Sections());
  for (const state of reader.checkpoints()) reader.loadState(state, new Sections());
  return entriesOf(reader);
}

/** Recovers, and checks that what comes out is valid and begins as the original did. Returns the entries saved. */
function recoverPrefix(bytes: Uint8Array, checked: Map<string, number>): number | CodedError {
  const tape = new Tape();
  const report = outcome(() => recover(bytesSource(bytes), codec, hashing, tape));
  if (report instanceof CodedError) return report;
  const key = Buffer.from(hashing.sha256(tape.bytes)).toString('hex');
  const known = checked.get(key);
  if (known !== undefined) return known;
  const reader = ReelReader.open(bytesSource(tape.bytes), codec, hashing);
  reader.verify();
  const saved = readAll(tape.bytes);
  if (!report.hadEnd) {
    const end = saved.pop();
    const lastTick = Math.max(1000, ...saved.map((entry) => entry.tick));
    expect(end).toEqual({ entry: 'end', tick: report.endTick, reason: RECOVERED });
    expect([lastTick, 1003]).toContain(report.endTick);
  }
  expect(saved).toEqual(sample.entries.slice(0, saved.length));
  expect(report.entries).toBe(saved.length);
  checked.set(key, saved.length);
  return saved.length;
}

describe('a recording that was cut off', () => {
  it('is recovered to its last whole chunk, wherever it was cut', { timeout: 300_000 }, () => {
    const { bytes } = sample;
    const checked = new Map<string, number>();
    let before = -1;
    for (let length = 0; length <= bytes.length; length++) {
      const saved = recoverPrefix(bytes.subarray(0, length), checked);
      if (saved instanceof CodedError) {
        expect(before).toBe(-1);
        expect(saved.code).toBe('DAMAGED');
        expect(saved.where).toMatch(/^offset \d+$/);
        continue;
      }
      expect(saved).toBeGreaterThanOrEqual(before);
      before = saved;
    }
    // Every flush was a point to recover to, and so is the end of a state: after the snapshot, then after 2, 4, 6, 8
    // entries and the end, and after the checkpoint.
    expect([...checked.values()]).toEqual([0, 2, 4, 5, 6, 8, 9]);
  });

  it('is refused by the reader, wherever it was cut', () => {
    for (let length = 0; length < sample.bytes.length; length++) {
      const result = outcome(() => ReelReader.open(bytesSource(sample.bytes.subarray(0, length)), codec, hashing));
      expect(result).toMatchObject({ code: 'DAMAGED' });
    }
  });

  it('comes back as the same file if only its summary is missing', () => {
    const tape = new Tape();
    const cut = sample.bytes.subarray(0, sample.bytes.length - 500);
    const report = recover(bytesSource(cut), codec, hashing, tape);
    expect(report).toMatchObject({ hadEnd: true, entries: sample.entries.length, droppedBytes: 0 });
    expect(tape.bytes).toEqual(sample.bytes);
  });

  it('loses a checkpoint that was being written, but not the entries before it', () => {
    const tape = new Tape();
    const flushed: number[] = [];
    const { bytes } = writeSample(
      codec,
      { sink: { write: (b) => (tape.write(b), flushed.push(tape.bytes.length)) } },
      900,
    );
    expect(bytes.length).toBe(0);
    const checked = new Map<string, number>();
    const saved = flushed.map((length) => recoverPrefix(tape.bytes.subarray(0, length), checked));
    expect(saved.filter((count) => typeof count === 'number').at(-1)).toBe(sample.entries.length);
  });

  it('says what it lost', () => {
    const { bytes } = sample;
    const report = recover(bytesSource(bytes.subarray(0, bytes.length / 2)), codec, hashing, new Tape());
    expect(report.problem).toMatch(/^offset \d+: /);
    expect(report.droppedBytes).toBeGreaterThan(0);
  });
});

describe('a recording with a flipped bit', () => {
  const flipped = (at: number, bit: number): Uint8Array => {
    const bytes = sample.bytes.slice();
    bytes[at]! ^= 1 << bit;
    return bytes;
  };

  it('is found out by verify, whichever byte it is in', { timeout: 300_000 }, () => {
    for (let at = 0; at < sample.bytes.length; at++) {
      const bytes = flipped(at, (at * 7) % 8);
      const result = outcome(() => ReelReader.open(bytesSource(bytes), codec, hashing).verify());
      expect(result, `byte ${at}`).toBeInstanceOf(CodedError);
    }
  });

  it('gives every entry of the chunks before it, whichever chunk it is in', () => {
    /** Entries before each chunk that has any. */
    const before: number[] = [];
    const cursor = ReelReader.open(bytesSource(sample.bytes), codec, hashing).cursor();
    for (let chunk = -1, count = 0; cursor.peek() !== undefined; cursor.next(), count++) {
      if (cursor.position.chunk !== chunk) before.push(count);
      ({ chunk } = cursor.position);
    }
    const given = new Set<number>();
    for (let at = 0; at < sample.bytes.length; at += 3) {
      const bytes = sample.bytes.slice();
      bytes[at]! ^= 0x10;
      const reader = outcome(() => ReelReader.open(bytesSource(bytes), codec, hashing));
      if (reader instanceof CodedError) continue;
      const damaged = reader.cursor();
      const entries: LogEntry[] = [];
      const readOn = (): unknown =>
        outcome(() => {
          for (const entry of damaged) entries.push(entry);
        });
      const isWhole = readOn() === undefined;
      const count = entries.length;
      expect(entries).toEqual(sample.entries.slice(0, count));
      if (isWhole) continue;
      given.add(count);
      expect(readOn()).toBeInstanceOf(CodedError);
      expect(entries).toHaveLength(count);
    }
    // The last chunk is looked at when the file is opened.
    expect([...given].sort((a, b) => a - b)).toEqual(before.slice(0, -1));
  });

  it('never gives a wrong entry, and recovers to a prefix', { timeout: 300_000 }, () => {
    const checked = new Map<string, number>();
    const place = fc.tuple(fc.nat(sample.bytes.length - 1), fc.nat(7));
    fc.assert(
      fc.property(place, ([at, bit]) => {
        const bytes = flipped(at, bit);
        const entries = outcome(() => readAll(bytes));
        if (!(entries instanceof CodedError)) expect(entries).toEqual(sample.entries);
        recoverPrefix(bytes, checked);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('a hostile recording', () => {
  /** Makes the summary's CRC right again. */
  const resealed = (bytes: Uint8Array): Uint8Array => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const footer = bytes.length - 8 - 29;
    const start = Number(view.getBigUint64(footer + 9, true));
    if (start <= footer) view.setUint32(footer + 25, hashing.crc32(bytes.subarray(start, footer + 25)), true);
    return bytes;
  };
  const EXTREMES = [0n, 1n, 0xffn, 0xffffn, 0x7fff_ffffn, 0xffff_ffffn, 1n << 53n, (1n << 63n) - 1n, (1n << 64n) - 1n];

  it('cannot do harm with the numbers in its summary', { timeout: 300_000 }, () => {
    const view = new DataView(sample.bytes.buffer);
    const start = Number(view.getBigUint64(sample.bytes.length - 8 - 20, true));
    fc.assert(
      fc.property(
        fc.integer({ min: start, max: sample.bytes.length - 40 }),
        fc.constantFrom(...EXTREMES),
        (at, value) => {
          const bytes = sample.bytes.slice();
          new DataView(bytes.buffer).setBigUint64(at, value, true);
          const entries = outcome(() => readAll(resealed(bytes)));
          if (!(entries instanceof CodedError)) expect(entries).toEqual(sample.entries);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('cannot do harm with the numbers in its data section', { timeout: 300_000 }, () => {
    const checked = new Map<string, number>();
    fc.assert(
      fc.property(fc.nat(sample.bytes.length - 8), fc.constantFrom(...EXTREMES), (at, value) => {
        const bytes = sample.bytes.slice();
        new DataView(bytes.buffer).setBigUint64(at, value, true);
        const entries = outcome(() => readAll(bytes));
        if (!(entries instanceof CodedError)) expect(entries).toEqual(sample.entries);
        recoverPrefix(bytes, checked);
      }),
      { numRuns: 1500 },
    );
  });

  it('cannot be random bytes behind a good beginning', () => {
    for (let seed = 1; seed < 60; seed++) {
      const bytes = sample.bytes.slice(0, 400 + seed * 40);
      const garbage = noise(4000, seed);
      const file = new Uint8Array(bytes.length + garbage.length);
      file.set(bytes);
      file.set(garbage, bytes.length);
      recoverPrefix(file, new Map());
      expect(outcome(() => readAll(file))).toMatchObject({ code: 'DAMAGED' });
    }
  });
});
