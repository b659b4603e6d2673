import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { decodeChunk, encodeChunkHead, type ChunkHead } from '../../../src/log/chunk-record.js';
import { noise } from './sample.js';

const HEAD: ChunkHead = {
  startTime: 4n,
  endTime: 8n,
  contentBytes: 300n,
  contentCrc: 0xfedc_ba98,
  compression: 'zstd',
};
const DATA = noise(200);

function record(dataBytes: number): Uint8Array {
  return Uint8Array.from([...encodeChunkHead(HEAD, dataBytes), ...DATA]);
}

describe("a chunk's record", () => {
  it('is taken apart as it was put together', () => {
    expect(decodeChunk(record(DATA.length), 0)).toEqual({ ...HEAD, data: DATA });
  });

  it('is damaged if it is too short, or has more or less data than it says', () => {
    const damaged = expect.objectContaining({ code: 'DAMAGED', where: expect.stringContaining('offset 77') });
    const bytes = record(DATA.length);
    const attempts = [record(DATA.length - 1), record(DATA.length + 1), bytes.subarray(0, -1), bytes.subarray(0, 30)];
    for (const attempt of attempts) {
      let error: unknown;
      try {
        decodeChunk(attempt, 77);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(CodedError);
      expect(error).toEqual(damaged);
    }
  });
});
