import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I64 } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import { roundingFlags } from './fast-path.js';
import type { Real } from './format.js';
import {
  BIAS,
  CLASS,
  INTEGER_BIT,
  MAX_EXPONENT,
  QUIET_BIT,
  WAS_DENORMAL,
  classOf,
  exponentOf,
  loadReal,
  normalize,
  signOf,
} from './format.js';
import { roundsUp } from './round.js';
import { isFilled, registerAddress } from './stack.js';
import { ROUNDING, SW, clearC1, controlWord, raiseX87, roundingOf } from './status.js';
import { setOperand, setResult } from './work.js';
import { jam, shiftRightJam } from './wide-integer.js';

/** m32 or m64. */
export interface ShortFormat {
  readonly fractionBits: number;
  readonly bias: number;
  readonly maxExponent: number;
}
export const SINGLE: ShortFormat = { fractionBits: 23, bias: 127, maxExponent: 0xff };
export const DOUBLE: ShortFormat = { fractionBits: 52, bias: 1023, maxExponent: 0x7ff };

/** The value with `sign`, exponent field and fraction (moved up to bit 62) becomes the operand. */
function widen(b: Body, format: ShortFormat, sign: I32, field: I32, fraction: I64): void {
  const { bias, maxExponent } = format;
  b.if(i32.eqz(field), () => {
    b.if(
      i64.eqz(fraction),
      () => setOperand(b, 0n, sign),
      () => {
        const shift = b.let(i64.clz(fraction));
        const exponent = i32.sub(BIAS - bias + 1, i32.wrap(shift));
        setOperand(b, i64.shl(fraction, shift), i32.or(i32.or(sign, exponent), WAS_DENORMAL));
      },
    );
    b.return();
  });
  const exponent = select(i32.eq(field, maxExponent), i32.const(MAX_EXPONENT), i32.add(field, BIAS - bias));
  setOperand(b, i64.or(fraction, INTEGER_BIT), i32.or(sign, exponent));
}

/** x87LoadSingle(bits), x87LoadDouble(bits): the operand is an m32 or m64. */
export const loadSingle = routine('x87LoadSingle', ['i32'], null, (b, bits) => {
  const sign = b.let(i32.and(i32.shr_u(bits, 16), 0x8000));
  const field = b.let(i32.and(i32.shr_u(bits, SINGLE.fractionBits), SINGLE.maxExponent));
  widen(b, SINGLE, sign, field, b.let(i64.shl(i64.extend_u(i32.and(bits, 0x7f_ffff)), 40n)));
});
export const loadDouble = routine('x87LoadDouble', ['i64'], null, (b, bits) => {
  const top = b.let(i32.wrap(i64.shr_u(bits, 48n)));
  const field = b.let(i32.and(i32.shr_u(top, 4), DOUBLE.maxExponent));
  widen(b, DOUBLE, b.let(i32.and(top, 0x8000)), field, b.let(i64.shr_u(i64.shl(bits, 12n), 1n)));
});

/** A short format's bits, if they `fit`, and PE and C1 as the rounding has them. */
export interface Narrowed {
  readonly fits: I32;
  readonly value: I64;
  readonly flags: I32;
}

/**
 * A normal number rounded to nearest in `format`. It `fits` (0/1) when its exponent allows neither underflow nor, even if
 * rounding adds one to it, overflow. The sum is right in that case, too: the carry goes into the exponent field.
 */
export function narrowPlain(b: Body, { fractionBits, bias, maxExponent }: ShortFormat, x: Real): Narrowed {
  const cutBits = BigInt(63 - fractionBits);
  const exponent = b.let(i32.sub(exponentOf(x.signExponent), BIAS - bias));
  const inRange = i32.lt_u(i32.sub(exponent, 1), maxExponent - 2);
  const high = b.let(i64.shr_u(x.significand, cutBits));
  const low = b.let(i64.and(x.significand, (1n << cutBits) - 1n));
  // Above the middle, or on it and odd.
  const up = b.let(i64.gt_u(low, i64.sub(1n << (cutBits - 1n), i64.and(high, 1n))));
  // The integer bit adds one to the exponent field.
  const field = i64.shl(i64.extend_u(i32.sub(exponent, 1)), BigInt(fractionBits));
  const sign = i64.shl(i64.extend_u(signOf(x.signExponent)), BigInt(fractionBits === SINGLE.fractionBits ? 16 : 48));
  return {
    fits: i32.and(i64.lt_s(x.significand, 0n), inRange),
    value: i64.or(sign, i64.add(i64.add(field, high), i64.extend_u(up))),
    flags: roundingFlags(i64.ne(low, 0n), up),
  };
}

/** ST(0) in `format` as the result; returns 1 when it is to be stored, 0 when an unmasked exception forbids it. */
function narrow(b: Body, format: ShortFormat): void {
  const { fractionBits, bias, maxExponent } = format;
  const place = 1n << BigInt(63 - fractionBits);
  const signShift = BigInt(fractionBits === SINGLE.fractionBits ? 16 : 48);
  const infinity = BigInt(maxExponent) << BigInt(fractionBits);
  const indefinite = infinity | (1n << BigInt(fractionBits - 1)) | (1n << (signShift + 15n));
  const finish = (value: I64): void => {
    setResult(b, value);
    b.return(i32.const(1));
  };
  const orIndefinite = (flags: number): void => {
    b.if(call(raiseX87, flags), () => b.return(i32.const(0)));
    finish(i64.const(indefinite));
  };
  clearC1(b);
  b.if(i32.eqz(isFilled(0)), () => orIndefinite(SW.IE | SW.SF));
  const x = loadReal(b, registerAddress(0));
  const kind = b.let(classOf(x));
  const sign = b.let(signOf(x.signExponent));
  const signBits = b.let(i64.shl(i64.extend_u(sign), signShift));
  b.if(i32.eqz(kind), () => finish(signBits));
  b.if(i32.eq(kind, CLASS.UNSUPPORTED), () => orIndefinite(SW.IE));
  b.if(i32.ge_u(kind, CLASS.INFINITY), () => {
    b.if(i32.eq(kind, CLASS.SIGNALLING_NAN), () => b.if(call(raiseX87, SW.IE), () => b.return(i32.const(0))));
    const quiet = i64.or(x.significand, select(i32.eq(kind, CLASS.INFINITY), i64.const(0n), i64.const(QUIET_BIT)));
    const fraction = i64.shr_u(i64.shl(quiet, 1n), BigInt(64 - fractionBits));
    finish(i64.or(i64.or(signBits, infinity), fraction));
  });
  const { exponent: wide, significand } = normalize(b, x);
  const exponent = b.var(i32.sub(wide, BIAS - bias));
  const high = b.var(significand);
  const low = b.var('i64');
  const cut = (): void => {
    b.set(low, i64.or(i64.shl(high, BigInt(fractionBits + 1)), jam(low)));
    b.set(high, i64.and(high, -place));
  };
  const roundUp = (): I32 => call(roundsUp, controlWord(), sign, i64.ne(i64.and(high, place), 0n), low);
  b.set(low, i64.const(0n));
  const tiny = b.var(i32.const(0));
  b.if(i32.le_s(exponent, 0), () => {
    // Tiny is judged after rounding, as by x87Round.
    cut();
    const all = i32.and(i32.eqz(exponent), i64.eq(high, -place));
    b.set(tiny, i32.const(1));
    b.if(i32.and(all, i64.ne(low, 0n)), () => b.set(tiny, i32.eqz(roundUp())));
    b.if(i32.and(tiny, i32.eqz(i32.and(controlWord(), SW.UE))), () => {
      b.do(raiseX87, SW.UE);
      b.return(i32.const(0));
    });
    const shift = b.let(i32.sub(1, exponent));
    b.set(low, i64.const(0n));
    b.set(high, call(shiftRightJam, significand, shift));
    b.set(exponent, i32.const(1));
  });
  cut();
  const flags = b.var(i32.const(0));
  b.if(i64.ne(low, 0n), () => {
    b.set(flags, select(tiny, i32.const(SW.UE | SW.PE), i32.const(SW.PE)));
    b.if(roundUp(), () => {
      b.set(flags, i32.or(flags, SW.C1));
      b.set(high, i64.add(high, place));
      b.if(i64.eqz(high), () => {
        b.set(high, i64.const(INTEGER_BIT));
        b.set(exponent, i32.add(exponent, 1));
      });
    });
  });
  b.if(i32.ge_s(exponent, maxExponent), () => {
    b.if(i32.eqz(i32.and(controlWord(), SW.OE)), () => {
      b.do(raiseX87, SW.OE);
      b.return(i32.const(0));
    });
    const rc = b.let(roundingOf(controlWord()));
    const awayFromZero = i32.eq(rc, select(sign, i32.const(ROUNDING.DOWN), i32.const(ROUNDING.UP)));
    const toInfinity = b.let(i32.or(i32.eq(rc, ROUNDING.NEAREST), awayFromZero));
    b.do(raiseX87, select(toInfinity, i32.const(SW.OE | SW.PE | SW.C1), i32.const(SW.OE | SW.PE)));
    finish(i64.or(signBits, select(toInfinity, i64.const(infinity), i64.const(infinity - 1n))));
  });
  b.if(flags, () => b.do(raiseX87, flags));
  // The integer bit adds one to the exponent field; a denormal number has none.
  const field = i64.shl(i64.extend_u(i32.sub(exponent, 1)), BigInt(fractionBits));
  finish(i64.add(i64.or(signBits, field), i64.shr_u(high, BigInt(63 - fractionBits))));
}

/** x87StoreSingle(), x87StoreDouble(): ST(0) as an m32 or m64 in the result; returns 1 when it is to be stored. */
export const storeSingle = routine('x87StoreSingle', [], 'i32', (b) => narrow(b, SINGLE));
export const storeDouble = routine('x87StoreDouble', [], 'i32', (b) => narrow(b, DOUBLE));
