import { routine } from '../ir/body.js';
import type { Body } from '../ir/body.js';
import type { I32, I32Like, I64, I64Like, Local } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import { BIAS } from './format.js';
import { fullPrecision, round } from './round.js';
import { multiplyHigh } from './wide-integer.js';
import { WORK } from './work.js';

/**
 * Magnitudes with 128-bit significands, for the transcendental functions: significand / 2^127 * 2^exponent, bit 127
 * set. They live in cells of the engine's memory, named by their addresses; signs are the caller's. Results may be off
 * by a few units of the last place, 2^60 times finer than what is kept of them.
 */
const SLOT_BYTES = 32;
const slot = (n: number): number => WORK.WIDE + SLOT_BYTES * n;
export const WIDE = { A: slot(0), B: slot(1), C: slot(2), D: slot(3) } as const;
const LOW = 8;
const EXPONENT = 16;
/** Fixed point: the variable of a polynomial, all 128 bits below the point. */
const VARIABLE = slot(4);
/** Fixed point: its value so far, one bit before the point; also the product of two significands. */
const VALUE = slot(5);

const TOP = 1n << 63n;
export const FIXED_ONE = 1n << 127n;

export function setWide(b: Body, at: I32Like, high: I64Like, low: I64Like, exponent: I32Like): void {
  b.store64(at, i64.add(high, 0n));
  b.store64(at, i64.add(low, 0n), LOW);
  b.store(at, exponent, EXPONENT);
}
/** A constant: 128 bits, the top one set. */
export function setWideConstant(b: Body, at: number, significand: bigint, exponent: number): void {
  setWide(b, at, significand >> 64n, significand & (2n ** 64n - 1n), exponent);
}
export function wideExponent(at: number): I32 {
  return i32.load(at, EXPONENT);
}
export function setWideExponent(b: Body, at: number, exponent: I32Like): void {
  b.store(at, exponent, EXPONENT);
}
export function wideHigh(at: number): I64 {
  return i64.load(at);
}
export function wideLow(at: number): I64 {
  return i64.load(at, LOW);
}

/** wideShiftRight(at, count): moves the significand at a cell down; what falls out is lost. */
const shiftRight = routine('wideShiftRight', ['i32', 'i32'], null, (b, at, count) => {
  const high = b.let(i64.load(at));
  const low = i64.load(at, LOW);
  const n = b.let(i64.extend_u(count));
  b.if(i32.ge_u(count, 64), () => {
    const beyond = i32.ge_u(count, 128);
    b.store64(at, select(beyond, i64.const(0n), i64.shr_u(high, i64.sub(n, 64n))), LOW);
    b.store64(at, 0n);
    b.return();
  });
  // In two steps: a shift by 64 would be none.
  const carried = i64.shl(i64.shl(high, 1n), i64.sub(63n, n));
  b.store64(at, i64.or(i64.shr_u(low, n), carried), LOW);
  b.store64(at, i64.shr_u(high, n));
});

/** wideNormalize(at): moves the significand up until its top bit is set; it is not 0. */
export const wideNormalize = routine('wideNormalize', ['i32'], null, (b, at) => {
  b.if(i64.eqz(i64.load(at)), () => {
    b.store64(at, i64.load(at, LOW));
    b.store64(at, 0n, LOW);
    b.store(at, i32.sub(i32.load(at, EXPONENT), 64), EXPONENT);
  });
  const high = b.let(i64.load(at));
  const low = b.let(i64.load(at, LOW));
  const n = b.let(i64.clz(high));
  const carried = i64.shr_u(i64.shr_u(low, 1n), i64.sub(63n, n));
  b.store64(at, i64.or(i64.shl(high, n), carried));
  b.store64(at, i64.shl(low, n), LOW);
  b.store(at, i32.sub(i32.load(at, EXPONENT), i32.wrap(n)), EXPONENT);
});

/** wideProduct(a, b): VALUE = the upper half of the product of the significands at two cells. */
const product = routine('wideProduct', ['i32', 'i32'], null, (b, x, y) => {
  const [xh, xl] = [b.let(i64.load(x)), b.let(i64.load(x, LOW))];
  const [yh, yl] = [b.let(i64.load(y)), b.let(i64.load(y, LOW))];
  const low = b.let(i64.mul(xh, yh));
  const first = b.let(i64.add(low, call(multiplyHigh, xh, yl)));
  const second = b.let(i64.add(first, call(multiplyHigh, xl, yh)));
  const carries = i64.add(i64.extend_u(i64.lt_u(first, low)), i64.extend_u(i64.lt_u(second, first)));
  b.store64(VALUE, i64.add(call(multiplyHigh, xh, yh), carries));
  b.store64(VALUE, second, LOW);
});

/** wideMultiply(target, a, b) */
export const wideMultiply = routine('wideMultiply', ['i32', 'i32', 'i32'], null, (b, target, x, y) => {
  b.do(product, x, y);
  const exponent = b.let(i32.add(i32.add(i32.load(x, EXPONENT), i32.load(y, EXPONENT)), 1));
  setWide(b, target, i64.load(VALUE), i64.load(VALUE, LOW), exponent);
  b.do(wideNormalize, target);
});

/** wideDivide(target, a, b): a / b, a bit at a time. */
export const wideDivide = routine('wideDivide', ['i32', 'i32', 'i32'], null, (b, target, x, y) => {
  const high = b.var(i64.load(x));
  const low = b.var(i64.load(x, LOW));
  const [divisorHigh, divisorLow] = [b.let(i64.load(y)), b.let(i64.load(y, LOW))];
  const [quotientHigh, quotientLow] = [b.var(i64.const(0n)), b.var(i64.const(0n))];
  const carry = b.var(i32.const(0));
  const double = (): void => {
    b.set(carry, i64.lt_s(high, 0n));
    b.set(high, i64.or(i64.shl(high, 1n), i64.shr_u(low, 63n)));
    b.set(low, i64.shl(low, 1n));
  };
  const reaches = (): I32 =>
    i32.or(i64.gt_u(high, divisorHigh), i32.and(i64.eq(high, divisorHigh), i64.ge_u(low, divisorLow)));
  const smaller = b.let(i32.eqz(reaches()));
  b.if(smaller, double);
  const count = b.var(i32.const(128));
  b.loop((again) => {
    const bit = b.let(i32.or(carry, reaches()));
    b.set(quotientHigh, i64.or(i64.shl(quotientHigh, 1n), i64.shr_u(quotientLow, 63n)));
    b.set(quotientLow, i64.or(i64.shl(quotientLow, 1n), i64.extend_u(bit)));
    b.if(bit, () => {
      b.set(high, i64.sub(i64.sub(high, divisorHigh), i64.extend_u(i64.lt_u(low, divisorLow))));
      b.set(low, i64.sub(low, divisorLow));
    });
    double();
    b.set(count, i32.sub(count, 1));
    b.brIf(again, count);
  });
  const exponent = i32.sub(i32.sub(i32.load(x, EXPONENT), i32.load(y, EXPONENT)), smaller);
  setWide(b, target, quotientHigh, quotientLow, exponent);
});

/** VALUE = the significand at `from`, moved down to the exponent of the one at `to`. */
function align(b: Body, to: Local<'i32'>, from: Local<'i32'>): void {
  b.store64(VALUE, i64.load(from));
  b.store64(VALUE, i64.load(from, LOW), LOW);
  b.do(shiftRight, VALUE, i32.sub(i32.load(to, EXPONENT), i32.load(from, EXPONENT)));
}

/** wideAdd(target, a, b): a + b; the exponent of a is not the smaller one. */
export const wideAdd = routine('wideAdd', ['i32', 'i32', 'i32'], null, (b, target, x, y) => {
  align(b, x, y);
  const [xh, xl] = [b.let(i64.load(x)), b.let(i64.load(x, LOW))];
  const exponent = b.let(i32.load(x, EXPONENT));
  const low = b.let(i64.add(xl, i64.load(VALUE, LOW)));
  const carryLow = b.let(i64.extend_u(i64.lt_u(low, xl)));
  const high = b.let(i64.add(i64.add(xh, i64.load(VALUE)), carryLow));
  const carry = i32.or(i64.lt_u(high, xh), i32.and(i64.eq(high, xh), i64.ne(i64.or(carryLow, i64.load(VALUE)), 0n)));
  b.if(
    carry,
    () => {
      const halved = i64.or(i64.shr_u(low, 1n), i64.shl(high, 63n));
      setWide(b, target, i64.or(i64.shr_u(high, 1n), TOP), halved, i32.add(exponent, 1));
    },
    () => setWide(b, target, high, low, exponent),
  );
});

/** wideSubtract(target, a, b): a - b; a is larger than b. */
export const wideSubtract = routine('wideSubtract', ['i32', 'i32', 'i32'], null, (b, target, x, y) => {
  align(b, x, y);
  const [xh, xl] = [b.let(i64.load(x)), b.let(i64.load(x, LOW))];
  const borrow = i64.extend_u(i64.lt_u(xl, i64.load(VALUE, LOW)));
  const high = b.let(i64.sub(i64.sub(xh, i64.load(VALUE)), borrow));
  setWide(b, target, high, i64.sub(xl, i64.load(VALUE, LOW)), i32.load(x, EXPONENT));
  b.do(wideNormalize, target);
});

/** widePolynomialStep(high, low, subtract): VALUE = coefficient + VALUE * VARIABLE, or minus. */
const polynomialStep = routine('widePolynomialStep', ['i64', 'i64', 'i32'], null, (b, high, low, subtract) => {
  b.do(product, VALUE, VARIABLE);
  const [ph, pl] = [b.let(i64.load(VALUE)), b.let(i64.load(VALUE, LOW))];
  b.if(
    subtract,
    () => {
      b.store64(VALUE, i64.sub(i64.sub(high, ph), i64.extend_u(i64.lt_u(low, pl))));
      b.store64(VALUE, i64.sub(low, pl), LOW);
    },
    () => {
      const sum = b.let(i64.add(low, pl));
      b.store64(VALUE, i64.add(i64.add(high, ph), i64.extend_u(i64.lt_u(sum, pl))));
      b.store64(VALUE, sum, LOW);
    },
  );
});

/**
 * Cell `target` = the polynomial with these coefficients, in units of 2^-127 and the one of the constant term first, at
 * the value of cell `at`, which is below 1; `subtract`: at its negative. All intermediate values are in 0..2.
 */
export function widePolynomial(
  b: Body,
  target: number,
  at: number,
  coefficients: readonly bigint[],
  subtract: I32Like,
): void {
  b.store64(VARIABLE, i64.load(at));
  b.store64(VARIABLE, i64.load(at, LOW), LOW);
  b.do(shiftRight, VARIABLE, i32.sub(-1, wideExponent(at)));
  const part = (c: bigint): [bigint, bigint] => [c >> 64n, c & (2n ** 64n - 1n)];
  const [last, ...others] = [...coefficients].reverse();
  const [high, low] = part(last);
  b.store64(VALUE, high);
  b.store64(VALUE, low, LOW);
  for (const c of others) b.do(polynomialStep, ...part(c), subtract);
  setWide(b, target, i64.load(VALUE), i64.load(VALUE, LOW), 0);
  b.do(wideNormalize, target);
}

/** The number at a cell, rounded to 64 bits, goes to `target`. `inexact`: 1 if it only approximates the true value. */
export function storeWide(b: Body, target: I32, sign: I32, at: number, inexact: I32Like = 1): void {
  const low = i64.or(wideLow(at), i64.extend_u(inexact));
  b.do(round, target, sign, i32.add(wideExponent(at), BIAS), i64.load(at), low, fullPrecision());
}
