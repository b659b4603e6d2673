import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I32Like, I64, I64Like } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import { SW, raiseX87 } from './status.js';

/**
 * The 80-bit format (SDM 1, 4.2.2). Routines take a value as its significand (i64, integer bit on top) and its sign and
 * exponent (i32, as in the register). A result goes to a place in the engine's memory: a register or a cell.
 *
 * Routines for operations return 1 when the result is stored and 0 when an unmasked exception has kept the operands as
 * they were.
 */
export const BIAS = 0x3fff;
export const MAX_EXPONENT = 0x7fff;
export const SIGN = 0x8000;
/** In a sign-and-exponent argument: the operand was a denormal m32 or m64, which is a normal number in this format. */
export const WAS_DENORMAL = 0x1_0000;
export const INTEGER_BIT = 1n << 63n;
export const QUIET_BIT = 1n << 62n;
/** The default NaN. */
export const INDEFINITE = { significand: INTEGER_BIT | QUIET_BIT, signExponent: SIGN | MAX_EXPONENT } as const;
export const ONE = { significand: INTEGER_BIT, signExponent: BIAS } as const;
/** Bytes from the significand to sign and exponent. */
export const SIGN_EXPONENT_OFFSET = 8;

export const CLASS = {
  ZERO: 0,
  NORMAL: 1,
  /** Pseudo-denormals are among them. */
  DENORMAL: 2,
  INFINITY: 3,
  QUIET_NAN: 4,
  SIGNALLING_NAN: 5,
  /** Unnormals, pseudo-infinities, pseudo-NaNs: invalid since the 80387 (SDM 1, 8.2.2). */
  UNSUPPORTED: 6,
} as const;

export interface Real {
  readonly significand: I64;
  readonly signExponent: I32;
}

export function loadReal(b: Body, address: I32Like): Real {
  return {
    significand: b.let(i64.load(address)),
    signExponent: b.let(i32.load16_u(address, SIGN_EXPONENT_OFFSET)),
  };
}
export function storeReal(b: Body, address: I32Like, significand: I64Like, signExponent: I32Like): void {
  b.store64(address, typeof significand === 'number' ? BigInt(significand) : significand);
  b.store16(address, signExponent, SIGN_EXPONENT_OFFSET);
}
export function storeIndefinite(b: Body, address: I32Like): void {
  storeReal(b, address, INDEFINITE.significand, INDEFINITE.signExponent);
}
export function storeInfinity(b: Body, address: I32Like, sign: I32): void {
  storeReal(b, address, INTEGER_BIT, i32.or(sign, MAX_EXPONENT));
}

export const signOf = (signExponent: I32): I32 => i32.and(signExponent, SIGN);
export const exponentOf = (signExponent: I32): I32 => i32.and(signExponent, MAX_EXPONENT);

/** 1 for normal numbers, which most operands are. */
export function isNormal({ significand, signExponent }: Real): I32 {
  const field = i32.and(signExponent, WAS_DENORMAL | MAX_EXPONENT);
  return i32.and(i64.lt_s(significand, 0n), i32.lt_u(i32.sub(field, 1), MAX_EXPONENT - 1));
}

/** x87Class(significand, signExponent): one of CLASS. */
export const classify = routine('x87Class', ['i64', 'i32'], 'i32', (b, significand, signExponent) => {
  b.if(isNormal({ significand, signExponent }), () => b.return(i32.const(CLASS.NORMAL)));
  b.if(i64.eqz(significand), () =>
    b.return(select(exponentOf(signExponent), i32.const(CLASS.UNSUPPORTED), i32.const(CLASS.ZERO))),
  );
  b.if(i32.or(i32.eqz(exponentOf(signExponent)), i32.and(signExponent, WAS_DENORMAL)), () =>
    b.return(i32.const(CLASS.DENORMAL)),
  );
  b.if(i64.ge_s(significand, 0n), () => b.return(i32.const(CLASS.UNSUPPORTED)));
  b.if(i64.eq(significand, INTEGER_BIT), () => b.return(i32.const(CLASS.INFINITY)));
  const quiet = i64.ne(i64.and(significand, QUIET_BIT), 0n);
  b.return(select(quiet, i32.const(CLASS.QUIET_NAN), i32.const(CLASS.SIGNALLING_NAN)));
});

export function classOf({ significand, signExponent }: Real): I32 {
  return call(classify, significand, signExponent);
}

/** A number other than zero with the leading bit of its significand on top; the exponent may be below 1. */
export interface Normalized {
  readonly sign: I32;
  readonly exponent: I32;
  readonly significand: I64;
}
export function normalize(b: Body, { significand, signExponent }: Real): Normalized {
  const shift = b.let(i64.clz(significand));
  const field = b.let(exponentOf(signExponent));
  return {
    sign: b.let(signOf(signExponent)),
    // Exponent fields 0 and 1 mean the same power of two.
    exponent: b.let(i32.sub(i32.add(field, i32.eqz(field)), i32.wrap(shift))),
    significand: b.let(i64.shl(significand, shift)),
  };
}

/** x87Invalid(target): raises IE; the masked response is the default NaN. */
export const invalid = routine('x87Invalid', ['i32'], 'i32', (b, target) => {
  b.if(call(raiseX87, SW.IE), () => b.return(i32.const(0)));
  storeIndefinite(b, target);
  b.return(i32.const(1));
});

/** Returns from a routine with invalid()'s response. */
export function returnInvalid(b: Body, target: I32Like): void {
  b.return(call(invalid, i32.add(target, 0)));
}

/** Raises DE if one of the classes is that of a denormal; the routine ends when DE is unmasked. */
export function checkDenormal(b: Body, ...classes: readonly I32[]): void {
  const some = classes.map((c) => i32.eq(c, CLASS.DENORMAL)).reduce((one, other) => i32.or(one, other));
  b.if(some, () => b.if(call(raiseX87, SW.DE), () => b.return(i32.const(0))));
}
