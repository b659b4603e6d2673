import { McapRecordBuilder, type McapTypes } from '@mcap/core';
import { assert } from '../base/assert.js';
import { utf8Encode } from '../base/platform.js';
import { ENTRY_KINDS, parseTopic, type KindName, type Topic } from './entries.js';

/** Number of channels that MCAP's 16-bit ids allow, less a few. */
const MAX_CHANNELS = 0xfff0;
/** With a topic of MAX_SUFFIX_LENGTH, the records of a new channel stay below what chunks leave room for. */
export const MAX_SCHEMA_BYTES = 3072;

/** The channels and schemas of one file: a schema per kind of message, a channel per topic, both on first use. */
export class Channels {
  readonly #channelOf = new Map<string, McapTypes.Channel>();
  readonly #schemaOf = new Map<KindName, McapTypes.Schema>();
  readonly #schemas: McapTypes.Schema[] = [];
  readonly #topics: Topic[] = [];

  /** `model`: the channels of a file to be written again, whose schemas are used instead of this program's. */
  constructor(private readonly model?: Channels) {}

  /** In order of their first use. */
  get schemas(): readonly McapTypes.Schema[] {
    return this.#schemas;
  }
  get channels(): Iterable<McapTypes.Channel> {
    return this.#channelOf.values();
  }
  get channelCount(): number {
    return this.#channelOf.size;
  }

  schemaData(kind: KindName): Uint8Array | undefined {
    return this.#schemaOf.get(kind)?.data;
  }

  find(topic: string): McapTypes.Channel | undefined {
    return this.#channelOf.get(topic);
  }

  /** A channel for a topic that has none; `schema` is there if that is new too. Both must then be written. */
  define(topic: string): { channel: McapTypes.Channel; schema: McapTypes.Schema | undefined } {
    const parsed = parseTopic(topic);
    assert(parsed !== undefined, `no kind of entry has the topic ${topic}`);
    const { kind } = parsed;
    assert(!this.#channelOf.has(topic), `channel ${topic} defined twice`);
    assert(this.#channelOf.size < MAX_CHANNELS, 'too many channels');
    const { payload } = ENTRY_KINDS[kind];
    const known = this.#schemaOf.get(kind);
    const schema = known ?? {
      id: this.#schemas.length + 1,
      name: `guestreel.${kind}`,
      encoding: payload.schemaEncoding,
      data: this.model?.schemaData(kind) ?? utf8Encode(payload.schemaText),
    };
    if (known === undefined) {
      this.#schemaOf.set(kind, schema);
      this.#schemas.push(schema);
    }
    const { messageEncoding } = payload;
    const channel = { id: this.#channelOf.size, schemaId: schema.id, topic, messageEncoding, metadata: new Map() };
    this.#channelOf.set(topic, channel);
    this.#topics.push(parsed);
    return { channel, schema: known === undefined ? schema : undefined };
  }

  /** The topic of channel `id`, or undefined. */
  topicOf(id: number): Topic | undefined {
    return this.#topics[id];
  }

  /** Takes over a schema of an existing file; returns what is wrong with it. */
  adoptSchema(schema: McapTypes.Schema): string | undefined {
    const kind = (Object.keys(ENTRY_KINDS) as KindName[]).find((name) => `guestreel.${name}` === schema.name);
    if (kind === undefined) return `the schema "${schema.name}" is unknown`;
    if (schema.id !== this.#schemas.length + 1 || this.#schemaOf.has(kind))
      return `schema ${schema.id} is out of order`;
    if (schema.data.length > MAX_SCHEMA_BYTES) return `schema ${schema.id} is too long`;
    this.#schemaOf.set(kind, schema);
    this.#schemas.push(schema);
    return undefined;
  }

  /** Takes over a channel of an existing file; returns what is wrong with it. */
  adoptChannel(channel: McapTypes.Channel): string | undefined {
    const topic = parseTopic(channel.topic);
    if (topic === undefined) return `the channel "${channel.topic}" is unknown`;
    if (channel.id !== this.#channelOf.size || this.#channelOf.has(channel.topic) || channel.id >= MAX_CHANNELS) {
      return `channel ${channel.id} is out of order`;
    }
    if (this.#schemaOf.get(topic.kind)?.id !== channel.schemaId) {
      return `channel "${channel.topic}" has the wrong schema`;
    }
    this.#channelOf.set(channel.topic, channel);
    this.#topics.push(topic);
    return undefined;
  }

  /** All schemas and channels as MCAP records. */
  records(): Uint8Array {
    const builder = new McapRecordBuilder();
    for (const schema of this.#schemas) builder.writeSchema(schema);
    for (const channel of this.channels) builder.writeChannel(channel);
    return builder.buffer;
  }
}
