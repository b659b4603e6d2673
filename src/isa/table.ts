import type { Instruction } from './instruction.js';
import { INTEGER_INSTRUCTIONS } from './integer/table.js';
import { SIMD_INSTRUCTIONS } from './simd/table.js';

/** The instruction table: every instruction of the machine, declared once. */
export const INSTRUCTIONS: readonly Instruction[] = [...INTEGER_INSTRUCTIONS, ...SIMD_INSTRUCTIONS];
