import { randomBytes } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { BackgroundCompressor } from '../../src/host/background-compressor.js';
import { createBlockCodec } from '../../src/host/block-codec.js';
import { immediateCompressor } from '../../src/log/block-codec.js';
import { ROOT } from '../tidy/sources.js';

/** What is built: a thread runs no TypeScript. */
const worker = (file: string): URL => pathToFileURL(`${ROOT}dist/host/${file}`);

const codec = await createBlockCodec();
const LARGE = new Uint8Array(Buffer.from(randomBytes(100_000).toString('base64')));
const SMALL = LARGE.slice(0, 1000);

describe('compressing in a thread', () => {
  const compressor = new BackgroundCompressor(worker('compression-worker.js'), immediateCompressor(codec));

  it('gives what compressing at once gives, later', () => {
    const frames: (Uint8Array | null)[] = [];
    for (let i = 0; i < 3; i++) compressor.compress(LARGE, 3, (frame) => frames.push(frame));
    expect(frames).toEqual([]);
    compressor.drain();
    expect(frames).toHaveLength(3);
    const expected = codec.compress(LARGE, 3);
    for (const frame of frames) expect(Buffer.compare(frame!, expected)).toBe(0);
  });

  it('is not for what is small', () => {
    const frames: (Uint8Array | null)[] = [];
    const done = (frame: Uint8Array | null): void => void frames.push(frame);
    compressor.compress(LARGE, 3, done);
    compressor.compress(SMALL, 3, done);
    expect(frames).toHaveLength(1);
    expect(codec.decompress(frames[0]!, SMALL.length)).toEqual(SMALL);
    compressor.drain();
    expect(frames).toHaveLength(2);
  });

  it('is done at once, where the thread has failed', async () => {
    const failing = new BackgroundCompressor(worker('no-such-file.js'), immediateCompressor(codec));
    await expect(new Promise<Uint8Array | null>((resolve) => failing.compress(LARGE, 3, resolve))).resolves.toBeNull();
    let frame: Uint8Array | null = null;
    failing.compress(LARGE, 3, (compressed) => (frame = compressed));
    expect(frame).toEqual(codec.compress(LARGE, 3));
  });
});
