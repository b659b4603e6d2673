import type { Body } from '../../ir/body.js';
import type { I32, I64 } from '../../ir/expr.js';
import { i32, i64, select } from '../../ir/expr.js';

/**
 * The exact integer routines work on both formats at once: a number is an i64 with its sign in bit 63, single
 * precision lying in the upper half above 32 zeros, and the format is named by the width of its exponent in bits.
 */
export const SINGLE = 8;
export const DOUBLE = 11;
export type FormatWidth = typeof SINGLE | typeof DOUBLE;

export const SIGN = 1n << 63n;

/** Facts of the format whose exponent has `e` bits; pinned in `b`. */
export class Format {
  /** Infinity shifted left by one: without its sign. */
  readonly #infinity2: I64;
  /** The smallest normal number shifted left by one. */
  readonly #smallestNormal2: I64;
  /** The bit that tells a quiet NaN from a signalling one. */
  readonly quietBit: I64;

  constructor(
    private readonly b: Body,
    private readonly e: I32,
  ) {
    const e64 = b.let(i64.extend_u(e));
    this.#infinity2 = b.let(i64.shl(-1n, i64.sub(64n, e64)));
    this.#smallestNormal2 = b.let(i64.shl(1n, i64.sub(64n, e64)));
    this.quietBit = b.let(i64.shl(1n, i64.sub(62n, e64)));
  }

  bias(): I32 {
    return i32.sub(i32.shl(1, i32.sub(this.e, 1)), 1);
  }
  infinity(): I64 {
    return i64.shr_u(this.#infinity2, 1n);
  }
  /** The default NaN ("QNaN floating-point indefinite"). */
  indefinite(): I64 {
    return i64.or(i64.or(this.infinity(), this.quietBit), SIGN);
  }

  isNaN(x: I64): I32 {
    return i64.gt_u(i64.shl(x, 1n), this.#infinity2);
  }
  isSignalling(x: I64): I32 {
    return i32.and(this.isNaN(x), i64.eqz(i64.and(x, this.quietBit)));
  }
  isInfinite(x: I64): I32 {
    return i64.eq(i64.shl(x, 1n), this.#infinity2);
  }
  isZero(x: I64): I32 {
    return i64.eqz(i64.shl(x, 1n));
  }
  /** Not zero, and below the smallest normal number. */
  isDenormal(x: I64): I32 {
    return i64.lt_u(i64.sub(i64.shl(x, 1n), 1n), i64.sub(this.#smallestNormal2, 1n));
  }

  /**
   * Biased exponent and significand with its leading bit moved to bit 63, of a finite number: its value is
   * significand * 2^(exponent - bias - 63). Denormal numbers get an exponent below 1. The significand of zero is 0.
   */
  unpack(x: I64): { exponent: I32; significand: I64 } {
    const { b } = this;
    const e64 = i64.extend_u(this.e);
    const field = b.let(i32.wrap(i64.shr_u(i64.shl(x, 1n), i64.sub(64n, e64))));
    const fraction = b.let(i64.shr_u(i64.shl(x, i64.add(e64, 1n)), 1n));
    const shift = b.let(select(field, i64.const(0n), i64.clz(fraction)));
    return {
      exponent: b.let(i32.sub(i32.add(field, i32.eqz(field)), i32.wrap(shift))),
      significand: b.let(select(field, i64.or(fraction, SIGN), i64.shl(fraction, shift))),
    };
  }
}
