import { McapConstants } from '@mcap/core';
import { ByteReader } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import { MAX_BLOCK_BYTES, MAX_FRAME_BYTES, type BlockCodec } from './block-codec.js';
import type { Channels } from './channels.js';
import { MAX_PAYLOAD_BYTES } from './chunk-builder.js';
import { decodeChunk } from './chunk-record.js';
import { ENTRY_KINDS, type ChainLink, type KindName } from './entries.js';
import type { ReelMeta } from './meta.js';
import { damagedAt, placeRecord, readBytes, RecordParser, type RecordOf, type ReelSource } from './reel-source.js';

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
  const { opcode, length } = placeRecord(source, offset, MAX_FRAME_BYTES + CHUNK_HEADER_BYTES, end);
  if (opcode !== McapConstants.Opcode.CHUNK) throw damagedAt(offset, `record ${opcode} where a chunk is expected`);
  const chunk = decodeChunk(readBytes(source, offset, length, end), offset);
  const { compression, data, contentBytes, contentCrc, startTime, endTime } = chunk;
  if (contentBytes > BigInt(MAX_BLOCK_BYTES)) throw damagedAt(offset, `a chunk of ${contentBytes} bytes`);
  const content = unpack(compression, data, Number(contentBytes), codec, offset);
  if (hashing.crc32(content) !== contentCrc) throw damagedAt(offset, "the chunk's CRC does not match");
  return {
    offset,
    length,
    content,
    contentHash: hashing.sha256(content),
    frame: compression === '' ? null : data,
    startTime,
    endTime,
  };
}

function unpack(
  compression: string,
  data: Uint8Array,
  rawBytes: number,
  codec: BlockCodec,
  offset: number,
): Uint8Array {
  if (compression === '') {
    if (data.length !== rawBytes) throw damagedAt(offset, "the chunk's size does not match");
    return data;
  }
  if (compression !== 'zstd') throw damagedAt(offset, `the unknown compression "${compression}"`);
  try {
    return codec.decompress(data, rawBytes);
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
  /** A view of the chunk. */
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
    const { content, offset } = chunk;
    const messages: Message[] = [];
    const input = new ByteReader(content, `the chunk at offset ${offset}`);
    while (input.remaining > 0) {
      const start = input.offset;
      const opcode = input.u8();
      const length = input.u64();
      if (length > BigInt(input.remaining)) throw damagedAt(offset, 'a record that does not end in its chunk');
      const record = input.raw(Number(length));
      if (opcode === McapConstants.Opcode.MESSAGE) messages.push(this.#message(record, offset));
      else this.#define(content.subarray(start, input.offset), offset);
    }
    const [first, ...others] = messages;
    if (first?.kind !== 'chain' || others.length === 0) throw damagedAt(offset, 'a chunk without link and messages');
    const link = ENTRY_KINDS.chain.payload.decode(first.data, `offset ${offset}`);
    this.#checkOrder(messages, chunk);
    return { link, messages: others };
  }

  /** The library wants to see channels before it is shown them a second time: it compares the two. */
  #createParser(): RecordParser {
    const parser = new RecordParser();
    for (const _record of parser.parse(this.channels.records(), 0));
    return parser;
  }

  /** A record that is no message. */
  #define(bytes: Uint8Array, offset: number): void {
    const parser = this.#parser ?? this.#createParser();
    this.#parser = null;
    for (const record of parser.parse(bytes, offset)) {
      if (record.type !== 'Schema' && record.type !== 'Channel') {
        throw damagedAt(offset, `a record of type ${record.type} within a chunk`);
      }
      if (this.mayDefine) this.#adopt(record, offset);
    }
    this.#parser = parser;
  }

  #adopt(record: RecordOf<'Schema'> | RecordOf<'Channel'>, offset: number): void {
    const problem = record.type === 'Schema' ? this.channels.adoptSchema(record) : this.channels.adoptChannel(record);
    if (problem !== undefined) throw damagedAt(offset, problem);
  }

  /** Taken apart here: they are the greatest part of a file, and the library would copy them twice. */
  #message(record: Uint8Array, offset: number): Message {
    const input = new ByteReader(record, `a message in the chunk at offset ${offset}`);
    const channel = input.u16();
    const sequence = input.u32();
    const logTime = input.u64();
    // When it was published: the same.
    input.u64();
    const data = input.raw(input.remaining);
    const topic = this.channels.topicOf(channel);
    if (topic === undefined) throw damagedAt(offset, `a message on the unknown channel ${channel}`);
    if (data.length > MAX_PAYLOAD_BYTES) throw damagedAt(offset, `an entry of ${data.length} bytes`);
    if (topic.kind === 'meta') this.#learn(data, offset);
    // The chain's link comes before `meta`; both have the start tick, which is put right below.
    const tick = this.#nsPerTick === undefined ? -1n : logTime / this.#nsPerTick;
    if (this.#nsPerTick !== undefined && tick * this.#nsPerTick !== logTime) {
      throw damagedAt(offset, `the time ${logTime} lies between two ticks`);
    }
    if (tick > BigInt(Number.MAX_SAFE_INTEGER)) throw damagedAt(offset, `the time ${logTime} is out of range`);
    return { ...topic, tick: Number(tick), sequence, data };
  }

  #learn(payload: Uint8Array, offset: number): void {
    // The first chunk may be read again.
    if (this.#metaOffset !== undefined) {
      if (this.#metaOffset !== offset) throw damagedAt(offset, 'a second meta entry');
      return;
    }
    this.#meta = ENTRY_KINDS.meta.payload.decode(payload, `offset ${offset}`);
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
