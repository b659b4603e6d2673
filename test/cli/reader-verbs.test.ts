import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { mark, recordingOf, serial } from './recordings.js';
import { desk } from './run-cli.js';
import { schemaErrors } from './schema.js';

const GOLDEN = fileURLToPath(new URL('../fixtures/1/golden.reel', import.meta.url));
const INVENTORY = JSON.parse(readFileSync(new URL('../fixtures/1/golden.json', import.meta.url), 'utf8')) as {
  chainSha256: string;
  entries: { entry: string; tick: number }[];
};

async function output(...argv: string[]): Promise<string> {
  const at = desk();
  expect(await at.run(argv)).toBe(0);
  expect(at.stderr.text).toBe('');
  return at.stdout.text;
}

describe('reel info', () => {
  it('tells what the golden recording is', async () => {
    const text = await output('info', GOLDEN);
    for (const part of ['boot', 'reel-0001', 'guest:ring0', '239.999996 s', INVENTORY.chainSha256, '2 input']) {
      expect(text).toContain(part);
    }
  });

  it('writes JSON that its schema allows', async () => {
    const info = JSON.parse(await output('info', GOLDEN, '--json')) as Record<string, unknown>;
    expect(schemaErrors('cli-info', info)).toEqual([]);
    expect(info).toMatchObject({
      startTick: 1000,
      endTick: 60_000_000_000,
      chainSha256: INVENTORY.chainSha256,
      isSigned: true,
      checkpoints: 1,
      end: { reason: 'stop', by: 'host:user' },
      phases: [{ name: 'phase "a"', begin: 1003, end: null, verdict: null }],
    });
    expect(schemaErrors('cli-info', { ...info, checkpoints: -1, extra: 0 })).toHaveLength(2);
  });
});

describe('reel marks', () => {
  it('lists marks with tick and guest time', async () => {
    const file = await recordingOf([mark('mark', 'hello', 251_000), mark('verdict', 'net', 260_000, 1)], 300_000);
    const [head, first, second] = (await output('marks', file)).split('\n');
    expect(head).toMatch(/^TICK +TIME +TYPE +VALUE +BY +LABEL$/);
    expect(first).toMatch(/^251000 +\+0\.001000 s +mark +0 +guest:ring3 +hello$/);
    expect(second).toMatch(/^260000 .* verdict +fail .* net$/);
  });

  it('writes JSON that its schema allows', async () => {
    const marks = JSON.parse(await output('marks', GOLDEN, '--json')) as object;
    expect(schemaErrors('cli-marks', marks)).toEqual([]);
    expect(marks).toMatchObject({
      marks: [{ tick: 1003, type: 'begin', label: 'phase "a"', phaseId: 1, verdict: null }],
    });
  });

  it("never lets a label of the guest's drive the terminal", async () => {
    const file = await recordingOf([mark('mark', 'a\x1b[2J\x9b\nb', 2000)], 3000);
    expect(await output('marks', file)).toContain('a\\x1b[2J\\x9b\\x0ab');
  });

  it('says so where there are none, and leaves standard output empty', async () => {
    const at = desk();
    expect(await at.run(['marks', await recordingOf([], 2000)])).toBe(0);
    expect(at.stdout.text).toBe('');
    expect(at.stderr.text).toBe('reel: the recording has no marks\n');
  });
});

describe('reel export', () => {
  it('--as serial writes what a port sent, byte for byte', async () => {
    expect(await output('export', GOLDEN, '--as', 'serial')).toBe('OK');
    const at = desk();
    const file = await recordingOf([serial('a\xff\r\n', 1001), serial('two', 1002, 1), serial('b', 1003)], 2000);
    expect(await at.run(['export', file, '-as', 'serial'])).toBe(0);
    expect([...at.stdout.bytes]).toEqual([0x61, 0xff, 13, 10, 0x62]);
    expect(await output('export', file, '-as', 'serial', '-port', '1')).toBe('two');
  });

  it('--as json writes every entry, in order, as its schema allows', async () => {
    const lines = (await output('export', GOLDEN, '--as', 'json')).trimEnd().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as { entry: string; tick: number });
    for (const entry of entries) expect(schemaErrors('cli-export-entry', entry), entry.entry).toEqual([]);
    const expected = INVENTORY.entries.map(({ entry, tick }) => ({ entry, tick }));
    expect(entries.map(({ entry, tick }) => ({ entry, tick }))).toEqual([{ entry: 'meta', tick: 1000 }, ...expected]);
    expect(entries[1]).toMatchObject({ kind: 'backdoor', request: 'AQID', answer: 'AA==' });
    expect(entries.find(({ entry }) => entry === 'digest')).toMatchObject({ cpuDevices: '01'.repeat(32), pages: 3 });
  });

  it('--as trace writes phases and marks at guest time in microseconds', async () => {
    const file = await recordingOf(
      [
        mark('begin', 'outer', 251_000, 0, 1),
        mark('begin', 'crossing', 500_000, 0, 2),
        mark('mark', 'here', 501_000, 7),
        mark('end', 'outer', 751_000, 0, 1),
        mark('end', 'crossing', 1_001_000, 0, 2),
      ],
      2_001_000,
    );
    const { traceEvents } = JSON.parse(await output('export', file, '--as', 'trace')) as {
      traceEvents: { name: string; ph: string; ts: number; dur: number; tid: number }[];
    };
    const named = (name: string, ph: string): object => traceEvents.find((e) => e.name === name && e.ph === ph)!;
    expect(named('tests', 'X')).toMatchObject({ ts: 4, dur: 8000, tid: 1 });
    expect(named('outer', 'X')).toMatchObject({ ts: 1004, dur: 2000, tid: 1, args: { ended: true } });
    // It ends after the phase that it began in, so that it cannot be drawn inside it.
    expect(named('crossing', 'X')).toMatchObject({ ts: 2000, dur: 2004, tid: 2 });
    expect(named('here', 'i')).toMatchObject({ ts: 2004, args: { value: 7, tick: 501_000 } });
  });

  it('-o writes to a file and leaves standard output empty', async () => {
    const file = await recordingOf([serial('text', 1001)], 2000);
    expect(await output('export', file, '--as', 'serial', '-o', `${file}.txt`)).toBe('');
    expect(readFileSync(`${file}.txt`, 'utf8')).toBe('text');
  });
});
