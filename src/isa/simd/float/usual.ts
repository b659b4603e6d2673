import type { I32 } from '../../ir/expr.js';
import { i32 } from '../../ir/expr.js';
import { MXCSR, mxcsr } from './mxcsr.js';

/**
 * Quick checks of operands and results for code that computes in place. They look at exponent fields at the place that
 * singles and the upper halves of doubles have in common, and at the sign of what is ORed together: one branch for all.
 * Everything that is not usual, zeros as well, is for the routines.
 */
export interface UsualFormat {
  /** The exponent field. */
  readonly mask: number;
  /** Fields 2 and that of the largest numbers. */
  readonly two: number;
  readonly largest: number;
}
export const USUAL_SINGLE: UsualFormat = { mask: 0x7f80_0000, two: 0x0100_0000, largest: 0x7f00_0000 };
export const USUAL_DOUBLE: UsualFormat = { mask: 0x7ff0_0000, two: 0x0020_0000, largest: 0x7fe0_0000 };

const field = ({ mask }: UsualFormat, upper: I32): I32 => i32.and(upper, mask);
const any = (...conditions: I32[]): I32 => conditions.reduce((a, b) => i32.or(a, b));
/** Negative for zeros and denormals. */
const isSmall = (f: UsualFormat, upper: I32): I32 => i32.sub(field(f, upper), 1);
/** Negative for infinities and NaNs. */
const isLarge = (f: UsualFormat, upper: I32): I32 => i32.sub(f.largest, field(f, upper));

/** Negative unless rounding is to nearest, and PE is masked and set already: nothing is to be said of exactness. */
function isStrict(): I32 {
  const differs = i32.xor(i32.and(mxcsr(), MXCSR.RC | MXCSR.PM | MXCSR.PE), MXCSR.PM | MXCSR.PE);
  return i32.sub(0, differs);
}

/** 0/1: the operands are normal and the result is, with an exponent field of at least 2: see fast-double.ts. */
export function isUsualResult(f: UsualFormat, result: I32, ...operands: readonly I32[]): I32 {
  const inRange = any(i32.sub(field(f, result), f.two), isLarge(f, result));
  return i32.ge_s(any(isStrict(), inRange, ...operands.map((x) => isSmall(f, x))), 0);
}

/** 0/1: the operands are normal. */
export function areUsual(f: UsualFormat, ...operands: readonly I32[]): I32 {
  return i32.ge_s(any(...operands.map((x) => any(isSmall(f, x), isLarge(f, x)))), 0);
}
