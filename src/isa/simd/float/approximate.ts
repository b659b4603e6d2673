import { routine } from '../../ir/body.js';
import type { F64, I32 } from '../../ir/expr.js';
import { f32, f64, i32, i64 } from '../../ir/expr.js';

/**
 * RCPPS and RSQRTPS. The architecture leaves the bits open within a relative error of 1.5 * 2^-12. Here the result is
 * the double-precision quotient rounded to 12 significant bits, halves away from zero: an error of at most 2^-12, and
 * the same on every host. No exceptions, MXCSR has no influence, denormal operands count as zeros and results too
 * small to be normal become zero (SDM 2, RCPPS).
 */
const SIGNIFICANT_BITS = 12;
const DROPPED_BITS = BigInt(53 - SIGNIFICANT_BITS);

const INFINITY_2 = 0xff << 24;
const QUIET = 1 << 22;
const SIGN = -0x8000_0000;
const INDEFINITE = 0xffc0_0000;

/** The number rounded to 12 bits and to single precision; zero with its sign when below the normal range. */
function rounded(v: F64): I32 {
  const bits = i64.add(i64.reinterpret(v), 1n << (DROPPED_BITS - 1n));
  const cut = i64.shl(i64.shr_u(bits, DROPPED_BITS), DROPPED_BITS);
  return i32.reinterpret(f32.demote(f64.reinterpret(cut)));
}

const isDenormal = (x: I32): I32 => i32.lt_u(i32.shl(x, 1), 1 << 24);

const approximation = (name: string, negativeIsInvalid: boolean, compute: (v: F64) => F64) =>
  routine(name, ['i32'], 'i32', (b, x) => {
    const sign = i32.and(x, SIGN);
    b.if(i32.gt_u(i32.shl(x, 1), INFINITY_2), () => b.return(i32.or(x, QUIET)));
    b.if(isDenormal(x), () => b.return(i32.or(sign, 0x7f80_0000)));
    if (negativeIsInvalid) b.if(i32.lt_s(x, 0), () => b.return(i32.const(INDEFINITE)));
    b.if(i32.eq(i32.shl(x, 1), INFINITY_2), () => b.return(sign));
    const r = b.let(rounded(compute(f64.promote(f32.reinterpret(x)))));
    b.if(isDenormal(r), () => b.return(sign));
    b.return(r);
  });

/** approximateReciprocal(x), x a bit pattern. */
export const approximateReciprocal = approximation('approximateReciprocal', false, (v) => f64.div(f64.const(1), v));
/** approximateReciprocalRoot(x), x a bit pattern. */
export const approximateReciprocalRoot = approximation('approximateReciprocalRoot', true, (v) =>
  f64.div(f64.const(1), f64.sqrt(v)),
);
