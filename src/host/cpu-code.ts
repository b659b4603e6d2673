import type { CpuCode } from '../cpu/code.js';
import { BackgroundCompiler } from './background-compiler.js';
import { createCpuCode } from './cpu-model.js';
import { storedInterpreter } from './interpreter-file.js';
import { lowerV8Threads } from './thread-priority.js';
import { workerFile } from './worker-file.js';

const REGION_WORKER = workerFile(new URL('./region-worker.js', import.meta.url));

let compiled: CpuCode | null = null;

/** The engine's code, compiled once per process. */
export function cpuCode(): CpuCode {
  if (compiled === null) {
    lowerV8Threads();
    compiled = createCpuCode({
      createBackground: (immediate) =>
        REGION_WORKER === null ? immediate : new BackgroundCompiler(REGION_WORKER, immediate),
      storedInterpreter: storedInterpreter(),
    });
  }
  return compiled;
}
