import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { CodedError, Policy, Recording, recoverRecording, type Machine, type MachineEvents } from '../../src/index.js';
import { createMachine, type MachineOptions } from '../../src/harness/launch.js';
import type { HostServices } from '../../src/harness/services.js';
import { hostServices } from '../../src/host/services.js';
import type { RecordingFile } from '../../src/replay/recording-control.js';
import { boot, image } from '../guests/guest.js';

const root = mkdtempSync(join(tmpdir(), 'limits-'));
afterAll(() => rmSync(root, { recursive: true }));
let outDir: string;
beforeEach(() => {
  outDir = mkdtempSync(join(root, 'test-'));
});

const ACTIONS = ['start', 'stop', 'mark', 'log', 'status', 'exit', 'put'];

/** Guests and the host may do what a recording needs, within `limits`. */
function limited(limits: object | null, recordings: object = {}): Policy {
  const rule = (id: string, principal: object, actions: string[]) => {
    return { id, effect: 'permit', principals: [principal], actions, ...(limits === null ? {} : { limits }) };
  };
  const rules = [rule('guests', { guest: true }, ACTIONS), rule('user', { host: 'user' }, ['start', 'mark', 'goLive'])];
  return Policy.parse(JSON.stringify({ version: 1, rules, recordings }));
}

function events(machine: Machine): MachineEvents['recording'][] {
  const seen: MachineEvents['recording'][] = [];
  machine.on('recording', (event) => seen.push(event));
  return seen;
}

/** test-series.img: `count` recordings with `lines` lines of the log in each. */
function series(count: number, lines: number): Uint8Array {
  const bytes = image('test-series.img', count);
  new DataView(bytes.buffer).setUint32(12, lines, true);
  return bytes;
}

const statusesOf = ({ serialText }: Machine, what: string): number[] =>
  [...serialText.matchAll(new RegExp(`^${what} (\\d+)`, 'gm'))].map(([, status]) => Number(status));

async function verified(file: string): Promise<Recording> {
  const recording = await Recording.open(file);
  expect(await recording.verify()).toMatchObject({ ok: true });
  await recording.close();
  return recording;
}

describe('maxTicks', () => {
  const MAX_TICKS = 12_345;

  it.each([undefined, 1, 7, 1000])('ends a recording of the host at exactly its tick, in slices of %s', async (n) => {
    const policy = limited({ maxTicks: MAX_TICKS });
    const machine = await boot(image('timer-echo.img'), { outDir, policy, sliceTicks: n });
    await machine.run({ until: { ticks: 1000 } });
    const seen = events(machine);
    await machine.startRecording({ name: 'short' });
    await machine.run({ until: { ticks: 1000 + 2 * MAX_TICKS } });
    expect(machine.recording).toBeNull();
    await machine.close();
    expect(seen.map(({ state, reason }) => [state, reason])).toEqual([
      ['started', ''],
      ['stopped', 'limit: ticks'],
    ]);
    const { meta, endTick, endReason } = await verified(seen[1].file);
    expect({ startTick: meta.startTick, endTick, endReason }).toEqual({
      startTick: 1000,
      endTick: 1000 + MAX_TICKS,
      endReason: 'limit: ticks',
    });
  });

  it('ends a recording of the guest at exactly its tick, and the guest can start the next', async () => {
    const machine = await boot(series(2, 10), { outDir, policy: limited({ maxTicks: MAX_TICKS }) });
    const seen = events(machine);
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    await machine.close();
    expect(statusesOf(machine, 'start')).toEqual([0, 0]);
    expect(statusesOf(machine, 'log')).toEqual([6, 6]);
    expect(statusesOf(machine, 'stop')).toEqual([6, 6]);
    const stopped = seen.filter(({ state }) => state === 'stopped');
    expect(stopped).toHaveLength(2);
    for (const { file, reason } of stopped) {
      expect(reason).toBe('limit: ticks');
      const { meta, endTick } = await verified(file);
      expect(endTick - meta.startTick).toBe(MAX_TICKS);
    }
  });
});

describe('maxBytes', () => {
  const MAX_BYTES = 100_000;
  /** What one slice may add, and what closes the file. */
  const SLACK_BYTES = 400_000;

  it('ends a recording when its file has grown over it, and the rule has nothing left', async () => {
    const machine = await boot(series(2, 600), {
      outDir,
      policy: limited({ maxBytes: MAX_BYTES }),
      sliceTicks: 50_000,
    });
    const seen = events(machine);
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    await machine.close();
    expect(statusesOf(machine, 'start')).toEqual([0, 4]);
    expect(statusesOf(machine, 'stop')).toEqual([6, 6]);
    expect(seen.map(({ state, reason }) => [state, reason])).toEqual([
      ['started', 'guest:ring0'],
      ['stopped', 'limit: bytes'],
    ]);
    const { endReason, marks } = await verified(seen[1].file);
    expect(endReason).toBe('limit: bytes');
    expect(marks.length).toBeGreaterThan(20);
    expect(statSync(seen[1].file).size).toBeGreaterThan(MAX_BYTES);
    expect(statSync(seen[1].file).size).toBeLessThan(MAX_BYTES + SLACK_BYTES);
  });
});

describe('the number of recordings', () => {
  it('of a rule is limited', async () => {
    const machine = await boot(series(4, 2), { outDir, policy: limited({ maxRecordings: 2 }) });
    await machine.run();
    await machine.close();
    expect(statusesOf(machine, 'start')).toEqual([0, 0, 4, 4]);
    expect(readdirSync(outDir).sort()).toEqual(['series-2.reel', 'series.reel']);
  });

  it('is limited in time', async () => {
    const machine = await boot(series(3, 2), { outDir, policy: limited({ cooldownTicks: 1_000_000_000 }) });
    await machine.run();
    await machine.close();
    expect(statusesOf(machine, 'start')).toEqual([0, 3, 3]);
  });

  it('of the host is limited as well, and each counts', async () => {
    const machine = await boot(series(1, 2), { outDir, policy: limited({ maxRecordings: 1 }) });
    await machine.startRecording({ name: 'first' });
    await machine.stopRecording();
    await expect(machine.startRecording({ name: 'second' })).rejects.toMatchObject({ code: 'DENIED' });
    await machine.close();
  });
});

type Failure = 'create' | 'write' | 'finish';

/** A disk that fails: at once, after so many bytes, or at the very end. */
async function failing(failure: Failure, afterBytes = 0): Promise<HostServices> {
  const services = await hostServices();
  const fails = (): never => {
    throw new Error('ENOSPC: no space left on device');
  };
  const createRecording = (folder: string, name: string): RecordingFile => {
    if (failure === 'create') throw new CodedError('HOST_IO', 'the recording cannot be created', { where: folder });
    const file = services.createRecording(folder, name);
    let written = 0;
    return {
      file: file.file,
      write: (bytes) => {
        written += bytes.length;
        if (failure === 'write' && written > afterBytes) fails();
        file.write(bytes);
      },
      finish: () => {
        if (failure !== 'finish') return file.finish();
        throw new CodedError('HOST_IO', 'the recording cannot be completed', { where: file.file });
      },
      abandon: () => file.abandon(),
    };
  };
  return { ...services, createRecording };
}

async function bootFailing(services: HostServices, bytes: Uint8Array, options: MachineOptions): Promise<Machine> {
  return createMachine(services, { bootImage: bytes, memory: '4M', epoch: 1_000_000_000, outDir, ...options });
}

describe('a host that cannot write', () => {
  const SNAPSHOT_FITS = 35_000;

  it('ends the recording, with what was written kept, and the machine goes on', async () => {
    const services = await failing('write', SNAPSHOT_FITS);
    const machine = await bootFailing(services, series(1, 400), { policy: limited(null), sliceTicks: 20_000 });
    const seen = events(machine);
    // Each run() flushes.
    for (let tick = 0; (await machine.run({ until: { ticks: tick } })).kind === 'matched'; tick += 50_000);
    expect(machine.serialText).toContain('series: done');
    expect(machine.recording).toBeNull();
    expect(seen.map(({ state }) => state)).toEqual(['started', 'failed']);
    expect(seen[1].reason).toContain('the recording could not be written');
    expect(statusesOf(machine, 'log')).toEqual([6]);
    expect(statusesOf(machine, 'stop')).toEqual([6]);
    await machine.close();
    expect(readdirSync(outDir)).toEqual(['series.reel.partial']);
    const report = await recoverRecording(join(outDir, 'series.reel.partial'));
    expect((await verified(report.file)).endReason).toBe('recovered');
  });

  it('stops the machine where the policy says so', async () => {
    const services = await failing('write', SNAPSHOT_FITS);
    const policy = limited(null, { onFailure: 'stop-machine' });
    const machine = await bootFailing(services, series(1, 400), { policy, sliceTicks: 20_000 });
    let stop = await machine.run({ until: { ticks: 0 } });
    for (let tick = 0; stop.kind === 'matched'; tick += 50_000) stop = await machine.run({ until: { ticks: tick } });
    expect(stop).toEqual({ kind: 'powered-off' });
    expect(machine.serialText).toContain('start 0');
    expect(machine.serialText).not.toContain('series: done');
    await machine.close();
  });

  it('is told to the guest that wants to start, as HOST_IO', async () => {
    const machine = await bootFailing(await failing('create'), series(1, 2), { policy: limited(null) });
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    expect(statusesOf(machine, 'start')).toEqual([11]);
    await expect(machine.startRecording({ name: 'x' })).rejects.toMatchObject({ code: 'HOST_IO' });
    await machine.close();
  });

  it('is told to the host that wants to start, when not even the snapshot can be written', async () => {
    const machine = await bootFailing(await failing('write'), image('timer-echo.img'), { policy: limited(null) });
    const seen = events(machine);
    await expect(machine.startRecording({ name: 'x' })).rejects.toMatchObject({ code: 'HOST_IO' });
    expect(machine.recording).toBeNull();
    expect(seen.map(({ state }) => state)).toEqual(['failed']);
    expect(await machine.run({ until: { serial: /ready/ } })).toEqual({ kind: 'matched', what: 'serial' });
    await machine.close();
  });

  it('leaves the guest without a recording when the snapshot of its START cannot be written', async () => {
    const machine = await bootFailing(await failing('write'), series(1, 2), { policy: limited(null) });
    const seen = events(machine);
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    expect(statusesOf(machine, 'start')).toEqual([0]);
    expect(statusesOf(machine, 'log')).toEqual([6]);
    expect(seen.map(({ state }) => state)).toEqual(['failed']);
    await machine.close();
  });

  it('to the last byte is told to who stops the recording', async () => {
    const machine = await bootFailing(await failing('finish'), image('timer-echo.img'), { policy: limited(null) });
    const seen = events(machine);
    await machine.startRecording({ name: 'x' });
    await machine.run({ until: { ticks: 10_000 } });
    await expect(machine.stopRecording()).rejects.toMatchObject({ code: 'HOST_IO' });
    expect(machine.recording).toBeNull();
    await machine.startRecording({ name: 'y' });
    await expect(machine.close()).rejects.toMatchObject({ code: 'HOST_IO' });
    expect(seen.map(({ state }) => state)).toEqual(['started', 'failed', 'started', 'failed']);
    expect(existsSync(join(outDir, 'x.reel'))).toBe(false);
  });

  it('does not keep a guest’s STOP from returning, or a machine from ending', async () => {
    const machine = await bootFailing(await failing('finish'), series(1, 2), { policy: limited(null) });
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    expect(statusesOf(machine, 'stop')).toEqual([0]);
    await machine.close();
    const other = await bootFailing(await failing('finish'), image('hello-serial.img'), { policy: limited(null) });
    await other.startRecording({ name: 'x' });
    expect(await other.run()).toEqual({ kind: 'powered-off' });
    await other.close();
  });

  it('to the audit log ends the run with that error at the boundary, and what the guest asked for is not done', async () => {
    const services = await hostServices();
    let entries = 0;
    const openAudit: HostServices['openAudit'] = (path) => {
      const file = services.openAudit(path);
      return {
        lastHash: file.lastHash,
        append: (line) => {
          if (++entries > 2) throw new CodedError('HOST_IO', 'the audit file cannot be written', { where: path });
          file.append(line);
        },
        close: () => file.close(),
      };
    };
    const machine = await bootFailing({ ...services, openAudit }, series(1, 2), {
      policy: limited(null),
      audit: join(outDir, 'audit.jsonl'),
    });
    const seen = events(machine);
    await expect(machine.run()).rejects.toMatchObject({ code: 'HOST_IO', where: join(outDir, 'audit.jsonl') });
    const { tick } = machine;
    // The guest goes on with HOST_IO, to its next call.
    await expect(machine.run()).rejects.toMatchObject({ code: 'HOST_IO' });
    expect(machine.tick).toBeGreaterThan(tick);
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    expect(statusesOf(machine, 'start')).toEqual([0]);
    expect(statusesOf(machine, 'log')).toEqual([11]);
    expect(statusesOf(machine, 'stop')).toEqual([11]);
    await machine.close();
    expect(seen.map(({ state }) => state)).toEqual(['started', 'stopped']);
    const { marks } = await verified(seen[1].file);
    expect(marks.filter(({ type }) => type === 'log')).toHaveLength(1);
  });

  it('names the folder that cannot be written', async () => {
    const blocked = join(outDir, 'file');
    writeFileSync(blocked, '');
    const machine = await boot(image('timer-echo.img'), { outDir: join(blocked, 'below') });
    await expect(machine.startRecording({ name: 'x' })).rejects.toMatchObject({
      code: 'HOST_IO',
      where: join(blocked, 'below'),
    });
    await machine.close();
  });
});

describe('names', () => {
  it('from the guest’s world never leave the folder, and never overwrite', async () => {
    mkdirSync(join(outDir, 'inner'));
    const machine = await boot(image('timer-echo.img'), { outDir: join(outDir, 'inner'), policy: limited(null) });
    const files: string[] = [];
    for (const name of ['../../evil', '/etc/passwd', 'a\\b:c*?', '..', '', 'x', 'x', 'é\u202e.reel']) {
      await machine.startRecording({ name });
      files.push(await machine.stopRecording());
    }
    await machine.close();
    expect(new Set(files).size).toBe(files.length);
    expect(readdirSync(join(outDir, 'inner')).sort()).toEqual(files.map((f) => f.slice(outDir.length + 7)).sort());
    expect(readdirSync(outDir)).toEqual(['inner']);
  });
});
