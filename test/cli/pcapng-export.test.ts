import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostLibrary } from '../../src/cli/host-library.js';
import { readCapture } from '../../src/host/net/capture.js';
import { Machine, Recording } from '../../src/index.js';
import { image } from '../guests/guest.js';
import { desk } from './run-cli.js';

const outDir = mkdtempSync(join(tmpdir(), 'pcapng-export-'));
afterAll(() => rmSync(outDir, { recursive: true }));
const NS_PER_TICK = 4;

/** A broadcast ARP request that differs from all others. */
function request(n: number): Uint8Array {
  const frame = new Uint8Array(60).fill(0xff, 0, 6);
  frame.set([0x02, 0, 0, 0, 0, n, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0, 0, 0, 0, n, 10, 0, 2, n], 6);
  return frame;
}

/** A capture with a frame each half millisecond. */
function capture(frames: readonly Uint8Array[]): string {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2_3c4d);
  header.writeUInt32LE(1, 20);
  const records = frames.map((frame, n) => {
    const stamp = Buffer.alloc(16);
    stamp.writeUInt32LE(n * 500_000, 4);
    stamp.writeUInt32LE(frame.length, 8);
    stamp.writeUInt32LE(frame.length, 12);
    return Buffer.concat([stamp, frame]);
  });
  const file = join(outDir, 'offered.pcap');
  writeFileSync(file, Buffer.concat([header, ...records]));
  return file;
}

/** Records a guest that takes no notice of its card, whose network is that capture. */
async function record(name: string, file: string): Promise<string> {
  const network = [
    { model: 'e1000', backend: { kind: 'none' } },
    { model: 'ne2k_pci', backend: { kind: 'pcap', file } },
  ] as const;
  const options = { memory: '4M', epoch: 0, nsPerTick: NS_PER_TICK, pacing: false, outDir };
  const machine = await Machine.create({ bootImage: image('halt-idle.img', 100), ...options, network });
  await machine.startRecording({ name });
  await machine.run({ until: { ticks: 5_000_000 } });
  const reel = await machine.stopRecording();
  await machine.close();
  return reel;
}

async function exported(reel: string): Promise<string> {
  const path = `${reel}.pcapng`;
  const at = desk();
  expect([await at.run(['export', reel, '--as', 'pcapng', '-o', path], hostLibrary()), at.stderr.text]).toEqual([
    0,
    '',
  ]);
  return path;
}

const framesOf = (file: string) => readCapture(new Uint8Array(readFileSync(file)), file);

describe('network frames of a recording', () => {
  const frames = [1, 2, 3, 4, 5].map(request);

  it('are written with their ticks, and can be the network of another machine', async () => {
    const first = await record('first', capture(frames));
    const path = await exported(first);
    const read = framesOf(path);
    expect(read.map(({ bytes }) => [...bytes])).toEqual(frames.map((frame) => [...frame]));
    const recording = await Recording.open(first);
    const ticks: number[] = [];
    for (const entry of recording.reader.cursor()) {
      if (entry.entry === 'input' && entry.kind === 'frame') ticks.push(entry.tick);
    }
    await recording.close();
    expect(read.map(({ ns }) => ns)).toEqual(ticks.map((tick) => (tick - ticks[0]!) * NS_PER_TICK));
    const again = framesOf(await exported(await record('second', path)));
    expect(again.map(({ bytes }) => [...bytes])).toEqual(frames.map((frame) => [...frame]));
  });

  const hasTshark = spawnSync('tshark', ['--version']).status === 0;
  it.skipIf(!hasTshark)('are what tshark reads, with an interface for each card (needs tshark)', async () => {
    const path = await exported(await record('tshark', capture(frames)));
    const fields = ['frame.interface_name', 'frame.comment', 'arp.src.proto_ipv4'].flatMap((name) => ['-e', name]);
    const { stdout } = spawnSync('tshark', ['-r', path, '-T', 'fields', ...fields], { encoding: 'utf8' });
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(frames.length);
    for (const [n, line] of lines.entries()) {
      expect(line).toMatch(new RegExp(`^net1 ne2k_pci [0-9a-f:]+\ttick \\d+\t10\\.0\\.2\\.${n + 1}$`));
    }
  });
});
