import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I64, Local } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import { roundingFlags } from './fast-path.js';
import type { Normalized } from './format.js';
import {
  BIAS,
  CLASS,
  SIGN,
  checkDenormal,
  classOf,
  exponentOf,
  loadReal,
  normalize,
  signOf,
  storeReal,
} from './format.js';
import { screenOperand } from './nan.js';
import { roundsUp } from './round.js';
import { addressOfPhysical, isFilled, isFilledIn, readStack, registerAddress, writeStack } from './stack.js';
import { ROUNDING, SW, clearC1, controlWord, raiseX87, roundingOf } from './status.js';
import { setOperand, setResult } from './work.js';
import { shiftRightJam } from './wide-integer.js';

/** x87LoadInteger(value): the operand is an integer. */
export const loadInteger = routine('x87LoadInteger', ['i64'], null, (b, value) => {
  b.if(i64.eqz(value), () => {
    setOperand(b, 0n, 0);
    b.return();
  });
  const negative = b.let(i64.lt_s(value, 0n));
  const magnitude = b.let(select(negative, i64.neg(value), value));
  const shift = b.let(i64.clz(magnitude));
  const exponent = i32.sub(BIAS + 63, i32.wrap(shift));
  setOperand(b, i64.shl(magnitude, shift), i32.or(exponent, select(negative, i32.const(SIGN), i32.const(0))));
});

interface RoundedInteger {
  readonly magnitude: Local<'i64'>;
  /** PE and C1 as they are to be raised. */
  readonly flags: Local<'i32'>;
}

/** A number below 2^64 rounded to an integer as `control` says. */
function roundToInteger(b: Body, { sign, exponent, significand }: Normalized, control: I32): RoundedInteger {
  const power = b.let(i32.sub(exponent, BIAS));
  const magnitude = b.var(i64.const(0n));
  const fraction = b.var('i64');
  b.if(
    i32.lt_s(power, 0),
    () => b.set(fraction, call(shiftRightJam, significand, i32.sub(-1, power))),
    () => {
      const n = b.let(i64.extend_u(power));
      b.set(magnitude, i64.shr_u(significand, i64.sub(63n, n)));
      b.set(fraction, i64.shl(i64.shl(significand, 1n), n));
    },
  );
  const flags = b.var(i32.const(0));
  b.if(i64.ne(fraction, 0n), () => {
    b.set(flags, i32.const(SW.PE));
    b.if(call(roundsUp, control, sign, i32.and(i32.wrap(magnitude), 1), fraction), () => {
      b.set(flags, i32.const(SW.PE | SW.C1));
      b.set(magnitude, i64.add(magnitude, 1n));
    });
  });
  return { magnitude, flags };
}

/** The response to a value that has no place: the integer indefinite (SDM 1, table 4-3). */
function returnIndefinite(b: Body, largest: I64, flags: number): void {
  b.if(call(raiseX87, flags), () => b.return(i32.const(0)));
  setResult(b, i64.sub(-1n, largest));
  b.return(i32.const(1));
}

/**
 * Ends x87StoreInteger for numbers from 1 on that fit, rounded to nearest or cut off, with PE masked; falls through
 * otherwise, with nothing changed.
 */
function storePlainInteger(b: Body, largest: I64, symmetric: I32, control: I32): void {
  const stack = readStack(b);
  const x = loadReal(b, b.let(addressOfPhysical(stack.top)));
  const power = b.let(i32.sub(exponentOf(x.signExponent), BIAS));
  const rc = b.let(roundingOf(control));
  const isPlain = i32.and(i32.ne(i32.and(controlWord(), SW.PE), 0), i32.or(i32.eqz(rc), i32.eq(rc, ROUNDING.ZERO)));
  const isNumber = i32.and(i64.lt_s(x.significand, 0n), i32.lt_u(power, 63));
  b.if(i32.and(i32.and(isFilledIn(stack, stack.top), isPlain), isNumber), () => {
    const n = b.let(i64.extend_u(power));
    const whole = b.let(i64.shr_u(x.significand, i64.sub(63n, n)));
    const fraction = b.let(i64.shl(i64.shl(x.significand, 1n), n));
    // Above the middle, or on it and odd.
    const isAbove = i64.gt_u(fraction, i64.sub(1n << 63n, i64.and(whole, 1n)));
    const up = b.let(i32.and(isAbove, i32.eqz(rc)));
    const magnitude = b.let(i64.add(whole, i64.extend_u(up)));
    const isNegative = b.let(i32.ne(signOf(x.signExponent), 0));
    const oneMore = i32.and(isNegative, i32.eqz(symmetric));
    b.if(i64.le_u(magnitude, i64.add(largest, i64.extend_u(oneMore))), () => {
      setResult(b, select(isNegative, i64.neg(magnitude), magnitude));
      writeStack(b, stack, roundingFlags(i64.ne(fraction, 0n), up), false);
      b.return(i32.const(1));
    });
  });
}

/**
 * x87StoreInteger(largest, symmetric, control): ST(0) rounded to an integer that is at most `largest` and, unless
 * `symmetric`, at least -largest - 1. That integer is the result, or -largest - 1 when there is none; returns 1 when it
 * is to be stored.
 */
export const storeInteger = routine(
  'x87StoreInteger',
  ['i64', 'i32', 'i32'],
  'i32',
  (b, largest, symmetric, control) => {
    storePlainInteger(b, largest, symmetric, control);
    clearC1(b);
    b.if(i32.eqz(isFilled(0)), () => returnIndefinite(b, largest, SW.IE | SW.SF));
    const x = loadReal(b, registerAddress(0));
    const kind = b.let(classOf(x));
    b.if(i32.eqz(kind), () => {
      setResult(b, 0n);
      b.return(i32.const(1));
    });
    b.if(i32.ge_u(kind, CLASS.INFINITY), () => returnIndefinite(b, largest, SW.IE));
    const number = normalize(b, x);
    b.if(i32.gt_s(number.exponent, BIAS + 63), () => returnIndefinite(b, largest, SW.IE));
    const { magnitude, flags } = roundToInteger(b, number, control);
    const oneMore = i32.and(i32.ne(number.sign, 0), i32.eqz(symmetric));
    b.if(i64.gt_u(magnitude, i64.add(largest, i64.extend_u(oneMore))), () => returnIndefinite(b, largest, SW.IE));
    // PE does not keep the result back, even unmasked.
    b.if(flags, () => b.do(raiseX87, flags));
    setResult(b, select(number.sign, i64.neg(magnitude), magnitude));
    b.return(i32.const(1));
  },
);

/** x87RoundToInteger(target, a): FRNDINT. */
export const roundReal = routine(
  'x87RoundToInteger',
  ['i32', 'i64', 'i32'],
  'i32',
  (b, target, significand, signExponent) => {
    const x = { significand, signExponent };
    const kind = b.let(classOf(x));
    screenOperand(b, target, { ...x, class: kind });
    checkDenormal(b, kind);
    const unchanged = i32.or(i32.eqz(kind), i32.eq(kind, CLASS.INFINITY));
    const number = normalize(b, x);
    b.if(i32.or(unchanged, i32.ge_s(number.exponent, BIAS + 63)), () => {
      storeReal(b, target, significand, signExponent);
      b.return(i32.const(1));
    });
    const { magnitude, flags } = roundToInteger(b, number, controlWord());
    b.if(flags, () => b.do(raiseX87, flags));
    b.if(i64.eqz(magnitude), () => {
      storeReal(b, target, 0n, signOf(signExponent));
      b.return(i32.const(1));
    });
    const shift = b.let(i64.clz(magnitude));
    const exponent = i32.sub(BIAS + 63, i32.wrap(shift));
    storeReal(b, target, i64.shl(magnitude, shift), i32.or(number.sign, exponent));
    b.return(i32.const(1));
  },
);
