import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hash.js';
import { CodedError, Policy, Recording, type Machine } from '../../src/index.js';
import { templateText } from '../../src/policy/templates.js';
import { boot, drive, image, logOf } from '../guests/guest.js';

const outDir = mkdtempSync(join(tmpdir(), 'go-live-'));
afterAll(() => rmSync(outDir, { recursive: true }));

const END_TICK = 100e6;
const HASH = /done, (\d+) bytes, hash ([0-9a-f]{8})/;

/** Types a line and the 'q' that ends timer-echo; returns all it printed. */
async function finish(machine: Machine, line: string): Promise<string> {
  const { tick } = machine;
  await drive(
    machine,
    [
      [tick + 1000, (m) => m.typeSerial(`${line}\r`)],
      [tick + 5_000_000, (m) => m.typeSerial('q')],
    ],
    END_TICK,
  );
  return machine.serialText;
}

let file: string;
let original: string;
beforeAll(async () => {
  const machine = await boot(image('timer-echo.img'), { outDir });
  await machine.run({ until: { serial: /ready/ } });
  await machine.startRecording({ name: 'original', reason: 'to branch from' });
  machine.typeSerial('first\r');
  await machine.run({ until: { serial: /hash [0-9a-f]{8}/ } });
  await machine.mark('fork', 1);
  original = await finish(machine, 'second');
  await machine.close();
  file = join(outDir, 'original.reel');
});

async function atFork(path = file) {
  const recording = await Recording.open(path);
  const replay = await recording.replay();
  expect(await replay.run({ until: { mark: 'fork' } })).toEqual({ kind: 'matched', what: 'mark' });
  expect(replay.tick).toBe(recording.marks.find(({ label }) => label === 'fork')!.tick);
  return { recording, replay };
}

describe('a replay', () => {
  it('says the same every time, and can be watched while it does', async () => {
    const texts: string[] = [];
    for (let i = 0; i < 2; i++) {
      const recording = await Recording.open(file);
      const replay = await recording.replay();
      const heard: number[] = [];
      replay.onSerial((bytes, port) => {
        if (port === 0) heard.push(...bytes);
      });
      expect(await replay.run()).toEqual({ kind: 'end', reason: 'powered-off' });
      expect(String.fromCharCode(...heard)).toBe(replay.serialText);
      texts.push(replay.serialText);
      await recording.close();
    }
    expect(texts[0]).toBe(texts[1]);
    expect(original.endsWith(texts[0])).toBe(true);
  });

  it('stops at a tick and goes on from there', async () => {
    const { recording, replay } = await atFork();
    const tick = replay.tick + 12_345;
    expect(await replay.run({ until: { ticks: tick } })).toEqual({ kind: 'matched', what: 'ticks' });
    expect(replay.tick).toBe(tick);
    expect(await replay.run()).toEqual({ kind: 'end', reason: 'powered-off' });
    expect(await replay.run()).toEqual({ kind: 'end', reason: 'powered-off' });
    await recording.close();
  });

  it('can be interrupted and reports its progress', async () => {
    const recording = await Recording.open(file);
    const replay = await recording.replay();
    replay.sliceTicks = 100;
    const controller = new AbortController();
    const seen: number[] = [];
    const stop = await replay.run({
      signal: controller.signal,
      onProgress: (tick, endTick) => {
        seen.push(tick);
        expect(endTick).toBe(recording.endTick);
        if (seen.length === 3) controller.abort();
      },
    });
    expect(stop).toEqual({ kind: 'interrupted' });
    expect(seen).toHaveLength(3);
    expect(await replay.run()).toMatchObject({ kind: 'end' });
    await recording.close();
  });
});

describe('going live', () => {
  it('comes to the same end with the same input at the same tick, to another with other input', async () => {
    const ends: string[] = [];
    for (const line of ['second', 'third']) {
      const { recording, replay } = await atFork();
      const live = await replay.goLive({ outDir });
      expect(live.epoch).toBe(1);
      ends.push(HASH.exec(await finish(live, line))![2]);
      await live.close();
      await recording.close();
    }
    expect(ends[0]).toBe(HASH.exec(original)![2]);
    expect(ends[1]).not.toBe(ends[0]);
  });

  it('makes recordings that name their parent, verify, and can be branched again', async () => {
    const first = await atFork();
    const live = await first.replay.goLive({ outDir });
    const forkTick = live.tick;
    await live.startRecording({ name: 'branch' });
    await live.mark('fork');
    await finish(live, 'another way');
    await live.close();
    const branch = join(outDir, 'branch.reel');
    const second = await atFork(branch);
    const { meta, reader } = second.recording;
    expect(meta.epoch).toBe(1);
    expect(meta.parent).toEqual({
      recordingId: first.recording.meta.recordingId,
      tick: forkTick,
      sha256: toHex(first.recording.reader.chainSha256),
    });
    expect(await second.recording.verify()).toMatchObject({ ok: true });
    const again = await second.replay.goLive({ outDir });
    expect(again.epoch).toBe(2);
    await again.startRecording({ name: 'twig' });
    await finish(again, 'and another');
    await again.close();
    const twig = await Recording.open(join(outDir, 'twig.reel'));
    expect(twig.meta).toMatchObject({
      epoch: 2,
      parent: { recordingId: meta.recordingId, tick: forkTick, sha256: toHex(reader.chainSha256) },
    });
    expect(await twig.verify()).toMatchObject({ ok: true });
    for (const { recording } of [first, second]) await recording.close();
    await twig.close();
  });

  it('happens at any tick: between two entries the run goes on as recorded when nothing is typed', async () => {
    const recording = await Recording.open(file);
    const inputs = (await logOf(file)).map((line) => JSON.parse(line) as { entry: string; tick: number });
    const lastInput = inputs.filter(({ entry }) => entry === 'input').at(-1)!.tick;
    for (const tick of [lastInput + 1, lastInput + 777, recording.endTick - 1, recording.endTick]) {
      const replay = await recording.replay();
      await replay.run({ until: { ticks: tick } });
      const live = await replay.goLive({ outDir });
      expect(await live.run()).toEqual({ kind: 'powered-off' });
      expect(live.tick).toBe(recording.endTick);
      await live.close();
    }
    await recording.close();
  });

  it('leaves nothing behind to replay', async () => {
    const { recording, replay } = await atFork();
    const live = await replay.goLive({ outDir });
    await expect(replay.run()).rejects.toMatchObject({ code: 'STATE' });
    await expect(replay.goLive()).rejects.toMatchObject({ code: 'STATE' });
    await live.close();
    await recording.close();
  });

  it('is refused by a policy that does not permit it, and the replay can go on', async () => {
    const { recording, replay } = await atFork();
    const rules = [{ id: 'watch', effect: 'permit', principals: [{ host: 'user' }], actions: ['start', 'mark'] }];
    const policy = Policy.parse(JSON.stringify({ version: 1, rules }));
    await expect(replay.goLive({ outDir, policy })).rejects.toMatchObject({ code: 'DENIED' });
    expect(await replay.run()).toEqual({ kind: 'end', reason: 'powered-off' });
    await recording.close();
  });

  it('puts the policy of the live run in force: ring 3 finds no port under one that has nothing for it', async () => {
    const guest = await boot(image('ring3.img'), { outDir });
    await guest.startRecording({ name: 'ring3' });
    await guest.run({ until: { serial: /iopl 0/ } });
    await guest.mark('fork');
    await guest.run();
    await guest.close();
    const { recording, replay } = await atFork(join(outDir, 'ring3.reel'));
    const live = await replay.goLive({ outDir, policy: Policy.parse(templateText('locked-down')) });
    expect(await live.run()).toEqual({ kind: 'powered-off' });
    expect(live.serialText).toContain('STATUS deadffff');
    await live.close();
    await recording.close();
  });

  it('needs the boot image when not all of it is known, and takes no other', async () => {
    const small = image('timer-echo.img');
    const big = new Uint8Array(8 * 1024 * 1024);
    big.set(small);
    const machine = await boot(big, { outDir });
    await machine.startRecording({ name: 'big' });
    await machine.run({ until: { serial: /ready/ } });
    await machine.mark('fork');
    await machine.close();
    const { recording, replay } = await atFork(join(outDir, 'big.reel'));
    expect(await recording.verify()).toMatchObject({ ok: true });
    await expect(replay.goLive({ outDir })).rejects.toMatchObject({ code: 'MISSING_IMAGE' });
    await expect(replay.goLive({ outDir, bootImage: small })).rejects.toMatchObject({ code: 'MISMATCH' });
    const live = await replay.goLive({ outDir, bootImage: big });
    expect(await finish(live, 'x')).toMatch(HASH);
    await live.close();
    await recording.close();
  });
});

describe('a closed recording', () => {
  it('is not read any more', async () => {
    const recording = await Recording.open(file);
    await recording.close();
    await expect(recording.verify()).rejects.toBeInstanceOf(CodedError);
  });
});
