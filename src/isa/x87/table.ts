import type { Instruction } from '../instruction.js';
import { ARITHMETIC } from './arithmetic.js';
import { COMPARISON } from './comparison.js';
import { CONTROL } from './control.js';
import { ENVIRONMENT } from './environment.js';
import { FUNCTION } from './function.js';
import { TRANSFER } from './transfer.js';

/** The x87, group by group. WAIT is in integer/system.ts, FXSAVE and FXRSTOR in simd/state.ts. */
export const X87_INSTRUCTIONS: readonly Instruction[] = [
  ...TRANSFER,
  ...ARITHMETIC,
  ...COMPARISON,
  ...FUNCTION,
  ...CONTROL,
  ...ENVIRONMENT,
];
