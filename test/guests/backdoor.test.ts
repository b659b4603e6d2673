import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Policy, Recording, type MachineEvents, type MachineOptions, type StopReason } from '../../src/index.js';
import { STATUS, type StatusName } from '../../src/devices/backdoor/protocol.js';
import { templateText, type PolicyTemplate } from '../../src/policy/templates.js';
import { boot, image } from './guest.js';

const outDir = mkdtempSync(join(tmpdir(), 'backdoor-'));
afterAll(() => rmSync(outDir, { recursive: true }));

type Denied = MachineEvents['denied'];

interface Run {
  readonly stop: StopReason;
  /** What the guest printed: names and values. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly denied: readonly Denied[];
  readonly recordings: readonly MachineEvents['recording'][];
}

let runs = 0;

async function run(name: string, template: PolicyTemplate, options: MachineOptions = {}): Promise<Run> {
  const policy = Policy.parse(templateText(template));
  const machine = await boot(image(name), { policy, outDir: join(outDir, String(++runs)), ...options });
  const denied: Denied[] = [];
  const recordings: MachineEvents['recording'][] = [];
  machine.on('denied', (event) => denied.push(event)).on('recording', (event) => recordings.push(event));
  machine.offer(1, new TextEncoder().encode('from the host'));
  const stop = await machine.run();
  const lines = machine.serialText
    .trim()
    .split('\r\n')
    .map((line) => {
      const [, text, value] = /^ ?(.*?) ([0-9a-f]{8}(?: after a page fault)?)$/.exec(line) ?? [line, line, ''];
      return [text, value] as const;
    });
  await machine.close();
  return { stop, lines, denied, recordings };
}

/** The statuses that a guest printed, by name, in their order. */
function statuses({ lines }: Run): [string, StatusName | string][] {
  const names = new Map<number, string>(Object.entries(STATUS).map(([name, value]) => [value, name]));
  return lines
    .filter(([, value]) => value !== '')
    .map(([name, value]) => [name, names.get(parseInt(value, 16)) ?? value] as [string, string]);
}

const REAL16_FREE: readonly [string, string][] = [
  ['HELLO', 'OK'],
  ['magic', '4c454552'],
  ['version', 'NOSYS'], // 1: the number of the version, not a status
  ['STATUS', 'OK'],
  ['AUTH', 'DENIED'],
  ['MARK without recording', 'NOT_RECORDING'],
  ['START', 'OK'],
  ['START again', 'BUSY'],
  ['BEGIN', 'OK'],
  ['LOG', 'OK'],
  ['MARK', 'OK'],
  ['MARK inline', 'OK'],
  ['CHECK', 'OK'],
  ['PUT', 'OK'],
  ['GET', 'OK'],
  ['CHECKPOINT', 'OK'],
  ['END', 'OK'],
  ['VERDICT', 'OK'],
  ['LOG too long', 'TOO_LONG'],
  ['no such command', 'NOSYS'],
  ['no such flag', 'INVALID'],
  ['STOP', 'OK'],
  ['STOP again', 'NOT_RECORDING'],
  ['wrong magic', 'ffffffff'],
  ['16 bits', '4c45ffff'],
  ['8 bits', '4c4545ff'],
];

/** The same with other answers to some requests. */
function withAnswers(answers: Readonly<Record<string, string>>): [string, string][] {
  return REAL16_FREE.map(([name, status]) => [name, answers[name] ?? status]);
}

describe('every command from real mode', () => {
  it('does what it promises under the policy for a test harness', async () => {
    const result = await run('real16.img', 'harness');
    expect(statuses(result)).toEqual(REAL16_FREE);
    expect(result.stop).toEqual({ kind: 'exit', code: 3 });
    expect(result.denied).toEqual([]);
    const [started, stopped] = result.recordings;
    expect(result.recordings).toHaveLength(2);
    expect(started).toMatchObject({ state: 'started', name: 'real16', reason: 'guest:ring0' });
    expect(stopped).toMatchObject({ state: 'stopped', name: 'real16', file: started.file });
    const recording = await Recording.open(stopped.file);
    expect(recording.marks.map(({ type, label, value }) => [type, label, value])).toEqual([
      ['begin', 'phase', 0],
      ['log', 'a line of the log', 0],
      ['mark', 'answer', 42],
      ['mark', 'inline', 7],
      ['check', expect.stringMatching(/^[0-9a-f]{16}$/), 512],
      ['checkpoint', 'checkpoint', 0],
      ['end', 'phase', 0],
      ['verdict', 'real16', 0],
    ]);
    expect(recording.phases).toEqual([
      { name: 'phase', begin: recording.marks[0].tick, end: recording.marks[6].tick, verdict: null },
    ]);
    expect(recording.reader.checkpoints()).toHaveLength(1);
    expect(recording.meta).toMatchObject({ name: 'real16', startedBy: 'guest:ring0', epoch: 0 });
    expect(recording.endReason).toBe('stopped');
    expect(await recording.verify()).toMatchObject({ ok: true });
    const replay = await recording.replay();
    await replay.run();
    await recording.close();
  });

  it('is refused in part by the default policy, which names its rule', async () => {
    const result = await run('real16.img', 'default');
    // A label with a space, which the rule's pattern does not know.
    expect(statuses(result)).toEqual(withAnswers({ 'MARK without recording': 'DENIED' }));
    expect(result.denied.map(({ principal, action, rule }) => [principal, action, rule])).toEqual([
      ['guest:ring0', 'mark', 'default'],
    ]);
  });

  it('may start but never stop, check or end the machine under the forensic policy', async () => {
    const result = await run('real16.img', 'forensic');
    const denied = ['CHECK', 'PUT', 'GET', 'CHECKPOINT', 'STOP', 'STOP again', 'MARK without recording'];
    expect(statuses(result)).toEqual([
      ...withAnswers(Object.fromEntries(denied.map((name) => [name, 'DENIED']))),
      ['EXIT', 'DENIED'],
    ]);
    expect(result.stop).toEqual({ kind: 'powered-off' });
    const rules = result.denied.map(({ action, rule }) => [action, rule]);
    expect(rules.slice(-3)).toEqual([
      ['stop', 'evidence-stays'],
      ['stop', 'evidence-stays'],
      ['exit', 'evidence-stays'],
    ]);
    expect(new Set(rules.slice(0, -3).map(([, rule]) => rule))).toEqual(new Set(['default']));
    // It went on to the machine's last instruction.
    expect(result.recordings.map(({ state, reason }) => [state, reason])).toEqual([
      ['started', 'guest:ring0'],
      ['stopped', 'powered-off'],
    ]);
    const recording = await Recording.open(result.recordings[1].file);
    expect(await recording.verify()).toMatchObject({ ok: true });
    const audited = [...recording.reader.entriesOf('audit')].map(({ record }) => [record.action, record.ruleId]);
    expect(audited).toContainEqual(['stop', 'evidence-stays']);
    await recording.close();
    const audit = readFileSync(join(outDir, String(runs), 'audit.jsonl'), 'utf8');
    expect(audit.match(/"ruleId":"evidence-stays"/g)).toHaveLength(3);
  });

  it('gets nothing under the locked-down policy', async () => {
    const result = await run('real16.img', 'locked-down');
    const free = ['HELLO', 'magic', 'version', 'LOG too long', 'no such command', 'no such flag'];
    const expected = REAL16_FREE.map(([name, status]) =>
      free.includes(name) || !(status in STATUS) ? [name, status] : [name, 'DENIED'],
    );
    expect(statuses(result)).toEqual([...expected, ['EXIT', 'DENIED']]);
    expect(result.recordings).toEqual([]);
    expect(readdirSync(join(outDir, String(runs)))).toEqual(['audit.jsonl']);
    expect(new Set(result.denied.map(({ rule }) => rule))).toEqual(new Set(['default']));
  });
});

const GRANTED_TASK = [
  ['STATUS', '00000000'],
  ['MARK plain', '00000000'],
  ['MARK across pages', '00000000'],
  ['MARK into a missing page', '00000007'],
  ['missing at', '00000004'],
  ['MARK of the supervisor', '00000007'],
  ['MARK with TOUCH', '00000000 after a page fault'],
  ['LOG from nowhere', '00000007'],
];

describe('ring 3', () => {
  it('calls whatever IOPL says where the policy has a rule for it', async () => {
    const result = await run('ring3.img', 'default');
    expect(result.lines).toEqual([
      ['start', '00000000'],
      ['iopl 0', ''],
      ...GRANTED_TASK,
      ['iopl 3', ''],
      ...GRANTED_TASK,
      ['stop', '00000000'],
      ['ring3: done', ''],
    ]);
    const recording = await Recording.open(result.recordings[1].file);
    const marks = ['plain', 'across-pages', 'tail-end'];
    expect(recording.marks.map(({ label }) => label)).toEqual([...marks, ...marks]);
    expect(new Set(recording.reader.marks().map(({ by }) => by))).toEqual(new Set(['guest:ring3']));
    expect(await recording.verify()).toMatchObject({ ok: true });
    await recording.close();
  });

  it('finds no port where the policy has none: #GP with IOPL 0, all ones with IOPL 3', async () => {
    const result = await run('ring3.img', 'locked-down');
    const absent = (value: string): string[][] =>
      GRANTED_TASK.map(([name]) => [name, name === 'missing at' ? '00000003' : value]);
    expect(result.lines).toEqual([
      ['start', '00000002'],
      ['iopl 0', ''],
      ...absent('deadffff'),
      ['iopl 3', ''],
      ...absent('ffffffff'),
      ['stop', '00000002'],
      ['ring3: done', ''],
    ]);
    expect(result.denied.map(({ principal, action }) => `${principal} ${action}`)).toEqual([
      'guest:ring0 start',
      'guest:ring0 stop',
    ]);
  });

  it('loses and finds the port when the policy changes', async () => {
    const machine = await boot(image('ring3.img'), { outDir });
    await machine.startRecording({ name: 'changes' });
    await machine.run({ until: { serial: /iopl 0/ } });
    machine.setPolicy(templateText('locked-down'));
    await machine.run({ until: { serial: /iopl 3/ } });
    expect(() => machine.setPolicy('{"version": 2}')).toThrowError(expect.objectContaining({ code: 'CONFIG' }));
    machine.setPolicy(templateText('harness'));
    expect(await machine.run()).toEqual({ kind: 'powered-off' });
    expect(machine.serialText).toMatch(/iopl 0\r\nSTATUS deadffff[^]*iopl 3\r\nSTATUS 00000000/);
    await machine.close();
    const recording = await Recording.open(join(outDir, 'changes.reel'));
    expect(await recording.verify()).toMatchObject({ ok: true });
    await recording.close();
  });
});

describe("VMware's port", () => {
  it.each(['default', 'harness'] as const)('starts and stops under the %s policy', async (template) => {
    const result = await run('vmport.img', template);
    expect(result.lines).toEqual([
      ['version', '00000006'],
      ['product', '00000004'],
      ['magic', '564d5868'],
      ['replayable', '00000001'],
      ['start', '00000001'],
      ['stop', '00000001'],
      ['stop again', '00000000'],
      ['nonsense', '00000000'],
      ['vmport: done', ''],
    ]);
    const recording = await Recording.open(result.recordings[1].file);
    expect(recording.meta.name).toBe('vmport');
    expect(recording.endTick - recording.meta.startTick).toBeGreaterThan(20_000);
    expect(await recording.verify()).toMatchObject({ ok: true });
    await recording.close();
  });

  it('obeys the same policy: the forensic one lets it start, not stop', async () => {
    const result = await run('vmport.img', 'forensic');
    expect(result.lines.filter(([name]) => /^(start|stop)/.test(name))).toEqual([
      ['start', '00000001'],
      ['stop', '00000000'],
      ['stop again', '00000000'],
    ]);
    expect(result.denied.map(({ rule }) => rule)).toEqual(['evidence-stays', 'evidence-stays']);
  });
});

describe('a recording of the host', () => {
  it('is not the guest’s to stop', async () => {
    const machine = await boot(image('real16.img'), { outDir, policy: Policy.parse(templateText('harness')) });
    await machine.startRecording({ name: 'of the host' });
    await machine.run();
    expect(machine.serialText).toContain('START 00000005');
    expect(machine.serialText).toContain('STOP 0000000c');
    await machine.close();
  });
});
