import { describe, expect, it } from 'vitest';
import { HashChain } from '../../../src/log/chain.js';
import { Channels } from '../../../src/log/channels.js';
import { ChunkBuilder } from '../../../src/log/chunk-builder.js';
import { ContentParser, type StoredChunk } from '../../../src/log/chunk-content.js';
import { ENTRY_KINDS, topicText } from '../../../src/log/entries.js';
import { hashing, SAMPLE_META } from './sample.js';

const NS_PER_TICK = SAMPLE_META.nsPerTick;

/** Two chunks of one file: its meta entry, and output of a serial port. */
function chunks(channels: Channels): StoredChunk[] {
  const builder = new ChunkBuilder(channels, new HashChain(hashing), hashing, BigInt(NS_PER_TICK));
  const sealed = (offset: number): StoredChunk => {
    const { content, contentHash, startTime, endTime } = builder.seal();
    return { offset, length: content.length, content: content.slice(), contentHash, frame: null, startTime, endTime };
  };
  builder.add(topicText('meta'), 0, 0, ENTRY_KINDS.meta.payload.encode({ ...SAMPLE_META, formatVersion: 1 }));
  const first = sealed(0);
  for (let tick = 1; tick < 4; tick++) builder.add(topicText('output', 'serial'), tick, tick, Uint8Array.of(0, tick));
  return [first, sealed(1000)];
}

describe('the contents of chunks', () => {
  it('are read whatever was damaged before', () => {
    const channels = new Channels();
    const [first, second] = chunks(channels);
    const parser = new ContentParser(channels, false);
    parser.parse(first!);
    const cut = { ...second!, content: second!.content.subarray(0, -1) };
    const other = { ...second!, content: second!.content.slice() };
    other.content[Buffer.from(other.content).indexOf('output/serial')]! ^= 1;
    for (let i = 0; i < 2; i++) {
      expect(() => parser.parse(cut)).toThrow(/does not end in its chunk/);
      expect(() => parser.parse(other)).toThrow(/differs from previous channel/);
    }
    const { messages } = parser.parse(second!);
    expect(messages.map(({ kind, tick, data }) => [kind, tick, [...data]])).toEqual([
      ['output', 1, [0, 1]],
      ['output', 2, [0, 2]],
      ['output', 3, [0, 3]],
    ]);
  });
});
