import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { AGENT_EXIT, FLAG_BITS, STATUS, STATUS_TEXT, type StatusName } from '../../src/devices/backdoor/protocol.js';

const AGENT = fileURLToPath(new URL('../../guest-images/built/reel', import.meta.url));
const image = readFileSync(AGENT);
const folder = mkdtempSync(join(tmpdir(), 'agent-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runFile(file: string, args: readonly string[], input = '', path = process.env['PATH']): Run {
  const env = { PATH: path };
  const { status, stdout, stderr } = spawnSync(file, args, { input, env, cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function program(name: string, bytes: Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  chmodSync(file, 0o755);
  return file;
}
const agent = program('reel', image);
/** Only Linux on x86 runs it, and only with 32-bit programs enabled. */
const isNative = process.platform === 'linux' && runFile(agent, ['help']).status === 0;

/** MOV EAX,magic and IN EAX,DX of the library. */
const CALL = Buffer.from([0xb8, 0x52, 0x45, 0x45, 0x4c, 0xed]);

/** The agent with every call answered by `status`: MOV EAX,status and NOP stand in for the IN. */
function answered(status: number): string {
  const bytes = Buffer.from(image);
  const at = bytes.indexOf(CALL);
  bytes.set([0xb8, status, 0, 0, 0, 0x90], at);
  return program(`reel-${status}`, bytes);
}

describe('the agent for Linux', () => {
  it('is a static ELF file for i386 whose code cannot be written and whose data cannot run', () => {
    expect(image.subarray(0, 7)).toEqual(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]));
    expect([image.readUInt16LE(16), image.readUInt16LE(18)]).toEqual([2, 3]);
    const count = image.readUInt16LE(44);
    const segments = Array.from({ length: count }, (_, i) => image.readUInt32LE(28) + i * 32);
    expect(segments.map((at) => [image.readUInt32LE(at), image.readUInt32LE(at + 24)])).toEqual([
      [1, 5],
      [1, 6],
      [0x6474e551, 6],
    ]);
  });

  it('calls the port at one place only', () => {
    expect(image.indexOf(CALL)).toBeGreaterThan(0);
    expect(image.indexOf(CALL)).toBe(image.lastIndexOf(CALL));
  });
});

// Elsewhere the file cannot run; what it does in a guest is tested with the machine itself.
describe.runIf(isNative)('the agent for Linux outside guestreel', () => {
  it.each([
    ['start', 'x'],
    ['start', '--nest', 'x'],
    ['stop'],
    ['stop', '3'],
    ['mark', 'x', '0xfF'],
    ['begin', 'x'],
    ['end', 'x'],
    ['run', 'x', '--', 'true'],
    ['verdict', 'skip', 'x'],
    ['check', '-'],
    ['put', '-', '7'],
    ['get'],
    ['log', 'some', 'words'],
    ['status'],
    ['hello'],
    ['auth', 'x'],
    ['checkpoint'],
    ['exit', '4'],
  ])('says that there is no port and exits with 63: %s %s %s %s', (...args) => {
    const words = args.filter((arg) => typeof arg === 'string');
    const { status, stdout, stderr } = runFile(agent, words);
    expect({ status, stdout }).toEqual({ status: AGENT_EXIT.NO_PORT, stdout: '' });
    expect(stderr).toMatch(/^reel: guestreel's port is not available here/);
  });

  it('does not run the command of a phase that could not begin', () => {
    expect(runFile(agent, ['run', 'x', '--', 'touch', 'was-run']).status).toBe(AGENT_EXIT.NO_PORT);
    expect(() => readFileSync(join(folder, 'was-run'))).toThrow(/ENOENT/);
  });

  it.each([
    [[], /^usage: reel/],
    [['frob'], /^reel: frob: unknown verb/],
    [['start'], /^reel: start: wrong arguments/],
    [['start', 'a', 'b'], /^reel: start: wrong arguments/],
    [['start', '--nest'], /^reel: start: wrong arguments/],
    [['start', 'x', '--nest'], /^reel: start: wrong arguments/],
    [['start', '--nest', 'a', 'b'], /^reel: start: wrong arguments/],
    [['stop', 'x'], /^reel: stop: a number/],
    [['stop', '4294967296'], /^reel: stop: a number/],
    [['stop', '99999999999999999999'], /^reel: stop: a number/],
    [['stop', '0x'], /^reel: stop: a number/],
    [['stop', '0x1g'], /^reel: stop: a number/],
    [['stop', '1a'], /^reel: stop: a number/],
    [['stop', ''], /^reel: stop: a number/],
    [['mark'], /^reel: mark: wrong arguments/],
    [['verdict', 'maybe', 'x'], /^reel: verdict: wrong arguments/],
    [['verdict', 'pass'], /^reel: verdict: wrong arguments/],
    [['run', 'x', 'true'], /^reel: run: wrong arguments/],
    [['run', 'x', '--'], /^reel: run: wrong arguments/],
    [['exit'], /^reel: exit: wrong arguments/],
    [['log'], /^reel: log: wrong arguments/],
    [['hello', 'x'], /^reel: hello: wrong arguments/],
  ])('exits with 62 for wrong arguments: %j', (args, message) => {
    const { status, stdout, stderr } = runFile(agent, args);
    expect({ status, stdout }).toEqual({ status: AGENT_EXIT.USAGE, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('exits with 61 for a file that cannot be read', () => {
    const missing = { status: AGENT_EXIT.FAILED, stdout: '', stderr: 'reel: no-such-file: cannot be read\n' };
    expect(runFile(agent, ['check', 'no-such-file'])).toEqual(missing);
    expect(runFile(agent, ['put', '.'])).toMatchObject({ status: AGENT_EXIT.FAILED });
  });

  it('explains itself on its standard output', () => {
    for (const verb of ['help', '--help', '-h']) {
      const { status, stdout, stderr } = runFile(agent, [verb]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/^usage: reel[^]*76 {2}NOT_OWNER/);
    }
  });

  it('survives argument lists without a name of the program', () => {
    const { status } = spawnSync(agent, [], { argv0: '' });
    expect(status).toBe(AGENT_EXIT.USAGE);
  });
});

describe.runIf(isNative)('the agent for Linux when refused', () => {
  it.each((Object.keys(STATUS) as StatusName[]).filter((name) => name !== 'OK' && name !== 'RESERVED'))(
    'with %s says why and exits with 64 + the status',
    (name) => {
      const { status, stdout, stderr } = runFile(answered(STATUS[name]), ['start', 'x']);
      expect(stderr).toBe(`reel: start: ${STATUS_TEXT[name]}\n`);
      expect({ status, stdout }).toEqual({ status: AGENT_EXIT.REFUSED + STATUS[name], stdout: '' });
    },
  );

  it('takes a status that does not exist for an empty port', () => {
    expect(runFile(answered(13), ['start', 'x']).status).toBe(AGENT_EXIT.NO_PORT);
  });
});

describe.runIf(isNative)('the agent for Linux when granted', () => {
  const run = (args: readonly string[], input?: string, path?: string): Run =>
    runFile(answered(STATUS.OK), args, input, path);

  it('sets the flag NEST of a start with --nest only', () => {
    // MOV EAX,ECX, SHR EAX,16 and a NOP stand in for MOV EAX,magic and IN: the status is the flags.
    const bytes = Buffer.from(image);
    bytes.set([0x89, 0xc8, 0xc1, 0xe8, 16, 0x90], bytes.indexOf(CALL));
    const flags = program('reel-flags', bytes);
    const statusOf = (...words: string[]): number | null => runFile(flags, ['start', ...words]).status;
    expect(statusOf('x')).toBe(AGENT_EXIT.REFUSED + FLAG_BITS.TOUCH);
    expect(statusOf('--nest', 'x')).toBe(AGENT_EXIT.REFUSED + FLAG_BITS.TOUCH + FLAG_BITS.NEST);
  });

  it('exits with 0', () => {
    for (const args of [['mark', 'x'], ['log', 'a', 'b'], ['check', '-'], ['put', agent, '3'], ['stop']]) {
      expect(run(args, 'input')).toEqual({ status: 0, stdout: '', stderr: '' });
    }
  });

  it.each([0, 1, 77, 127, 255])('exits as the command that it runs: %i', (code) => {
    expect(run(['run', 'x', '--', 'sh', '-c', `exit ${code}`])).toEqual({ status: code, stdout: '', stderr: '' });
  });

  it('exits with 128 + the signal that ended the command', () => {
    expect(run(['run', 'x', '--', 'sh', '-c', 'kill -9 $$']).status).toBe(137);
    expect(run(['run', 'x', '--', 'sh', '-c', 'kill -11 $$']).status).toBe(139);
  });

  it('hands on arguments, environment and input', () => {
    const script = 'read line; echo "$PATH $line $#" "$@"';
    const { stdout } = run(['run', 'x', '--', '/bin/sh', '-c', script, 'sh', 'a b', '', '--'], 'typed\n', '/p');
    expect(stdout).toBe('/p typed 3 a b  --\n');
  });

  it('searches for the command along PATH as the shell does', () => {
    mkdirSync(join(folder, 'one'));
    mkdirSync(join(folder, 'two'));
    const tool = (where: string, text: string): string =>
      program(join(where, 'tool'), new TextEncoder().encode(`#!/bin/sh\necho ${text}\n`));
    tool('two', 'two');
    const command = ['run', 'x', '--', 'tool'];
    expect(run(command, '', `${folder}/one:${folder}/two`).stdout).toBe('two\n');
    expect(run(command, '', `/nonexistent:${agent}:${folder}/two:`).stdout).toBe('two\n');
    expect(run(command, '', `${folder}/one`)).toMatchObject({
      status: 127,
      stderr: 'reel: tool: command not found\n',
    });
    chmodSync(tool('one', 'one'), 0o644);
    expect(run(command, '', `${folder}/one:${folder}/two`).stdout).toBe('two\n');
    expect(run(command, '', `${folder}/one`)).toMatchObject({ status: 126, stderr: 'reel: tool: cannot be started\n' });
    tool('.', 'here');
    for (const path of ['', ':/nonexistent', '/nonexistent::/bin', '/nonexistent:']) {
      expect([path, run(command, '', path).stdout]).toEqual([path, 'here\n']);
    }
    expect(run(command, '', `${'/long'.repeat(2000)}:${folder}/two`).status).toBe(127);
  });

  it('takes a name with a slash as it is', () => {
    expect(run(['run', 'x', '--', 'two/tool'], '', '/bin').stdout).toBe('two\n');
    expect(run(['run', 'x', '--', './absent'], '', folder).status).toBe(127);
    expect(run(['run', 'x', '--', './reel/absent'], '', folder).status).toBe(127);
    expect(run(['run', 'x', '--', './two'], '', folder).status).toBe(126);
  });

  it('ends with SIGSEGV for a fault that is not the port’s', () => {
    const bytes = Buffer.from(image);
    // MOV EAX,[EAX] in place of the IN, with EAX = the magic.
    const at = bytes.indexOf(CALL) + 5;
    bytes.set([0xa1, 0, 0, 0, 0], at);
    const { status, signal } = spawnSync(program('reel-faulty', bytes), ['stop']);
    expect({ status, signal }).toEqual({ status: null, signal: 'SIGSEGV' });
  });
});
