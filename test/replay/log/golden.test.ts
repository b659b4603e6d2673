import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createBlockCodec } from '../../../src/host/block-codec.js';
import { createVerifier } from '../../../src/host/signing.js';
import { FORMAT_VERSION } from '../../../src/log/meta.js';
import { recover } from '../../../src/log/recover.js';
import { ReelReader } from '../../../src/log/reel-reader.js';
import { bytesSource } from '../../../src/log/reel-source.js';
import { inventory, type Inventory } from './golden.js';
import { hashing, Tape } from './sample.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url);
const versions = readdirSync(FIXTURES).filter((name) => existsSync(new URL(`${name}/golden.reel`, FIXTURES)));

describe.each(versions)('the golden recording of format version %s', (version) => {
  const read = (name: string): Buffer => readFileSync(new URL(`${version}/${name}`, FIXTURES));
  const expected = JSON.parse(read('golden.json').toString()) as Inventory;

  it('is read as it was on the day it was written', async () => {
    const reader = ReelReader.open(bytesSource(read('golden.reel')), await createBlockCodec(), hashing);
    expect(inventory(reader)).toEqual(expected);
    expect(reader.verify()).toBe(expected.entries.length);
    expect(reader.verifySignature(createVerifier([read('golden.pem').toString()]))).toHaveLength(1);
  });

  it('is recovered without its end, chain and all', async () => {
    const codec = await createBlockCodec();
    const tape = new Tape();
    const golden = read('golden.reel');
    recover(bytesSource(golden.subarray(0, golden.indexOf('application/vnd.guestreel.chain'))), codec, hashing, tape);
    const { chainSha256, entries } = inventory(ReelReader.open(bytesSource(tape.bytes), codec, hashing));
    expect({ chainSha256, entries }).toEqual({ chainSha256: expected.chainSha256, entries: expected.entries });
  });
});

it('there is a golden recording of the version that is written', () => {
  expect(versions).toContain(String(FORMAT_VERSION));
});
