import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { createBlockCodec, createNodeBlockCodec, createWasmBlockCodec } from '../../../src/host/block-codec.js';
import { createHashing } from '../../../src/host/hashing.js';
import { MAX_BLOCK_BYTES, type BlockCodec } from '../../../src/log/block-codec.js';
import { noise } from './sample.js';

/** Text that compresses. */
const TEXT = new TextEncoder().encode('the guest holds the record button; '.repeat(20));

/** TEXT as compressed by the zstd command, version 1.5.4: from a file, and from a pipe without a content size. */
const COMMAND_FRAMES = {
  'from a file':
    '28b52ffd64bc016d0100240274686520677565737420686f6c647320746865207265636f726420627574746f6e3b0200928c2a206be71380c18fc1',
  'from a pipe':
    '28b52ffd04586d0100240274686520677565737420686f6c647320746865207265636f726420627574746f6e3b0200928c2a206be71380c18fc1',
};

/** Every codec this Node can have; the WebAssembly one always is among them. */
const codecs = new Map<string, BlockCodec>();
beforeAll(async () => {
  codecs.set('wasm', await createWasmBlockCodec());
  const node = createNodeBlockCodec();
  if (node !== undefined) codecs.set('node', node);
});

/** The zstd command, where there is one. */
function zstd(args: string[], input: Uint8Array): Uint8Array | undefined {
  try {
    return execFileSync('zstd', ['-q', '-c', ...args], { input, maxBuffer: 8 * MAX_BLOCK_BYTES });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const BLOCKS = {
  text: TEXT,
  'one byte': Uint8Array.of(7),
  zeros: new Uint8Array(MAX_BLOCK_BYTES),
  noise: noise(MAX_BLOCK_BYTES),
};

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

describe('a block codec', () => {
  it('reads what every other one wrote, at every level', () => {
    for (const writer of codecs.values()) {
      for (const block of Object.values(BLOCKS)) {
        for (let level = 1; level <= 9; level++) {
          const frame = writer.compress(block, level);
          for (const reader of codecs.values()) expect(same(reader.decompress(frame, block.length), block)).toBe(true);
        }
      }
    }
  });

  it('returns memory of its own', () => {
    for (const codec of codecs.values()) {
      const first = codec.compress(TEXT, 3);
      expect(first).not.toBeInstanceOf(Buffer);
      const copy = first.slice();
      codec.compress(noise(1000), 3);
      expect(first).toEqual(copy);
      const block = codec.decompress(first, TEXT.length);
      codec.decompress(codec.compress(noise(TEXT.length), 3), TEXT.length);
      expect(same(block, TEXT)).toBe(true);
    }
  });

  it('reads the frames of the zstd command, with and without a content size', () => {
    for (const codec of codecs.values()) {
      for (const frame of Object.values(COMMAND_FRAMES)) {
        expect(same(codec.decompress(Buffer.from(frame, 'hex'), TEXT.length), TEXT)).toBe(true);
      }
    }
  });

  it('and the zstd command on this machine, if any, read each other', () => {
    for (const codec of codecs.values()) {
      for (const block of Object.values(BLOCKS)) {
        const unpacked = zstd(['-d'], codec.compress(block, 3));
        if (unpacked !== undefined) expect(same(unpacked, block)).toBe(true);
        for (const args of [['-3'], ['-9', '--no-check'], [`--stream-size=${block.length}`]]) {
          const frame = zstd(args, block);
          if (frame !== undefined) expect(same(codec.decompress(frame, block.length), block)).toBe(true);
        }
      }
    }
  });

  const damage = (attempt: () => unknown): void => {
    try {
      attempt();
    } catch (error) {
      if (error instanceof CodedError && error.code === 'DAMAGED') return;
      throw error;
    }
    throw new Error('the damage went unnoticed');
  };

  it('notices a frame that is cut off, whatever is missing', () => {
    for (const codec of codecs.values()) {
      const frame = codec.compress(TEXT, 3);
      for (let length = 0; length < frame.length; length++)
        damage(() => codec.decompress(frame.subarray(0, length), TEXT.length));
    }
  });

  it('notices a wrong length', () => {
    for (const codec of codecs.values()) {
      const frame = codec.compress(TEXT, 3);
      for (const length of [0, 1, TEXT.length - 1, TEXT.length + 1, MAX_BLOCK_BYTES, -1, NaN, Infinity]) {
        damage(() => codec.decompress(frame, length));
      }
      for (const hex of Object.values(COMMAND_FRAMES)) {
        damage(() => codec.decompress(Buffer.from(hex, 'hex'), TEXT.length - 1));
        damage(() => codec.decompress(Buffer.from(hex, 'hex'), TEXT.length + 1));
      }
    }
  });

  it('gives a block of the right length or a DAMAGED error for any bytes, and works on', () => {
    for (const codec of codecs.values()) {
      const frame = codec.compress(TEXT, 3);
      fc.assert(
        fc.property(fc.nat(frame.length - 1), fc.nat(255), (at, value) => {
          const changed = frame.slice();
          changed[at] = value;
          try {
            expect(codec.decompress(changed, TEXT.length).length).toBe(TEXT.length);
          } catch (error) {
            if (!(error instanceof CodedError)) throw error;
            expect(error.code).toBe('DAMAGED');
          }
        }),
        { numRuns: 1000 },
      );
      expect(same(codec.decompress(frame, TEXT.length), TEXT)).toBe(true);
    }
  });

  it('does not take the memory that a frame claims to need', () => {
    for (const codec of codecs.values()) {
      // Single segment, eight bytes of content size: 2^62.
      const claim = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0);
      damage(() => codec.decompress(claim, TEXT.length));
      damage(() => codec.decompress(new Uint8Array(3 * MAX_BLOCK_BYTES), MAX_BLOCK_BYTES));
    }
  });

  it('is there on every Node', async () => {
    const codec = await createBlockCodec();
    expect(same(codec.decompress(codec.compress(TEXT, 1), TEXT.length), TEXT)).toBe(true);
  });
});

describe('hashing', () => {
  const hashing = createHashing();
  it('computes the SHA-256 of all parts together', () => {
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    const digest = hashing.sha256(Uint8Array.of(97), new Uint8Array(0), Uint8Array.of(98, 99));
    expect(Buffer.from(digest).toString('hex')).toBe(abc);
  });
  it('computes CRC-32, in one go or piece by piece', () => {
    const check = new TextEncoder().encode('123456789');
    expect(hashing.crc32(check)).toBe(0xcbf43926);
    expect(hashing.crc32(check.subarray(4), hashing.crc32(check.subarray(0, 4)))).toBe(0xcbf43926);
  });
});
