import { routine } from '../ir/body.js';
import type { I64 } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import { loadInteger, storeInteger } from './convert-int.js';
import { SIGN, SIGN_EXPONENT_OFFSET } from './format.js';
import { registerAddress } from './stack.js';
import { controlWord } from './status.js';
import { WORK, result } from './work.js';

/** Packed decimal (SDM 1, 4.7): 18 digits, the lowest first, two a byte; the sign is the top bit of the tenth byte. */
const LARGEST = 10n ** 18n - 1n;
/** Digits in the lower eight bytes. */
const LOW_DIGITS = 16;
const INDEFINITE = { low: 0xc000_0000_0000_0000n, high: 0xffff } as const;

/** x87LoadBcd(low, high): the operand is the packed decimal with these bytes. Digits beyond 9 count as they are. */
export const loadBcd = routine('x87LoadBcd', ['i64', 'i32'], null, (b, low, high) => {
  const digit = (from: I64): I64 => i64.and(from, 15n);
  const top = b.let(i64.extend_u(high));
  const value = b.var(i64.add(i64.mul(digit(i64.shr_u(top, 4n)), 10n), digit(top)));
  const rest = b.var(low);
  const count = b.var(i32.const(LOW_DIGITS));
  b.loop((again) => {
    b.set(value, i64.add(i64.mul(value, 10n), i64.shr_u(rest, 60n)));
    b.set(rest, i64.shl(rest, 4n));
    b.set(count, i32.sub(count, 1));
    b.brIf(again, count);
  });
  b.do(loadInteger, value);
  const signExponent = i32.load(WORK.OPERAND, SIGN_EXPONENT_OFFSET);
  b.store(WORK.OPERAND, i32.or(signExponent, i32.and(high, SIGN)), SIGN_EXPONENT_OFFSET);
});

/** x87StoreBcd(): ST(0) as packed decimal in the result, ten bytes; returns 1 when it is to be stored. */
export const storeBcd = routine('x87StoreBcd', [], 'i32', (b) => {
  b.if(i32.eqz(call(storeInteger, LARGEST, 1, controlWord())), () => b.return(i32.const(0)));
  const value = b.let(result());
  b.if(i64.eq(value, -1n - LARGEST), () => {
    b.store64(WORK.RESULT, INDEFINITE.low);
    b.store16(WORK.RESULT, INDEFINITE.high, SIGN_EXPONENT_OFFSET);
    b.return(i32.const(1));
  });
  const rest = b.var(select(i64.lt_s(value, 0n), i64.neg(value), value));
  const low = b.var(i64.const(0n));
  const count = b.var(i32.const(LOW_DIGITS));
  b.loop((again) => {
    const quotient = b.let(i64.div_u(rest, 10n));
    // Each digit enters at the top and moves down as the next ones follow.
    const digit = i64.sub(rest, i64.mul(quotient, 10n));
    b.set(low, i64.or(i64.shr_u(low, 4n), i64.shl(digit, 60n)));
    b.set(rest, quotient);
    b.set(count, i32.sub(count, 1));
    b.brIf(again, count);
  });
  const top = b.let(i32.wrap(rest));
  const tens = b.let(i32.div_u(top, 10));
  const digits = i32.or(i32.shl(tens, 4), i32.sub(top, i32.mul(tens, 10)));
  // Also -0 has a sign.
  const sign = i32.and(i32.load16_u(registerAddress(0), SIGN_EXPONENT_OFFSET), SIGN);
  b.store64(WORK.RESULT, low);
  b.store16(WORK.RESULT, i32.or(digits, sign), SIGN_EXPONENT_OFFSET);
  b.return(i32.const(1));
});
