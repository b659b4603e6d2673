import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Machine, Policy, Recording } from '../../src/index.js';
import { sha256Of } from './hash.js';

const BUILT = fileURLToPath(new URL('../../guest-images/built/', import.meta.url));
const TICKS = 1e8;
const outDir = mkdtempSync(join(tmpdir(), 'agent-dos-'));
afterAll(() => rmSync(outDir, { recursive: true }));

/** What each run of REEL.COM in dos.img wrote, and its exit code, by its command tail. */
type Runs = [tail: string, output: string[], code: number][];

function runsOf(serial: string): Runs {
  return serial
    .split('> reel ')
    .slice(1)
    .map((run) => {
      const lines = run.split('\r\n');
      const end = lines.findIndex((line) => line.startsWith('= '));
      return [lines[0].trim(), lines.slice(1, end), Number(lines[end].slice(2))];
    });
}

async function run(name: string, policy?: Policy): Promise<{ runs: Runs; serial: string; file: string | null }> {
  const machine = await Machine.create({
    bootImage: join(BUILT, 'dos.img'),
    memory: '16M',
    outDir: join(outDir, name),
    ...(policy === undefined ? {} : { policy }),
  });
  let file: string | null = null;
  machine.on('recording', (event) => {
    if (event.state === 'stopped') file = event.file;
  });
  expect(await machine.run({ until: { ticks: TICKS } })).toMatchObject({ kind: 'powered-off' });
  const serial = machine.serialText;
  await machine.close();
  return { runs: runsOf(serial), serial, file };
}

describe('the agent for DOS under the default policy', () => {
  let result: Awaited<ReturnType<typeof run>>;
  beforeAll(async () => {
    result = await run('default');
  });

  it('does and says what its verbs promise, with the exit code of each refusal', () => {
    const may = 'may: start stop mark log check put get checkpoint exit status';
    const short = result.runs.map(([tail, output, code]) => [
      tail,
      output.filter((line) => !line.startsWith('quota')),
      code,
    ]);
    expect(short).toEqual([
      ['hello', ['protocol 1', 'longest text 4096', 'epoch 0'], 0],
      ['status', ['not recording', may, 'epoch 0'], 0],
      ['mark early', ['reel: mark: nothing is being recorded'], 70],
      ['START dos-test', ['recording 1'], 0],
      ['start again', ['reel: start: a recording is already running'], 69],
      ['start --nest', ['reel: start: wrong arguments, see reel help'], 62],
      ['start --nest inner', ['recording 1'], 0],
      ['stop', [], 0],
      ['status', ['recording', 'started by the guest', may, 'epoch 0'], 0],
      ['mark one 7', [], 0],
      ['mark  "two words"  0x1F', ['reel: mark: the policy does not allow it'], 66],
      ['mark', ['reel: mark: wrong arguments, see reel help'], 62],
      ['begin phase-a', [], 0],
      ['status', ['recording', 'started by the guest', 'in a phase', may, 'epoch 0'], 0],
      ['end phase-a', [], 0],
      ['end phase-a', ['reel: end: an argument is not valid'], 73],
      ['run good -- tool "a  b" 0', ['tool "a  b" 0'], 0],
      ['run bad -- C:\\BIN\\TOOL.COM 3', ['tool 3'], 3],
      ['run absent -- nothing', ['reel: nothing: command not found'], 127],
      ['verdict skip unit-3', [], 0],
      ['log several  words "kept  apart"', [], 0],
      ['check DATA.TXT', [], 0],
      ['check -', [], 0],
      ['check MISSING.TXT', ['reel: MISSING.TXT: cannot be read'], 61],
      ['put DATA.TXT 4', [], 0],
      ['get', [], 0],
      ['auth sesame', [expect.any(String)], expect.any(Number)],
      ['checkpoint', [], 0],
      ['stop 99', ['reel: stop: an argument is not valid'], 73],
      ['stop', [], 0],
      ['stop', ['reel: stop: nothing is being recorded'], 70],
      ['frob', ['reel: frob: unknown verb, see reel help'], 62],
    ]);
    expect(result.serial).toMatch(/dos: done\r\n$/);
  });

  it('leaves its marks, phases and verdicts in a recording that replays exactly', async () => {
    const recording = await Recording.open(result.file!);
    const marks = recording.marks.map(({ type, label, value }) => [type, label, value]);
    const first = sha256Of(new TextEncoder().encode(DATA)).slice(0, 16);
    expect(marks.filter(([type]) => type === 'mark' || type === 'log' || type === 'check')).toEqual([
      ['mark', 'one', 7],
      ['log', 'several words kept  apart', 0],
      ['check', first, DATA.length],
      ['check', sha256Of(new Uint8Array(0)).slice(0, 16), 0],
    ]);
    expect(recording.phases.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['phase-a', null],
      ['good', 'pass'],
      ['bad', 'fail'],
      ['absent', 'fail'],
    ]);
    expect(await recording.verify()).toMatchObject({ ok: true });
    await recording.close();
  });
});

/** The file of dos.img. */
const DATA = 'forty bytes that are written many times\n'.repeat(400);

describe('the agent for DOS under a policy that names it by its code', () => {
  const manifest = JSON.parse(readFileSync(join(BUILT, '../manifest.json'), 'utf8')) as {
    output: string;
    codeSha256?: string;
  }[];
  const hash = manifest.find((entry) => entry.output === 'built/REEL.COM')!.codeSha256!;
  const policyFor = (codeSha256: string): Policy =>
    Policy.parse(
      JSON.stringify({
        version: 1,
        rules: [{ id: 'agent', effect: 'permit', principals: [{ ring: 0, codeSha256 }], actions: ['start', 'stop'] }],
      }),
    );
  const codes = ({ runs }: { runs: Runs }): number[] =>
    runs.filter(([tail]) => /^(START|stop$)/.test(tail)).map(([, , code]) => code);

  it('is recognised by the hash in the manifest', async () => {
    expect(codes(await run('known', policyFor(hash)))).toEqual([0, 0, 0, 70]);
  });

  it('is refused under any other hash', async () => {
    const [start, ...stops] = codes(
      await run('unknown', policyFor(hash.replace(/^./, (c) => (c === '0' ? '1' : '0')))),
    );
    expect(start).toBe(66);
    expect(stops).not.toContain(0);
  });
});
