import { CpuCode, type CpuCodeOptions } from '../cpu/code.js';
import { DEFAULT_CPUID } from '../cpu/system/cpuid.js';
import { INSTRUCTIONS } from '../isa/table.js';

/** The engine's code for the default CPU model. */
export function createCpuCode(options?: CpuCodeOptions): CpuCode {
  return new CpuCode(INSTRUCTIONS, new Set(DEFAULT_CPUID.features), options);
}
