import { STATE } from '../cpu-state.js';
import type { Body } from '../ir/body.js';
import type { I32Like, I64, I64Like } from '../ir/expr.js';
import { i64 } from '../ir/expr.js';
import { SIGN_EXPONENT_OFFSET } from './format.js';

/**
 * Cells of STATE.x87Work. OPERAND is a memory operand converted to 80 bits, with WAS_DENORMAL; RESULT what is to be
 * stored in memory. The rest belongs to the transcendental functions.
 */
export const WORK = {
  OPERAND: STATE.x87Work,
  RESULT: STATE.x87Work + 16,
  WIDE: STATE.x87Work + 32,
} as const;

export function setOperand(b: Body, significand: I64Like, signExponent: I32Like): void {
  b.store64(WORK.OPERAND, i64.add(significand, 0n));
  b.store(WORK.OPERAND, signExponent, SIGN_EXPONENT_OFFSET);
}
export function setResult(b: Body, value: I64Like): void {
  b.store64(WORK.RESULT, i64.add(value, 0n));
}
export function result(): I64 {
  return i64.load(WORK.RESULT);
}
