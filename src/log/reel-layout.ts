import { McapConstants } from '@mcap/core';
import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import { MAX_FRAME_BYTES } from './block-codec.js';
import { CHAIN_ATTACHMENT, decodeChain, type ClosedChain } from './chain.js';
import { Channels } from './channels.js';
import { FORMAT_VERSION } from './meta.js';
import { FORMAT_METADATA, PROFILE, VERSION_KEY } from './reel-file.js';
import {
  checkMagic,
  damagedAt,
  MAGIC_BYTES,
  parseRecords,
  placeRecord,
  readBytes,
  readRecord,
  RECORD_HEADER_BYTES,
  type RecordOf,
  type ReelSource,
} from './reel-source.js';
import { SIGNATURE_ATTACHMENT } from './signature.js';

/** A summary of days: 150 bytes per chunk, four chunks per second. */
const MAX_SUMMARY_BYTES = 256 * 1024 * 1024;
const FOOTER_BYTES = RECORD_HEADER_BYTES + 20;
const DATA_END_BYTES = RECORD_HEADER_BYTES + 4;

/** Where a chunk lies and what is in it, according to the summary. */
export interface ChunkPlace {
  readonly offset: number;
  readonly startTime: bigint;
  readonly endTime: bigint;
  /** Channel ids of its messages. */
  readonly channels: ReadonlySet<number>;
}

/** The structure of a complete recording. */
export interface ReelLayout {
  /** Who wrote it. */
  readonly library: string;
  /** Offset of the first chunk. */
  readonly start: number;
  /** Offset behind the last record of the data section: where DataEnd lies. */
  readonly dataEnd: number;
  readonly dataSectionCrc: number;
  readonly channels: Channels;
  readonly chunks: readonly ChunkPlace[];
  readonly chain: ClosedChain;
  /** The DSSE envelope. */
  readonly signature: Uint8Array | undefined;
}

/** Checks the beginning of a recording, complete or not; returns the offset behind it and who wrote it. */
export function readHead(source: ReelSource): { start: number; library: string } {
  checkMagic(source, 0, 'this is no recording');
  const header = readRecord(source, MAGIC_BYTES, 'Header');
  if (header.record.profile !== PROFILE) {
    throw new CodedError('DAMAGED', `an MCAP file of the profile "${header.record.profile}", not "${PROFILE}"`, {
      where: `offset ${MAGIC_BYTES}`,
    });
  }
  const offset = MAGIC_BYTES + header.place.length;
  const { record, place } = readRecord(source, offset, 'Metadata');
  const version = record.name === FORMAT_METADATA ? record.metadata.get(VERSION_KEY) : undefined;
  if (version === undefined) throw damagedAt(offset, 'the format version is missing');
  if (version !== String(FORMAT_VERSION)) {
    throw new CodedError(
      'VERSION',
      `the recording has format version ${version}, this program reads ${FORMAT_VERSION}`,
      {
        where: `offset ${offset}`,
        hint: `it was written by ${header.record.library}`,
      },
    );
  }
  return { start: offset + place.length, library: header.record.library };
}

/** Whether this looks like a recording that was written to its end, of the version that this program reads. */
export function hasBothEnds(source: ReelSource): boolean {
  try {
    const { start } = readHead(source);
    const end = source.size - MAGIC_BYTES;
    checkMagic(source, end, 'the recording is cut off');
    return end > start;
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  }
}

/** Reads and checks everything but the chunks. */
export function readLayout(source: ReelSource, hashing: Hashing): ReelLayout {
  const { start, library } = readHead(source);
  const footerOffset = source.size - MAGIC_BYTES - FOOTER_BYTES;
  if (footerOffset < start) throw damagedAt(source.size, 'the recording is cut off');
  checkMagic(source, source.size - MAGIC_BYTES, 'the recording is cut off');
  // The library only takes a footer together with the magic behind it.
  const [footer] = parseRecords(readBytes(source, footerOffset, FOOTER_BYTES + MAGIC_BYTES), footerOffset);
  if (footer?.type !== 'Footer') throw damagedAt(footerOffset, 'the footer is damaged');
  const summaryStart = offsetWithin(footer.summaryStart, start + DATA_END_BYTES, footerOffset, footerOffset);
  const summary = readSummary(source, hashing, summaryStart, footerOffset, footer.summaryCrc);
  const dataEnd = summaryStart - DATA_END_BYTES;
  const ending = readRecord(source, dataEnd, 'DataEnd', DATA_END_BYTES, summaryStart);
  if (ending.place.length !== DATA_END_BYTES) throw damagedAt(dataEnd, 'the end of the data section is damaged');
  const { dataSectionCrc } = ending.record;
  const { chunks, end } = placeChunks(summary.chunkIndexes, start, dataEnd);
  const attachments = readAttachments(source, end, dataEnd);
  const chainBytes = attachments.get(CHAIN_ATTACHMENT);
  if (chainBytes === undefined) throw damagedAt(end, 'the hash chain is missing');
  const chain = decodeChain(chainBytes, hashing, `offset ${end}`);
  if (chain.hashes.length !== chunks.length) {
    throw damagedAt(end, `the hash chain has ${chain.hashes.length} links for ${chunks.length} chunks`);
  }
  const signature = attachments.get(SIGNATURE_ATTACHMENT);
  return { library, start, dataEnd, dataSectionCrc, channels: summary.channels, chunks, chain, signature };
}

function offsetWithin(value: bigint, from: number, to: number, where: number): number {
  if (value < BigInt(from) || value > BigInt(to)) throw damagedAt(where, `the offset ${value} is out of range`);
  return Number(value);
}

function readSummary(source: ReelSource, hashing: Hashing, start: number, footerOffset: number, summaryCrc: number) {
  const length = footerOffset - start;
  if (length > MAX_SUMMARY_BYTES) throw damagedAt(start, `a summary of ${length} bytes`);
  // The CRC goes on over the footer up to its own field.
  const covered = readBytes(source, start, length + FOOTER_BYTES - 4);
  if (hashing.crc32(covered) !== summaryCrc) throw damagedAt(start, "the summary's CRC does not match");
  const channels = new Channels();
  const chunkIndexes: RecordOf<'ChunkIndex'>[] = [];
  for (const record of parseRecords(covered.subarray(0, length), start)) {
    let problem: string | undefined;
    if (record.type === 'Schema') problem = channels.adoptSchema(record);
    else if (record.type === 'Channel') problem = channels.adoptChannel(record);
    else if (record.type === 'ChunkIndex') chunkIndexes.push(record);
    if (problem !== undefined) throw damagedAt(start, problem);
  }
  return { channels, chunkIndexes };
}

/** The chunks follow each other without a gap, in order of time. */
function placeChunks(indexes: readonly RecordOf<'ChunkIndex'>[], start: number, dataEnd: number) {
  const chunks: ChunkPlace[] = [];
  let end = start;
  for (const index of indexes) {
    const offset = offsetWithin(index.chunkStartOffset, end, end, end);
    if (index.chunkLength > BigInt(MAX_FRAME_BYTES) || index.messageIndexLength > BigInt(dataEnd - offset)) {
      throw damagedAt(offset, 'a chunk longer than the file');
    }
    end = offset + Number(index.chunkLength) + Number(index.messageIndexLength);
    const { messageStartTime: startTime, messageEndTime: endTime } = index;
    const before = chunks.at(-1)?.endTime ?? startTime;
    if (end > dataEnd) throw damagedAt(offset, 'a chunk longer than the file');
    if (startTime < before || endTime < startTime) throw damagedAt(offset, 'a chunk out of order');
    chunks.push({ offset, startTime, endTime, channels: new Set(index.messageIndexOffsets.keys()) });
  }
  if (chunks.length === 0) throw damagedAt(start, 'a recording without chunks');
  return { chunks, end };
}

/** Nothing but attachments lies between the last chunk and DataEnd. */
function readAttachments(source: ReelSource, start: number, dataEnd: number): Map<string, Uint8Array> {
  const attachments = new Map<string, Uint8Array>();
  for (let offset = start; offset < dataEnd;) {
    const place = placeRecord(source, offset, MAX_SUMMARY_BYTES, dataEnd);
    if (place.opcode !== McapConstants.Opcode.ATTACHMENT) throw damagedAt(offset, 'an unexpected record');
    const { record } = readRecord(source, offset, 'Attachment', MAX_SUMMARY_BYTES, dataEnd);
    attachments.set(record.name, record.data);
    offset += place.length;
  }
  return attachments;
}
