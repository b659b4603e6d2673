import { routine } from '../../ir/body.js';
import type { F64, I32, I64 } from '../../ir/expr.js';
import { call, f32, f64, i32, i64, select } from '../../ir/expr.js';
import { isPlainMode } from './fast-double.js';
import { DOUBLE, Format, SIGN, SINGLE } from './format.js';
import { MXCSR, ROUNDING, mxcsr, noteSseFlags, roundingControl } from './mxcsr.js';
import { roundPack } from './round-pack.js';
import { denormalsAreZeros, noteDenormal } from './soft-arithmetic.js';

/** "Integer indefinite": the result of a conversion that is invalid. */
const INTEGER_INDEFINITE = -0x8000_0000;

/** Integral value of v in rounding mode `rc`. */
const roundToIntegral = (v: F64, rc: I32): F64 =>
  select(
    i32.eqz(rc),
    f64.nearest(v),
    select(i32.eq(rc, ROUNDING.DOWN), f64.floor(v), select(i32.eq(rc, ROUNDING.UP), f64.ceil(v), f64.trunc(v))),
  );

/**
 * floatToInteger(v, rc): a 32-bit integer. Notes IE for NaNs and values out of range, else PE for fractions. Denormal
 * operands raise no DE here (SDM 1, 11.5.2.2); DAZ is the caller's.
 */
const floatToInteger = routine('floatToInteger', ['f64', 'i32'], 'i32', (b, v, rc) => {
  const whole = b.let(roundToIntegral(v, rc));
  // A NaN fails both comparisons.
  b.if(i32.and(f64.ge(whole, f64.const(-0x8000_0000)), f64.le(whole, f64.const(0x7fff_ffff))), () => {
    b.if(f64.ne(whole, v), () => b.do(noteSseFlags, MXCSR.PE));
    b.return(i32.trunc_sat_f64_s(whole));
  });
  b.do(noteSseFlags, MXCSR.IE);
  b.return(i32.const(INTEGER_INDEFINITE));
});

/** doubleToInteger(x, rc), x a bit pattern. */
export const doubleToInteger = routine('doubleToInteger', ['i64', 'i32'], 'i32', (b, x0, rc) => {
  const x = b.var(x0);
  denormalsAreZeros(b, new Format(b, i32.const(DOUBLE)), x);
  b.return(call(floatToInteger, f64.reinterpret(x), rc));
});

/** singleToInteger(x, rc), x a bit pattern. */
export const singleToInteger = routine('singleToInteger', ['i32', 'i32'], 'i32', (b, x, rc) => {
  const v = b.var(f64.promote(f32.reinterpret(x)));
  const denormal = i32.lt_u(i32.sub(i32.shl(x, 1), 1), (1 << 24) - 1);
  b.if(i32.and(denormal, i32.ne(i32.and(mxcsr(), MXCSR.DAZ), 0)), () => b.set(v, f64.const(0)));
  b.return(call(floatToInteger, v, rc));
});

/** Rounding of the CVT... and CVTT... conversions. */
export const conversionRounding = (truncate: boolean): I32 => (truncate ? i32.const(ROUNDING.ZERO) : roundingControl());

/** integerToSingle(n) */
export const integerToSingle = routine('integerToSingle', ['i32'], 'i32', (b, n) => {
  const r = b.let(f32.convert_i32_s(n));
  b.if(f64.eq(f64.promote(r), f64.convert_i32_s(n)), () => b.return(i32.reinterpret(r)));
  b.if(isPlainMode(b.let(mxcsr())), () => {
    b.do(noteSseFlags, MXCSR.PE);
    b.return(i32.reinterpret(r));
  });
  const sign = i32.shr_s(n, 31);
  const magnitude = b.let(i64.extend_u(i32.sub(i32.xor(n, sign), sign)));
  const shift = b.let(i64.clz(magnitude));
  // Significand * 2^(exponent - 127 - 63).
  const exponent = i32.sub(127 + 63, i32.wrap(shift));
  const signBit = i64.and(i64.extend_s(n), SIGN);
  const packed = call(roundPack, SINGLE, signBit, exponent, i64.shl(magnitude, shift));
  b.return(i32.wrap(i64.shr_u(packed, 32n)));
});

/** integerToDouble(n): always exact. */
export const integerToDouble = (n: I32): I64 => i64.reinterpret(f64.convert_i32_s(n));

/** singleToDouble(x): exact; SNaN raises IE, a denormal operand DE. */
export const singleToDouble = routine('singleToDouble', ['i32'], 'i64', (b, x32) => {
  const magnitude = b.let(i32.shl(x32, 1));
  b.if(i32.gt_u(magnitude, 0xff << 24), () => {
    b.if(i32.eqz(i32.and(x32, 1 << 22)), () => b.do(noteSseFlags, MXCSR.IE));
    const sign = i64.and(i64.extend_s(x32), SIGN);
    const payload = i64.shl(i64.extend_u(i32.and(x32, (1 << 22) - 1)), 29n);
    b.return(i64.or(i64.or(sign, 0x7ff8n << 48n), payload));
  });
  b.if(i32.lt_u(i32.sub(magnitude, 1), (1 << 24) - 1), () => {
    b.if(i32.and(mxcsr(), MXCSR.DAZ), () => b.return(i64.and(i64.extend_s(x32), SIGN)));
    b.do(noteSseFlags, MXCSR.DE);
  });
  b.return(i64.reinterpret(f64.promote(f32.reinterpret(x32))));
});

/** doubleToSingle(x) */
export const doubleToSingle = routine('doubleToSingle', ['i64'], 'i32', (b, x0) => {
  const csr = b.let(mxcsr());
  const r = b.let(i32.reinterpret(f32.demote(f64.reinterpret(x0))));
  // A result that is normal, finite and not the smallest normal number: neither OE nor UE, as in fast-double.ts.
  const wellNormal = i32.lt_u(i32.sub(i32.shl(r, 1), 2 << 24), (0xff - 2) << 24);
  b.if(i32.and(isPlainMode(csr), wellNormal), () => {
    b.if(f64.ne(f64.promote(f32.reinterpret(r)), f64.reinterpret(x0)), () => b.do(noteSseFlags, MXCSR.PE));
    b.return(r);
  });
  const f = new Format(b, i32.const(DOUBLE));
  const x = b.var(x0);
  denormalsAreZeros(b, f, x);
  const sign = b.let(i64.and(x, SIGN));
  const sign32 = b.let(i32.wrap(i64.shr_u(sign, 32n)));
  b.if(f.isNaN(x), () => {
    b.if(f.isSignalling(x), () => b.do(noteSseFlags, MXCSR.IE));
    const payload = i32.and(i32.wrap(i64.shr_u(x, 29n)), (1 << 22) - 1);
    b.return(i32.or(i32.or(sign32, 0x7fc0_0000), payload));
  });
  b.if(f.isInfinite(x), () => b.return(i32.or(sign32, 0x7f80_0000)));
  b.if(f.isZero(x), () => b.return(sign32));
  noteDenormal(b, f, x);
  const { exponent, significand } = f.unpack(x);
  const packed = call(roundPack, SINGLE, sign, i32.sub(exponent, 1023 - 127), significand);
  b.return(i32.wrap(i64.shr_u(packed, 32n)));
});
