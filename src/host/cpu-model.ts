import { CpuCode } from '../cpu/code.js';
import type { RegionCompiler } from '../cpu/region/region-compiler.js';
import { DEFAULT_CPUID } from '../cpu/system/cpuid.js';
import { INSTRUCTIONS } from '../isa/table.js';

/** Generates the engine's code for the default CPU model. */
export function generateCpuCode(createBackground?: (immediate: RegionCompiler) => RegionCompiler): CpuCode {
  return new CpuCode(INSTRUCTIONS, new Set(DEFAULT_CPUID.features), createBackground);
}
