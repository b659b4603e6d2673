import v8 from 'node:v8';
import { CpuCode } from '../cpu/code.js';
import { DEFAULT_CPUID } from '../cpu/system/cpuid.js';
import { INSTRUCTIONS } from '../isa/table.js';

let compiled: CpuCode | null = null;

/** The engine's code for the default CPU model, made once per process. */
export function cpuCode(): CpuCode {
  if (compiled === null) {
    // The main loop is entered once per slice and never left for long: baseline code would run for seconds. Regions
    // are compiled while the guest waits: they start as baseline code, and V8 optimises the hot ones in other threads.
    v8.setFlagsFromString('--no-liftoff');
    v8.setFlagsFromString('--no-wasm-lazy-compilation');
    compiled = new CpuCode(INSTRUCTIONS, new Set(DEFAULT_CPUID.features));
    v8.setFlagsFromString('--liftoff');
    v8.setFlagsFromString('--wasm-lazy-compilation');
  }
  return compiled;
}
