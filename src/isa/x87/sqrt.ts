import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I64 } from '../ir/expr.js';
import { call, f64, i32, i64, select } from '../ir/expr.js';
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

const LARGEST_ROOT = 0xffff_ffffn;

/**
 * Root of the 64 bits of `radicand`, whose upper two bits are not both 0, cut off to an integer. In double precision the
 * root is off by less than 2^-20: the integer nearest to that is the one wanted or one more.
 */
function integerRoot(b: Body, radicand: I64): { root: I64; remainder: I64 } {
  // Conversions are signed.
  const half = f64.convert_i64_s(i64.shr_u(radicand, 1n));
  const estimate = b.let(i64.trunc_sat_f64_s(f64.nearest(f64.sqrt(f64.mul(half, f64.const(2))))));
  const root = b.var(select(i64.gt_u(estimate, LARGEST_ROOT), i64.const(LARGEST_ROOT), estimate));
  b.if(i64.gt_u(i64.mul(root, root), radicand), () => b.set(root, i64.sub(root, 1n)));
  return { root, remainder: b.let(i64.sub(radicand, i64.mul(root, root))) };
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
