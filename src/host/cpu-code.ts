import v8 from 'node:v8';
import type { CpuCode } from '../cpu/code.js';
import { keepFreedMemory } from './allocator.js';
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
    keepFreedMemory();
    compiled = createCpuCode({
      createBackground: (immediate) =>
        REGION_WORKER === null ? immediate : new BackgroundCompiler(REGION_WORKER, immediate),
      storedInterpreter: storedInterpreter(),
    });
    // Optimised as a whole, the interpreter is ready some 80 ms later than as baseline code, and a guest has come as far
    // when it has booted; from then on it is faster, by 8 % where processes are started all the time. Regions start as
    // baseline code, and V8 optimises the hot ones in other threads.
    v8.setFlagsFromString('--no-wasm-lazy-compilation');
    v8.setFlagsFromString('--no-liftoff');
    void compiled.module;
    v8.setFlagsFromString('--liftoff');
  }
  return compiled;
}
