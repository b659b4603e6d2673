import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { manifest, type Built } from '../../guest-images/build.js';
import { sha256Of } from './hash.js';

const pathOf = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const WRAPPER = pathOf('guest-agent/nasm/nasm.mjs');
const folder = mkdtempSync(join(tmpdir(), 'agent-build-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A NASM that says what it is called with, and writes `built` if the source's name is good. */
const FAKE_NASM = `#!/bin/sh
if [ "$1" = -v ]; then echo "NASM version $FAKE_VERSION compiled"; exit 0; fi
echo "$@"
[ "$1" = -o ] || exit 0
printf built > "$2"
for last; do :; done
if [ "$last" = bad.asm ]; then rm -f "$2"; exit 1; fi
`;
const bin = join(folder, 'bin');
mkdirSync(bin);
const fake = join(bin, 'nasm');
writeFileSync(fake, FAKE_NASM);
chmodSync(fake, 0o755);

function wrapper(args: readonly string[], env: Record<string, string> = {}): SpawnSyncReturns<string> {
  const variables = { FAKE_VERSION: '2.15.05', PATH: `${bin}:/usr/bin:/bin`, ...env };
  return spawnSync(process.execPath, [WRAPPER, ...args], { cwd: folder, env: variables, encoding: 'utf8' });
}
const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');

describe.runIf(process.platform !== 'win32')('the nasm wrapper', () => {
  it('puts the output in its place when NASM has succeeded, and nothing else', () => {
    for (const output of [['-o', 'a.bin'], ['-oa.bin']]) {
      writeFileSync(join(folder, 'a.bin'), 'old');
      const before = readdirSync(folder).sort();
      const { status, stdout } = wrapper(['-f', 'bin', ...output, 'good.asm']);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^-o \S+ -f bin good\.asm\n$/);
      expect(textOf('a.bin')).toBe('built');
      expect(readdirSync(folder).sort()).toEqual(before);
    }
  });

  it('never lets NASM have the target, which it would delete on an error', () => {
    writeFileSync(join(folder, 'a.bin'), 'old');
    const { status, stdout } = wrapper(['-f', 'bin', '-o', 'a.bin', 'bad.asm']);
    expect(status).toBe(1);
    expect(stdout).not.toContain('a.bin');
    expect(textOf('a.bin')).toBe('old');
  });

  it('wants the output named', () => {
    for (const args of [
      ['-f', 'bin', 'good.asm'],
      ['-f', 'bin', 'good.asm', '-o'],
    ]) {
      const { status, stderr } = wrapper(args);
      expect(status).toBe(2);
      expect(stderr).toContain('-o');
    }
  });

  it('says so when the target cannot be written', () => {
    const { status, stderr } = wrapper(['-o', 'no-such-folder/a.bin', 'good.asm']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^nasm: no-such-folder\/a\.bin cannot be written/);
  });

  it('passes over itself on PATH', () => {
    const own = join(folder, 'own');
    mkdirSync(own);
    symlinkSync(WRAPPER, join(own, 'nasm'));
    expect(wrapper(['-h'], { PATH: `${own}:${bin}:/usr/bin:/bin` }).stdout).toBe('-h\n');
    const { status, stderr } = wrapper(['-h'], { PATH: own });
    expect(status).toBe(127);
    expect(stderr).toMatch(/not installed.*prebuilt images/);
  });

  it('passes over the wrappers of other checkouts, and over scripts that start one', () => {
    const paths = ['first', 'second', 'script', 'node'].map((name) => join(folder, name));
    const [first, second, script, node] = paths;
    for (const path of paths) mkdirSync(path);
    symlinkSync(process.execPath, join(node, 'node'));
    for (const path of [first, second]) copyFileSync(WRAPPER, join(path, 'nasm'));
    // Without the extension that makes it a module.
    for (const path of [first, second]) writeFileSync(join(path, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(script, 'nasm'), `#!/bin/sh\nexec "${process.execPath}" "${WRAPPER}" "$@"\n`);
    for (const path of [first, second, script]) chmodSync(join(path, 'nasm'), 0o755);
    const wrappers = paths.join(':');
    writeFileSync(join(folder, 'a.bin'), 'old');
    const good = wrapper(['-f', 'bin', '-o', 'a.bin', 'good.asm'], { PATH: `${wrappers}:${bin}:/usr/bin:/bin` });
    expect(good).toMatchObject({ status: 0, stderr: '' });
    expect(textOf('a.bin')).toBe('built');
    const none = wrapper(['-h'], { PATH: wrappers });
    expect(none.status).toBe(127);
    expect(none.stderr).toMatch(/not installed.*prebuilt images/);
    for (const path of [first, second, script]) {
      const named = wrapper(['-h'], { NASM: join(path, 'nasm'), PATH: `${wrappers}:${bin}:/usr/bin:/bin` });
      expect(named).toMatchObject({ status: 0, stdout: '-h\n' });
    }
    expect(wrapper(['-h'], { NASM: WRAPPER }).stdout).toBe('-h\n');
  });

  it('takes the NASM that $NASM names', () => {
    expect(wrapper(['-h'], { NASM: fake, PATH: '/nonexistent' }).status).toBe(0);
    expect(wrapper(['-h'], { NASM: join(folder, 'absent') }).status).toBe(127);
  });

  it('refuses a NASM older than 2.15', () => {
    const { status, stderr } = wrapper(['-h'], { FAKE_VERSION: '2.14.02' });
    expect(status).toBe(127);
    expect(stderr).toContain('2.15');
  });
});

describe('the manifest of the built images', () => {
  const entry = (output: string): Built => manifest().find((built) => built.output === output)!;

  it('lists the files that the agents are made of', () => {
    for (const [output, source] of [
      ['built/reel', 'reel-linux.asm'],
      ['built/REEL.COM', 'reel-dos.asm'],
    ]) {
      const files = [source, 'agent.inc', 'protocol.inc', 'verbs.inc'].map((file) => `../guest-agent/${file}`);
      expect(entry(output).sources).toEqual(files);
    }
  });

  it('gives the hash by which a policy knows an agent: that of its header and code', () => {
    for (const output of ['built/reel', 'built/REEL.COM']) {
      const bytes = readFileSync(pathOf(`guest-images/${output}`));
      const at = bytes.indexOf('REELCODE');
      expect(bytes.readUInt32LE(at + 12)).toBe(0);
      const end = at + 16 + bytes.readUInt32LE(at + 8);
      expect(end).toBe(bytes.length);
      expect(entry(output).codeSha256).toBe(sha256Of(bytes.subarray(at, end)));
    }
  });
});

describe('the C header', () => {
  const PROGRAM = `#include "reel.h"
int main(void)
{
    reel_u32 id, may, count = 16;
    char buffer[16];
    struct reel_state state;
    if (!reel_present())
        return REEL_EXIT_NO_PORT;
    if (reel_start("name", &id) != REEL_STATUS_OK || reel_start_nested("inner", &id) == REEL_STATUS_BUSY)
        return REEL_EXIT_REFUSED + REEL_STATUS_BUSY;
    reel_mark("label", 7);
    reel_begin("phase");
    reel_verdict(REEL_VERDICT_SKIP, "test");
    reel_end("phase");
    reel_check(buffer, sizeof buffer);
    reel_log("text");
    reel_auth("token", 5, &may);
    reel_put(1, buffer, sizeof buffer);
    reel_get(1, buffer, &count);
    reel_checkpoint();
    if (reel_status(&state) == REEL_STATUS_OK && (state.may & REEL_MAY_EXIT))
        reel_exit(state.state & REEL_STATE_RECORDING);
    return (int)reel_stop(id);
}
`;
  const compile = (...options: string[]): { status: number | null; stderr: string; error?: Error } => {
    const args = [
      '-m32',
      '-Wall',
      '-Wextra',
      '-Werror',
      `-I${pathOf('guest-agent')}`,
      '-c',
      '-o',
      join(folder, 'a.o'),
      '-',
    ];
    return spawnSync('gcc', [...options, ...args], { input: PROGRAM, encoding: 'utf8' });
  };
  const hasCompiler = spawnSync('gcc', ['--version']).status === 0;

  it('names the version and the magic of the protocol', () => {
    const text = readFileSync(pathOf('guest-agent/reel-protocol.h'), 'utf8');
    expect(text).toMatch(/#define REEL_MAGIC +0x4C454552u/);
    expect(text).toMatch(/#define REEL_VERSION +0x1u/);
  });

  it.runIf(hasCompiler).each([
    ['-x', 'c', '-O0'],
    ['-x', 'c', '-O2', '-fPIC', '-std=gnu99', '-pedantic'],
    ['-x', 'c', '-O2', '-ffreestanding', '-nostdinc'],
  ])('compiles without a warning with gcc %s %s %s', (...options) => {
    expect(compile(...options)).toMatchObject({ status: 0, stderr: '' });
  });
});
