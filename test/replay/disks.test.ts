import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { hostLibrary } from '../../src/cli/host-library.js';
import { Machine, Recording } from '../../src/index.js';
import { ReelReader } from '../../src/log/reel-reader.js';
import { desk } from '../cli/run-cli.js';

const outDir = mkdtempSync(join(tmpdir(), 'guestreel-disks-'));
afterAll(() => rmSync(outDir, { recursive: true }));

/**
 * A boot sector that for every byte at COM1 reads a sector of the master disk by PIO, sends the sum of its bytes as four
 * letters, and writes the bytes, one added to each, eight sectors further on. Sectors 2048, 2064, 2080 and so on are read.
 */
const PROGRAM = Buffer.from(
  'ea057c000031c08ed88ec08ed0bc007cfcc706a67c0008b020e85b00bf0080b90001baf001f36dbe0080b9000231dbac01c3fe44ffe2f88306' +
    'a67c08b030e83600be0080b90001baf001f36fe84c008306a67c08b90400c1c30488d8240f0461baf803eee2f1b00aeebafd03eca80174f8' +
    'baf803eceba088c4baf601b0e0eebaf201b001ee42a0a67cee42a0a77cee4230c0eebaf70188e0ee31c0baf701eca88075f8b400c3',
  'hex',
);
const DISK_BYTES = 8 * 1024 * 1024;
const FIRST = 2048;

function diskImage(): Uint8Array {
  const image = new Uint8Array(DISK_BYTES);
  image.set(PROGRAM);
  image.set([0x55, 0xaa], 510);
  for (let at = FIRST * 512; at < DISK_BYTES; at++) image[at] = (at >> 9) * 5 + at * 3;
  return image;
}

const IMAGE = diskImage();

/** What the program sends of its round `n`. */
function sumOf(n: number): string {
  const at = (FIRST + 16 * n) * 512;
  const sum = IMAGE.subarray(at, at + 512).reduce((a, b) => a + b, 0) & 0xffff;
  return [12, 8, 4, 0].map((shift) => String.fromCharCode(97 + ((sum >> shift) & 15))).join('');
}

async function boot(hda: string | Uint8Array = IMAGE): Promise<Machine> {
  return Machine.create({ hda, memory: '4M', epoch: 1_000_000_000, outDir });
}

async function rounds(machine: Machine, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    if (n > 0) machine.typeSerial('x');
    expect(await machine.run({ until: { serial: new RegExp(sumOf(n)), ticks: machine.tick + 50e6 } })).toMatchObject({
      what: 'serial',
    });
  }
}

/** Recorded from the second round to the fifth, with a mark behind the third. */
async function record(name: string, hda?: string): Promise<string> {
  const machine = await boot(hda);
  await rounds(machine, 0, 1);
  await machine.startRecording({ name });
  await rounds(machine, 2, 2);
  await machine.mark('fork');
  await rounds(machine, 3, 4);
  const file = await machine.stopRecording();
  await machine.close();
  return file;
}

describe('a recording of a machine with a disk', () => {
  it('has the blocks that its run read, each once, and what was written before in its snapshot', async () => {
    const file = await record('blocks');
    const recording = await Recording.open(file);
    const { sha256 } = recording.meta.images.find(({ role }) => role === 'hda')!;
    const blocks = recording.reader.blocks(sha256);
    // Rounds 2, 3 and 4 read a block each, and one more of which they write a sector.
    const offsets = [2, 3, 4].flatMap((n) => [FIRST + 16 * n, FIRST + 16 * n + 8]).map((sector) => sector * 512);
    expect(blocks.map((b) => b.offset)).toEqual(offsets);
    for (const block of blocks) {
      const expected = IMAGE.subarray(block.offset, block.offset + 4096);
      expect(Buffer.compare(recording.reader.readBlock(block), expected)).toBe(0);
    }
    expect(recording.reader.snapshot.sections.map((s) => s.name)).toContain('hda.pages');
    await recording.close();
  });

  it.each([[7], [1000], [5_000_000]])('replays without the image, in slices of %i ticks', async (sliceTicks) => {
    const file = await record(`slices-${sliceTicks}`);
    const recording = await Recording.open(file);
    const replay = await recording.replay();
    replay.sliceTicks = sliceTicks;
    expect(await replay.run()).toEqual({ kind: 'end', reason: 'stopped' });
    expect(replay.serialText).toContain(sumOf(4));
    await recording.close();
  });

  it('goes live with the image only, with what was written', async () => {
    const path = join(outDir, 'disk.img');
    writeFileSync(path, IMAGE);
    const recording = await Recording.open(await record('live', path));
    const atFork = async () => {
      const replay = await recording.replay();
      await replay.run({ until: { mark: 'fork' } });
      return replay;
    };
    await expect((await atFork()).goLive({ outDir })).rejects.toMatchObject({ code: 'MISSING_IMAGE' });
    const other = IMAGE.slice();
    other[DISK_BYTES - 1] ^= 1;
    await expect((await atFork()).goLive({ outDir, hda: other })).rejects.toMatchObject({ code: 'MISMATCH' });
    const live = await (await atFork()).goLive({ outDir, hda: path });
    await live.startRecording({ name: 'branch' });
    await rounds(live, 3, 5);
    await live.close();
    const branch = await Recording.open(join(outDir, 'branch.reel'));
    expect(await branch.verify()).toMatchObject({ ok: true });
    await branch.close();
    await recording.close();
  });

  it('gives the disk as it was at any place', async () => {
    const path = join(outDir, 'base.img');
    writeFileSync(path, IMAGE);
    const file = await record('overlay', path);
    const run = (...args: string[]): Promise<number> =>
      desk().run(['export', file, '--as', 'overlay', ...args], hostLibrary());
    const written = (n: number): [number, Uint8Array] => {
      const at = (FIRST + 16 * n) * 512;
      return [at + 8 * 512, IMAGE.slice(at, at + 512).map((byte) => byte + 1)];
    };
    for (const [until, last] of [
      ['mark:fork', 2],
      ['end', 4],
    ] as const) {
      const target = join(outDir, `${last}.img`);
      expect(await run('--image', path, '--until', until, '-o', target)).toBe(0);
      const expected = IMAGE.slice();
      for (let n = 0; n <= last; n++) expected.set(written(n)[1], written(n)[0]);
      // The disk has whole cylinders; the image may end before.
      expect(Buffer.compare(readFileSync(target).subarray(0, DISK_BYTES), expected)).toBe(0);
      expect(await run('--image', path, '-o', target)).not.toBe(0);
    }
    expect(await run('-o', join(outDir, 'none.img'))).not.toBe(0);
    expect(readFileSync(path).equals(IMAGE)).toBe(true);
  });
});

describe('a small image', () => {
  it('is in the recording as a whole: going live needs no image', async () => {
    const machine = await Machine.create({ hda: IMAGE.slice(0, 3_000_000), memory: '4M', epoch: 0, outDir });
    await rounds(machine, 0, 0);
    await machine.startRecording({ name: 'small' });
    await rounds(machine, 1, 1);
    await machine.close();
    const recording = await Recording.open(join(outDir, 'small.reel'));
    const replay = await recording.replay();
    expect(await replay.run()).toMatchObject({ kind: 'end' });
    const live = await replay.goLive({ outDir });
    await rounds(live, 2, 3);
    await live.close();
    await recording.close();
  });
});

/** Reads the first sector of 1300 blocks of the master disk, one after the other, sends K and stops. */
const READER = Buffer.from(
  '31c08ec066be00080000baf601b0e0eebaf201b001ee426689f0ee4288e0ee4266c1e810eebaf701b020eeeca80874fbbf0080b90001baf001' +
    'f36d6683c6086681fea030000072c2baf803b04beefaf4',
  'hex',
);

describe('a replay', () => {
  it('reads each block that the recording has once, however many follow one another', async () => {
    const image = IMAGE.slice();
    image.set(READER);
    const machine = await Machine.create({ hda: image, memory: '4M', epoch: 0, outDir });
    await machine.startRecording({ name: 'reader' });
    await machine.run({ until: { serial: /K/ } });
    const file = await machine.stopRecording();
    await machine.close();
    const recording = await Recording.open(file);
    expect(recording.reader.digests()).toHaveLength(1);
    const again = vi.spyOn(ReelReader.prototype, 'blockAt');
    const { sha256 } = recording.meta.images.find(({ role }) => role === 'hda')!;
    expect(recording.reader.blocks(sha256).length).toBeGreaterThanOrEqual(1300);
    for (const sliceTicks of [Infinity, 1000]) {
      const replay = await recording.replay();
      replay.sliceTicks = sliceTicks;
      expect(await replay.run()).toEqual({ kind: 'end', reason: 'stopped' });
      expect(replay.serialText).toContain('K');
      expect(again).not.toHaveBeenCalled();
    }
    again.mockRestore();
    await recording.close();
  });
});

describe('a diskette', () => {
  it('can be changed while a machine runs, which a replay repeats', async () => {
    const machine = await Machine.create({ hda: IMAGE, fda: 'none', memory: '4M', epoch: 0, outDir });
    await rounds(machine, 0, 0);
    await machine.startRecording({ name: 'change' });
    machine.changeMedium('fda', new Uint8Array(1_474_560).fill(0x5a));
    await rounds(machine, 1, 1);
    machine.changeMedium('fda', null);
    await rounds(machine, 2, 2);
    machine.changeMedium('fda', new Uint8Array(737_280).fill(0xa5));
    await rounds(machine, 3, 3);
    expect(() => machine.changeMedium('hda', null)).toThrow('cannot be taken out');
    expect(() => machine.changeMedium('fdb', null)).toThrow('no drive fdb');
    await machine.close();
    const recording = await Recording.open(join(outDir, 'change.reel'));
    expect(await recording.verify()).toMatchObject({ ok: true });
    const replay = await recording.replay();
    await replay.run();
    const pieces = [...replay.diskContents('fda')];
    expect(Buffer.concat(pieces).equals(Buffer.alloc(737_280, 0xa5))).toBe(true);
    await recording.close();
  });
});
