import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Policy, Recording, type Machine } from '../../src/index.js';
import { boot, image } from '../guests/guest.js';
import { sha256Of } from '../guests/hash.js';

const root = mkdtempSync(join(tmpdir(), 'standing-'));
afterAll(() => rmSync(root, { recursive: true }));
let outDir: string;
beforeEach(() => {
  outDir = mkdtempSync(join(root, 'test-'));
});

const GUEST_ACTIONS = ['start', 'stop', 'mark', 'log', 'check', 'put', 'get', 'status', 'checkpoint'];

function policyOf(...rules: object[]): Policy {
  return Policy.parse(JSON.stringify({ version: 1, rules }), 'test');
}
const guests = (limits?: object, actions = GUEST_ACTIONS): object => ({
  id: 'guests',
  effect: 'permit',
  principals: [{ guest: true }],
  actions,
  ...(limits === undefined ? {} : { limits }),
});
const host = (limits?: object): object => ({
  id: 'host',
  effect: 'permit',
  principals: [{ host: true }],
  actions: ['start', 'mark', 'goLive'],
  ...(limits === undefined ? {} : { limits }),
});

/** test-series.img: `count` recordings with `lines` lines of the log in each. */
function series(count: number, lines: number): Uint8Array {
  const bytes = image('test-series.img', count);
  new DataView(bytes.buffer).setUint32(12, lines, true);
  return bytes;
}
/** Statuses after the fork; what the console has from before is not there. */
const statusesOf = ({ serialText }: Machine, what: string): number[] =>
  [...serialText.matchAll(new RegExp(`^${what} (\\d+)`, 'gm'))].map(([, status]) => Number(status));

/** A machine that goes on from `file` at a tick or a mark. */
async function fork(
  file: string,
  until: { mark?: string; ticks?: number },
  policy: Policy,
  outside = outDir,
): Promise<Machine> {
  const recording = await Recording.open(join(outDir, file));
  const replay = await recording.replay();
  expect(await replay.run({ until })).toMatchObject({ kind: 'matched' });
  const live = await replay.goLive({ outDir: join(outside, 'branch'), policy });
  await recording.close();
  return live;
}

async function middleOf(file: string): Promise<number> {
  const recording = await Recording.open(join(outDir, file));
  const { meta, endTick } = recording;
  await recording.close();
  return Math.floor((meta.startTick + endTick) / 2);
}

describe('going live', () => {
  it('goes on counting the recordings that a guest has made', async () => {
    const policy = policyOf(guests({ maxRecordings: 2 }), host());
    const original = await boot(series(4, 10), { outDir, policy });
    expect(await original.run()).toEqual({ kind: 'powered-off' });
    expect(statusesOf(original, 'start')).toEqual([0, 0, 4, 4]);
    await original.close();
    const first = await fork('series.reel', { ticks: await middleOf('series.reel') }, policy);
    expect(await first.run()).toEqual({ kind: 'powered-off' });
    expect(statusesOf(first, 'stop')[0]).toBe(6);
    expect(statusesOf(first, 'start')).toEqual([0, 4, 4]);
    await first.close();
    const second = await fork('series-2.reel', { ticks: await middleOf('series-2.reel') }, policy);
    await second.run();
    expect(statusesOf(second, 'start')).toEqual([4, 4]);
    await second.close();
  });

  it('ends the recording that was followed: it does not run any more, and its cooldown begins', async () => {
    const policy = policyOf(guests({ maxConcurrent: 1 }), host());
    const original = await boot(series(2, 10), { outDir, policy });
    await original.run();
    await original.close();
    const ticks = await middleOf('series.reel');
    const free = await fork('series.reel', { ticks }, policy);
    await free.run();
    expect(statusesOf(free, 'start')).toEqual([0]);
    await free.close();
    const cooling = await fork('series.reel', { ticks }, policyOf(guests({ cooldownTicks: 1e9 }), host()));
    await cooling.run();
    expect(statusesOf(cooling, 'start')).toEqual([3]);
    await cooling.close();
  });

  it('goes on at the rate that is left, wherever it happens', async () => {
    const LOGS = 8;
    const policy = policyOf(guests({ perGigatick: { log: LOGS } }), host());
    const original = await boot(series(1, 20), { outDir, policy });
    await original.run();
    expect(statusesOf(original, 'log')).toEqual([3]);
    await original.close();
    const recording = await Recording.open(join(outDir, 'series.reel'));
    const logs = recording.marks.filter(({ type }) => type === 'log').map(({ tick }) => tick);
    await recording.close();
    expect(logs).toHaveLength(LOGS);
    // The IN of a mark is one tick before it.
    for (const [before, tick] of [0, logs[0] - 1, logs[2] - 1, logs[2], logs[2] + 1, logs[7] - 1, logs[7]].entries()) {
      if (before === 0) continue;
      const used = logs.filter((log) => log <= tick).length;
      const live = await fork('series.reel', { ticks: tick }, policy, join(outDir, String(before)));
      await live.startRecording({ name: 'branch' });
      const file = live.recording!.file;
      await live.run();
      await live.close();
      const branch = await Recording.open(file);
      expect([used, branch.marks.filter(({ type }) => type === 'log').length]).toEqual([used, LOGS - used]);
      expect(await branch.verify()).toMatchObject({ ok: true });
      await branch.close();
    }
  });

  it('counts what the host has done up to the mark, and not what it did at the same tick behind it', async () => {
    const policy = policyOf(host({ perGigatick: { mark: 3 } }));
    const original = await boot(image('timer-echo.img'), { outDir, policy });
    await original.run({ until: { ticks: 1000 } });
    await original.startRecording({ name: 'marks' });
    for (const label of ['a', 'b', 'c']) await original.mark(label);
    await expect(original.mark('d')).rejects.toMatchObject({ code: 'DENIED' });
    await original.close();
    for (const [mark, left] of [
      ['a', 2],
      ['b', 1],
      ['c', 0],
    ] as const) {
      const live = await fork('marks.reel', { mark }, policy);
      for (let i = 0; i < left; i++) await live.mark('more');
      await expect(live.mark('too many')).rejects.toMatchObject({ code: 'DENIED' });
      await live.close();
    }
  });

  it('counts bytes of texts, and of the recording up to there', async () => {
    const policy = policyOf(guests(), host());
    const original = await boot(series(2, 30), { outDir, policy, sliceTicks: 20_000 });
    await original.run();
    await original.close();
    const startOf = async (maxBytes: number): Promise<number> => {
      const ticks = await middleOf('series.reel');
      const live = await fork('series.reel', { ticks }, policyOf(guests({ maxBytes }), host()));
      await live.run();
      await live.close();
      return statusesOf(live, 'start')[0];
    };
    const recording = await Recording.open(join(outDir, 'series.reel'));
    const { sizeBytes } = recording.reader;
    await recording.close();
    expect(await startOf(500)).toBe(4);
    expect(await startOf(2 * sizeBytes)).toBe(0);
  });

  it('is done again from a branch, with all that was used on the way', async () => {
    const policy = policyOf(guests({ maxRecordings: 3 }), host());
    const original = await boot(series(5, 10), { outDir, policy });
    await original.run();
    expect(statusesOf(original, 'start')).toEqual([0, 0, 0, 4, 4]);
    await original.close();
    const branch = await fork('series.reel', { ticks: await middleOf('series.reel') }, policy);
    await branch.run();
    expect(statusesOf(branch, 'start')).toEqual([0, 0, 4, 4]);
    await branch.close();
    const twig = await fork('branch/series.reel', { ticks: await middleOf('branch/series.reel') }, policy);
    await twig.run();
    expect(statusesOf(twig, 'start')).toEqual([0, 4, 4]);
    await twig.close();
  });

  it('is refused by the counters as well, and then takes nothing', async () => {
    const policy = policyOf(host({ perGigatick: { goLive: 1 } }));
    const original = await boot(image('timer-echo.img'), { outDir, policy });
    await original.startRecording({ name: 'original' });
    await original.run({ until: { ticks: 1000 } });
    await original.close();
    const first = await fork('original.reel', { ticks: 500 }, policy);
    await first.startRecording({ name: 'first' });
    await first.run({ until: { ticks: 1000 } });
    await first.close();
    for (let i = 0; i < 2; i++) {
      await expect(fork('branch/first.reel', { ticks: 800 }, policy)).rejects.toMatchObject({ code: 'DENIED' });
    }
    await (await fork('original.reel', { ticks: 500 }, policy)).close();
  });
});

describe('a guest that has presented its token', () => {
  const withToken = {
    id: 'with-token',
    effect: 'permit',
    principals: [{ tokenSha256: sha256Of(new TextEncoder().encode('sesame')) }],
    actions: ['checkpoint'],
  };
  const policy = policyOf(
    guests(undefined, ['start', 'stop', 'mark', 'log', 'check', 'put', 'get', 'status']),
    withToken,
    host(),
  );
  const checkpointOf = ({ serialText }: Machine): number =>
    Number(/> reel checkpoint[^=]*= (\d+)/.exec(serialText)?.[1]);
  /** Runs the agent's commands up to the one that `line` begins. */
  const upTo = (machine: Machine, line: RegExp) => machine.run({ until: { serial: line } });

  it('stays known when it did so in the recording', async () => {
    const original = await boot(image('dos.img'), { memory: '16M', outDir, policy });
    await original.startRecording({ name: 'all' });
    await upTo(original, /> reel checkpoint/);
    await original.mark('behind');
    await original.run();
    expect(checkpointOf(original)).toBe(0);
    await original.close();
    const live = await fork('all.reel', { mark: 'behind' }, policy);
    await live.run();
    // Allowed; only there is no recording in the branch.
    expect(live.serialText).toMatch(/nothing is being recorded\r\n= 70/);
    expect(live.serialText).not.toContain('the policy does not allow it');
    await live.close();
  });

  it('stays known when it did so before the recording began, also in a branch of a branch', async () => {
    const original = await boot(image('dos.img'), { memory: '16M', outDir, policy });
    await upTo(original, /> reel checkpoint/);
    await original.mark('not recorded');
    if (original.recording !== null) await original.stopRecording();
    await original.startRecording({ name: 'late' });
    await original.mark('here');
    await original.run();
    await original.close();
    const branch = await fork('late.reel', { mark: 'here' }, policy);
    await branch.startRecording({ name: 'branch' });
    await branch.mark('here');
    await branch.run();
    await branch.close();
    const twig = await fork('branch/branch.reel', { mark: 'here' }, policy);
    await twig.run();
    expect(twig.serialText).toMatch(/nothing is being recorded\r\n= 70/);
    expect(twig.serialText).not.toContain('the policy does not allow it');
    await twig.close();
  });

  it('gets a new number for its next recording, so that an old one stops nothing', async () => {
    const original = await boot(image('dos.img'), { memory: '16M', outDir, policy });
    await original.startRecording({ name: 'outer' });
    await original.mark('here');
    await original.run();
    expect(original.serialText).toContain('> reel start --nest inner\r\nrecording 1');
    await original.close();
    const live = await fork('outer.reel', { mark: 'here' }, policy);
    await live.run();
    expect(live.serialText).toContain('> reel START dos-test\r\nrecording 2');
    await live.close();
  });

  it('gets new numbers for its next phases', async () => {
    const original = await boot(image('dos.img'), { memory: '16M', outDir, policy });
    await original.startRecording({ name: 'phases' });
    await original.run();
    await original.close();
    const recording = await Recording.open(join(outDir, 'phases.reel'));
    const begins = recording.reader.marks().filter(({ type }) => type === 'begin');
    await recording.close();
    expect(begins.map(({ label, phaseId }) => [label, phaseId])).toEqual([
      ['phase-a', 1],
      ['good', 2],
      ['bad', 3],
      ['absent', 4],
    ]);
    const live = await fork('phases.reel', { mark: 'good' }, policy);
    await live.startRecording({ name: 'branch' });
    const { file } = live.recording!;
    await live.run();
    await live.close();
    const branch = await Recording.open(file);
    expect(branch.reader.marks().find(({ type }) => type === 'begin')).toMatchObject({ label: 'bad', phaseId: 3 });
    await branch.close();
  });
});
