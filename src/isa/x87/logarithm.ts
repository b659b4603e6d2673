import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I32Like } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import type { Normalized, Real } from './format.js';
import {
  BIAS,
  CLASS,
  INTEGER_BIT,
  SIGN,
  checkDenormal,
  classOf,
  loadReal,
  normalize,
  returnInvalid,
  signOf,
  storeInfinity,
  storeReal,
} from './format.js';
import { screenOperands } from './nan.js';
import { AREA_TANGENT } from './series.js';
import { isFilled, registerAddress, stackUnderflow } from './stack.js';
import { SW, clearC1, raiseX87 } from './status.js';
import {
  WIDE,
  setWide,
  setWideConstant,
  setWideExponent,
  storeWide,
  wideAdd,
  wideDivide,
  wideExponent,
  wideHigh,
  wideLow,
  wideMultiply,
  wideNormalize,
  widePolynomial,
  wideSubtract,
} from './wide-float.js';

/** 2 / ln 2 */
const TWICE_LOG2_E = { significand: 0xb8aa3b29_5c17f0bb_be87fed0_691d3e88n, exponent: 1 } as const;
const SQRT2 = 0xb504f333_f9de6484n;

function setOne(b: Body, at: number, exponent = 0): void {
  setWide(b, at, INTEGER_BIT, 0n, exponent);
}

/** C = log2((1 + A) / (1 - A)), A of at most 3 - sqrt 8; its sign is that of A. */
function logOfRatio(b: Body): void {
  b.do(wideMultiply, WIDE.B, WIDE.A, WIDE.A);
  widePolynomial(b, WIDE.C, WIDE.B, AREA_TANGENT, 0);
  b.do(wideMultiply, WIDE.C, WIDE.C, WIDE.A);
  setWideConstant(b, WIDE.B, TWICE_LOG2_E.significand, TWICE_LOG2_E.exponent);
  b.do(wideMultiply, WIDE.C, WIDE.C, WIDE.B);
}

/**
 * wideLog2(): C = |log2(A)| for A other than 1; returns the sign. The exponent is split off so that what is left, m,
 * lies around 1; log2(m) is that of (1 + s) / (1 - s) with s = (m - 1) / (m + 1).
 */
const wideLog2 = routine('wideLog2', [], 'i32', (b) => {
  const large = b.let(i64.gt_u(wideHigh(WIDE.A), SQRT2));
  const power = b.let(i32.add(wideExponent(WIDE.A), large));
  setWideExponent(b, WIDE.A, i32.sub(0, large));
  setOne(b, WIDE.B);
  b.do(wideAdd, WIDE.D, WIDE.B, WIDE.A);
  const negative = b.let(select(large, i32.const(SIGN), i32.const(0)));
  const whole = b.let(i32.and(i64.eq(wideHigh(WIDE.A), INTEGER_BIT), i64.eqz(wideLow(WIDE.A))));
  b.if(i32.eqz(whole), () => {
    b.if(
      large,
      () => b.do(wideSubtract, WIDE.A, WIDE.B, WIDE.A),
      () => b.do(wideSubtract, WIDE.A, WIDE.A, WIDE.B),
    );
    b.do(wideDivide, WIDE.A, WIDE.A, WIDE.D);
    logOfRatio(b);
    b.if(i32.eqz(power), () => b.return(negative));
  });
  const down = b.let(i32.lt_s(power, 0));
  const magnitude = i64.extend_u(select(down, i32.sub(0, power), power));
  setWide(b, WIDE.A, magnitude, 0n, 63);
  b.do(wideNormalize, WIDE.A);
  const sign = b.let(select(down, i32.const(SIGN), i32.const(0)));
  b.if(
    whole,
    () => setWide(b, WIDE.C, wideHigh(WIDE.A), 0n, wideExponent(WIDE.A)),
    () =>
      b.if(
        i32.eq(sign, negative),
        () => b.do(wideAdd, WIDE.C, WIDE.A, WIDE.C),
        () => b.do(wideSubtract, WIDE.C, WIDE.A, WIDE.C),
      ),
  );
  b.return(sign);
});

/** target = C * y with `sign` */
function storeTimes(b: Body, target: I32, sign: I32, y: Normalized, inexact: I32Like): void {
  setWide(b, WIDE.B, y.significand, 0n, i32.sub(y.exponent, BIAS));
  b.do(wideMultiply, WIDE.C, WIDE.C, WIDE.B);
  storeWide(b, target, i32.xor(sign, y.sign), WIDE.C, inexact);
}

interface LogOperands {
  readonly target: I32;
  readonly x: Real & { readonly class: I32 };
  readonly y: Real & { readonly class: I32 };
}

/** ST(0) and ST(1), numbers or infinities; the result goes to ST(1). */
function operands(b: Body): LogOperands {
  clearC1(b);
  b.if(i32.eqz(i32.and(isFilled(0), isFilled(1))), () => b.return(call(stackUnderflow, 1)));
  const target = b.let(registerAddress(1));
  const first = loadReal(b, registerAddress(0));
  const second = loadReal(b, target);
  const x = { ...first, class: b.let(classOf(first)) };
  const y = { ...second, class: b.let(classOf(second)) };
  screenOperands(b, target, x, y);
  return { target, x, y };
}

/** Ends the routine with an infinity or a zero. */
function returnInfinity(b: Body, target: I32, sign: I32): void {
  storeInfinity(b, target, signOf(sign));
  b.return(i32.const(1));
}
function returnZero(b: Body, target: I32, sign: I32): void {
  storeReal(b, target, 0n, signOf(sign));
  b.return(i32.const(1));
}

/** x87Logarithm(): FYL2X, ST(1) = ST(1) * log2(ST(0)); the caller pops (SDM 2, FYL2X, has the table). */
export const logarithm = routine('x87Logarithm', [], 'i32', (b) => {
  const { target, x, y } = operands(b);
  const zeroX = b.let(i32.eqz(x.class));
  const zeroY = b.let(i32.eqz(y.class));
  const infiniteX = b.let(i32.eq(x.class, CLASS.INFINITY));
  const infiniteY = b.let(i32.eq(y.class, CLASS.INFINITY));
  const flipped = i32.xor(y.signExponent, SIGN);
  b.if(i32.and(i32.eqz(zeroX), i32.ne(signOf(x.signExponent), 0)), () => returnInvalid(b, target));
  b.if(i32.and(zeroY, i32.or(zeroX, infiniteX)), () => returnInvalid(b, target));
  b.if(zeroX, () => {
    b.if(i32.eqz(infiniteY), () => b.if(call(raiseX87, SW.ZE), () => b.return(i32.const(0))));
    returnInfinity(b, target, flipped);
  });
  const one = i32.and(i32.eq(x.signExponent, BIAS), i64.eq(x.significand, INTEGER_BIT));
  const isOne = b.let(one);
  b.if(i32.and(infiniteY, isOne), () => returnInvalid(b, target));
  checkDenormal(b, x.class, y.class);
  const below = b.let(i32.lt_u(x.signExponent, BIAS));
  const sign = b.let(i32.xor(y.signExponent, select(below, i32.const(SIGN), i32.const(0))));
  b.if(i32.or(infiniteX, infiniteY), () => returnInfinity(b, target, sign));
  b.if(i32.or(zeroY, isOne), () => returnZero(b, target, sign));
  const p = normalize(b, x);
  setWide(b, WIDE.A, p.significand, 0n, i32.sub(p.exponent, BIAS));
  const logSign = b.let(call(wideLog2));
  // The logarithm of a power of two is exact, and nothing else has no low part.
  const inexact = b.let(i64.ne(wideLow(WIDE.C), 0n));
  storeTimes(b, target, logSign, normalize(b, y), inexact);
  b.return(i32.const(1));
});

/** From here on 1 + x is formed; below it would lose digits. */
const LARGE_EXPONENT = BIAS - 2;

/** x87LogarithmPlusOne(): FYL2XP1, ST(1) = ST(1) * log2(ST(0) + 1); the caller pops. */
export const logarithmPlusOne = routine('x87LogarithmPlusOne', [], 'i32', (b) => {
  const { target, x, y } = operands(b);
  const zeroX = b.let(i32.eqz(x.class));
  const zeroY = b.let(i32.eqz(y.class));
  const infiniteX = b.let(i32.eq(x.class, CLASS.INFINITY));
  const infiniteY = b.let(i32.eq(y.class, CLASS.INFINITY));
  const sign = b.let(i32.xor(x.signExponent, y.signExponent));
  const negativeInfinity = i32.and(infiniteX, i32.ne(signOf(x.signExponent), 0));
  const noProduct = i32.or(i32.and(infiniteX, zeroY), i32.and(infiniteY, zeroX));
  b.if(i32.or(negativeInfinity, noProduct), () => returnInvalid(b, target));
  checkDenormal(b, x.class, y.class);
  b.if(i32.or(infiniteX, infiniteY), () => returnInfinity(b, target, sign));
  b.if(i32.or(zeroX, zeroY), () => returnZero(b, target, sign));
  const p = normalize(b, x);
  const logSign = b.var(p.sign);
  setWide(b, WIDE.A, p.significand, 0n, i32.sub(p.exponent, BIAS));
  b.if(
    i32.lt_s(p.exponent, LARGE_EXPONENT),
    () => {
      // (1 + s) / (1 - s) with s = x / (2 + x)
      setOne(b, WIDE.B, 1);
      b.if(
        p.sign,
        () => b.do(wideSubtract, WIDE.D, WIDE.B, WIDE.A),
        () => b.do(wideAdd, WIDE.D, WIDE.B, WIDE.A),
      );
      b.do(wideDivide, WIDE.A, WIDE.A, WIDE.D);
      logOfRatio(b);
    },
    () => {
      // Not defined for 1 + x <= 0: processors return x.
      b.if(i32.and(i32.ne(p.sign, 0), i32.ge_s(p.exponent, BIAS)), () => {
        b.do(raiseX87, SW.PE);
        storeReal(b, target, x.significand, x.signExponent);
        b.return(i32.const(1));
      });
      setOne(b, WIDE.B);
      b.if(
        p.sign,
        () => b.do(wideSubtract, WIDE.A, WIDE.B, WIDE.A),
        () =>
          b.if(
            i32.ge_s(p.exponent, BIAS),
            () => b.do(wideAdd, WIDE.A, WIDE.A, WIDE.B),
            () => b.do(wideAdd, WIDE.A, WIDE.B, WIDE.A),
          ),
      );
      b.set(logSign, call(wideLog2));
    },
  );
  storeTimes(b, target, logSign, normalize(b, y), 1);
  b.return(i32.const(1));
});
