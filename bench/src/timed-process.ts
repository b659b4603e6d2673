import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Pipe } from './pipe.js';
import { milestoneOf, type Line } from './workloads.js';

export interface TimedOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly timeoutMs?: number;
  /** The child is a Node program of ours, which sends a report. */
  readonly reports?: boolean;
}

/** A process that ended by itself and well. */
export interface TimedRun {
  readonly lines: readonly Line[];
  readonly milestones: readonly { readonly name: string; readonly at: number }[];
  /** From its start to its exit. */
  readonly wallMs: number;
  /** Of memory, when it reported ALL-DONE; null where the system does not tell. */
  readonly residentBytes: number | null;
  readonly peakBytes: number | null;
  /** What it sent, if it is a program of ours. */
  readonly report: unknown;
}

const DEFAULT_TIMEOUT_MS = 900_000;
const ERROR_CHARACTERS = 2000;

/** One of Linux's fields in KiB. */
function statusBytes(pid: number, field: 'VmRSS' | 'VmHWM'): number | null {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match === null ? null : Number(match[1]) * 1024;
  } catch {
    return null;
  }
}

/** Runs a process and notes when each line of its standard output was complete, by the host's clock. */
export function runTimed(options: TimedOptions): Promise<TimedRun> {
  const { command, args, reports = false, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const lines: Line[] = [];
  const milestones: { name: string; at: number }[] = [];
  let [residentBytes, peakBytes, report]: [number | null, number | null, unknown] = [null, null, null];
  let [pending, errors, timedOut] = ['', '', false];
  const output = new Pipe();
  const begun = performance.now();
  const child = spawn(command, args, {
    stdio: ['ignore', output.writer, 'pipe', ...(reports ? ['ipc' as const] : [])],
  });
  output.closeWriter();

  const accept = (text: string, atMs: number): void => {
    lines.push({ text, atMs });
    const name = milestoneOf(text);
    if (name === null) return;
    milestones.push({ name, at: atMs });
    if (name === 'ALL-DONE') {
      residentBytes = statusBytes(child.pid!, 'VmRSS');
      peakBytes = statusBytes(child.pid!, 'VmHWM');
    }
  };
  output.reader.on('data', (data) => {
    const atMs = performance.now() - begun;
    const complete = (pending + (data as Buffer).toString('latin1')).split('\n');
    pending = complete.pop()!;
    for (const line of complete) accept(line.replace(/\r$/, ''), atMs);
  });
  child.stderr!.on('data', (data: Buffer) => {
    errors = (errors + data.toString()).slice(-ERROR_CHARACTERS);
  });
  child.on('message', (message) => {
    report = message;
  });

  return new Promise((resolve, reject) => {
    const watch = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    let wallMs = 0;
    child.on('error', (error) => {
      clearTimeout(watch);
      reject(new Error(`${command} cannot be run: ${error.message}`));
    });
    child.on('exit', () => {
      wallMs = performance.now() - begun;
    });
    const outputEnded = new Promise<void>((ended) => output.reader.once('close', ended));
    child.on('close', async (code, signal) => {
      clearTimeout(watch);
      await outputEnded;
      if (code === 0) resolve({ lines, milestones, wallMs, residentBytes, peakBytes, report });
      else {
        const how = timedOut ? `gave no end within ${timeoutMs / 1000} s` : `ended with ${signal ?? code}`;
        const said = errors.trim() || lines.at(-1)?.text || 'nothing';
        reject(new Error(`${[command, ...args].join(' ').slice(0, 300)} ${how}; its last words: ${said}`));
      }
    });
  });
}
