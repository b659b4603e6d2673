import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createMachine } from '../../src/harness/launch.js';
import { createHashing } from '../../src/host/hashing.js';
import { hostServices } from '../../src/host/services.js';
import { Policy, Recording, type Machine, type MachineEvents } from '../../src/index.js';
import { verifyAudit, type AuditEntry } from '../../src/policy/audit.js';
import { boot, image } from '../guests/guest.js';

const root = mkdtempSync(join(tmpdir(), 'retention-'));
afterAll(() => rmSync(root, { recursive: true }));
let outDir: string;
beforeEach(() => {
  outDir = mkdtempSync(join(root, 'test-'));
});

/** Everyone may record, and `keep` finished recordings stay. */
function keeping(keep: number | null): Policy {
  const principals = [{ guest: true }, { host: true }];
  const rules = [{ id: 'all', effect: 'permit', principals, actions: ['start', 'stop', 'mark', 'log'] }];
  const recordings = keep === null ? {} : { keep };
  return Policy.parse(JSON.stringify({ version: 1, rules, recordings, audit: 'audit.jsonl' }), 'test');
}

const bootKeeping = (keep: number | null): Promise<Machine> =>
  boot(image('timer-echo.img'), { outDir, policy: keeping(keep) });

function events(machine: Machine): MachineEvents['recording'][] {
  const seen: MachineEvents['recording'][] = [];
  machine.on('recording', (event) => seen.push(event));
  return seen;
}

/** A short recording of the host. */
async function record(machine: Machine, name: string): Promise<string> {
  await machine.startRecording({ name });
  await machine.run({ until: { ticks: machine.tick + 1000 } });
  return machine.stopRecording();
}

const reels = (): string[] => readdirSync(outDir).filter((name) => name !== 'audit.jsonl');
const removedIn = (seen: MachineEvents['recording'][]): string[] =>
  seen.filter(({ state }) => state === 'removed').map(({ file }) => basename(file));
const audited = (): AuditEntry[] =>
  readFileSync(join(outDir, 'audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditEntry);

describe('the recordings that are kept', () => {
  it('are the newest, whether guest or host made them', async () => {
    const machine = await boot(image('test-series.img', 5), { outDir, policy: keeping(2) });
    const seen = events(machine);
    await record(machine, 'first');
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    await machine.startRecording({ name: 'last' });
    await machine.close();
    const stopped = seen.filter(({ state }) => state === 'stopped').map(({ file }) => basename(file));
    expect(stopped).toHaveLength(7);
    expect(removedIn(seen)).toEqual(stopped.slice(0, 5));
    expect(reels().sort()).toEqual(stopped.slice(5).sort());
    for (const name of reels()) {
      const recording = await Recording.open(join(outDir, name));
      expect(await recording.verify()).toMatchObject({ ok: true });
      await recording.close();
    }
  });

  it('are counted over all runs that used the folder, the oldest by the time of their ends', async () => {
    const before = await bootKeeping(null);
    const seconds = { b: 3000, a: 1000, c: 2000 };
    for (const [name, time] of Object.entries(seconds)) utimesSync(await record(before, name), time, time);
    await before.close();
    const machine = await bootKeeping(3);
    const seen = events(machine);
    await record(machine, 'd');
    expect(removedIn(seen)).toEqual(['a.reel']);
    await record(machine, 'e');
    expect(removedIn(seen)).toEqual(['a.reel', 'c.reel']);
    await machine.close();
    expect(reels().sort()).toEqual(['b.reel', 'd.reel', 'e.reel']);
  });

  it('include the one that has just ended, whatever the times of the others say', async () => {
    const machine = await bootKeeping(1);
    const future = 4e9;
    utimesSync(await record(machine, 'a'), future, future);
    await record(machine, 'b');
    await machine.close();
    expect(reels()).toEqual(['b.reel']);
  });

  it('are all of them without such a limit', async () => {
    const machine = await boot(image('test-series.img', 4), { outDir, policy: keeping(null) });
    const seen = events(machine);
    await machine.run();
    await machine.close();
    expect(reels()).toHaveLength(4);
    expect(removedIn(seen)).toEqual([]);
  });

  it('follow a policy that is replaced', async () => {
    const machine = await bootKeeping(null);
    for (const name of ['a', 'b', 'c']) await record(machine, name);
    machine.setPolicy(keeping(2).text);
    await record(machine, 'd');
    await machine.close();
    expect(reels().sort()).toEqual(['c.reel', 'd.reel']);
  });
});

describe('what is never removed', () => {
  it('is a recording that is still written, in this run or in another', async () => {
    const other = await bootKeeping(1);
    await other.startRecording({ name: 'other' });
    const machine = await bootKeeping(1);
    for (const name of ['a', 'b', 'c']) await record(machine, name);
    expect(reels().sort()).toEqual(['c.reel', 'other.reel.partial']);
    await machine.startRecording({ name: 'd' });
    await other.stopRecording();
    expect(reels().sort()).toEqual(['d.reel.partial', 'other.reel']);
    await machine.stopRecording();
    expect(reels()).toEqual(['d.reel']);
    await other.close();
    await machine.close();
  });

  it('is a file that is no whole recording of guestreel’s, however it is called', async () => {
    const maker = await bootKeeping(null);
    const whole = readFileSync(await record(maker, 'whole'));
    await maker.close();
    const foreign = Buffer.from(whole);
    foreign.write('otherreel', foreign.indexOf('guestreel'));
    const files: Record<string, Uint8Array> = {
      'notes.reel': Buffer.from('not a recording'),
      'empty.reel': new Uint8Array(0),
      'foreign.reel': foreign,
      'cut.reel': whole.subarray(0, -1),
      'begin.reel': whole.subarray(0, 20),
      'whole.reel.bak': whole,
      'whole.mcap': whole,
    };
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(outDir, name), bytes);
    mkdirSync(join(outDir, 'folder.reel'));
    writeFileSync(join(outDir, 'folder.reel', 'inside.reel'), whole);
    for (const name of Object.keys(files)) utimesSync(join(outDir, name), 1, 1);
    const machine = await bootKeeping(1);
    const seen = events(machine);
    await record(machine, 'new');
    await machine.close();
    expect(removedIn(seen)).toEqual(['whole.reel']);
    expect(reels().sort()).toEqual(['folder.reel', 'new.reel', ...Object.keys(files)].sort());
    expect(readdirSync(join(outDir, 'folder.reel'))).toEqual(['inside.reel']);
  });

  it.runIf(process.platform !== 'win32')(
    'lies outside the output folder: links stay, and what they lead to',
    async () => {
      const elsewhere = mkdtempSync(join(root, 'elsewhere-'));
      const maker = await boot(image('timer-echo.img'), { outDir: elsewhere, policy: keeping(null) });
      const target = await record(maker, 'target');
      await maker.close();
      copyFileSync(target, join(elsewhere, 'in-folder.reel'));
      symlinkSync(target, join(outDir, 'link.reel'));
      symlinkSync(elsewhere, join(outDir, 'linked'));
      const machine = await bootKeeping(1);
      for (const name of ['a', 'b', '../c', '../../d/e']) await record(machine, name);
      await machine.close();
      expect(reels().sort()).toEqual(['d-e.reel', 'link.reel', 'linked']);
      expect(lstatSync(join(outDir, 'link.reel')).isSymbolicLink()).toBe(true);
      expect(
        readdirSync(elsewhere)
          .filter((name) => name.endsWith('.reel'))
          .sort(),
      ).toEqual(['in-folder.reel', 'target.reel']);
    },
  );
});

describe('a removal', () => {
  it('is told to listeners and is in the audit log, whose chain holds', async () => {
    const machine = await bootKeeping(1);
    const seen = events(machine);
    await record(machine, 'a');
    await record(machine, 'b');
    await machine.close();
    expect(seen.filter(({ state }) => state === 'removed')).toEqual([
      { state: 'removed', name: 'a', file: join(outDir, 'a.reel'), reason: 'the policy keeps 1' },
    ]);
    const lines = readFileSync(join(outDir, 'audit.jsonl'), 'utf8').trim().split('\n');
    expect(verifyAudit(lines, createHashing())).toMatchObject({ ok: true });
    const acts = audited().filter(({ principal }) => principal === 'policy');
    expect(acts).toHaveLength(1);
    expect(acts[0]).toMatchObject({
      action: 'remove',
      name: 'a.reel',
      allow: true,
      ruleId: 'recordings.keep',
      reason: 'the policy keeps 1 recordings',
      status: 'OK',
      tick: 2000,
    });
  });

  it('that the host cannot do is told as well, and the machine goes on', async () => {
    const services = { ...(await hostServices()), removeRecording: () => false };
    const machine = await createMachine(services, {
      bootImage: image('timer-echo.img'),
      memory: '4M',
      epoch: 0,
      outDir,
      policy: keeping(1),
    });
    const seen = events(machine);
    await record(machine, 'a');
    await record(machine, 'b');
    expect(seen.map(({ state, name }) => `${name} ${state}`)).toContain('a not-removed');
    expect(audited().at(-1)).toMatchObject({ action: 'remove', name: 'a.reel', status: 'HOST_IO' });
    expect(reels().sort()).toEqual(['a.reel', 'b.reel']);
    await machine.close();
  });
});
