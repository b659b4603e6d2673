import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Damage, Outcome } from './damage.js';

const CHILD = fileURLToPath(new URL('damage-process.ts', import.meta.url));
const PROCESSES = 2;
/** The longest that one trial may take. */
const HANG_MS = 60_000;

export interface DamageTally {
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Prefixes with different content; each was replayed. */
  readonly replays: number;
}

/** Tries every kind of damage on the recording, in two processes: a crash or a hang of one is seen. */
export async function tryDamage(file: string, scratch: string, damage: readonly Damage[]): Promise<DamageTally> {
  const outcomes: Record<Outcome, number> = { unharmed: 0, lost: 0, whole: 0, prefix: 0 };
  let replays = 0;
  const queue = damage.values();
  const work = async (): Promise<void> => {
    const folder = mkdtempSync(join(scratch, 'damage-'));
    const child = spawn(process.execPath, ['--import', 'tsx', CHILD, file, folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    let own = 0;
    for (const one of queue) {
      child.stdin.write(`${JSON.stringify(one)}\n`);
      const watch = setTimeout(() => child.kill('SIGKILL'), HANG_MS);
      const answer = await answers.next();
      clearTimeout(watch);
      if (answer.done === true) throw new Error(`${JSON.stringify(one)} crashed or hung the process`);
      const { outcome, replays } = JSON.parse(answer.value) as { outcome: Outcome; replays: number };
      outcomes[outcome]++;
      own = replays;
    }
    replays += own;
    child.stdin.end();
    await ended;
  };
  await Promise.all(Array.from({ length: PROCESSES }, work));
  return { outcomes, replays };
}
