import { join } from 'node:path';
import type { IdleReport } from '../children/idle.js';
import { MEMORY_MIB } from '../workloads.js';
import { runChild, type ProbeContext } from './probe.js';

export async function measureIdle({ guest, scratch, say }: ProbeContext): Promise<IdleReport> {
  say('idle guest');
  const { kernel, initrd } = guest;
  const outDir = join(scratch, 'idle');
  return runChild(new URL('../children/idle.js', import.meta.url), { memoryMib: MEMORY_MIB, kernel, initrd, outDir });
}
