/** `npx tsx test/replay/log/write-golden.ts` adds the golden recording of the present format version, once. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createWasmBlockCodec } from '../../../src/host/block-codec.js';
import { createSigner, createSigningKeys } from '../../../src/host/signing.js';
import { FORMAT_VERSION } from '../../../src/log/meta.js';
import { ReelReader } from '../../../src/log/reel-reader.js';
import { bytesSource } from '../../../src/log/reel-source.js';
import { inventory } from './golden.js';
import { hashing, writeSample } from './sample.js';

const folder = new URL(`../../fixtures/${FORMAT_VERSION}/`, import.meta.url);
const file = new URL('golden.reel', folder);
// A golden recording is what users have: it never changes.
if (existsSync(file)) throw new Error(`${file.pathname} exists`);
const codec = await createWasmBlockCodec();
const keys = createSigningKeys();
const { bytes } = writeSample(codec, { signer: createSigner(keys.privateKey) });
const reader = ReelReader.open(bytesSource(bytes), codec, hashing);
mkdirSync(folder, { recursive: true });
writeFileSync(file, bytes);
writeFileSync(new URL('golden.json', folder), `${JSON.stringify(inventory(reader), null, 2)}\n`);
writeFileSync(new URL('golden.pem', folder), keys.publicKey);
