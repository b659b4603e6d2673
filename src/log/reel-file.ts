import { McapConstants, McapRecordBuilder, type McapTypes } from '@mcap/core';
import type { Hashing } from '../base/hash.js';
import type { Channels } from './channels.js';
import type { BuiltChunk } from './chunk-builder.js';
import { encodeChunkHead } from './chunk-record.js';
import { FORMAT_VERSION } from './meta.js';

/** MCAP profile of a recording. */
export const PROFILE = 'guestreel';
/** The metadata record right after the header that tells the format's version. */
export const FORMAT_METADATA = 'guestreel.format';
export const VERSION_KEY = 'version';

/** Takes the file's bytes in order. */
export interface ReelSink {
  write(bytes: Uint8Array): void;
}

/**
 * Lays out one MCAP file: header, chunks with their message indexes, attachments, and at the end the summary. Done by
 * records, as the library's own writer is asynchronous and decides itself where chunks end.
 */
export class ReelFile {
  readonly #records = new McapRecordBuilder();
  readonly #chunkIndexes: McapTypes.ChunkIndex[] = [];
  readonly #attachmentIndexes: McapTypes.AttachmentIndex[] = [];
  readonly #metadataIndexes: McapTypes.MetadataIndex[] = [];
  readonly #messageCounts = new Map<number, bigint>();
  #bytesWritten = 0;
  /** Of everything written so far; starts anew with the summary. */
  #crc = 0;

  constructor(
    private readonly sink: ReelSink,
    private readonly hashing: Hashing,
    private readonly channels: Channels,
  ) {}

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** Writes what the record builder holds. */
  #write(): void {
    const bytes = this.#records.buffer;
    this.#records.reset();
    this.#writeBytes(bytes);
  }

  #writeBytes(bytes: Uint8Array): void {
    this.#crc = this.hashing.crc32(bytes, this.#crc);
    this.sink.write(bytes);
    this.#bytesWritten += bytes.length;
  }

  start(library: string): void {
    this.#records.writeMagic();
    this.#records.writeHeader({ profile: PROFILE, library });
    const offset = BigInt(this.#records.length);
    const metadata = new Map([[VERSION_KEY, String(FORMAT_VERSION)]]);
    const length = this.#records.writeMetadata({ name: FORMAT_METADATA, metadata });
    this.#metadataIndexes.push({ name: FORMAT_METADATA, offset, length });
    this.#write();
  }

  /** `frame` is the content as zstd frame, or null to store the content as it is. */
  addChunk(chunk: BuiltChunk, frame: Uint8Array | null): void {
    const chunkStartOffset = BigInt(this.#bytesWritten);
    const compression = frame === null ? '' : 'zstd';
    const records = frame ?? chunk.content;
    const { startTime, endTime, content } = chunk;
    const contentBytes = BigInt(content.length);
    const contentCrc = this.hashing.crc32(content);
    const head = encodeChunkHead({ startTime, endTime, contentBytes, contentCrc, compression }, records.length);
    this.#writeBytes(head);
    this.#writeBytes(records);
    const chunkLength = BigInt(head.length + records.length);
    const messageIndexOffsets = new Map<number, bigint>();
    let messageIndexLength = 0n;
    for (const index of chunk.indexes) {
      messageIndexOffsets.set(index.channelId, chunkStartOffset + chunkLength + messageIndexLength);
      messageIndexLength += this.#records.writeMessageIndex(index);
      const count = BigInt(index.records.length);
      this.#messageCounts.set(index.channelId, (this.#messageCounts.get(index.channelId) ?? 0n) + count);
    }
    this.#write();
    this.#chunkIndexes.push({
      messageStartTime: startTime,
      messageEndTime: endTime,
      chunkStartOffset,
      chunkLength,
      messageIndexOffsets,
      messageIndexLength,
      compression,
      compressedSize: BigInt(records.length),
      uncompressedSize: contentBytes,
    });
  }

  addAttachment(name: string, mediaType: string, data: Uint8Array): void {
    const offset = BigInt(this.#bytesWritten);
    const logTime = this.#chunkIndexes.at(-1)?.messageEndTime ?? 0n;
    // No wall clock in the file's structure: equal recordings are equal files.
    const attachment = { name, mediaType, data, logTime, createTime: 0n };
    const length = this.#records.writeAttachment(attachment);
    this.#write();
    const dataSize = BigInt(data.length);
    this.#attachmentIndexes.push({ name, mediaType, logTime, createTime: 0n, offset, length, dataSize });
  }

  /** Ends the data section and writes the summary, the footer and the closing magic. */
  finish(): void {
    this.#records.writeDataEnd({ dataSectionCrc: this.#crc });
    this.#write();
    this.#crc = 0;
    const summaryStart = BigInt(this.#bytesWritten);
    const groups: McapTypes.SummaryOffset[] = [];
    const { Opcode } = McapConstants;
    const group = (groupOpcode: number, write: () => void): void => {
      const from = this.#records.length;
      write();
      const groupLength = BigInt(this.#records.length - from);
      if (groupLength > 0n) groups.push({ groupOpcode, groupStart: summaryStart + BigInt(from), groupLength });
    };
    const records = this.#records;
    group(Opcode.SCHEMA, () => this.channels.schemas.forEach((schema) => records.writeSchema(schema)));
    group(Opcode.CHANNEL, () => [...this.channels.channels].forEach((channel) => records.writeChannel(channel)));
    group(Opcode.STATISTICS, () => records.writeStatistics(this.#statistics()));
    group(Opcode.METADATA_INDEX, () => this.#metadataIndexes.forEach((index) => records.writeMetadataIndex(index)));
    group(Opcode.ATTACHMENT_INDEX, () =>
      this.#attachmentIndexes.forEach((index) => records.writeAttachmentIndex(index)),
    );
    group(Opcode.CHUNK_INDEX, () => this.#chunkIndexes.forEach((index) => records.writeChunkIndex(index)));
    const summaryOffsetStart = summaryStart + BigInt(records.length);
    for (const offset of groups) records.writeSummaryOffset(offset);
    this.#write();
    this.#writeFooter({ summaryStart, summaryOffsetStart });
  }

  /** The summary's CRC covers the footer up to the CRC itself. */
  #writeFooter(footer: Omit<McapTypes.Footer, 'summaryCrc'>): void {
    this.#records.writeFooter({ ...footer, summaryCrc: 0 });
    const withoutCrc = this.#records.buffer.subarray(0, this.#records.length - 4);
    const summaryCrc = this.hashing.crc32(withoutCrc, this.#crc);
    this.#records.reset();
    this.#records.writeFooter({ ...footer, summaryCrc });
    this.#records.writeMagic();
    this.#write();
  }

  #statistics(): McapTypes.Statistics {
    let messageCount = 0n;
    for (const count of this.#messageCounts.values()) messageCount += count;
    return {
      messageCount,
      schemaCount: this.channels.schemas.length,
      channelCount: this.channels.channelCount,
      attachmentCount: this.#attachmentIndexes.length,
      metadataCount: this.#metadataIndexes.length,
      chunkCount: this.#chunkIndexes.length,
      messageStartTime: this.#chunkIndexes[0]?.messageStartTime ?? 0n,
      messageEndTime: this.#chunkIndexes.at(-1)?.messageEndTime ?? 0n,
      channelMessageCounts: this.#messageCounts,
    };
  }
}
