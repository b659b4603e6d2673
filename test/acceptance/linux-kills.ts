import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CodedError, Recording, recoverRecording } from '../../src/index.js';
import { expect } from './linux-guest.js';

const CHILD = fileURLToPath(new URL('linux-killed.ts', import.meta.url));
/** Flushes are 250 ms apart at most; the rest is for a busy host. */
const LOST_MS = 1000;
/** Where nothing happens to the guest, digests alone tell how far it came. */
const DIGEST_TICKS = 50e6;

export interface KillResult {
  /** What was left: no file yet, a file without its whole snapshot, or a recording that verified. */
  readonly outcome: 'not started' | 'nothing whole' | 'recovered';
  readonly ticks: number;
  /** Age of the first output that is not in it, and ticks that are not. */
  readonly lostMs: number;
  readonly lostTicks: number;
}

interface Report {
  readonly atMs: number;
  readonly isOutput: boolean;
  readonly tick: number;
}

/** Lets a process record, kills it `lifeMs` after it let the guest start, and looks at what it leaves. */
export async function kill(base: string, scratch: string, lifeMs: number): Promise<KillResult> {
  const folder = mkdtempSync(join(scratch, 'killed-'));
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, base, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<string | null>((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  const reports: Report[] = [];
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the recording process ended by itself')));
    child.stdout.on('data', (data: Buffer) => {
      const atMs = performance.now();
      const lines = data.toString().trim().split('\n');
      if (lines.includes('starting')) resolve();
      for (const line of lines) {
        const [, what, tick] = /^(out|at) (\d+)$/.exec(line) ?? [];
        if (tick !== undefined) reports.push({ atMs, isOutput: what === 'out', tick: Number(tick) });
      }
    });
  });
  await after(lifeMs);
  const diedMs = performance.now();
  child.kill('SIGKILL');
  expect((await ended) === 'SIGKILL', 'the recording process ended by itself');
  const result = await whatIsLeft(folder, reports, diedMs);
  rmSync(folder, { recursive: true });
  return result;
}

async function whatIsLeft(folder: string, reports: readonly Report[], diedMs: number): Promise<KillResult> {
  const files = readdirSync(folder).filter((name) => name.includes('.reel'));
  const nothing = { ticks: 0, lostMs: 0, lostTicks: 0 };
  if (files.length === 0) return { outcome: 'not started', ...nothing };
  expect(files.join() === 'boot.reel.partial', `a killed process left ${files.join()}`);
  const partial = join(folder, files[0]);
  const refusal = await Recording.open(partial).catch((error: unknown) => error);
  expect(refusal instanceof CodedError && refusal.code === 'DAMAGED', `an unfinished recording: ${String(refusal)}`);
  const recovery = await recoverRecording(partial).catch((error: unknown) => error);
  if (recovery instanceof Error) {
    const isClear = recovery instanceof CodedError && recovery.code === 'DAMAGED' && recovery.where !== undefined;
    expect(isClear, `recovery failed with ${String(recovery)}`);
    expect(
      readdirSync(folder).every((name) => !name.includes('recovered')),
      'a failed recovery left a file',
    );
    return { outcome: 'nothing whole', ...nothing };
  }
  const { file, endTick, hadEnd } = recovery as Awaited<ReturnType<typeof recoverRecording>>;
  expect(!hadEnd, 'a killed recording had an end');
  const recording = await Recording.open(file);
  expect(recording.endReason === 'recovered', `the end says "${recording.endReason}"`);
  const verification = await recording.verify();
  expect(verification.ok, `a recovered recording diverged: ${JSON.stringify(verification)}`);
  expect(verification.ticks === endTick - recording.meta.startTick, `only ${verification.ticks} ticks were replayed`);
  await recording.close();
  const lost = reports.filter(({ isOutput, tick }) => isOutput && tick > endTick);
  const lostMs = lost.length === 0 ? 0 : diedMs - lost[0].atMs;
  const early = reports.filter(({ atMs }) => atMs < diedMs - LOST_MS).at(-1)?.tick ?? 0;
  const lostTicks = Math.max(0, (reports.at(-1)?.tick ?? 0) - endTick);
  expect(lostMs < LOST_MS, `what the guest sent ${Math.round(lostMs)} ms before the end is lost`);
  expect(early <= endTick + DIGEST_TICKS, `ends at tick ${endTick}, but the guest was at ${early} long before`);
  return { outcome: 'recovered', ticks: verification.ticks, lostMs, lostTicks };
}
