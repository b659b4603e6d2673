import { McapConstants } from '@mcap/core';
import { ByteReader, ByteWriter } from '../base/bytes.js';
import { damagedAt, RECORD_HEADER_BYTES } from './reel-source.js';

/** What an MCAP chunk record says of the records in it. */
export interface ChunkHead {
  /** Nanoseconds. */
  readonly startTime: bigint;
  readonly endTime: bigint;
  /** Bytes of the content, uncompressed, and their CRC. */
  readonly contentBytes: bigint;
  readonly contentCrc: number;
  /** Empty: stored as it is. */
  readonly compression: string;
}

// Chunks are the greatest part of a file, and the library copies their data twice, whether it writes or reads them.

/** A chunk's record up to its data, of which there are `dataBytes`. */
export function encodeChunkHead(head: ChunkHead, dataBytes: number): Uint8Array {
  const fields = new ByteWriter().u64(head.startTime).u64(head.endTime).u64(head.contentBytes);
  fields.u32(head.contentCrc).text(head.compression).u64(BigInt(dataBytes));
  const record = new ByteWriter().u8(McapConstants.Opcode.CHUNK);
  return record
    .u64(BigInt(fields.length + dataBytes))
    .raw(fields.view())
    .finish();
}

/** Takes the record at `offset` apart, whose opcode and length are known; `data` is a view of it. Throws DAMAGED. */
export function decodeChunk(record: Uint8Array, offset: number): ChunkHead & { readonly data: Uint8Array } {
  const input = new ByteReader(record, `the chunk at offset ${offset}`);
  input.raw(RECORD_HEADER_BYTES);
  const startTime = input.u64();
  const endTime = input.u64();
  const contentBytes = input.u64();
  const contentCrc = input.u32();
  const compression = input.text();
  const dataBytes = input.u64();
  const data = input.raw(input.remaining);
  if (BigInt(data.length) !== dataBytes) throw damagedAt(offset, `${data.length} bytes of ${dataBytes} in a chunk`);
  return { startTime, endTime, contentBytes, contentCrc, compression, data };
}
