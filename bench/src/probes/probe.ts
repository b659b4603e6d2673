import { fileURLToPath } from 'node:url';
import type { Guest } from '../guest.js';
import { runTimed } from '../timed-process.js';

export interface ProbeContext {
  readonly guest: Guest;
  readonly scratch: string;
  /** Says what goes on. */
  readonly say: (text: string) => void;
}

/** Runs one of our programs to its end; returns what it sent. */
export async function runChild<T>(program: URL, order: unknown): Promise<T> {
  const args = [fileURLToPath(program), JSON.stringify(order)];
  const { report } = await runTimed({ command: process.execPath, args, reports: true });
  return report as T;
}
