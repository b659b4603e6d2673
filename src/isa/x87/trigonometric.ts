import { STATE } from '../cpu-state.js';
import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I64 } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import {
  BIAS,
  CLASS,
  ONE,
  SIGN,
  checkDenormal,
  classOf,
  loadReal,
  normalize,
  returnInvalid,
  signOf,
  storeReal,
} from './format.js';
import { screenOperand } from './nan.js';
import { COSINE, SINE } from './series.js';
import { beginTwoResults, isFilled, registerAddress, stackUnderflow } from './stack.js';
import { SW, clearC1, statusWord } from './status.js';
import { WIDE, setWide, storeWide, wideDivide, wideMultiply, wideNormalize, widePolynomial } from './wide-float.js';

/** From 2^63 on an operand is not reduced: C2 is set and nothing changes (SDM 1, 8.3.8). */
const LIMIT_EXPONENT = BIAS + 63;
/** pi as the processor has it, 66 significant bits, in units of 2^-66; pi / 2 is the same in units of 2^-67. */
const PI = 0xc_90fdaa22_168c234cn;
const PI_HIGH = PI >> 64n;
const PI_LOW = PI & (2n ** 64n - 1n);
const UNIT_EXPONENT = -67;
/** pi / 4: its exponent and the upper bits of its significand. */
const QUARTER = { exponent: BIAS - 1, significand: 0xc90fdaa2_2168c234n } as const;
/** Set in what wideReduce() returns when the rest is negative. */
const NEGATIVE_REST = 4;

/**
 * wideReduce(significand, exponent): A = the distance of an angle to the nearest multiple of pi / 2; returns the number
 * of that multiple modulo 4, and NEGATIVE_REST if the angle is smaller. Exact for the processor's pi.
 */
const wideReduce = routine('wideReduce', ['i64', 'i32'], 'i32', (b, significand, exponent) => {
  const small = i32.and(i32.eq(exponent, QUARTER.exponent), i64.le_u(significand, QUARTER.significand));
  b.if(i32.or(i32.lt_s(exponent, QUARTER.exponent), small), () => {
    setWide(b, WIDE.A, significand, 0n, i32.sub(exponent, BIAS));
    b.return(i32.const(0));
  });
  // Long division of the significand, with zeros behind it down to the unit.
  const bits = b.var(significand);
  const count = b.var(i32.add(exponent, 64 - BIAS - 63 - UNIT_EXPONENT));
  const high = b.var(i64.const(0n));
  const low = b.var(i64.const(0n));
  const multiple = b.var(i32.const(0));
  const reaches = (h: I64, l: I64): I32 =>
    i32.or(i64.gt_u(h, PI_HIGH), i32.and(i64.eq(h, PI_HIGH), i64.ge_u(l, PI_LOW)));
  b.loop((again) => {
    b.set(high, i64.or(i64.shl(high, 1n), i64.shr_u(low, 63n)));
    b.set(low, i64.or(i64.shl(low, 1n), i64.shr_u(bits, 63n)));
    b.set(bits, i64.shl(bits, 1n));
    b.set(multiple, i32.shl(multiple, 1));
    b.if(reaches(high, low), () => {
      b.set(high, i64.sub(i64.sub(high, PI_HIGH), i64.extend_u(i64.lt_u(low, PI_LOW))));
      b.set(low, i64.sub(low, PI_LOW));
      b.set(multiple, i32.or(multiple, 1));
    });
    b.set(count, i32.sub(count, 1));
    b.brIf(again, count);
  });
  const doubled = b.let(i64.or(i64.shl(high, 1n), i64.shr_u(low, 63n)));
  const sign = b.let(reaches(doubled, i64.shl(low, 1n)));
  b.if(sign, () => {
    b.set(high, i64.sub(i64.sub(PI_HIGH, high), i64.extend_u(i64.gt_u(low, PI_LOW))));
    b.set(low, i64.sub(PI_LOW, low));
  });
  setWide(b, WIDE.A, high, low, 127 + UNIT_EXPONENT);
  b.do(wideNormalize, WIDE.A);
  const number = i32.and(i32.add(multiple, sign), 3);
  b.return(i32.or(number, select(sign, i32.const(NEGATIVE_REST), i32.const(0))));
});

/** wideSineCosine(): C = sin(A), D = cos(A). */
const wideSineCosine = routine('wideSineCosine', [], null, (b) => {
  b.do(wideMultiply, WIDE.B, WIDE.A, WIDE.A);
  widePolynomial(b, WIDE.D, WIDE.B, SINE, 1);
  b.do(wideMultiply, WIDE.C, WIDE.D, WIDE.A);
  widePolynomial(b, WIDE.D, WIDE.B, COSINE, 1);
});

/**
 * x87StoreSine(target, reduced, shift, sign): the sine of the angle plus `shift` right angles, for which wideReduce()
 * returned `reduced` and wideSineCosine() has been called; negated when `sign` is SIGN.
 */
const storeSine = routine('x87StoreSine', ['i32', 'i32', 'i32', 'i32'], null, (b, target, reduced, shift, sign) => {
  const phase = b.let(i32.add(reduced, shift));
  const below = b.let(i32.xor(sign, select(i32.and(phase, 2), i32.const(SIGN), i32.const(0))));
  const rest = select(i32.and(reduced, NEGATIVE_REST), i32.const(SIGN), i32.const(0));
  b.if(
    i32.and(phase, 1),
    () => storeWide(b, target, below, WIDE.D),
    () => storeWide(b, target, i32.xor(below, rest), WIDE.C),
  );
});

const OUTCOME = { ABANDONED: 0, SPECIAL: 1, ZERO: 2, REDUCED: 16 } as const;

/**
 * x87Angle(target, a): an operand of a trigonometric function. SPECIAL: there is none, target has the response; ZERO:
 * the operand is zero; ABANDONED: nothing changes; otherwise what wideReduce() returned plus REDUCED, with sine and
 * cosine ready.
 */
const prepareAngle = routine('x87Angle', ['i32', 'i64', 'i32'], 'i32', (b, target, significand, signExponent) => {
  const x = { significand, signExponent };
  const kind = b.let(classOf(x));
  screenOperand(b, target, { ...x, class: kind });
  b.if(i32.eqz(kind), () => b.return(i32.const(OUTCOME.ZERO)));
  b.if(i32.eq(kind, CLASS.INFINITY), () => returnInvalid(b, target));
  checkDenormal(b, kind);
  const number = normalize(b, x);
  b.if(i32.ge_s(number.exponent, LIMIT_EXPONENT), () => {
    b.store(STATE.fsw, i32.or(statusWord(), SW.C2));
    b.return(i32.const(OUTCOME.ABANDONED));
  });
  const reduced = b.let(call(wideReduce, number.significand, number.exponent));
  b.do(wideSineCosine);
  b.return(i32.add(reduced, OUTCOME.REDUCED));
});

function clearC2(b: Body): void {
  b.store(STATE.fsw, i32.and(statusWord(), ~SW.C2));
}

/** FSIN and FCOS: the sine, `shift` right angles on. */
function oneResult(b: Body, shift: number): void {
  clearC1(b);
  clearC2(b);
  b.if(i32.eqz(isFilled(0)), () => {
    b.do(stackUnderflow, 0);
    b.return();
  });
  const target = b.let(registerAddress(0));
  const x = loadReal(b, target);
  const outcome = b.let(call(prepareAngle, target, x.significand, x.signExponent));
  b.if(i32.lt_u(outcome, OUTCOME.REDUCED), () => {
    if (shift !== 0) {
      b.if(i32.eq(outcome, OUTCOME.ZERO), () => storeReal(b, target, ONE.significand, ONE.signExponent));
    }
    b.return();
  });
  // Only the sine has the angle's sign.
  b.do(storeSine, target, outcome, shift, shift === 0 ? signOf(x.signExponent) : 0);
}

/** x87Sine(), x87Cosine(): FSIN and FCOS. */
export const sine = routine('x87Sine', [], null, (b) => oneResult(b, 0));
export const cosine = routine('x87Cosine', [], null, (b) => oneResult(b, 1));

/** FSINCOS and FPTAN: `onAngle` stores the results for an angle in range; zero gives 0 and 1. */
function twoResults(b: Body, onAngle: (target: I32, pushed: I32, reduced: I32, sign: I32) => void): void {
  clearC2(b);
  const { target, pushed, accept } = beginTwoResults(b);
  const x = loadReal(b, target);
  const outcome = b.let(call(prepareAngle, target, x.significand, x.signExponent));
  b.if(i32.eq(outcome, OUTCOME.ABANDONED), () => b.return());
  b.if(i32.eq(outcome, OUTCOME.SPECIAL), () => {
    const response = loadReal(b, target);
    storeReal(b, pushed, response.significand, response.signExponent);
    accept();
  });
  b.if(i32.eq(outcome, OUTCOME.ZERO), () => {
    storeReal(b, pushed, ONE.significand, ONE.signExponent);
    accept();
  });
  onAngle(target, pushed, outcome, b.let(signOf(x.signExponent)));
  accept();
}

/** x87SineCosine(): FSINCOS, ST(0) = sine, and the cosine is pushed. */
export const sineCosine = routine('x87SineCosine', [], null, (b) =>
  twoResults(b, (target, pushed, reduced, sign) => {
    b.do(storeSine, target, reduced, 0, sign);
    b.do(storeSine, pushed, reduced, 1, 0);
  }),
);

/** x87Tangent(): FPTAN, ST(0) = tangent, and 1 is pushed. */
export const tangent = routine('x87Tangent', [], null, (b) =>
  twoResults(b, (target, pushed, reduced, sign) => {
    const odd = b.let(i32.and(reduced, 1));
    b.if(
      odd,
      () => b.do(wideDivide, WIDE.C, WIDE.D, WIDE.C),
      () => b.do(wideDivide, WIDE.C, WIDE.C, WIDE.D),
    );
    // The tangent falls in sign once more for odd multiples of pi / 2.
    const negative = i32.ne(i32.ne(i32.and(reduced, NEGATIVE_REST), 0), odd);
    storeWide(b, target, b.let(i32.xor(sign, select(negative, i32.const(SIGN), i32.const(0)))), WIDE.C);
    storeReal(b, pushed, ONE.significand, ONE.signExponent);
  }),
);
