import type { Body } from '../ir/body.js';
import type { I32, I64, Local } from '../ir/expr.js';
import { i32, i64, select } from '../ir/expr.js';
import type { Operand, Semantics } from '../semantics.js';
import { loadDouble, loadSingle } from './convert-float.js';
import type { Real } from './format.js';
import { BIAS, INTEGER_BIT, SIGN, SIGN_EXPONENT_OFFSET } from './format.js';
import { rememberInstruction } from './pointer.js';
import { WORK } from './work.js';

/** A memory operand that is converted to 80 bits: its notation, how it is read, and what it is converted with. */
export interface MemoryFormat {
  readonly notation: string;
  readonly read: (c: Semantics, m: Operand) => I64;
  /** The value of the bits read; for reals that are not normal with the routines of convert-float.ts. */
  readonly convert: (b: Body, bits: I64) => Real;
}

interface RealLocals {
  readonly significand: Local<'i64'>;
  readonly signExponent: Local<'i32'>;
}

function takeOperand(b: Body, { significand, signExponent }: RealLocals): void {
  b.set(significand, i64.load(WORK.OPERAND));
  b.set(signExponent, i32.load(WORK.OPERAND, SIGN_EXPONENT_OFFSET));
}

/** Of m32 and m64: sign and exponent field in `top`, the fraction moved up to bit 62. */
function convertReal(b: Body, top: I32, fieldBits: 8 | 11, fraction: I64, unusual: () => void): Real {
  const largest = (1 << fieldBits) - 1;
  const field = b.let(i32.and(top, largest));
  const value: RealLocals = { significand: b.var('i64'), signExponent: b.var('i32') };
  b.if(
    i32.lt_u(i32.sub(field, 1), largest - 1),
    () => {
      b.set(value.significand, i64.or(fraction, INTEGER_BIT));
      const sign = i32.and(i32.shl(top, 15 - fieldBits), SIGN);
      b.set(value.signExponent, i32.or(i32.add(field, BIAS - (largest >> 1)), sign));
    },
    () => {
      unusual();
      takeOperand(b, value);
    },
  );
  return value;
}

export function convertSingle(b: Body, bits: I64): Real {
  const top = b.let(i32.wrap(i64.shr_u(bits, 23n)));
  return convertReal(b, top, 8, i64.and(i64.shl(bits, 40n), INTEGER_BIT - 1n), () => b.do(loadSingle, i32.wrap(bits)));
}
export function convertDouble(b: Body, bits: I64): Real {
  const top = b.let(i32.wrap(i64.shr_u(bits, 52n)));
  return convertReal(b, top, 11, i64.and(i64.shl(bits, 11n), INTEGER_BIT - 1n), () => b.do(loadDouble, bits));
}
/** Zero has no leading bit: shifting by 64 is shifting by 0, and its exponent is cleared. */
export function convertInteger(b: Body, value: I64): Real {
  const sign = b.let(i64.shr_s(value, 63n));
  const magnitude = b.let(i64.sub(i64.xor(value, sign), sign));
  const shift = b.let(i64.clz(magnitude));
  const exponent = i32.or(i32.sub(BIAS + 63, i32.wrap(shift)), i32.and(i32.wrap(sign), SIGN));
  return {
    significand: b.let(i64.shl(magnitude, shift)),
    signExponent: b.let(select(i64.eqz(value), i32.const(0), exponent)),
  };
}

export const M32REAL: MemoryFormat = {
  notation: 'Md',
  read: (c, m) => c.let(i64.extend_u(c.read(m))),
  convert: convertSingle,
};
export const M64REAL: MemoryFormat = { notation: 'Mq', read: (c, m) => c.let(c.read64(m)), convert: convertDouble };
export const M16INT: MemoryFormat = {
  notation: 'Mw',
  read: (c, m) => c.let(i64.extend_s(i32.extend16_s(c.read(m)))),
  convert: convertInteger,
};
export const M32INT: MemoryFormat = {
  notation: 'Md',
  read: (c, m) => c.let(i64.extend_s(c.read(m))),
  convert: convertInteger,
};
export const M64INT: MemoryFormat = { notation: 'Mq', read: (c, m) => c.let(c.read64(m)), convert: convertInteger };

/** Reads and converts the memory operand of an instruction, and remembers the instruction. */
export function takeMemory(c: Semantics, format: MemoryFormat, m: Operand): Real {
  const bits = format.read(c, m);
  rememberInstruction(c, m);
  return format.convert(c, bits);
}
