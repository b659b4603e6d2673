import { McapConstants, McapStreamReader, type McapTypes } from '@mcap/core';
import { assert } from '../base/assert.js';
import { ByteReader } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';

/** Random access to a recording's bytes; synchronous, as replay is. */
export interface ReelSource {
  readonly size: number;
  /** Exactly `length` bytes, which must not change afterwards. */
  read(offset: number, length: number): Uint8Array;
}

/** A recording held in memory. */
export function bytesSource(bytes: Uint8Array): ReelSource {
  return { size: bytes.length, read: (offset, length) => bytes.slice(offset, offset + length) };
}

export const MAGIC_BYTES = 8;
/** Opcode and content length. */
export const RECORD_HEADER_BYTES = 9;
/** For records other than chunks, attachments and the summary: none of them is longer in a recording. */
export const MAX_SMALL_RECORD_BYTES = 64 * 1024;

export function damagedAt(offset: number, message: string, cause?: unknown): CodedError {
  return new CodedError('DAMAGED', message, {
    where: `offset ${offset}`,
    hint: 'reel recover FILE saves what is whole',
    cause,
  });
}

/** Reads within `[0, end)`; throws DAMAGED where the file is too short. */
export function readBytes(source: ReelSource, offset: number, length: number, end = source.size): Uint8Array {
  if (!(offset >= 0 && length >= 0 && offset + length <= end)) {
    throw damagedAt(offset, `${length} bytes are expected where ${Math.max(0, end - offset)} are left`);
  }
  const bytes = source.read(offset, length);
  if (bytes.length !== length) throw damagedAt(offset, `only ${bytes.length} of ${length} bytes could be read`);
  return bytes;
}

/** Throws DAMAGED unless MCAP's magic is at `offset`. */
export function checkMagic(source: ReelSource, offset: number, message: string): void {
  const { MCAP_MAGIC } = McapConstants;
  const magic = source.size - offset < MAGIC_BYTES ? undefined : readBytes(source, offset, MAGIC_BYTES);
  if (magic === undefined || !MCAP_MAGIC.every((byte, i) => magic[i] === byte)) throw damagedAt(offset, message);
}

/** Where a record lies, whatever is in it. */
export interface RecordPlace {
  readonly opcode: number;
  readonly offset: number;
  /** Of the whole record. */
  readonly length: number;
}

/** Reads a record's opcode and length; a length beyond `end` or `maxBytes` is damage. */
export function placeRecord(source: ReelSource, offset: number, maxBytes: number, end = source.size): RecordPlace {
  const header = new ByteReader(readBytes(source, offset, RECORD_HEADER_BYTES, end), `offset ${offset}`);
  const opcode = header.u8();
  const contentBytes = header.u64();
  const available = Math.min(maxBytes, end - offset - RECORD_HEADER_BYTES);
  if (contentBytes > BigInt(available)) {
    throw damagedAt(offset, `a record of ${contentBytes} bytes where at most ${available} fit`);
  }
  return { opcode, offset, length: RECORD_HEADER_BYTES + Number(contentBytes) };
}

type RecordType = McapTypes.TypedMcapRecord['type'];
export type RecordOf<T extends RecordType> = Extract<McapTypes.TypedMcapRecord, { type: T }>;

/** The MCAP library's parser. It knows channels from one piece to the next; after an error it is of no use any more. */
export class RecordParser {
  readonly #parser = new McapStreamReader({ includeChunks: true, noMagicPrefix: true });

  /** Every record in `bytes`; chunks and attachments are left as they are. Nothing may follow a chunk or a footer. */
  *parse(bytes: Uint8Array, where: number): Generator<McapTypes.TypedMcapRecord> {
    const parser = this.#parser;
    try {
      parser.append(bytes);
      for (;;) {
        const record = parser.nextRecord();
        if (record === undefined) break;
        yield record;
        // The parser would go on inside a chunk and would want magic behind a footer.
        if (record.type === 'Chunk' || record.type === 'Footer') break;
      }
    } catch (cause) {
      if (cause instanceof CodedError) throw cause;
      throw damagedAt(where, cause instanceof Error ? cause.message : 'a malformed record', cause);
    }
    if (parser.bytesRemaining() !== 0) throw damagedAt(where, `${parser.bytesRemaining()} bytes after the last record`);
  }
}

/** Every record in `bytes`. */
export function parseRecords(bytes: Uint8Array, where: number): Generator<McapTypes.TypedMcapRecord> {
  return new RecordParser().parse(bytes, where);
}

/** The single record of type `type` at `offset`. */
export function readRecord<T extends RecordType>(
  source: ReelSource,
  offset: number,
  type: T,
  maxBytes = MAX_SMALL_RECORD_BYTES,
  end = source.size,
): { record: RecordOf<T>; place: RecordPlace } {
  const place = placeRecord(source, offset, maxBytes, end);
  const [record, ...others] = parseRecords(readBytes(source, offset, place.length, end), offset);
  if (record?.type !== type) throw damagedAt(offset, `${record?.type ?? 'nothing'} where a ${type} is expected`);
  assert(others.length === 0, 'one place holds one record');
  return { record: record as RecordOf<T>, place };
}
