import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { toHex } from '../../src/base/hash.js';
import { createHashing } from '../../src/host/hashing.js';
import { CodedError, Recording, recoverRecording } from '../../src/index.js';
import { boot, image, logOf } from '../guests/guest.js';

const outDir = mkdtempSync(join(tmpdir(), 'damage-'));
afterAll(() => rmSync(outDir, { recursive: true }));

const FLIPS = 1000;
const CUTS = 200;

let whole: Uint8Array;
let log: readonly string[];

beforeAll(async () => {
  const machine = await boot(image('real16.img'), { outDir });
  await machine.startRecording({ name: 'real' });
  // Each run() flushes: many chunks.
  for (let tick = 20_000; (await machine.run({ until: { ticks: tick } })).kind === 'matched'; tick += 10_000) {
    machine.typeKeys('x');
  }
  await machine.close();
  const file = join(outDir, 'real.reel');
  whole = new Uint8Array(readFileSync(file));
  log = await logOf(file);
  const recording = await Recording.open(file);
  expect(recording.reader.chunkCount).toBeGreaterThan(10);
  await recording.close();
});

/** xorshift32: the same damage in every run. */
function* random(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

const hashing = createHashing();
/** Contents that have been replayed, by their log: most damage leaves one of few prefixes. */
const replayed = new Map<string, boolean>();

async function verifies(file: string): Promise<boolean> {
  const recording = await Recording.open(file);
  try {
    recording.reader.verify();
    const key = toHex(recording.reader.chainSha256);
    const known = replayed.get(key) ?? (await recording.verify()).ok;
    replayed.set(key, known);
    return known;
  } finally {
    await recording.close();
  }
}

type Outcome = 'unharmed' | 'lost' | number;

/** What is left of damaged bytes. Fails the test unless that is the whole, a true prefix, or a coded error. */
async function outcomeOf(bytes: Uint8Array): Promise<Outcome> {
  const file = join(outDir, 'damaged.reel');
  const target = join(outDir, 'saved.reel');
  writeFileSync(file, bytes);
  rmSync(target, { force: true });
  try {
    if (await verifies(file)) {
      expect(await logOf(file)).toEqual(log);
      return 'unharmed';
    }
    throw new Error('a wrong replay');
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    expect(['DAMAGED', 'VERSION']).toContain(error.code);
    expect(error.where).toMatch(/offset \d+/);
  }
  try {
    await recoverRecording(file, target);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    expect(['DAMAGED', 'VERSION']).toContain(error.code);
    return 'lost';
  }
  expect(await verifies(target)).toBe(true);
  const saved = await logOf(target);
  const isWhole = saved.length === log.length && saved.at(-1) === log.at(-1);
  if (!isWhole) expect(saved.pop()).toContain('"reason":"recovered"');
  expect(saved).toEqual(log.slice(0, saved.length));
  return saved.length;
}

it('with a bit changed is refused, and what is before the damage is recovered', async () => {
  const outcomes: Outcome[] = [];
  const numbers = random(0x5eed);
  for (let n = 0; n < FLIPS; n++) {
    const bit = numbers.next().value! % (whole.length * 8);
    const bytes = whole.slice();
    bytes[bit >> 3] ^= 1 << (bit & 7);
    expect(toHex(hashing.sha256(bytes))).not.toBe(toHex(hashing.sha256(whole)));
    outcomes.push(await outcomeOf(bytes));
  }
  const prefixes = new Set(outcomes.filter((outcome) => typeof outcome === 'number'));
  expect(prefixes.size).toBeGreaterThan(10);
  expect(outcomes.filter((outcome) => outcome === 'unharmed')).toEqual([]);
});

it('that was cut off is refused, and what is there is recovered', async () => {
  const numbers = random(0xc07);
  let best = 0;
  for (let n = 0; n < CUTS; n++) {
    const length = numbers.next().value! % whole.length;
    const outcome = await outcomeOf(whole.slice(0, length));
    expect(outcome).not.toBe('unharmed');
    if (typeof outcome === 'number') best = Math.max(best, outcome);
  }
  expect(best).toBeGreaterThan(log.length / 2);
});
