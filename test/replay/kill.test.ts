import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { CodedError, Recording, recoverRecording } from '../../src/index.js';
import { boot, image } from '../guests/guest.js';

const outDir = mkdtempSync(join(tmpdir(), 'kill-'));
afterAll(() => rmSync(outDir, { recursive: true }));

const CHILD = fileURLToPath(new URL('recording-process.ts', import.meta.url));
const KILLS = 20;
const AT_A_TIME = 4;
const LONGEST_MS = 1200;
/** Flushes are 250 ms apart at most; the rest is for a busy host. */
const LOST_MS = 1000;

interface Killed {
  readonly file: string;
  /** Tick that the process had reported long enough before its death. */
  readonly reported: number;
}

/** Starts a recording process and kills it `lifeMs` after its recording has started. */
async function killed(folder: string, lifeMs: number): Promise<Killed> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  const reports: { readonly atMs: number; readonly tick: number }[] = [];
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the process ended by itself')));
    child.stdout.on('data', (data: Buffer) => {
      const atMs = performance.now();
      const lines = data.toString().trim().split('\n');
      if (lines.includes('started')) resolve();
      for (const tick of lines.map(Number).filter(Number.isFinite)) reports.push({ atMs, tick });
    });
  });
  await after(lifeMs);
  const diedMs = performance.now();
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  expect(readdirSync(folder)).toEqual(['killed.reel.partial']);
  const reported = reports.filter(({ atMs }) => atMs < diedMs - LOST_MS).at(-1)?.tick ?? 0;
  return { file: join(folder, 'killed.reel.partial'), reported };
}

it('a recording whose process was killed at any moment is recovered and verifies', async () => {
  const recovered: number[] = [];
  let early = 0;
  const one = async (n: number): Promise<void> => {
    const folder = mkdtempSync(join(outDir, 'run-'));
    const lifeMs = n === 0 ? 0 : Math.random() * LONGEST_MS;
    const { file, reported } = await killed(folder, lifeMs);
    await expect(Recording.open(file)).rejects.toMatchObject({ code: 'DAMAGED' });
    const report = await recoverRecording(file).catch((error: unknown) => error as Error);
    if (report instanceof CodedError) {
      // The snapshot is written while the guest goes on.
      expect(report.code).toBe('DAMAGED');
      expect(lifeMs).toBeLessThan(LOST_MS);
      early++;
      return;
    }
    if (report instanceof Error) throw report;
    expect(report.hadEnd).toBe(false);
    expect(report.endTick).toBeGreaterThanOrEqual(reported);
    const recording = await Recording.open(report.file);
    expect(recording.endReason).toBe('recovered');
    expect(await recording.verify()).toMatchObject({ ok: true, ticks: report.endTick - recording.meta.startTick });
    await recording.close();
    recovered.push(report.entries);
  };
  for (let n = 0; n < KILLS; n += AT_A_TIME) {
    await Promise.all(Array.from({ length: AT_A_TIME }, (_, i) => one(n + i)));
  }
  expect(recovered.length + early).toBe(KILLS);
  expect(Math.max(...recovered)).toBeGreaterThan(10);
});

it('of one that was cut off within its snapshot nothing can be recovered, and no file is left', async () => {
  const folder = mkdtempSync(join(outDir, 'cut-'));
  const whole = readFileSync((await killed(folder, 0)).file);
  for (const length of [0, 1, 100, 1000, 8000]) {
    const file = join(folder, `cut-${length}.reel.partial`);
    writeFileSync(file, whole.subarray(0, length));
    const error: unknown = await recoverRecording(file).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CodedError);
    expect(error).toMatchObject({ code: 'DAMAGED' });
    expect(readdirSync(folder).filter((name) => name.includes('recovered'))).toEqual([]);
  }
});

it('what is flushed has all digests, though nothing has come behind them', async () => {
  const folder = mkdtempSync(join(outDir, 'run-'));
  const machine = await boot(image('timer-echo.img'), { outDir: folder, digestTicks: 1 });
  await machine.run({ until: { serial: /ready/ } });
  await machine.startRecording({ name: 'digests' });
  await machine.run({ until: { ticks: machine.tick + 3_000_000 } });
  const file = join(folder, 'flushed.reel.partial');
  copyFileSync(join(folder, 'digests.reel.partial'), file);
  await machine.close();
  const digests = async (path: string): Promise<number> => {
    const recording = await Recording.open(path);
    const count = [...recording.reader.cursor()].filter(({ entry }) => entry === 'digest').length;
    await recording.close();
    return count;
  };
  const flushed = await digests((await recoverRecording(file)).file);
  expect(flushed).toBeGreaterThan(5);
  // The last one is made at the end.
  expect(await digests(join(folder, 'digests.reel'))).toBe(flushed + 1);
});
