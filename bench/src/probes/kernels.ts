import { join } from 'node:path';
import type { KernelMilestone, KernelOrder, Tier } from '../children/kernels.js';
import { KERNELS, MEMORY_MIB } from '../workloads.js';
import { runChild, type ProbeContext } from './probe.js';

const CHILD = new URL('../children/kernels.js', import.meta.url);

export const TIERS: readonly Tier[] = ['interpreter', 'regions', 'all'];

/** One kernel in one tier, in one round. */
export interface KernelSpeed {
  readonly tier: Tier;
  readonly kernel: string;
  /** Millions of guest instructions per second. */
  readonly mips: number;
}

/**
 * Boots once, and records from there: what is compared is the same guest code from the same state, and no tier has to
 * boot a kernel first.
 */
export async function measureKernels({ guest, scratch, say }: ProbeContext, rounds: number): Promise<KernelSpeed[]> {
  const { kernel, initrd } = guest;
  const outDir = join(scratch, 'kernels');
  const probe = { memoryMib: MEMORY_MIB, kernel, initrd, outDir };
  const order: KernelOrder = { mode: 'record', probe, words: KERNELS.map(({ word }) => word) };
  say('kernels: recording');
  const file = await runChild<string>(CHILD, order);
  const speeds: KernelSpeed[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const tier of TIERS) {
      say(`kernels: round ${round}, ${tier}`);
      const milestones = await runChild<KernelMilestone[]>(CHILD, { mode: 'replay', file, tier } satisfies KernelOrder);
      for (const { title, word } of KERNELS) {
        const begin = milestones.find(({ name }) => name === `START ${word}`);
        const end = milestones.find(({ name }) => name === `END ${word}`);
        // A guest that was built otherwise may not have it.
        if (begin === undefined || end === undefined || end.tick - begin.tick < 1e8) continue;
        speeds.push({ tier, kernel: title, mips: (end.tick - begin.tick) / 1000 / (end.atMs - begin.atMs) });
      }
    }
  }
  return speeds;
}
