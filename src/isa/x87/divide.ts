import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I64 } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
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
import { SW, controlWord, raiseX87 } from './status.js';
import { divideDigit } from './wide-integer.js';

const HALF = 1n << 63n;

/** The rounded quotient of two normalized numbers; `exponents`: the difference of their exponents. */
function storeQuotient(b: Body, target: I32, sign: I32, exponents: I32, x: I64, y: I64): void {
  // The dividend is halved where that makes the quotient one of 64 bits.
  const halve = b.let(i64.ge_u(x, y));
  const remainder = b.var(select(halve, i64.shr_u(x, 1n), x));
  const next = b.let(select(halve, i64.and(i64.shl(x, 31n), 0x8000_0000n), i64.const(0n)));
  const first = b.let(call(divideDigit, remainder, y, next));
  b.set(remainder, i64.sub(i64.or(i64.shl(remainder, 32n), next), i64.mul(first, y)));
  const second = b.let(call(divideDigit, remainder, y, 0n));
  b.set(remainder, i64.sub(i64.shl(remainder, 32n), i64.mul(second, y)));
  const quotient = i64.or(i64.shl(first, 32n), second);
  // The remainder compared with half the divisor says where the rest lies.
  const left = b.let(i64.sub(y, remainder));
  const half = select(i64.eq(remainder, left), i64.const(HALF), i64.const(HALF | 1n));
  const below = select(i64.lt_u(remainder, left), i64.const(1n), half);
  const fraction = select(i64.eqz(remainder), i64.const(0n), below);
  const exponent = i32.add(i32.add(exponents, BIAS - 1), halve);
  b.do(round, target, sign, exponent, quotient, fraction, controlWord());
}

/** x87DivideUnusual(...): x87Divide when an operand is zero, denormal or no number. */
const divideUnusual = routine(
  'x87DivideUnusual',
  ['i32', 'i64', 'i32', 'i64', 'i32'],
  'i32',
  (b, target, significandA, signExponentA, significandB, signExponentB) => {
    const x = { significand: significandA, signExponent: signExponentA };
    const y = { significand: significandB, signExponent: signExponentB };
    const classX = b.let(classOf(x));
    const classY = b.let(classOf(y));
    screenOperands(b, target, { ...x, class: classX }, { ...y, class: classY });
    const sign = b.let(i32.and(i32.xor(signExponentA, signExponentB), SIGN));
    const infiniteX = b.let(i32.eq(classX, CLASS.INFINITY));
    const infiniteY = b.let(i32.eq(classY, CLASS.INFINITY));
    const both = i32.or(i32.and(infiniteX, infiniteY), i32.and(i32.eqz(classX), i32.eqz(classY)));
    b.if(both, () => returnInvalid(b, target));
    b.if(i32.and(i32.eqz(classY), i32.eqz(infiniteX)), () => {
      b.if(call(raiseX87, SW.ZE), () => b.return(i32.const(0)));
      storeInfinity(b, target, sign);
      b.return(i32.const(1));
    });
    checkDenormal(b, classX, classY);
    b.if(infiniteX, () => {
      storeInfinity(b, target, sign);
      b.return(i32.const(1));
    });
    b.if(i32.or(infiniteY, i32.eqz(classX)), () => {
      storeReal(b, target, 0n, sign);
      b.return(i32.const(1));
    });
    const p = normalize(b, x);
    const q = normalize(b, y);
    storeQuotient(b, target, sign, i32.sub(p.exponent, q.exponent), p.significand, q.significand);
    b.return(i32.const(1));
  },
);

/** x87Divide(target, a, b): a / b */
export const divide = routine(
  'x87Divide',
  ['i32', 'i64', 'i32', 'i64', 'i32'],
  'i32',
  (b, target, significandA, signExponentA, significandB, signExponentB) => {
    const normal = i32.and(
      isNormal({ significand: significandA, signExponent: signExponentA }),
      isNormal({ significand: significandB, signExponent: signExponentB }),
    );
    b.if(normal, () => {
      const sign = b.let(i32.and(i32.xor(signExponentA, signExponentB), SIGN));
      const exponents = i32.sub(exponentOf(signExponentA), exponentOf(signExponentB));
      storeQuotient(b, target, sign, exponents, significandA, significandB);
      b.return(i32.const(1));
    });
    b.return(call(divideUnusual, target, significandA, signExponentA, significandB, signExponentB));
  },
);
