import type { Body } from '../../ir/body.js';
import { routine } from '../../ir/body.js';
import type { I32, I64, Local } from '../../ir/expr.js';
import { call, i32, i64, select } from '../../ir/expr.js';
import { Format, SIGN } from './format.js';
import { MXCSR, ROUNDING, mxcsr, noteSseFlags, roundingControl } from './mxcsr.js';
import { roundPack, shiftRightSticky } from './round-pack.js';

/**
 * Addition, subtraction, multiplication, division and square root of both formats, exact for every operand, rounding
 * mode and MXCSR setting. float/fast-*.ts takes the common cases over. Arguments and results as in format.ts.
 */
export const SOFT = { ADD: 0, SUB: 1, MUL: 2, DIV: 3 } as const;

type Operands = { readonly f: Format; readonly x: Local<'i64'>; readonly y: Local<'i64'> };

/** DAZ turns denormal operands into zeros of their sign. */
export function denormalsAreZeros(b: Body, f: Format, ...operands: readonly Local<'i64'>[]): void {
  b.if(i32.and(mxcsr(), MXCSR.DAZ), () => {
    for (const x of operands) b.if(f.isDenormal(x), () => b.set(x, i64.and(x, SIGN)));
  });
}

/** Notes DE when an operand is denormal. Comes after the checks for NaN and invalid, which take precedence. */
export function noteDenormal(b: Body, f: Format, ...operands: readonly I64[]): void {
  b.if(
    operands.map((x) => f.isDenormal(x)).reduce((some, one) => i32.or(some, one)),
    () => b.do(noteSseFlags, MXCSR.DE),
  );
}

/** Returns the quiet NaN an operation on NaNs gives: the first operand if it is one (SDM 1, table 4-7). */
function returnIfNaN(b: Body, { f, x, y }: Operands): void {
  b.if(i32.or(f.isNaN(x), f.isNaN(y)), () => {
    b.if(i32.or(f.isSignalling(x), f.isSignalling(y)), () => b.do(noteSseFlags, MXCSR.IE));
    b.return(i64.or(select(f.isNaN(x), x, y), f.quietBit));
  });
}

function invalid(b: Body, f: Format): void {
  b.do(noteSseFlags, MXCSR.IE);
  b.return(f.indefinite());
}

/** Returns sign * significand * 2^..., after moving the leading bit of a significand that is not 0 to bit 63. */
function returnNormalized(b: Body, e: I32, sign: I64, exponent: I32, significand: I64): void {
  const s = b.let(significand);
  const shift = b.let(i64.clz(s));
  b.return(call(roundPack, e, sign, i32.sub(exponent, i32.wrap(shift)), i64.shl(s, shift)));
}

/** softAdd(e, x, y) */
const softAdd = routine('softAdd', ['i32', 'i64', 'i64'], 'i64', (b, e, x, y) => {
  const f = new Format(b, e);
  b.if(f.isInfinite(x), () => {
    b.if(i32.and(f.isInfinite(y), i64.ne(x, y)), () => invalid(b, f));
    noteDenormal(b, f, y);
    b.return(x);
  });
  noteDenormal(b, f, x, y);
  b.if(f.isInfinite(y), () => b.return(y));
  const p = f.unpack(x);
  const q = f.unpack(y);
  // The operand of larger magnitude first. The low bits of significands are 0: one place to the right leaves room
  // for a carry, and what alignment then shifts out lies at least nine places below the last one that counts.
  const swap = b.let(i64.lt_u(i64.shl(x, 1n), i64.shl(y, 1n)));
  const sign = b.let(i64.and(select(swap, y, x), SIGN));
  const exponent = b.let(select(swap, q.exponent, p.exponent));
  const larger = b.let(i64.shr_u(select(swap, q.significand, p.significand), 1n));
  const smaller = b.let(
    call(
      shiftRightSticky,
      i64.shr_u(select(swap, p.significand, q.significand), 1n),
      i32.sub(exponent, select(swap, p.exponent, q.exponent)),
    ),
  );
  const opposite = b.let(i64.lt_s(i64.xor(x, y), 0n));
  const sum = b.let(select(opposite, i64.sub(larger, smaller), i64.add(larger, smaller)));
  b.if(i64.eqz(sum), () => {
    // Two zeros of one sign keep it; otherwise only rounding down gives -0.
    const down = i32.eq(call(roundingRoutine), ROUNDING.DOWN);
    b.return(select(opposite, select(down, i64.const(SIGN), i64.const(0n)), sign));
  });
  returnNormalized(b, e, sign, i32.add(exponent, 1), sum);
});

const roundingRoutine = routine('sseRoundingControl', [], 'i32', (b) => b.return(roundingControl()));

/** mulHigh(a, b): the upper 64 bits of the product; bit 0 also stands for the lower 64. */
const mulHighSticky = routine('mulHighSticky', ['i64', 'i64'], 'i64', (b, x, y) => {
  const LOW = 0xffff_ffffn;
  const half = (v: I64, upper: boolean): I64 => b.let(upper ? i64.shr_u(v, 32n) : i64.and(v, LOW));
  const [x0, x1, y0, y1] = [half(x, false), half(x, true), half(y, false), half(y, true)];
  const low = b.let(i64.mul(x0, y0));
  const middle = b.let(i64.add(i64.mul(x1, y0), i64.shr_u(low, 32n)));
  const middle2 = b.let(i64.add(i64.mul(x0, y1), i64.and(middle, LOW)));
  const rest = i64.or(i64.and(low, LOW), i64.and(middle2, LOW));
  const high = i64.add(i64.add(i64.mul(x1, y1), i64.shr_u(middle, 32n)), i64.shr_u(middle2, 32n));
  b.return(i64.or(high, i64.extend_u(i64.ne(rest, 0n))));
});

/** softMultiply(e, x, y) */
const softMultiply = routine('softMultiply', ['i32', 'i64', 'i64'], 'i64', (b, e, x, y) => {
  const f = new Format(b, e);
  const sign = b.let(i64.and(i64.xor(x, y), SIGN));
  const zero = b.let(i32.or(f.isZero(x), f.isZero(y)));
  b.if(i32.or(f.isInfinite(x), f.isInfinite(y)), () => {
    b.if(zero, () => invalid(b, f));
    noteDenormal(b, f, x, y);
    b.return(i64.or(sign, f.infinity()));
  });
  noteDenormal(b, f, x, y);
  b.if(zero, () => b.return(sign));
  const p = f.unpack(x);
  const q = f.unpack(y);
  const exponent = i32.add(i32.sub(i32.add(p.exponent, q.exponent), f.bias()), 1);
  returnNormalized(b, e, sign, exponent, call(mulHighSticky, p.significand, q.significand));
});

/** softDivide(e, x, y) */
const softDivide = routine('softDivide', ['i32', 'i64', 'i64'], 'i64', (b, e, x, y) => {
  const f = new Format(b, e);
  const sign = b.let(i64.and(i64.xor(x, y), SIGN));
  b.if(f.isInfinite(x), () => {
    b.if(f.isInfinite(y), () => invalid(b, f));
    noteDenormal(b, f, y);
    b.return(i64.or(sign, f.infinity()));
  });
  b.if(f.isZero(y), () => {
    b.if(f.isZero(x), () => invalid(b, f));
    b.do(noteSseFlags, MXCSR.ZE);
    b.return(i64.or(sign, f.infinity()));
  });
  noteDenormal(b, f, x, y);
  b.if(i32.or(f.isInfinite(y), f.isZero(x)), () => b.return(sign));
  const p = f.unpack(x);
  const q = f.unpack(y);
  // Long division, one bit a round: 64 bits of quotient, the first of weight 1.
  const remainder = b.var(i64.shr_u(p.significand, 1n));
  const divisor = b.let(i64.shr_u(q.significand, 1n));
  const quotient = b.var(i64.const(0n));
  const count = b.var(i32.const(64));
  b.loop((again) => {
    b.set(quotient, i64.shl(quotient, 1n));
    b.if(i64.ge_u(remainder, divisor), () => {
      b.set(remainder, i64.sub(remainder, divisor));
      b.set(quotient, i64.or(quotient, 1n));
    });
    b.set(remainder, i64.shl(remainder, 1n));
    b.set(count, i32.sub(count, 1));
    b.brIf(again, count);
  });
  const exponent = i32.add(i32.sub(p.exponent, q.exponent), f.bias());
  returnNormalized(b, e, sign, exponent, i64.or(quotient, i64.extend_u(i64.ne(remainder, 0n))));
});

/** softArithmetic(operation, e, x, y): operation is one of SOFT. */
export const softArithmetic = routine(
  'softArithmetic',
  ['i32', 'i32', 'i64', 'i64'],
  'i64',
  (b, operation, e, x0, y0) => {
    const f = new Format(b, e);
    const x = b.var(x0);
    const y = b.var(y0);
    denormalsAreZeros(b, f, x, y);
    returnIfNaN(b, { f, x, y });
    b.if(i32.eq(operation, SOFT.MUL), () => b.return(call(softMultiply, e, x, y)));
    b.if(i32.eq(operation, SOFT.DIV), () => b.return(call(softDivide, e, x, y)));
    b.if(i32.eq(operation, SOFT.SUB), () => b.set(y, i64.xor(y, SIGN)));
    b.return(call(softAdd, e, x, y));
  },
);

/** Bits of the root: more than a double has, and small enough for the trial subtraction to stay within 64 bits. */
const ROOT_BITS = 60;

/** softSquareRoot(e, x) */
export const softSquareRoot = routine('softSquareRoot', ['i32', 'i64'], 'i64', (b, e, x0) => {
  const f = new Format(b, e);
  const x = b.var(x0);
  denormalsAreZeros(b, f, x);
  returnIfNaN(b, { f, x, y: x });
  b.if(f.isZero(x), () => b.return(x));
  b.if(i64.lt_s(x, 0n), () => invalid(b, f));
  b.if(f.isInfinite(x), () => b.return(x));
  noteDenormal(b, f, x);
  const { exponent, significand } = f.unpack(x);
  const power = b.let(i32.sub(exponent, f.bias()));
  // Digit by digit: two bits of the radicand, which is in 1..4, give one of the root, which is in 1..2.
  const radicand = b.var(select(i32.and(power, 1), significand, i64.shr_u(significand, 1n)));
  const remainder = b.var(i64.const(0n));
  const root = b.var(i64.const(0n));
  const count = b.var(i32.const(ROOT_BITS));
  b.loop((again) => {
    b.set(remainder, i64.or(i64.shl(remainder, 2n), i64.shr_u(radicand, 62n)));
    b.set(radicand, i64.shl(radicand, 2n));
    const trial = b.let(i64.or(i64.shl(root, 2n), 1n));
    b.set(root, i64.shl(root, 1n));
    b.if(i64.ge_u(remainder, trial), () => {
      b.set(remainder, i64.sub(remainder, trial));
      b.set(root, i64.or(root, 1n));
    });
    b.set(count, i32.sub(count, 1));
    b.brIf(again, count);
  });
  const result = i64.or(i64.shl(root, BigInt(64 - ROOT_BITS)), i64.extend_u(i64.ne(remainder, 0n)));
  b.return(call(roundPack, e, i64.const(0n), i32.add(i32.shr_s(power, 1), f.bias()), result));
});
