import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I64 } from '../ir/expr.js';
import { call, i32, i64 } from '../ir/expr.js';
import {
  BIAS,
  CLASS,
  SIGN,
  checkDenormal,
  classOf,
  exponentOf,
  isNormal,
  normalize,
  returnInvalid,
  storeInfinity,
  storeReal,
} from './format.js';
import { screenOperands } from './nan.js';
import { round } from './round.js';
import { controlWord } from './status.js';
import { multiplyHigh } from './wide-integer.js';

/** The rounded product of two normalized numbers whose biased exponents add up to `exponents`. */
function storeProduct(b: Body, target: I32, sign: I32, exponents: I32, x: I64, y: I64): void {
  const high = b.let(call(multiplyHigh, x, y));
  const low = b.let(i64.mul(x, y));
  const exponent = b.let(i32.sub(exponents, BIAS - 1));
  b.if(
    i64.lt_s(high, 0n),
    () => b.do(round, target, sign, exponent, high, low, controlWord()),
    () => {
      const shifted = i64.or(i64.shl(high, 1n), i64.shr_u(low, 63n));
      b.do(round, target, sign, i32.sub(exponent, 1), shifted, i64.shl(low, 1n), controlWord());
    },
  );
}

/** x87MultiplyUnusual(...): x87Multiply when an operand is zero, denormal or no number. */
const multiplyUnusual = routine(
  'x87MultiplyUnusual',
  ['i32', 'i64', 'i32', 'i64', 'i32'],
  'i32',
  (b, target, significandA, signExponentA, significandB, signExponentB) => {
    const x = { significand: significandA, signExponent: signExponentA };
    const y = { significand: significandB, signExponent: signExponentB };
    const classX = b.let(classOf(x));
    const classY = b.let(classOf(y));
    screenOperands(b, target, { ...x, class: classX }, { ...y, class: classY });
    const sign = b.let(i32.and(i32.xor(signExponentA, signExponentB), SIGN));
    const infinite = b.let(i32.or(i32.eq(classX, CLASS.INFINITY), i32.eq(classY, CLASS.INFINITY)));
    const zero = b.let(i32.or(i32.eqz(classX), i32.eqz(classY)));
    b.if(i32.and(infinite, zero), () => returnInvalid(b, target));
    checkDenormal(b, classX, classY);
    b.if(infinite, () => {
      storeInfinity(b, target, sign);
      b.return(i32.const(1));
    });
    b.if(zero, () => {
      storeReal(b, target, 0n, sign);
      b.return(i32.const(1));
    });
    const p = normalize(b, x);
    const q = normalize(b, y);
    storeProduct(b, target, sign, i32.add(p.exponent, q.exponent), p.significand, q.significand);
    b.return(i32.const(1));
  },
);

/** x87Multiply(target, a, b) */
export const multiply = routine(
  'x87Multiply',
  ['i32', 'i64', 'i32', 'i64', 'i32'],
  'i32',
  (b, target, significandA, signExponentA, significandB, signExponentB) => {
    const normal = i32.and(
      isNormal({ significand: significandA, signExponent: signExponentA }),
      isNormal({ significand: significandB, signExponent: signExponentB }),
    );
    b.if(normal, () => {
      const sign = b.let(i32.and(i32.xor(signExponentA, signExponentB), SIGN));
      const exponents = i32.add(exponentOf(signExponentA), exponentOf(signExponentB));
      storeProduct(b, target, sign, exponents, significandA, significandB);
      b.return(i32.const(1));
    });
    b.return(call(multiplyUnusual, target, significandA, signExponentA, significandB, signExponentB));
  },
);
