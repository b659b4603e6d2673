import { assert } from '../base/assert.js';
import { damagedFrame } from './block-codec.js';

/** Frame_Header of a Zstandard frame, RFC 8878 section 3.1.1.1. */
interface FrameHeader {
  /** Frame_Content_Size, or undefined where the frame does not state it. */
  readonly contentBytes: number | undefined;
  /** Length of everything before Frame_Content_Size. */
  readonly prefixBytes: number;
}

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const DESCRIPTOR = 4;
const SINGLE_SEGMENT = 0x20;
const RESERVED = 0x08;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];

/** Reads the header; throws DAMAGED if `frame` is no zstd frame. */
export function readFrameHeader(frame: Uint8Array): FrameHeader {
  if (frame.length < 6 || !MAGIC.every((byte, i) => frame[i] === byte)) throw damagedFrame('not a zstd frame');
  const descriptor = frame[DESCRIPTOR]!;
  if ((descriptor & RESERVED) !== 0) throw damagedFrame('the reserved bit of the frame header is set');
  const single = (descriptor & SINGLE_SEGMENT) !== 0;
  const prefixBytes = DESCRIPTOR + 1 + (single ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]!;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
  if (prefixBytes + sizeBytes > frame.length) throw damagedFrame('the frame ends inside its header');
  if (sizeBytes === 0) return { contentBytes: undefined, prefixBytes };
  let contentBytes = 0;
  for (let i = sizeBytes - 1; i >= 0; i--) contentBytes = contentBytes * 256 + frame[prefixBytes + i]!;
  // Two-byte sizes start where one-byte sizes end.
  return { contentBytes: sizeBytes === 2 ? contentBytes + 256 : contentBytes, prefixBytes };
}

/** The same frame with a four-byte Frame_Content_Size, for decoders that must know how much memory to take. */
export function stateContentBytes(frame: Uint8Array, contentBytes: number): Uint8Array {
  const header = readFrameHeader(frame);
  assert(header.contentBytes === undefined, 'the frame states its content size already');
  const at = header.prefixBytes;
  const stated = new Uint8Array(frame.length + 4);
  stated.set(frame.subarray(0, at));
  stated[DESCRIPTOR] = frame[DESCRIPTOR]! | 0x80;
  new DataView(stated.buffer).setUint32(at, contentBytes, true);
  stated.set(frame.subarray(at), at + 4);
  return stated;
}
