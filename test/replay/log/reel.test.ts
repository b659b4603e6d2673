import { McapIndexedReader, McapStreamReader, TempBuffer } from '@mcap/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { createBlockCodec } from '../../../src/host/block-codec.js';
import { createSigner, createSigningKeys, createVerifier } from '../../../src/host/signing.js';
import { immediateCompressor, type BlockCodec } from '../../../src/log/block-codec.js';
import { pagesOf } from '../../../src/log/pages.js';
import { bytesSource } from '../../../src/log/reel-source.js';
import { ReelReader } from '../../../src/log/reel-reader.js';
import { ReelWriter } from '../../../src/log/reel-writer.js';
import { entriesOf, hashing, noise, SAMPLE_META, sampleRam, Sections, Tape, writeSample } from './sample.js';

let codec: BlockCodec;
beforeAll(async () => {
  codec = await createBlockCodec();
});

function open(bytes: Uint8Array): ReelReader {
  return ReelReader.open(bytesSource(bytes), codec, hashing);
}

describe('a recording', () => {
  it('reads back as it was written', () => {
    const sample = writeSample(codec);
    const reader = open(sample.bytes);
    expect(reader.meta).toEqual({ ...SAMPLE_META, formatVersion: 1 });
    expect(entriesOf(reader)).toEqual(sample.entries);
    expect(reader.end).toEqual(sample.entries.at(-1));
    expect(reader.verify()).toBe(sample.entries.length);
  });

  it('is the same file when the same things happen', () => {
    expect(writeSample(codec).bytes).toEqual(writeSample(codec).bytes);
  });

  it('lists its marks, digests, image blocks and checkpoints', () => {
    const sample = writeSample(codec);
    const reader = open(sample.bytes);
    expect(reader.marks()).toEqual(sample.entries.filter((e) => e.entry === 'mark'));
    expect(reader.digests()).toEqual(sample.entries.filter((e) => e.entry === 'digest'));
    const [block] = reader.blocks('hda');
    expect(block).toMatchObject({ tick: 1002, offset: 512, lengthBytes: 64 });
    expect(reader.readBlock(block!)).toEqual(noise(64));
    expect(reader.blocks('hdb')).toEqual([]);
    expect(reader.checkpoints().map(({ tick }) => tick)).toEqual([1003]);
  });

  it('gives back the snapshot and the checkpoint, whose unchanged pages are the snapshot’s', () => {
    const sample = writeSample(codec, {}, 600);
    const reader = open(sample.bytes);
    const start = new Sections();
    reader.loadState(reader.snapshot, start);
    expect(start.blobs.get('cpu')).toEqual(noise(40));
    expect(start.blobs.get('empty')).toEqual(new Uint8Array(0));
    expect(Buffer.compare(start.images.get('ram')!, sample.ram)).toBe(0);
    const later = new Sections();
    reader.loadState(reader.checkpoints()[0]!, later);
    expect(later.blobs).toEqual(new Map([['cpu', noise(40, 2)]]));
    expect(Buffer.compare(later.images.get('ram')!, sample.laterRam)).toBe(0);
  });

  it('goes on from a checkpoint with the entry that followed it', () => {
    const sample = writeSample(codec);
    const reader = open(sample.bytes);
    const cursor = reader.cursor(reader.checkpoints()[0]!.position);
    expect([...cursor]).toEqual(sample.entries.slice(5));
  });

  it('is sought by tick and by position', () => {
    const sample = writeSample(codec);
    const reader = open(sample.bytes);
    const cursor = reader.cursor();
    for (const tick of [0, 1000, 1001, 1002, 1003, 1004, 2000, 2001, 50_000_000_000, 59_999_999_999, 60_000_000_000]) {
      cursor.seek(tick);
      expect(cursor.peek()).toEqual(sample.entries.find((e) => e.tick >= tick));
      const position = cursor.position;
      const rest = [...cursor];
      cursor.seekPosition(position);
      expect([...cursor]).toEqual(rest);
    }
    cursor.seek(60_000_000_001);
    expect(cursor.next()).toBeUndefined();
  });

  it('splits sections and states larger than a chunk', () => {
    const tape = new Tape();
    const writer = new ReelWriter({ sink: tape, hashing, compressor: immediateCompressor(codec), meta: SAMPLE_META });
    const disk = noise(2_500_000);
    const ram = sampleRam(2000);
    writer.appendState('snapshot', 1000, [
      { name: 'disk', bytes: disk },
      { name: 'ram', pages: pagesOf(ram) },
    ]);
    writer.append({ entry: 'output', tick: 1000, kind: 'frame', channel: 0, bytes: noise(1_000_000) });
    for (let i = 0; writer.backlogBytes > 0; i++) {
      writer.work();
      if (!writer.isEncodingState) writer.flush();
      expect(i).toBeLessThan(50);
    }
    writer.finish({ tick: 1000, reason: 'stop' });
    const reader = open(tape.bytes);
    const sections = new Sections();
    reader.loadState(reader.snapshot, sections);
    expect(Buffer.compare(sections.blobs.get('disk')!, disk)).toBe(0);
    expect(Buffer.compare(sections.images.get('ram')!, ram)).toBe(0);
    expect(reader.verify()).toBe(2);
    expect(reader.chunkCount).toBeGreaterThan(4);
  });

  it('keeps its order when a compressor answers late and out of order', () => {
    const waiting: (() => void)[] = [];
    const compressor = {
      compress: (block: Uint8Array, level: number, done: (frame: Uint8Array | null) => void) =>
        void waiting.push(() => done(waiting.length % 3 === 0 ? null : codec.compress(block, level))),
      poll: () => {},
      drain: () => {},
    };
    const tape = new Tape();
    const writer = new ReelWriter({ sink: tape, hashing, compressor, meta: SAMPLE_META });
    let isFinished = false;
    writer.appendState('snapshot', 1000, [{ name: 'disk', bytes: noise(3_000_000).map((byte) => byte & 0x0f) }]);
    writer.append({ entry: 'mark', tick: 1001, type: 'mark', label: 'x', value: 0, by: 'guest' });
    writer.flush();
    writer.append({ entry: 'mark', tick: 1002, type: 'mark', label: 'y', value: 0, by: 'guest' });
    writer.finish({ tick: 1003, reason: 'stop' }, () => (isFinished = true));
    expect(waiting.length).toBeGreaterThan(2);
    while (waiting.length > 0) {
      expect(isFinished).toBe(false);
      waiting.pop()!();
    }
    expect(isFinished).toBe(true);
    expect(writer.backlogBytes).toBe(0);
    expect(writer.bytesWritten).toBe(tape.bytes.length);
    expect(
      open(tape.bytes)
        .marks()
        .map((mark) => mark.label),
    ).toEqual(['x', 'y']);
    expect(open(tape.bytes).verify()).toBe(3);
  });

  it('stores what cannot be compressed as it is, without trying', () => {
    const compressed: number[] = [];
    const compressor = immediateCompressor({
      ...codec,
      compress: (block, level) => {
        compressed.push(block.length);
        return codec.compress(block, level);
      },
    });
    const tape = new Tape();
    const writer = new ReelWriter({ sink: tape, hashing, compressor, meta: SAMPLE_META });
    writer.appendState('snapshot', 1000, [{ name: 'disk', bytes: noise(1_000_000) }]);
    writer.flush();
    expect(compressed.every((length) => length < 64 * 1024)).toBe(true);
    const before = writer.bytesWritten;
    const text = noise(1_000_000).map((byte) => byte & 0x0f);
    writer.append({ entry: 'block', tick: 1001, image: 'hda', offset: 0, bytes: text });
    writer.finish({ tick: 1002, reason: 'stop' });
    expect(writer.bytesWritten - before).toBeLessThan(600_000);
    const reader = open(tape.bytes);
    expect(reader.verify()).toBe(2);
    expect(Buffer.compare(reader.readBlock(reader.blocks('hda')[0]!), text)).toBe(0);
  });

  it('keeps what was appended when its bytes change afterwards', () => {
    const tape = new Tape();
    const writer = new ReelWriter({ sink: tape, hashing, compressor: immediateCompressor(codec), meta: SAMPLE_META });
    writer.appendState('snapshot', 1000, []);
    // Behind a state that waits, and then into the chunk at hand.
    for (const tick of [1001, 1002, 1003]) {
      const bytes = new Uint8Array(4096).fill(tick & 0xff);
      writer.append({ entry: 'block', tick, image: 'hda', offset: tick * 4096, bytes });
      bytes.fill(0);
      if (tick === 1001) writer.flush();
    }
    writer.finish({ tick: 1004, reason: 'stop' });
    const reader = open(tape.bytes);
    const kept = reader.blocks('hda').map((block) => [...new Set(reader.readBlock(block))]);
    expect(kept).toEqual([[1001 & 0xff], [1002 & 0xff], [1003 & 0xff]]);
  });

  it('survives a sink that fails, and says so once', () => {
    let room = 3;
    const sink = {
      write() {
        if (room-- === 0) throw new Error('disk full');
      },
    };
    const writer = new ReelWriter({ sink, hashing, compressor: immediateCompressor(codec), meta: SAMPLE_META });
    writer.appendState('snapshot', 1000, []);
    const mark = { entry: 'mark', tick: 1000, type: 'mark', label: '', value: 0, by: '' } as const;
    const failures: unknown[] = [];
    for (let i = 0; i < 6; i++) {
      writer.append(mark);
      try {
        writer.flush();
      } catch (error) {
        failures.push(error);
      }
    }
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({ code: 'HOST_IO', cause: new Error('disk full') });
    expect(writer.failure).toBe(failures[0]);
    expect(writer.backlogBytes).toBe(0);
  });

  it('that is signed proves who recorded it', () => {
    const keys = createSigningKeys();
    const others = createSigningKeys();
    const signer = createSigner(keys.privateKey);
    const { bytes } = writeSample(codec, { signer });
    const reader = open(bytes);
    expect(reader.isSigned).toBe(true);
    expect(reader.verifySignature(createVerifier([others.publicKey, keys.publicKey]))).toEqual([signer.keyId]);
    expect(() => reader.verifySignature(createVerifier([others.publicKey]))).toThrow(
      expect.objectContaining({ code: 'DAMAGED' }),
    );
    const forged = writeSample(codec, { signer: { keyId: signer.keyId, sign: () => new Uint8Array(64) } });
    expect(() => open(forged.bytes).verifySignature(createVerifier([keys.publicKey]))).toThrow(/no signature/);
    expect(() => open(writeSample(codec).bytes).verifySignature(createVerifier([]))).toThrow(/not signed/);
  });

  it('does not take the signature of another recording', () => {
    const keys = createSigningKeys();
    const signer = createSigner(keys.privateKey);
    const other = writeSample(codec, { signer, meta: { ...SAMPLE_META, recordingId: 'reel-0002' } });
    const replayed = { keyId: signer.keyId, sign: () => new Uint8Array(64) };
    const { bytes } = writeSample(codec, { signer: replayed });
    // The envelopes are equally long: one is put in the other's place and its CRC made right.
    const find = (file: Uint8Array): number => Buffer.from(file).indexOf('{"payload"');
    const length = Buffer.from(other.bytes).indexOf(']}', find(other.bytes)) + 2 - find(other.bytes);
    const envelope = other.bytes.slice(find(other.bytes), find(other.bytes) + length);
    expect(envelope.length).toBe(length);
    const moved = bytes.slice();
    moved.set(envelope, find(bytes));
    const recordStart =
      find(bytes) - 8 - 4 - 'application/vnd.dsse+json'.length - 4 - 'guestreel.signature'.length - 16;
    const end = find(bytes) + length;
    new DataView(moved.buffer).setUint32(end, hashing.crc32(moved.subarray(recordStart, end)), true);
    expect(() => open(moved).verifySignature(createVerifier([keys.publicKey]))).toThrow(/another recording/);
  });
});

describe('a recording is valid MCAP', () => {
  const handlers = () => ({ zstd: (frame: Uint8Array, size: bigint) => codec.decompress(frame, Number(size)) });

  it('for a reader by index', async () => {
    const sample = writeSample(codec);
    const reader = await McapIndexedReader.Initialize({
      readable: new TempBuffer(sample.bytes),
      decompressHandlers: handlers(),
    });
    expect(reader.header.profile).toBe('guestreel');
    const inputs: Uint8Array[] = [];
    for await (const message of reader.readMessages({ topics: ['input/serial', 'input/reset'] })) {
      expect(message.logTime).toBe(4004n);
      inputs.push(message.data);
    }
    expect(inputs).toEqual([Uint8Array.of(0, 65, 66), new Uint8Array(0)]);
    let count = 0n;
    let before = 0n;
    for await (const message of reader.readMessages({ validateCrcs: true })) {
      expect(message.logTime).toBeGreaterThanOrEqual(before);
      before = message.logTime;
      count++;
    }
    expect(count).toBe(reader.statistics!.messageCount);
    const attachments: string[] = [];
    for await (const attachment of reader.readAttachments()) attachments.push(attachment.name);
    expect(attachments).toEqual(['guestreel.chain']);
    const metadata: unknown[] = [];
    for await (const record of reader.readMetadata()) metadata.push(record);
    expect(metadata).toMatchObject([{ name: 'guestreel.format', metadata: new Map([['version', '1']]) }]);
  });

  it('for a reader of streams, JSON payloads included', () => {
    const sample = writeSample(codec);
    const reader = new McapStreamReader({ decompressHandlers: handlers(), validateCrcs: true });
    reader.append(sample.bytes);
    const topics = new Map<number, { topic: string; messageEncoding: string }>();
    const jsonOf = new Map<string, unknown>();
    for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
      if (record.type === 'Channel') topics.set(record.id, record);
      if (record.type !== 'Message') continue;
      const { topic, messageEncoding } = topics.get(record.channelId)!;
      if (messageEncoding === 'json') jsonOf.set(topic, JSON.parse(new TextDecoder().decode(record.data)));
    }
    expect(reader.done()).toBe(true);
    expect([...jsonOf.keys()].sort()).toEqual(['audit', 'checkpoint', 'end', 'mark', 'meta', 'snapshot']);
    expect(jsonOf.get('end')).toEqual({ reason: 'stop', by: 'host:user' });
    expect(jsonOf.get('mark')).toEqual({ type: 'begin', label: 'phase "a"', value: 7, by: 'guest:ring3', phaseId: 1 });
    expect(jsonOf.get('audit')).toEqual({ rule: 'agent-records', effect: 'permit', tick: 1 });
  });
});

describe('a file that is no recording of this version', () => {
  const refuse = (bytes: Uint8Array): CodedError => {
    try {
      open(bytes);
    } catch (error) {
      if (error instanceof CodedError) return error;
      throw error;
    }
    throw new Error('it was taken');
  };
  it('is refused if it is empty or something else', () => {
    expect(refuse(new Uint8Array(0)).describe()).toMatch(/offset 0: this is no recording/);
    expect(refuse(noise(5000)).code).toBe('DAMAGED');
  });
  it('is refused with both versions if its version is another', () => {
    const { bytes } = writeSample(codec);
    const other = bytes.slice();
    other[Buffer.from(bytes).indexOf('version') + 'version'.length + 4] = '7'.charCodeAt(0);
    const error = refuse(other);
    expect(error.code).toBe('VERSION');
    expect(error.message).toBe('the recording has format version 7, this program reads 1');
  });
  it('is refused if it has another MCAP profile', () => {
    const other = writeSample(codec).bytes.slice();
    other[21] = 'x'.charCodeAt(0);
    expect(refuse(other).message).toMatch(/profile "xuestreel"/);
  });
  it('is refused with advice if it is cut off', () => {
    const { bytes } = writeSample(codec);
    expect(refuse(bytes.subarray(0, bytes.length - 1)).describe()).toMatch(/cut off \(reel recover/);
  });
});
