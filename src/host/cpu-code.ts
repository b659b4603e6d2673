import v8 from 'node:v8';
import { CpuCode } from '../cpu/code.js';
import { DEFAULT_CPUID } from '../cpu/system/cpuid.js';
import { INSTRUCTIONS } from '../isa/table.js';

let compiled: CpuCode | null = null;

/** The interpreter for the default CPU model, compiled once per process by the optimising compiler from the start. */
export function cpuCode(): CpuCode {
  if (compiled === null) {
    // The main loop is entered once per slice and never left for long: baseline code would run for seconds.
    v8.setFlagsFromString('--no-liftoff');
    v8.setFlagsFromString('--no-wasm-lazy-compilation');
    compiled = new CpuCode(INSTRUCTIONS, new Set(DEFAULT_CPUID.features));
  }
  return compiled;
}
