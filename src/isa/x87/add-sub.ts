import { routine } from '../ir/body.js';
import { call, i32, i64, select } from '../ir/expr.js';
import {
  CLASS,
  INTEGER_BIT,
  SIGN,
  checkDenormal,
  classOf,
  exponentOf,
  isNormal,
  normalize,
  returnInvalid,
  signOf,
  storeInfinity,
  storeReal,
} from './format.js';
import { screenOperands } from './nan.js';
import { normalizeRound, round } from './round.js';
import { ROUNDING, controlWord, roundingOf } from './status.js';
import { shiftRightJam } from './wide-integer.js';

/** x87AddFinite(target, signs, exponents and normalized significands of both): the sum of numbers that are not 0. */
const addFinite = routine(
  'x87AddFinite',
  ['i32', 'i32', 'i32', 'i64', 'i32', 'i32', 'i64'],
  null,
  (b, target, signA, exponentA, a, signB, exponentB, other) => {
    // The one of larger magnitude first.
    const swap = b.let(
      i32.or(i32.lt_s(exponentA, exponentB), i32.and(i32.eq(exponentA, exponentB), i64.lt_u(a, other))),
    );
    const sign = b.let(select(swap, signB, signA));
    const exponent = b.let(select(swap, exponentB, exponentA));
    const large = b.let(select(swap, other, a));
    const small = b.let(select(swap, a, other));
    const shift = b.let(i32.sub(exponent, select(swap, exponentA, exponentB)));
    const high = b.var(i64.const(0n));
    const low = b.var('i64');
    b.if(
      i32.lt_u(shift, 64),
      () => {
        const n = b.let(i64.extend_u(shift));
        b.set(high, i64.shr_u(small, n));
        b.set(low, i64.shl(i64.shl(small, 1n), i64.sub(63n, n)));
      },
      () => b.set(low, call(shiftRightJam, small, i32.sub(shift, 64))),
    );
    b.if(i32.eq(signA, signB), () => {
      const sum = b.let(i64.add(large, high));
      b.if(i64.ge_u(sum, large), () => {
        b.do(round, target, sign, exponent, sum, low, controlWord());
        b.return();
      });
      const carried = i64.or(i64.or(i64.shl(sum, 63n), i64.shr_u(low, 1n)), i64.and(low, 1n));
      const halved = i64.or(i64.shr_u(sum, 1n), INTEGER_BIT);
      b.do(round, target, sign, i32.add(exponent, 1), halved, carried, controlWord());
      b.return();
    });
    b.set(high, i64.sub(i64.sub(large, high), i64.extend_u(i64.ne(low, 0n))));
    b.set(low, i64.neg(low));
    b.if(i64.eqz(i64.or(high, low)), () => {
      const down = i32.eq(roundingOf(controlWord()), ROUNDING.DOWN);
      storeReal(b, target, 0n, select(down, i32.const(SIGN), i32.const(0)));
      b.return();
    });
    b.do(normalizeRound, target, sign, exponent, high, low, controlWord());
  },
);

/** x87AddUnusual(...): x87Add when an operand is zero, denormal or no number. */
const addUnusual = routine(
  'x87AddUnusual',
  ['i32', 'i64', 'i32', 'i64', 'i32', 'i32'],
  'i32',
  (b, target, significandA, signExponentA, significandB, signExponentB, flip) => {
    const a = { significand: significandA, signExponent: signExponentA };
    const other = { significand: significandB, signExponent: signExponentB };
    const classA = b.let(classOf(a));
    const classB = b.let(classOf(other));
    screenOperands(b, target, { ...a, class: classA }, { ...other, class: classB });
    const signA = b.let(signOf(signExponentA));
    const signB = b.let(i32.xor(signOf(signExponentB), flip));
    const infiniteA = b.let(i32.eq(classA, CLASS.INFINITY));
    const infiniteB = b.let(i32.eq(classB, CLASS.INFINITY));
    b.if(i32.and(i32.and(infiniteA, infiniteB), i32.ne(signA, signB)), () => returnInvalid(b, target));
    checkDenormal(b, classA, classB);
    b.if(i32.or(infiniteA, infiniteB), () => {
      storeInfinity(b, target, select(infiniteA, signA, signB));
      b.return(i32.const(1));
    });
    b.if(i32.and(i32.eqz(classA), i32.eqz(classB)), () => {
      const down = i32.eq(roundingOf(controlWord()), ROUNDING.DOWN);
      const mixed = select(down, i32.const(SIGN), i32.const(0));
      storeReal(b, target, 0n, select(i32.eq(signA, signB), signA, mixed));
      b.return(i32.const(1));
    });
    const x = normalize(b, a);
    const y = normalize(b, other);
    // Of one number alone: precision control still applies.
    b.if(i32.eqz(classA), () => {
      b.do(round, target, signB, y.exponent, y.significand, 0n, controlWord());
      b.return(i32.const(1));
    });
    b.if(i32.eqz(classB), () => {
      b.do(round, target, signA, x.exponent, x.significand, 0n, controlWord());
      b.return(i32.const(1));
    });
    b.do(addFinite, target, signA, x.exponent, x.significand, signB, y.exponent, y.significand);
    b.return(i32.const(1));
  },
);

/** x87Add(target, a, b, flip): a + b, or a - b when `flip` is SIGN. */
export const add = routine(
  'x87Add',
  ['i32', 'i64', 'i32', 'i64', 'i32', 'i32'],
  'i32',
  (b, target, significandA, signExponentA, significandB, signExponentB, flip) => {
    const normal = i32.and(
      isNormal({ significand: significandA, signExponent: signExponentA }),
      isNormal({ significand: significandB, signExponent: signExponentB }),
    );
    b.if(normal, () => {
      const signB = i32.xor(signOf(signExponentB), flip);
      b.do(
        addFinite,
        target,
        signOf(signExponentA),
        exponentOf(signExponentA),
        significandA,
        signB,
        exponentOf(signExponentB),
        significandB,
      );
      b.return(i32.const(1));
    });
    b.return(call(addUnusual, target, significandA, signExponentA, significandB, signExponentB, flip));
  },
);
