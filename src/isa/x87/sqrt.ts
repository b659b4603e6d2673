import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I64 } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import {
  BIAS,
  CLASS,
  checkDenormal,
  classOf,
  normalize,
  returnInvalid,
  signOf,
  storeInfinity,
  storeReal,
} from './format.js';
import { screenOperand } from './nan.js';
import { round } from './round.js';
import { controlWord } from './status.js';
import { multiplyHigh } from './wide-integer.js';

const ROOT_BITS = 32;

/** Root of the 64 bits of `radicand`, whose upper two bits are not both 0, digit by digit. */
function integerRoot(b: Body, radicand: I64): { root: I64; remainder: I64 } {
  const rest = b.var(radicand);
  const remainder = b.var(i64.const(0n));
  const root = b.var(i64.const(0n));
  const count = b.var(i32.const(ROOT_BITS));
  b.loop((again) => {
    b.set(remainder, i64.or(i64.shl(remainder, 2n), i64.shr_u(rest, 62n)));
    b.set(rest, i64.shl(rest, 2n));
    const trial = b.let(i64.or(i64.shl(root, 2n), 1n));
    b.set(root, i64.shl(root, 1n));
    b.if(i64.ge_u(remainder, trial), () => {
      b.set(remainder, i64.sub(remainder, trial));
      b.set(root, i64.or(root, 1n));
    });
    b.set(count, i32.sub(count, 1));
    b.brIf(again, count);
  });
  return { root, remainder };
}

/** x87SquareRoot(target, a) */
export const squareRoot = routine(
  'x87SquareRoot',
  ['i32', 'i64', 'i32'],
  'i32',
  (b, target, significand0, signExponent) => {
    const x = { significand: significand0, signExponent };
    const kind = b.let(classOf(x));
    screenOperand(b, target, { ...x, class: kind });
    const sign = b.let(signOf(signExponent));
    b.if(i32.eqz(kind), () => {
      storeReal(b, target, 0n, sign);
      b.return(i32.const(1));
    });
    b.if(sign, () => returnInvalid(b, target));
    checkDenormal(b, kind);
    b.if(i32.eq(kind, CLASS.INFINITY), () => {
      storeInfinity(b, target, i32.const(0));
      b.return(i32.const(1));
    });
    const { exponent, significand } = normalize(b, x);
    const power = b.let(i32.sub(exponent, BIAS));
    // The radicand has 128 bits: significand : 0, halved for an even power.
    const halve = b.let(i64.extend_u(i32.eqz(i32.and(power, 1))));
    const high = b.let(i64.shr_u(significand, halve));
    const low = b.let(select(i64.eqz(halve), i64.const(0n), i64.shl(significand, 63n)));
    // Upper half of the root from the upper half of the radicand, lower half by a division (Zimmermann, INRIA RR-3805).
    const upper = integerRoot(b, high);
    const dividend = b.let(i64.or(i64.shl(upper.remainder, 31n), i64.shr_u(low, 33n)));
    const digit = b.let(i64.div_u(dividend, upper.root));
    const remainder = b.let(i64.sub(dividend, i64.mul(digit, upper.root)));
    const root = b.var(i64.add(i64.shl(upper.root, 32n), digit));
    // remainder * 2^33 + rest of low - digit^2, in 128 bits, is what the radicand has above the root's square.
    const restLow = b.let(i64.or(i64.shl(remainder, 33n), i64.and(low, 0x1_ffff_ffffn)));
    const square = b.let(i64.mul(digit, digit));
    const aboveHigh = b.var(
      i64.sub(
        i64.sub(i64.shr_u(remainder, 31n), call(multiplyHigh, digit, digit)),
        i64.extend_u(i64.lt_u(restLow, square)),
      ),
    );
    const aboveLow = b.var(i64.sub(restLow, square));
    b.if(i64.lt_s(aboveHigh, 0n), () => {
      b.set(root, i64.sub(root, 1n));
      // The remainder for the smaller root: 2 * root + 1 more.
      const more = b.let(i64.or(i64.shl(root, 1n), 1n));
      b.set(aboveLow, i64.add(aboveLow, more));
      b.set(aboveHigh, i64.add(i64.add(aboveHigh, i64.shr_u(root, 63n)), i64.extend_u(i64.lt_u(aboveLow, more))));
    });
    // Above root * (root + 1) the root lies past the middle; it is never on it.
    const past = i32.or(i64.ne(aboveHigh, 0n), i64.gt_u(aboveLow, root));
    const inexact = select(past, i64.const((1n << 63n) | 1n), i64.const(1n));
    const fraction = select(i64.eqz(i64.or(aboveHigh, aboveLow)), i64.const(0n), inexact);
    const half = i32.shr_s(power, 1);
    b.do(round, target, i32.const(0), i32.add(half, BIAS), root, fraction, controlWord());
    b.return(i32.const(1));
  },
);
