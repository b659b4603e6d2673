import * as zlib from 'node:zlib';
import zstdCodec from 'zstd-codec';
import { assert } from '../base/assert.js';
import {
  damagedFrame,
  MAX_BLOCK_BYTES,
  MAX_FRAME_BYTES,
  MAX_LEVEL,
  MIN_LEVEL,
  type BlockCodec,
} from '../log/block-codec.js';
import { readFrameHeader, stateContentBytes } from '../log/zstd-frame.js';

/** node:zlib's zstd, since Node 22.15 and 23.8; the types of Node 20 do not know it. */
interface ZstdOfNode {
  zstdCompressSync(block: Uint8Array, options: { params: Record<number, number> }): Uint8Array;
  zstdDecompressSync(frame: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
  constants: { ZSTD_c_compressionLevel: number };
}

/** What both codecs check alike, around what they do differently. */
function checkedCodec(
  encode: (block: Uint8Array, level: number) => Uint8Array | null,
  decode: (frame: Uint8Array, rawBytes: number) => Uint8Array | null,
): BlockCodec {
  return {
    compress(block, level) {
      assert(block.length >= 1 && block.length <= MAX_BLOCK_BYTES, `a block of ${block.length} bytes`);
      assert(Number.isInteger(level) && level >= MIN_LEVEL && level <= MAX_LEVEL, `compression level ${level}`);
      const frame = encode(block, level);
      assert(frame !== null, 'zstd refused to compress a block');
      return frame;
    },
    decompress(frame, rawBytes) {
      if (!(rawBytes >= 1 && rawBytes <= MAX_BLOCK_BYTES)) throw damagedFrame(`a block of ${rawBytes} bytes`);
      if (frame.length > MAX_FRAME_BYTES) throw damagedFrame(`a frame of ${frame.length} bytes`);
      // Checked before decoding: the decoder takes as much memory as the frame says.
      const { contentBytes } = readFrameHeader(frame);
      if (contentBytes !== undefined && contentBytes !== rawBytes) {
        throw damagedFrame(`${contentBytes} bytes where ${rawBytes} are expected`);
      }
      let block: Uint8Array | null;
      try {
        block = decode(contentBytes === undefined ? stateContentBytes(frame, rawBytes) : frame, rawBytes);
      } catch (cause) {
        throw damagedFrame('the compressed data is damaged', cause);
      }
      if (block === null) throw damagedFrame('the compressed data is damaged');
      if (block.length !== rawBytes) throw damagedFrame(`${block.length} bytes where ${rawBytes} are expected`);
      return block;
    },
  };
}

/** zstd compiled to WebAssembly: runs everywhere; one instance per thread. */
export function createWasmBlockCodec(): Promise<BlockCodec> {
  return new Promise((resolve) => {
    zstdCodec.ZstdCodec.run((zstd) => {
      const simple = new zstd.Simple();
      resolve(
        checkedCodec(
          (block, level) => simple.compress(block, level),
          (frame) => simple.decompress(frame),
        ),
      );
    });
  });
}

/** node:zlib's zstd, or undefined where this Node has none. */
export function createNodeBlockCodec(): BlockCodec | undefined {
  const node = zlib as unknown as Partial<ZstdOfNode>;
  const { zstdCompressSync, zstdDecompressSync, constants } = node;
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined || constants === undefined) return undefined;
  return checkedCodec(
    (block, level) => plain(zstdCompressSync(block, { params: { [constants.ZSTD_c_compressionLevel]: level } })),
    (frame, rawBytes) => plain(zstdDecompressSync(frame, { maxOutputLength: rawBytes })),
  );
}

/** Not a Buffer, whose slice() would be a view and not a copy. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The fastest codec this Node offers. */
export async function createBlockCodec(): Promise<BlockCodec> {
  return createNodeBlockCodec() ?? (await createWasmBlockCodec());
}
