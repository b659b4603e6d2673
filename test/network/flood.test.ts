import { createServer, type Server } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Machine, Recording, type MachineOptions } from '../../src/index.js';

const outDir = mkdtempSync(join(tmpdir(), 'guestreel-flood-'));
afterAll(() => rmSync(outDir, { recursive: true }));

/**
 * A multiboot kernel that gives the e1000 in slot 3 a ring of 64 descriptors, says R at COM1, and takes frames out one by
 * one; each takes it 10,000 ticks. For a byte at COM1 it sends two numbers of eight letters: frames taken, and the card's
 * count of those that found no room (MPC). It looks at COM1 when the ring is empty.
 */
const PROGRAM = Buffer.from(
  '02b0ad1b03000100fb4f51e40000100000001000140110001401100020001000bc00001f0066baf80cb804180080ef66bafc0cb006ee66baf8' +
    '0cb810180080ef66bafc0ced24f089c5bf00002000bb00002100b940000000891fc7470400000000c7470c0000000083c71081c300080000' +
    'e2e5c7850028000000002000c7850828000000040000c785182800003f000000c785000100001a80000031f631ffb052e86800000089f0c1' +
    'e004f6800c00200001741bc6800c0020000089b5182800004683e63f47b910270000e2feebd766bafd03eca80174ce66baf803ec89fbe814' +
    '0000008b9d10400000e809000000b00ae818000000ebaeb908000000c1c30488d8240f0461e803000000e2f0c366baf803eec3',
  'hex',
);
const NS_PER_TICK = 4;
const OFFERED_PER_SECOND = 100_000;
/** What waits for the guest on the host's side, see NetworkLinks. */
const QUEUED_FRAMES = 4096;
/** What a card gets at one boundary. */
const BURST_FRAMES = 64;

function frameOf(n: number, length: number): Buffer {
  const bytes = Buffer.alloc(length, n);
  bytes.fill(0xff, 0, 6);
  bytes.writeUInt32BE(n, 14);
  return bytes;
}

/** A capture with a frame every 10 µs. */
function capture(count: number): string {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2_3c4d);
  header.writeUInt32LE(1, 20);
  const frames = Array.from({ length: count }, (_, n) => {
    const frame = frameOf(n, 60);
    const stamp = Buffer.alloc(16);
    stamp.writeUInt32LE(Math.floor(n / OFFERED_PER_SECOND), 0);
    stamp.writeUInt32LE((n % OFFERED_PER_SECOND) * (1e9 / OFFERED_PER_SECOND), 4);
    stamp.writeUInt32LE(frame.length, 8);
    stamp.writeUInt32LE(frame.length, 12);
    return Buffer.concat([stamp, frame]);
  });
  const file = join(outDir, `${count}.pcap`);
  writeFileSync(file, Buffer.concat([header, ...frames]));
  return file;
}

async function boot(network: MachineOptions['network']): Promise<Machine> {
  return Machine.create({
    ...{ kernel: PROGRAM, memory: '8M', epoch: 1_000_000_000, nsPerTick: NS_PER_TICK },
    ...{ outDir, network, pacing: false },
  });
}

/** Lets the guest empty everything that waits, and asks it what it has counted. */
async function counts(machine: Machine): Promise<{ taken: number; missed: number }> {
  const bursts = QUEUED_FRAMES / BURST_FRAMES;
  await machine.run({ until: { ticks: machine.tick + (bursts + 2) * 1_000_000 } });
  machine.typeSerial('?');
  const stop = await machine.run({ until: { serial: /[a-p]{16}\n/, ticks: machine.tick + 10e6 } });
  expect(stop).toMatchObject({ what: 'serial' });
  const [, ...numbers] = /([a-p]{8})([a-p]{8})\n/.exec(machine.serialText)!;
  const [taken, missed] = numbers.map((text) =>
    [...text!].reduce((value, letter) => value * 16 + letter.charCodeAt(0) - 97, 0),
  );
  return { taken: taken!, missed: missed! };
}

interface Delivered {
  readonly tick: number;
  readonly number: number;
}

/** Frames that a recording has as inputs. */
function delivered(recording: Recording): Delivered[] {
  const frames: Delivered[] = [];
  for (const entry of recording.reader.cursor()) {
    if (entry.entry !== 'input' || entry.kind !== 'frame') continue;
    // The card's number, then the frame.
    frames.push({ tick: entry.tick, number: Buffer.from(entry.payload).readUInt32BE(1 + 14) });
  }
  return frames;
}

function most(frames: readonly Delivered[]): number {
  const counts = new Map<number, number>();
  for (const { tick } of frames) counts.set(tick, (counts.get(tick) ?? 0) + 1);
  return Math.max(...counts.values());
}

/** Replays without a network, to the same digests and the same answer of the guest's. */
async function follow(recording: Recording, expected: string): Promise<void> {
  expect(await recording.verify()).toMatchObject({ ok: true });
  const replay = await recording.replay();
  replay.sliceTicks = 150_021;
  expect(await replay.run()).toMatchObject({ kind: 'end' });
  expect(replay.serialText).toBe(expected);
  await replay.close();
}

describe('100,000 frames a second', () => {
  const OFFERED = 40_000;
  const OFFERED_TICKS = (OFFERED * 1e9) / OFFERED_PER_SECOND / NS_PER_TICK;

  async function record(name: string): Promise<{ file: string; text: string; taken: number; missed: number }> {
    const machine = await boot([{ backend: { kind: 'pcap', file: capture(OFFERED) } }]);
    await machine.startRecording({ name });
    await machine.run({ until: { ticks: machine.tick + OFFERED_TICKS } });
    const found = await counts(machine);
    const { serialText: text } = machine;
    const file = await machine.stopRecording();
    await machine.close();
    return { file, text, ...found };
  }

  it('cost frames and never the recording', async () => {
    const { file, text, taken, missed } = await record('capture');
    const recording = await Recording.open(file);
    const frames = delivered(recording);
    // The capture begins with the machine, before the guest has enabled its card.
    const early = frames.filter(({ tick }) => tick === recording.meta.startTick).length;
    expect(early).toBe(1);
    // What the guest could not take is counted by its card; what reached the card at all is in the recording.
    expect(taken + missed).toBe(frames.length - early);
    expect(taken).toBeGreaterThan(1000);
    expect(missed).toBeGreaterThan(1000);
    // The rest never left the host: its queue is bounded, and so is what a boundary may bring.
    expect(frames.length).toBeLessThan(OFFERED);
    expect(most(frames)).toBe(BURST_FRAMES);
    const late = frames.filter(({ tick }) => tick > recording.meta.startTick + OFFERED_TICKS);
    expect(late.length).toBeLessThanOrEqual(QUEUED_FRAMES);
    const numbers = frames.map(({ number }) => number);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    await follow(recording, text);
    await recording.close();
  });

  it('lose the same frames again where they come at the same ticks', async () => {
    const [one, other] = [await record('once'), await record('again')];
    expect([other.taken, other.missed]).toEqual([one.taken, one.missed]);
    const [a, b] = await Promise.all([Recording.open(one.file), Recording.open(other.file)]);
    expect(delivered(b)).toEqual(delivered(a));
    await Promise.all([a.close(), b.close()]);
  });
});

describe('a stream that does not wait', () => {
  const OFFERED = 10_000;

  /** Writes frames as fast as the socket takes them. */
  async function flood(path: string): Promise<{ server: Server; done: Promise<void> }> {
    let server: Server;
    const done = new Promise<void>((resolve) => {
      server = createServer((socket) => {
        socket.on('error', () => resolve());
        for (let n = 0; n < OFFERED; n++) {
          const frame = frameOf(n, 100);
          const length = Buffer.alloc(4);
          length.writeUInt32BE(frame.length);
          socket.write(length);
          socket.write(frame);
        }
        socket.write(Buffer.alloc(0), () => resolve());
      });
    });
    await new Promise<void>((listening) => void server.listen(path, () => listening()));
    return { server: server!, done };
  }

  it('costs frames and never the recording', async () => {
    const path = join(outDir, 'socket');
    const { server, done } = await flood(path);
    const machine = await boot([{ backend: { kind: 'stream', path } }]);
    await machine.startRecording({ name: 'stream' });
    let isOver = false;
    void done.then(() => (isOver = true));
    while (!isOver) await machine.run({ until: { ticks: machine.tick + 1_000_000 } });
    const { taken, missed } = await counts(machine);
    const { serialText } = machine;
    const recording = await Recording.open(await machine.stopRecording());
    const frames = delivered(recording);
    expect(taken + missed).toBe(frames.length);
    expect(taken).toBeGreaterThan(0);
    expect(most(frames)).toBeLessThanOrEqual(BURST_FRAMES);
    await follow(recording, serialText);
    await recording.close();
    await machine.close();
    server.close();
  });
});
