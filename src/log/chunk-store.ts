import { sameBytes } from '../base/bytes.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import type { BlockCodec } from './block-codec.js';
import { ContentParser, readChunk, type ChunkContent, type Message } from './chunk-content.js';
import { isLogKind, type KindName } from './entries.js';
import type { ReelMeta } from './meta.js';
import type { ReelLayout } from './reel-layout.js';
import { damagedAt, type ReelSource } from './reel-source.js';

/** A message's place in a recording: stable, and ordered as the messages are. */
export interface Position {
  readonly chunk: number;
  readonly message: number;
}

/** Chunks kept decompressed: the ones a seek back and forth touches. */
const CACHED_CHUNKS = 8;

/** The chunks of a complete recording, each checked against its CRC and the hash chain when it is read. */
export class ChunkStore {
  readonly meta: ReelMeta;
  readonly #parser: ContentParser;
  readonly #cache = new Map<number, ChunkContent>();
  readonly #nsPerTick: bigint;

  constructor(
    private readonly source: ReelSource,
    readonly layout: ReelLayout,
    private readonly codec: BlockCodec,
    private readonly hashing: Hashing,
  ) {
    this.#parser = new ContentParser(layout.channels, false);
    this.load(0);
    this.meta = this.#parser.meta!;
    this.#nsPerTick = BigInt(this.meta.nsPerTick);
  }

  get length(): number {
    return this.layout.chunks.length;
  }

  offsetOf(chunk: number): number {
    return this.layout.chunks[chunk]!.offset;
  }

  load(chunk: number): ChunkContent {
    const cached = this.#cache.get(chunk);
    const content = cached ?? this.#read(chunk);
    // Re-inserted as the youngest.
    this.#cache.delete(chunk);
    this.#cache.set(chunk, content);
    if (this.#cache.size > CACHED_CHUNKS) this.#cache.delete(this.#cache.keys().next().value!);
    return content;
  }

  #read(chunk: number): ChunkContent {
    const { layout, source, codec, hashing } = this;
    const place = layout.chunks[chunk]!;
    const stored = readChunk(source, place.offset, layout.dataEnd, codec, hashing);
    if (!sameBytes(stored.contentHash, layout.chain.hashes[chunk]!)) {
      throw damagedAt(place.offset, 'the chunk is not the one that the hash chain was made over');
    }
    if (stored.startTime !== place.startTime || stored.endTime !== place.endTime) {
      throw damagedAt(place.offset, 'the chunk and the summary disagree on its time');
    }
    const content = this.#parser.parse(stored);
    if (content.link.index !== chunk || !sameBytes(content.link.value, layout.chain.values[chunk]!)) {
      throw damagedAt(place.offset, 'the chunk has another place in the hash chain');
    }
    return content;
  }

  /** True if the summary lists a message of one of `kinds` in the chunk. */
  has(chunk: number, isWanted: (kind: KindName) => boolean): boolean {
    for (const id of this.layout.chunks[chunk]!.channels) {
      const topic = this.layout.channels.topicOf(id);
      if (topic !== undefined && isWanted(topic.kind)) return true;
    }
    return false;
  }

  /** The next chunk from `chunk` on with entries of the log, or `length`; the last one has the end. */
  nextLogChunk(chunk: number): number {
    let next = chunk;
    while (next < this.length - 1 && !this.has(next, isLogKind)) next++;
    return next;
  }

  /** The first chunk whose last message is at `tick` or later, or `length`. */
  firstChunkAt(tick: Tick): number {
    const time = BigInt(tick) * this.#nsPerTick;
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.layout.chunks[middle]!.endTime < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first chunk all of which is later than `tick`, or `length`. */
  firstChunkBehind(tick: Tick): number {
    const time = BigInt(tick) * this.#nsPerTick;
    const index = this.layout.chunks.findIndex(({ startTime }) => startTime > time);
    return index < 0 ? this.length : index;
  }

  /** Every message from `position` on, with its own position. */
  *messagesFrom(position: Position): Generator<{ message: Message; position: Position }> {
    let first = position.message;
    for (let chunk = position.chunk; chunk < this.length; chunk++, first = 0) {
      const { messages } = this.load(chunk);
      for (let index = first; index < messages.length; index++) {
        yield { message: messages[index]!, position: { chunk, message: index } };
      }
    }
  }

  /** Every message of the one kind, reading only the chunks that have any. */
  *messagesOf(kind: KindName, suffix = ''): Generator<{ message: Message; position: Position }> {
    for (let chunk = 0; chunk < this.length; chunk++) {
      if (!this.has(chunk, (present) => present === kind)) continue;
      const { messages } = this.load(chunk);
      for (let index = 0; index < messages.length; index++) {
        const message = messages[index]!;
        if (message.kind === kind && message.suffix === suffix) yield { message, position: { chunk, message: index } };
      }
    }
  }
}
