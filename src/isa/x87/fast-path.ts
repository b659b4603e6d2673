import type { Body, Label } from '../ir/body.js';
import type { F64, I32, I64 } from '../ir/expr.js';
import { f64, i32, i64, select } from '../ir/expr.js';
import type { Real } from './format.js';
import { BIAS, INTEGER_BIT, MAX_EXPONENT, SIGN, WAS_DENORMAL, exponentOf } from './format.js';
import { CW, SW, controlWord } from './status.js';

/**
 * The operations on two normal numbers under the control word that nearly all programs run with: rounding to nearest, 64
 * bits of precision, PE masked. They branch to `slow` before they have changed anything wherever any exception but PE
 * could arise, or where the case is too rare to be written down twice; the routines in add-sub.ts, multiply.ts and
 * divide.ts are right for everything.
 */
export type FastOperation = (b: Body, x: Real, y: Real, slow: Label) => Rounded;

/** A normal number, and PE and C1 as the rounding has them. */
export interface Rounded extends Real {
  readonly flags: I32;
}

const HALF = 1n << 63n;
const PE_SHIFT = 5;
const C1_SHIFT = 9;

/**
 * Branches to `slow` unless rounding is to nearest, with 64 bits of precision and PE masked, bit 0 of `filled` is set,
 * and both numbers are normal. What may be wrong makes a term negative: one branch for all.
 */
export function requireUsual(b: Body, filled: I32, x: Real, y: Real, slow: Label): void {
  const differs = i32.xor(i32.and(controlWord(), CW.RC | CW.PC | SW.PE), CW.PC | SW.PE);
  const terms = [i32.sub(0, differs), i32.sub(i32.and(filled, 1), 1)];
  for (const { signExponent } of [x, y]) {
    const field = b.let(i32.and(signExponent, WAS_DENORMAL | MAX_EXPONENT));
    terms.push(i32.sub(field, 1), i32.sub(MAX_EXPONENT - 1, field));
  }
  terms.push(i32.wrap(i64.shr_s(i64.not(i64.and(x.significand, y.significand)), 32n)));
  b.brIf(
    slow,
    i32.lt_s(
      terms.reduce((one, other) => i32.or(one, other)),
      0,
    ),
  );
}
/** 0/1: rounding to nearest, PE masked. */
export function isPlainRounding(): I32 {
  return i32.eq(i32.and(controlWord(), CW.RC | SW.PE), SW.PE);
}

/** PE and C1 of a rounding that was inexact and went up in magnitude, each 0/1. */
export function roundingFlags(inexact: I32, up: I32): I32 {
  return i32.or(i32.shl(inexact, PE_SHIFT), i32.shl(up, C1_SHIFT));
}

/** Only exponents from 1 to 7FFEh are in range: neither OE nor UE. */
function requireRange(b: Body, exponent: I32, slow: Label): void {
  b.brIf(slow, i32.ge_u(i32.sub(exponent, 1), MAX_EXPONENT - 1));
}

/** high:low * 2^(exponent - bias - 127), bit 63 of `high` set, rounded to its upper half. */
function roundToNearest(b: Body, sign: I32, exponent: I32, high: I64, low: I64, slow: Label): Rounded {
  requireRange(b, exponent, slow);
  // Above the middle, or on it and odd.
  const up = b.let(i64.gt_u(low, i64.sub(HALF, i64.and(high, 1n))));
  const significand = b.let(i64.add(high, i64.extend_u(up)));
  // All ones rounded up: the next power of two.
  b.brIf(slow, i64.eqz(significand));
  return { significand, signExponent: i32.or(sign, exponent), flags: roundingFlags(i64.ne(low, 0n), up) };
}

/** x + y, with the sign of an operand flipped that is named so. */
export const fastSum =
  (flipX: boolean, flipY: boolean): FastOperation =>
  (b, x, y, slow) => {
    const signed = (v: Real, flip: boolean): I32 => (flip ? i32.xor(v.signExponent, SIGN) : v.signExponent);
    const exponentX = b.let(exponentOf(x.signExponent));
    const exponentY = b.let(exponentOf(y.signExponent));
    // The one of larger magnitude first.
    const isSmaller = i32.and(i32.eq(exponentX, exponentY), i64.lt_u(x.significand, y.significand));
    const swap = b.let(i32.or(i32.lt_u(exponentX, exponentY), isSmaller));
    const sign = b.let(i32.and(select(swap, signed(y, flipY), signed(x, flipX)), SIGN));
    const exponent = b.var(select(swap, exponentY, exponentX));
    const large = b.let(select(swap, y.significand, x.significand));
    const small = b.let(select(swap, x.significand, y.significand));
    const distance = b.let(i32.sub(exponent, select(swap, exponentX, exponentY)));
    b.brIf(slow, i32.gt_u(distance, 63));
    const n = b.let(i64.extend_u(distance));
    const high = b.var(i64.shr_u(small, n));
    // In two steps: a shift by 64 would be none.
    const low = b.var(i64.shl(i64.shl(small, 1n), i64.sub(63n, n)));
    const differ = flipX === flipY ? SIGN : 0;
    const sameSign = i32.ne(i32.and(i32.xor(x.signExponent, y.signExponent), SIGN), differ);
    b.if(
      sameSign,
      () => {
        b.set(high, i64.add(large, high));
        b.if(i64.lt_u(high, large), () => {
          b.set(low, i64.or(i64.or(i64.shl(high, 63n), i64.shr_u(low, 1n)), i64.and(low, 1n)));
          b.set(high, i64.or(i64.shr_u(high, 1n), INTEGER_BIT));
          b.set(exponent, i32.add(exponent, 1));
        });
      },
      () => {
        b.set(high, i64.sub(i64.sub(large, high), i64.extend_u(i64.ne(low, 0n))));
        b.set(low, i64.neg(low));
        // Zero, or nearly so.
        b.brIf(slow, i64.eqz(high));
        const shift = b.let(i64.clz(high));
        b.set(high, i64.or(i64.shl(high, shift), i64.shr_u(i64.shr_u(low, 1n), i64.sub(63n, shift))));
        b.set(low, i64.shl(low, shift));
        b.set(exponent, i32.sub(exponent, i32.wrap(shift)));
      },
    );
    return roundToNearest(b, sign, exponent, high, low, slow);
  };

const LOW = 0xffff_ffffn;

export const fastProduct: FastOperation = (b, x, y, slow) => {
  const [x0, x1] = [b.let(i64.and(x.significand, LOW)), b.let(i64.shr_u(x.significand, 32n))];
  const [y0, y1] = [b.let(i64.and(y.significand, LOW)), b.let(i64.shr_u(y.significand, 32n))];
  const middle = b.let(i64.add(i64.mul(x1, y0), i64.shr_u(i64.mul(x0, y0), 32n)));
  const middle2 = b.let(i64.add(i64.mul(x0, y1), i64.and(middle, LOW)));
  const product = b.let(i64.add(i64.add(i64.mul(x1, y1), i64.shr_u(middle, 32n)), i64.shr_u(middle2, 32n)));
  const below = b.let(i64.mul(x.significand, y.significand));
  // A product of numbers from 1 to 2 is below 4: move it up when it is below 2.
  const n = b.let(i64.shr_u(i64.not(product), 63n));
  const high = b.let(i64.or(i64.shl(product, n), i64.and(i64.shr_u(below, 63n), n)));
  const low = b.let(i64.shl(below, n));
  const exponents = i32.add(exponentOf(x.signExponent), exponentOf(y.signExponent));
  const exponent = b.let(i32.sub(i32.sub(exponents, BIAS - 1), i32.wrap(n)));
  const sign = i32.and(i32.xor(x.signExponent, y.signExponent), SIGN);
  return roundToNearest(b, sign, exponent, high, low, slow);
};

/**
 * Adding 3 * 2^(51 - digits) rounds a double to so many binary digits behind the point, and makes them the lower bits of
 * the sum, as an integer.
 */
const rounder = (digits: number): number => 3 * 2 ** (51 - digits);
const rounderBits = (digits: number): bigint => (BigInt(0x3ff + 52 - digits) << 52n) | (1n << 51n);
const DIGIT_BITS = 32;
/** How near to the middle between two integers an estimate may come, whose error is below 2^-18. */
const NEAR_MIDDLE = 0.5 - 2 ** -17;

/** A fraction rounded to an integer of units of 2^-digits; too near to the middle of two it is for `slow`. */
function nearestDigit(b: Body, fraction: F64, digits: number, slow: Label): I64 {
  const estimate = b.let(fraction);
  const rounded = b.let(f64.add(estimate, f64.const(rounder(digits))));
  const error = f64.sub(estimate, f64.sub(rounded, f64.const(rounder(digits))));
  b.brIf(slow, f64.ge(f64.abs(error), f64.const(NEAR_MIDDLE * 2 ** -digits)));
  return b.let(i64.sub(i64.reinterpret(rounded), rounderBits(digits)));
}

/**
 * The quotient in two digits of 32 bits, each rounded to nearest, so that the remainders are signed and at most half the
 * divisor: they fit 64 bits, and computing them modulo 2^64 is enough.
 *
 * A digit is remainder * 2^32 / divisor, estimated in double precision. Two conversions, a division and a
 * multiplication, each with an error of at most 2^-53 of a result of at most 2^32, are wrong by less than 2^-18. Where
 * the estimate is farther than that from the middle between two integers, the nearest integer is the digit; the rest is
 * for divideDigit(). The last remainder is then never half the divisor, and says whether the quotient is exact and which
 * way it was rounded. The quotient has 64 bits and is not rounded to 2^64: exactly it is at most 2^64 - 1.
 */
export const fastQuotient: FastOperation = (b, x, y, slow) => {
  const divisor = y.significand;
  // The dividend is halved where that makes the quotient one of 64 bits.
  const halve = b.let(i64.ge_u(x.significand, divisor));
  const exponents = i32.sub(exponentOf(x.signExponent), exponentOf(y.signExponent));
  const exponent = b.let(i32.add(i32.add(exponents, BIAS - 1), halve));
  requireRange(b, exponent, slow);
  const dividend = b.let(i64.shr_u(x.significand, i64.extend_u(halve)));
  // The bit that halving moves out.
  const next = select(halve, i64.and(i64.shl(x.significand, 31n), 0x8000_0000n), i64.const(0n));
  // Without their last bits, which do not matter here: conversions are signed.
  const half = (value: I64): F64 => f64.convert_i64_s(i64.shr_u(value, 1n));
  const halfDivisor = b.let(half(divisor));
  const reciprocal = b.let(f64.div(f64.const(1), halfDivisor));
  const first = nearestDigit(b, f64.div(half(dividend), halfDivisor), DIGIT_BITS, slow);
  const rest = b.let(i64.sub(i64.or(i64.shl(dividend, 32n), next), i64.mul(first, divisor)));
  // Twice the fraction, as the divisor is half.
  const second = nearestDigit(b, f64.mul(f64.convert_i64_s(rest), reciprocal), DIGIT_BITS - 1, slow);
  const remainder = b.let(i64.sub(i64.shl(rest, 32n), i64.mul(second, divisor)));
  const sign = i32.and(i32.xor(x.signExponent, y.signExponent), SIGN);
  return {
    significand: b.let(i64.add(i64.shl(first, 32n), second)),
    signExponent: i32.or(sign, exponent),
    flags: roundingFlags(i64.ne(remainder, 0n), i64.lt_s(remainder, 0n)),
  };
};

export const reversed =
  (f: FastOperation): FastOperation =>
  (b, x, y, slow) =>
    f(b, y, x, slow);
