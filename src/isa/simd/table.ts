import type { Instruction } from '../instruction.js';
import { FLOAT_ARITHMETIC } from './float-arithmetic.js';
import { FLOAT_COMPARE } from './float-compare.js';
import { FLOAT_CONVERT } from './float-convert.js';
import { INTEGER_ARITHMETIC } from './integer-arithmetic.js';
import { LOGIC } from './logic.js';
import { MASKED_STORE } from './masked-store.js';
import { MMX_MOVE } from './mmx-move.js';
import { PACK_SHUFFLE } from './pack-shuffle.js';
import { SHIFTS } from './shift.js';
import { SSE_MOVE } from './sse-move.js';
import { SIMD_STATE } from './state.js';

/** MMX, SSE and SSE2, group by group. PREFETCHh is among the hints of integer/move.ts. */
export const SIMD_INSTRUCTIONS: readonly Instruction[] = [
  ...MMX_MOVE,
  ...SSE_MOVE,
  ...MASKED_STORE,
  ...LOGIC,
  ...INTEGER_ARITHMETIC,
  ...SHIFTS,
  ...PACK_SHUFFLE,
  ...FLOAT_ARITHMETIC,
  ...FLOAT_COMPARE,
  ...FLOAT_CONVERT,
  ...SIMD_STATE,
];
