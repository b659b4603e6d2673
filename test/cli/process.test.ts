import { execFile, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { recordingOf, serial, temporaryFolder } from './recordings.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const IMAGES = new URL('../../guest-images/built/', import.meta.url);
const NODE = [process.execPath, '--import', 'tsx', MAIN] as const;

const image = (name: string): string => fileURLToPath(new URL(name, IMAGES));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program itself, in a process of its own. */
function reel(argv: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, encoding: 'latin1' } as const;
    const child = execFile(NODE[0], [...NODE.slice(1), ...argv], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code as number | null), stdout, stderr });
    });
    child.stdin!.end();
  });
}

describe('the program', () => {
  it('runs a kernel, records it from its first tick, and the replay is the same', async () => {
    const out = temporaryFolder();
    const run = await reel(['run', '-kernel', image('multiboot.bin'), '-record', 'mb', '-out', out, '-epoch', '0']);
    expect(run.stdout).toContain('multiboot: ok');
    expect(run.code).toBe(0);
    const file = join(out, 'mb.reel');
    expect(run.stderr).toContain(file);
    const verified = await reel(['verify', file]);
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    expect(verified.stdout).toMatch(/: same, \d+ ticks, \d+ digests\n$/);
    expect((await reel(['export', file, '-as', 'serial'])).stdout).toBe(run.stdout);
    expect((await reel(['replay', file, '-serial', 'stdio'])).stdout).toBe(run.stdout);
  });

  it('goes live in the middle of a recording and records a branch of it', async () => {
    const out = temporaryFolder();
    const run = await reel(['run', '-kernel', image('multiboot.bin'), '-record', 'mb', '-out', out, '-epoch', '0']);
    const file = join(out, 'mb.reel');
    const live = await reel([
      'replay',
      file,
      '-until',
      '2000',
      '-live',
      '-serial',
      'stdio',
      '-record',
      'b',
      '-out',
      out,
    ]);
    expect(live).toMatchObject({ code: 0, stdout: run.stdout });
    const branch = JSON.parse((await reel(['info', '--json', join(out, 'b.reel')])).stdout) as { meta: object };
    expect(branch.meta).toMatchObject({ epoch: 1, parent: { tick: 2000 } });
    expect(await reel(['verify', join(out, 'b.reel')])).toMatchObject({ code: 0 });
  });

  it('ends a recording cleanly at SIGTERM', async () => {
    const out = temporaryFolder();
    const argv = ['run', image('timer-echo.img'), '-record', 'cut', '-out', out];
    const child = spawn(NODE[0], [...NODE.slice(1), ...argv], { stdio: ['pipe', 'pipe', 'ignore'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGTERM');
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).toBe(143);
    expect(readdirSync(out).filter((name) => name.includes('.reel'))).toEqual(['cut.reel']);
  });

  it('ends without a word when the reader of its output goes', async () => {
    const file = await recordingOf(
      Array.from({ length: 300 }, (_, i) => serial('x'.repeat(8000), 1001 + i)),
      2000,
    );
    const child = spawn(NODE[0], [...NODE.slice(1), 'export', file, '-as', 'json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' });
  });
});
