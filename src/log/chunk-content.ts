import type { McapTypes } from '@mcap/core';
import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import { MAX_BLOCK_BYTES, MAX_FRAME_BYTES, type BlockCodec } from './block-codec.js';
import type { Channels } from './channels.js';
import { MAX_PAYLOAD_BYTES } from './chunk-builder.js';
import { ENTRY_KINDS, type ChainLink, type KindName } from './entries.js';
import type { ReelMeta } from './meta.js';
import { damagedAt, readRecord, RecordParser, type RecordOf, type ReelSource } from './reel-source.js';

/** Everything of a chunk record before its data. */
const CHUNK_HEADER_BYTES = 64;

/** A chunk as read: its content is what its CRC says. */
export interface StoredChunk {
  readonly offset: number;
  readonly length: number;
  readonly content: Uint8Array;
  readonly contentHash: Uint8Array;
  /** As stored, null if the content is. */
  readonly frame: Uint8Array | null;
  readonly startTime: bigint;
  readonly endTime: bigint;
}

/** Reads and decompresses the chunk at `offset`; any damage in it is a DAMAGED error. */
export function readChunk(
  source: ReelSource,
  offset: number,
  end: number,
  codec: BlockCodec,
  hashing: Hashing,
): StoredChunk {
  const { record, place } = readRecord(source, offset, 'Chunk', MAX_FRAME_BYTES + CHUNK_HEADER_BYTES, end);
  if (record.uncompressedSize > BigInt(MAX_BLOCK_BYTES)) {
    throw damagedAt(offset, `a chunk of ${record.uncompressedSize} bytes`);
  }
  const content = unpack(record, codec, offset);
  if (hashing.crc32(content) !== record.uncompressedCrc) throw damagedAt(offset, "the chunk's CRC does not match");
  return {
    offset,
    length: place.length,
    content,
    contentHash: hashing.sha256(content),
    frame: record.compression === '' ? null : record.records,
    startTime: record.messageStartTime,
    endTime: record.messageEndTime,
  };
}

function unpack(record: RecordOf<'Chunk'>, codec: BlockCodec, offset: number): Uint8Array {
  const rawBytes = Number(record.uncompressedSize);
  if (record.compression === '') {
    if (record.records.length !== rawBytes) throw damagedAt(offset, "the chunk's size does not match");
    return record.records;
  }
  if (record.compression !== 'zstd') throw damagedAt(offset, `the unknown compression "${record.compression}"`);
  try {
    return codec.decompress(record.records, rawBytes);
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw damagedAt(offset, cause.message, cause);
  }
}

/** A message, its topic and time taken apart, its payload not yet. */
export interface Message {
  readonly kind: KindName;
  readonly suffix: string;
  readonly tick: Tick;
  readonly sequence: number;
  readonly data: Uint8Array;
}

export interface ChunkContent {
  readonly link: ChainLink;
  /** Without the chain's link. */
  readonly messages: readonly Message[];
}

/** Takes contents apart. Learns from the first chunk how long a tick lasts. */
export class ContentParser {
  /** Null until it is needed, and while it is in use: an error leaves it so. */
  #parser: RecordParser | null = null;
  #nsPerTick: bigint | undefined;
  #meta: ReelMeta | undefined;
  #metaOffset: number | undefined;

  /** `mayDefine`: channels are learned from the chunks, in file order, and not known beforehand. */
  constructor(
    private readonly channels: Channels,
    private readonly mayDefine: boolean,
  ) {}

  /** Of the first chunk, once it has been parsed. */
  get meta(): ReelMeta | undefined {
    return this.#meta;
  }

  parse(chunk: StoredChunk): ChunkContent {
    const { offset } = chunk;
    const messages: Message[] = [];
    for (const record of this.#records(chunk)) {
      if (record.type === 'Schema' || record.type === 'Channel') this.#define(record, offset);
      else if (record.type === 'Message') messages.push(this.#message(record, chunk));
      else throw damagedAt(offset, `a record of type ${record.type} within a chunk`);
    }
    const [first, ...others] = messages;
    if (first?.kind !== 'chain' || others.length === 0) throw damagedAt(offset, 'a chunk without link and messages');
    const link = ENTRY_KINDS.chain.payload.decode(first.data, `offset ${offset}`);
    this.#checkOrder(messages, chunk);
    return { link, messages: others };
  }

  *#records({ content, offset }: StoredChunk): Generator<McapTypes.TypedMcapRecord> {
    const parser = this.#parser ?? this.#createParser();
    this.#parser = null;
    yield* parser.parse(content, offset);
    this.#parser = parser;
  }

  /** The library wants to see a message's channel before the message. */
  #createParser(): RecordParser {
    const parser = new RecordParser();
    for (const _record of parser.parse(this.channels.records(), 0));
    return parser;
  }

  #define(record: RecordOf<'Schema'> | RecordOf<'Channel'>, offset: number): void {
    // Known beforehand from the summary: the library has compared the two.
    if (!this.mayDefine) return;
    const problem = record.type === 'Schema' ? this.channels.adoptSchema(record) : this.channels.adoptChannel(record);
    if (problem !== undefined) throw damagedAt(offset, problem);
  }

  #message(record: RecordOf<'Message'>, { offset }: StoredChunk): Message {
    const topic = this.channels.topicOf(record.channelId);
    if (topic === undefined) throw damagedAt(offset, `a message on the unknown channel ${record.channelId}`);
    if (record.data.length > MAX_PAYLOAD_BYTES) throw damagedAt(offset, `an entry of ${record.data.length} bytes`);
    if (topic.kind === 'meta') this.#learn(record, offset);
    // The chain's link comes before `meta`; both have the start tick, which is put right below.
    const tick = this.#nsPerTick === undefined ? -1n : record.logTime / this.#nsPerTick;
    if (this.#nsPerTick !== undefined && tick * this.#nsPerTick !== record.logTime) {
      throw damagedAt(offset, `the time ${record.logTime} lies between two ticks`);
    }
    if (tick > BigInt(Number.MAX_SAFE_INTEGER)) throw damagedAt(offset, `the time ${record.logTime} is out of range`);
    return { ...topic, tick: Number(tick), sequence: record.sequence, data: record.data };
  }

  #learn(record: RecordOf<'Message'>, offset: number): void {
    // The first chunk may be read again.
    if (this.#metaOffset !== undefined) {
      if (this.#metaOffset !== offset) throw damagedAt(offset, 'a second meta entry');
      return;
    }
    this.#meta = ENTRY_KINDS.meta.payload.decode(record.data, `offset ${offset}`);
    this.#metaOffset = offset;
    this.#nsPerTick = BigInt(this.#meta.nsPerTick);
  }

  /** Ticks never go back, and the chunk's own times are those of its messages. */
  #checkOrder(messages: readonly Message[], chunk: StoredChunk): void {
    const { offset } = chunk;
    const nsPerTick = this.#nsPerTick;
    if (nsPerTick === undefined) throw damagedAt(offset, 'the recording does not start with its meta entry');
    const start = chunk.startTime / nsPerTick;
    let before = Number(start);
    for (const message of messages.slice(1)) {
      if (message.tick < before) throw damagedAt(offset, `tick ${message.tick} after tick ${before}`);
      before = message.tick;
    }
    const last = messages.at(-1)!.tick;
    if (start * nsPerTick !== chunk.startTime || BigInt(last) * nsPerTick !== chunk.endTime) {
      throw damagedAt(offset, "the chunk's times are not those of its messages");
    }
    if (messages[1]!.tick !== Number(start)) throw damagedAt(offset, "the chunk's start is not its first message's");
  }
}
