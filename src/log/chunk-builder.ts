import { McapChunkBuilder, type McapTypes } from '@mcap/core';
import { assert } from '../base/assert.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import { MAX_BLOCK_BYTES } from './block-codec.js';
import type { HashChain } from './chain.js';
import type { Channels } from './channels.js';
import { ENTRY_KINDS, topicText } from './entries.js';

/**
 * Largest payload of one message: with the chain's link, the schemas and the channels in front of it, it still fits
 * into a chunk.
 */
export const MAX_PAYLOAD_BYTES = MAX_BLOCK_BYTES - 16 * 1024;

/** Opcode, length, channel, sequence, log time and publish time of an MCAP message. */
const MESSAGE_HEADER_BYTES = 31;
/** More than a new channel with its schema takes. */
const CHANNEL_BYTES = 4096;

/** A chunk that no longer changes, not yet compressed. */
export interface BuiltChunk {
  readonly content: Uint8Array;
  readonly contentHash: Uint8Array;
  readonly startTime: bigint;
  readonly endTime: bigint;
  readonly indexes: readonly McapTypes.MessageIndex[];
}

/** Builds the chunks of one file one after the other. */
export class ChunkBuilder {
  readonly #builder = new McapChunkBuilder({ useMessageIndex: true });

  constructor(
    private readonly channels: Channels,
    private readonly chain: HashChain,
    private readonly hashing: Hashing,
    private readonly nsPerTick: bigint,
  ) {}

  get isEmpty(): boolean {
    return this.#builder.numMessages === 0;
  }

  /** True if a message of `payloadBytes` on `topic` still goes into this chunk. */
  fits(topic: string, payloadBytes: number): boolean {
    if (this.isEmpty) return true;
    const channelBytes = this.channels.find(topic) === undefined ? CHANNEL_BYTES : 0;
    return this.#builder.byteLength + channelBytes + MESSAGE_HEADER_BYTES + payloadBytes <= MAX_BLOCK_BYTES;
  }

  add(topic: string, tick: Tick, sequence: number, payload: Uint8Array): void {
    assert(payload.length <= MAX_PAYLOAD_BYTES, `an entry of ${payload.length} bytes on ${topic}`);
    if (this.isEmpty) {
      const link = ENTRY_KINDS.chain.payload.encode({ index: this.chain.length, value: this.chain.value });
      this.#addMessage(topicText('chain'), tick, this.chain.length, link);
    }
    this.#addMessage(topic, tick, sequence, payload);
  }

  #addMessage(topic: string, tick: Tick, sequence: number, data: Uint8Array): void {
    let channel = this.channels.find(topic);
    if (channel === undefined) {
      const defined = this.channels.define(topic);
      if (defined.schema !== undefined) this.#builder.addSchema(defined.schema);
      this.#builder.addChannel(defined.channel);
      channel = defined.channel;
    }
    const logTime = BigInt(tick) * this.nsPerTick;
    this.#builder.addMessage({ channelId: channel.id, sequence, logTime, publishTime: logTime, data });
  }

  /** Ends the chunk and adds it to the chain. */
  seal(): BuiltChunk {
    assert(!this.isEmpty, 'a chunk without messages');
    const content = this.#builder.buffer;
    assert(content.length <= MAX_BLOCK_BYTES, `a chunk of ${content.length} bytes`);
    const contentHash = this.hashing.sha256(content);
    const { messageStartTime: startTime, messageEndTime: endTime } = this.#builder;
    const indexes = [...this.#builder.indices];
    this.#builder.reset();
    this.chain.add(contentHash);
    return { content, contentHash, startTime, endTime, indexes };
  }
}
