import type { Instruction } from './instruction.js';
import { INTEGER_INSTRUCTIONS } from './integer/table.js';
import { SIMD_INSTRUCTIONS } from './simd/table.js';
import { X87_INSTRUCTIONS } from './x87/table.js';

/** The instruction table: every instruction of the machine, declared once. */
export const INSTRUCTIONS: readonly Instruction[] = [
  ...INTEGER_INSTRUCTIONS,
  ...X87_INSTRUCTIONS,
  ...SIMD_INSTRUCTIONS,
];
