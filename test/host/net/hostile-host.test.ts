import { createServer, type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { readCapture } from '../../../src/host/net/capture.js';
import { StreamNetwork } from '../../../src/host/net/stream-network.js';

const LONGEST_FRAME = 69_632;

describe('a stream of frames', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** Our end, and the socket of the other one. */
  async function wire(): Promise<{ network: StreamNetwork; frames: Uint8Array[]; peer: Socket }> {
    const peers: ((socket: Socket) => void)[] = [];
    const server = createServer((socket) => peers.shift()?.(socket));
    await new Promise<void>((done) => void server.listen(0, '127.0.0.1', () => done()));
    const arrived = new Promise<Socket>((done) => peers.push(done));
    const { port } = server.address() as AddressInfo;
    const network = await StreamNetwork.open({ kind: 'stream', port });
    const peer = await arrived;
    const frames: Uint8Array[] = [];
    network.onFrame = (frame) => frames.push(frame);
    closers.push(
      () => network.close(),
      () => peer.destroy(),
      () => void server.close(),
    );
    return { network, frames, peer };
  }
  const framed = (length: number, bytes: Uint8Array): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    return Buffer.concat([head, bytes]);
  };

  it('gives the same frames however it is cut', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(400), { maxLength: 8 }),
      async (sent, cuts) => {
        const { frames, peer } = await wire();
        const all = Buffer.concat(sent.map((frame) => framed(frame.length, frame)));
        let at = 0;
        for (const cut of [...cuts, all.length]) {
          peer.write(all.subarray(at, at + cut));
          at = Math.min(all.length, at + cut);
          await new Promise((done) => setImmediate(done));
        }
        await expect.poll(() => frames.length, { timeout: 5000 }).toBe(sent.length);
        expect(frames.map((frame) => [...frame])).toEqual(sent.map((frame) => [...frame]));
        for (const close of closers.splice(0)) close();
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });

  it('ends where no frame can be as long, and hands out nothing of it', async () => {
    for (const length of [LONGEST_FRAME + 1, 0xffff_ffff]) {
      const { frames, peer } = await wire();
      const closed = new Promise((done) => peer.once('close', done));
      peer.on('error', () => {});
      peer.write(Buffer.concat([framed(3, Uint8Array.of(1, 2, 3)), framed(length, new Uint8Array(100))]));
      await closed;
      expect(frames.map((frame) => [...frame])).toEqual([[1, 2, 3]]);
    }
  });
});

/** A capture of frames, as tools write it. */
function pcap(frames: readonly Uint8Array[]): Uint8Array {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2_c3d4, 0);
  head.writeUInt32LE(1, 20);
  const records = frames.map((frame, n) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(n, 0);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([head, ...records]);
}

function block(type: number, body: Buffer): Buffer {
  const padded = Buffer.concat([body, Buffer.alloc(-body.length & 3)]);
  const out = Buffer.alloc(padded.length + 12);
  out.writeUInt32LE(type, 0);
  out.writeUInt32LE(out.length, 4);
  out.set(padded, 8);
  out.writeUInt32LE(out.length, out.length - 4);
  return out;
}

function pcapng(frames: readonly Uint8Array[]): Uint8Array {
  const section = Buffer.alloc(16, 0xff);
  section.writeUInt32LE(0x1a2b_3c4d, 0);
  section.writeUInt32LE(1, 4);
  // Ethernet, time stamps in nanoseconds.
  const wire = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
  const packets = frames.map((frame, n) => {
    const head = Buffer.alloc(20);
    head.writeUInt32LE(n * 1000, 8);
    head.writeUInt32LE(frame.length, 12);
    head.writeUInt32LE(frame.length, 16);
    return block(6, Buffer.concat([head, frame]));
  });
  return Buffer.concat([block(0x0a0d_0d0a, section), block(1, wire), ...packets]);
}

describe('a capture', () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 120 }), { minLength: 1, maxLength: 6 });

  it('has the frames that were put into it', () => {
    fc.assert(
      fc.property(frames, fc.boolean(), (list, isNew) => {
        const read = readCapture(isNew ? pcapng(list) : pcap(list), 'x');
        expect(read.map(({ bytes }) => [...bytes])).toEqual(list.map((frame) => [...frame]));
        expect(read.map(({ ns }) => ns)).toEqual(list.map((_, n) => n * (isNew ? 1000 : 1e9)));
      }),
    );
  });

  it('that is damaged or none gives errors, or frames that lie inside it', () => {
    const change = fc.tuple(fc.nat(400), fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 1)));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(frames, fc.boolean()).map(([list, isNew]) => (isNew ? pcapng(list) : pcap(list))),
    );
    fc.assert(
      fc.property(bytes, fc.array(change, { maxLength: 6 }), fc.nat(400), (good, changes, cut) => {
        const damaged = cut % 3 === 0 ? good.slice(0, cut) : good.slice();
        for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value;
        try {
          for (const { ns, bytes: frame } of readCapture(damaged, 'x')) {
            expect(ns).toBeGreaterThanOrEqual(0);
            expect(frame.length).toBeLessThanOrEqual(damaged.length);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
