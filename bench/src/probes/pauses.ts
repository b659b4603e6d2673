import { join } from 'node:path';
import type { PauseReport } from '../children/pauses.js';
import { MEMORY_MIB } from '../workloads.js';
import { runChild, type ProbeContext } from './probe.js';

export async function measurePauses({ guest, scratch, say }: ProbeContext): Promise<PauseReport> {
  say('pauses');
  const { kernel, initrd } = guest;
  const outDir = join(scratch, 'pauses');
  return runChild(new URL('../children/pauses.js', import.meta.url), { memoryMib: MEMORY_MIB, kernel, initrd, outDir });
}
