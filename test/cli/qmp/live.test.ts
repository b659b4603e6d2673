import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hostLibrary } from '../../../src/cli/host-library.js';
import { desk, type Desk } from '../run-cli.js';
import { QmpTestClient } from './qmp-client.js';

const image = (name: string): string => fileURLToPath(new URL(`../../../guest-images/built/${name}`, import.meta.url));
const keys = (...names: string[]): object => ({ keys: names.map((data) => ({ type: 'qcode', data })) });

interface Stage {
  readonly at: Desk;
  readonly out: string;
  readonly client: QmpTestClient;
  readonly ended: Promise<number>;
}

async function start(words: readonly string[], negotiates = true, settings = ''): Promise<Stage> {
  const out = mkdtempSync(join(tmpdir(), 'guestreel-qmp-'));
  const [at, path] = [desk(), join(out, 'socket')];
  const argv = [...words, '-qmp', `unix:${path}${settings}`, '-out', out, '-serial', `file:${join(out, 'serial')}`];
  const ended = at.run(argv, hostLibrary());
  const failed = ended.then((code) => Promise.reject<never>(new Error(`${code}: ${at.stderr.text}`)));
  return { at, out, ended, client: await Promise.race([QmpTestClient.connect(path, negotiates), failed]) };
}

const serialOf = ({ out }: Stage): string => readFileSync(join(out, 'serial'), 'latin1');

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Runs the keyboard's guest under a recording with a mark, and types. Returns the recording. */
async function record(stage: Stage): Promise<string> {
  const { client } = stage;
  await until(() => serialOf(stage).includes('ready'));
  const started = (await client.execute('guestreel-start', { name: 'typed' })) as { file: string };
  await client.execute('send-key', keys('a'));
  expect(await client.execute('guestreel-mark', { label: 'here', value: 5 })).toHaveProperty('tick');
  await client.execute('send-key', keys('shift', 'b'));
  await until(() => serialOf(stage).split('\n').length >= 8);
  await client.execute('guestreel-stop');
  return started.file;
}

describe('QMP of a live machine', () => {
  it('records, marks and types for a client, and tells it what happens', async () => {
    const stage = await start(['run', image('keyboard.img')]);
    const { client, out, ended, at } = stage;
    const file = await record(stage);
    expect(readdirSync(out)).toContain('typed.reel');
    expect(await client.event('GUESTREEL_MARK')).toMatchObject({ data: { label: 'here', value: 5, by: 'host:api' } });
    expect(client.events.filter(({ event }) => event === 'GUESTREEL_RECORDING')).toHaveLength(2);
    expect(await client.execute('quit')).toEqual({});
    expect(await client.event('SHUTDOWN')).toMatchObject({ data: { guest: false, reason: 'host-qmp-quit' } });
    expect(await ended).toBe(0);
    expect(readdirSync(out)).not.toContain('socket');
    expect(at.stderr.text).toContain('the machine was ended by QMP');
    const again = desk();
    expect(await again.run(['verify', file], hostLibrary())).toBe(0);
  });

  it('holds a machine between two instructions until it may go on', async () => {
    const { client, ended } = await start(['run', image('timer-echo.img')]);
    const tick = async (): Promise<number> => ((await client.execute('query-replay')) as { icount: number }).icount;
    await client.execute('stop');
    await client.event('STOP');
    expect(await client.execute('query-status')).toEqual({ running: false, status: 'paused' });
    const paused = await tick();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await tick()).toBe(paused);
    await client.execute('cont');
    await client.event('RESUME');
    await until(async () => (await tick()) > paused);
    await client.execute('quit');
    expect(await ended).toBe(0);
  });

  it('resets a machine that halted for good', async () => {
    const stage = await start(['run', image('test-halt.img')]);
    const { client, ended } = stage;
    await until(() => serialOf(stage).includes('halt: now'));
    await client.execute('system_reset');
    expect(await client.event('RESET')).toMatchObject({ data: { guest: false, reason: 'host-qmp-system-reset' } });
    await until(() => serialOf(stage).match(/halt: now/g)?.length === 2);
    await client.execute('quit');
    expect(await ended).toBe(0);
  });

  it('changes media by the names of QEMU or guestreel', async () => {
    const { client, ended, out } = await start(['run', image('timer-echo.img'), '-cdrom', 'none']);
    const disc = join(out, 'disc.iso');
    writeFileSync(disc, new Uint8Array(64 * 2048));
    const present = async (): Promise<unknown> => {
      const devices = (await client.execute('query-block')) as { qdev: string; inserted?: { file: string } }[];
      return devices.find(({ qdev }) => qdev === 'hdc')!.inserted?.file;
    };
    expect(await present()).toBeUndefined();
    expect(await client.execute('blockdev-change-medium', { device: 'ide1-cd0', filename: disc })).toEqual({});
    await until(async () => (await present()) === 'disc.iso');
    expect(await client.execute('eject', { id: 'hdc' })).toEqual({});
    await until(async () => (await present()) === undefined);
    expect(await client.execute('eject', { id: 'hdx' })).toBe("Device 'hdx' not found");
    expect(await client.execute('blockdev-change-medium', { id: 'hdc', filename: join(out, 'none') })).toContain(
      'HOST_IO',
    );
    await client.execute('quit');
    await ended;
  });

  it('writes pictures into the output folder, and nothing else anywhere', async () => {
    const { client, ended, out } = await start(['run', image('timer-echo.img')]);
    expect(await client.execute('screendump', { filename: 'a.png' })).toEqual({});
    expect(await client.execute('screendump', { filename: join(out, 'b.ppm') })).toEqual({});
    expect([...readFileSync(join(out, 'a.png')).subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
    expect(readFileSync(join(out, 'b.ppm')).subarray(0, 15).toString()).toBe('P6\n720 400\n255\n');
    for (const filename of ['../c.png', '/tmp/../etc/c.png', 'x/y.png', 'socket', 'serial', '.png/', 'a.reel']) {
      expect(typeof (await client.execute('screendump', { filename })), filename).toBe('string');
    }
    expect(readdirSync(out).sort()).toEqual(['a.png', 'b.ppm', 'serial', 'socket']);
    await client.execute('quit');
    await ended;
  });

  it('asks the policy, and says so in the audit log', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'guestreel-qmp-'));
    const policy = join(folder, 'policy.json');
    const rules = [
      {
        id: 'keys',
        effect: 'permit',
        principals: [{ host: 'api' }],
        actions: ['control'],
        when: { name: '^(send-key|quit)$' },
      },
    ];
    writeFileSync(policy, JSON.stringify({ version: 1, description: 'keys only', rules, audit: 'audit.jsonl' }));
    const { client, ended, out } = await start(['run', image('timer-echo.img'), '-policy', policy]);
    expect(await client.execute('send-key', keys('a'))).toEqual({});
    for (const command of ['stop', 'system_reset', 'eject']) {
      expect(await client.execute(command, command === 'eject' ? { id: 'fda' } : undefined), command).toMatch(
        /^DENIED: /,
      );
    }
    expect(await client.execute('guestreel-start', { name: 'x' })).toMatch(/^DENIED: /);
    await client.execute('quit');
    expect(await ended).toBe(0);
    const audit = readFileSync(join(out, 'audit.jsonl'), 'utf8');
    expect(audit).toContain('host:api');
    expect(audit).toContain('"system_reset"');
  });
});

describe('QMP of a replay', () => {
  it('goes to any tick and back, and shows the same each time', async () => {
    const live = await start(['run', image('keyboard.img')]);
    const file = await record(live);
    await live.client.execute('quit');
    await live.ended;
    const { client, ended, out } = await start(['replay', file], true, ',wait=on');
    await client.event('STOP');
    const end = (await client.execute('query-replay')) as { mode: string; icount: number };
    expect(end.mode).toBe('play');
    const mark = (await client.execute('query-replay')) as { icount: number };
    const seek = async (icount: number): Promise<void> => {
      expect(await client.execute('replay-seek', { icount })).toEqual({});
      await client.event('STOP');
      expect(await client.execute('query-replay')).toMatchObject({ icount });
    };
    const middle = mark.icount - 1000;
    const picture = async (name: string): Promise<Buffer> => {
      await client.execute('screendump', { filename: name });
      return readFileSync(join(out, name));
    };
    await seek(middle);
    const first = await picture('1.png');
    await seek(mark.icount);
    await seek(middle);
    expect(await picture('2.png')).toEqual(first);
    expect(await client.execute('replay-seek', { icount: 1 })).toContain('is not in the recording');
    expect(await client.execute('system_reset')).toBe('system_reset cannot be done with a replay');
    await client.execute('quit');
    expect(await ended).toBe(0);
    // Bytes that were passed again are not written again.
    const exported = desk();
    await exported.run(['export', file, '-as', 'serial'], hostLibrary());
    expect(exported.stdout.text).not.toBe('');
    expect(readFileSync(join(out, 'serial'), 'utf8')).toBe(exported.stdout.text);
  });
});

describe('a client of QMP', () => {
  it('negotiates first, and gets each answer with its id', async () => {
    const { client, ended } = await start(['run', image('timer-echo.img')], false);
    expect(await client.execute('query-status')).toBe("Expecting capabilities negotiation with 'qmp_capabilities'");
    client.send('{"execute":"qmp_capabilities","id":[1,{"a":null}]}');
    expect(await client.answer()).toEqual({ return: {}, id: [1, { a: null }] });
    client.send('{"execute":"nonsense","id":"x"}{"execute":"query-name"}');
    expect(await client.answer()).toMatchObject({ error: { class: 'CommandNotFound' }, id: 'x' });
    expect(await client.answer()).toEqual({ return: {} });
    await client.execute('quit');
    await ended;
  });

  it('may send nonsense and go away without harm to the machine or the next one', async () => {
    const { client, ended, out } = await start(['run', image('timer-echo.img')]);
    client.send('nonsense\n{"execute": 5}\n[1]\n{"execute":"stop","arguments":[]}\n{"execute":"stop","more":1}');
    for (let i = 0; i < 5; i++) expect(await client.answer()).toHaveProperty('error.class', 'GenericError');
    expect(await client.execute('send-key', { keys: 'a' })).toBe("Invalid parameter type for 'keys', expected: array");
    expect(await client.execute('replay-seek')).toBe("Parameter 'icount' is missing");
    expect(await client.execute('stop', { force: true })).toBe("Parameter 'force' is unexpected");
    client.send('{"execute":"query-sta');
    client.hangUp();
    const next = await QmpTestClient.connect(join(out, 'socket'));
    expect(await next.execute('query-status')).toEqual({ running: true, status: 'running' });
    next.send(`{"execute":"${'x'.repeat(2 << 20)}`);
    await next.closed();
    const last = await QmpTestClient.connect(join(out, 'socket'));
    await last.execute('quit');
    expect(await ended).toBe(0);
  });

  it('is not offered a file that is no socket, or that another program listens at', async () => {
    const { client, ended, out } = await start(['run', image('timer-echo.img')]);
    const second = desk();
    const argv = ['run', image('timer-echo.img'), '-out', out, '-serial', 'none', '-qmp'];
    expect(await second.run([...argv, `unix:${join(out, 'socket')}`], hostLibrary())).toBe(11);
    expect(second.stderr.text).toContain('another program listens at this socket');
    expect(await second.run([...argv, `unix:${join(out, 'serial')}`], hostLibrary())).toBe(11);
    expect(second.stderr.text).toContain('the file exists and is no socket');
    await client.execute('quit');
    await ended;
  });
});
