import type { Routine } from '../../ir/body.js';
import { routine } from '../../ir/body.js';
import type { F64, I32, I64 } from '../../ir/expr.js';
import { call, f64, i32, i64 } from '../../ir/expr.js';
import { DOUBLE } from './format.js';
import { MXCSR, mxcsr, noteSseFlags } from './mxcsr.js';
import { SOFT, softArithmetic, softSquareRoot } from './soft-arithmetic.js';

/**
 * Double-precision arithmetic on bit patterns: the engine's own operation where its result and the flags are known to
 * be x86's, soft-arithmetic.ts otherwise.
 *
 * The fast path is taken when rounding is to nearest, PE is masked, no operand is denormal, and the result is normal
 * and not the smallest normal number (for sums also when it is zero). Then:
 *  - No operand is a NaN. None is infinite either, for then the result would be infinite, NaN or, dividing by it,
 *    zero. A divisor is not zero.
 *  - So IE, DE, ZE cannot happen, and not OE, as the result is finite. Nor UE: a result larger than the smallest normal
 *    number is not tiny before rounding; a sum below it is exact, so that a zero sum is truly zero.
 *  - WebAssembly rounds to nearest even as x86 does, and the sign of a zero sum is the same: + unless both are -0.
 *  - What is left is PE, and nothing is to be done when it is set already. When it is not, whether the result is exact
 *    is decided without rounding errors, see sumIsExact() and productIsExact().
 */
type Binary = (a: F64, b: F64) => F64;

const FRACTION_BITS = 52n;
const HIDDEN_BIT = 1n << FRACTION_BITS;
const BIAS = 1023;

/** Smallest normal number, without the sign bit, shifted left. */
const SMALLEST_NORMAL_2 = HIDDEN_BIT << 1n;

const isDenormal = (a: I64): I32 => i64.lt_u(i64.sub(i64.shl(a, 1n), 1n), SMALLEST_NORMAL_2 - 1n);

/** Finite with an exponent field of at least 2. */
const isWellNormal = (a: I64): I32 =>
  i64.lt_u(i64.sub(i64.shl(a, 1n), 2n * SMALLEST_NORMAL_2), (0x7ffn - 2n) * SMALLEST_NORMAL_2);

/** Round to nearest, PE masked. */
export const isPlainMode = (csr: I32): I32 => i32.eq(i32.and(csr, MXCSR.RC | MXCSR.PM), MXCSR.PM);

/**
 * s = a + b rounded is exact iff s - a gives b and s - b gives a. If it is exact both differences are representable.
 * If it is not, take the operand of larger magnitude, a say: s - a is representable (Dekker's fast two-sum) and differs
 * from b. It does not overflow: |s - a| <= 2|b|, and where |b| exceeds half the largest number either s overflows or,
 * signs being opposite, s is exact (Sterbenz).
 */
const sumIsExact = (s: F64, a: F64, b: F64): I32 => i32.and(f64.eq(f64.sub(s, a), b), f64.eq(f64.sub(s, b), a));

const exponentField = (x: I64): I32 => i32.and(i32.wrap(i64.shr_u(x, FRACTION_BITS)), 0x7ff);
const trailingZeros = (x: I64): I32 => i32.wrap(i64.ctz(i64.or(x, HIDDEN_BIT)));

/**
 * For normal numbers with p the product of a and b rounded: the 53-bit significands have a product of 105 or 106 bits,
 * the exponents tell which, that ends in as many zeros as both together; it fits 53 bits iff the others suffice.
 * Where rounding up raised p to the next exponent the length is taken one too large; the product then has fewer than
 * 52 zeros and counts as inexact either way.
 */
const productIsExact = (p: I64, a: I64, b: I64): I32 =>
  i32.ge_s(
    i32.add(trailingZeros(a), trailingZeros(b)),
    i32.add(i32.sub(exponentField(p), i32.add(exponentField(a), exponentField(b))), BIAS + 52),
  );

interface FastCase {
  readonly operation: number;
  readonly compute: Binary;
  readonly isSum: boolean;
  /** All as bit patterns. */
  readonly isExact: (r: I64, a: I64, b: I64) => I32;
}

const float = f64.reinterpret;
const sumCase = (operation: number, compute: Binary, sign: (b: F64) => F64): FastCase => ({
  operation,
  compute,
  isSum: true,
  isExact: (r, a, b) => sumIsExact(float(r), float(a), sign(float(b))),
});

const isZero = (a: I64): I32 => i64.eqz(i64.shl(a, 1n));

/** 0/1: x86's result is r, and no exception but PE can be. */
const onlyInexact = ({ isSum }: FastCase, r: I64, x: I64, y: I64): I32 => {
  const inRange = isSum ? i32.or(isWellNormal(r), isZero(r)) : isWellNormal(r);
  return i32.and(inRange, i32.eqz(i32.or(isDenormal(x), isDenormal(y))));
};

/** Round to nearest, and PE masked and set already: nothing is to be said of exactness. */
export const isStickyMode = (csr: I32): I32 =>
  i32.eq(i32.and(csr, MXCSR.RC | MXCSR.PM | MXCSR.PE), MXCSR.PM | MXCSR.PE);

/** A routine, and what it comes to in the usual case (usual.ts), for code that has it in place. */
export interface DoubleOperation {
  readonly general: Routine & { result: 'i64' };
  readonly compute: Binary;
}

function binary(name: string, fast: FastCase): DoubleOperation {
  const general = routine(name, ['i64', 'i64'], 'i64', (b, x, y) => {
    const r = b.let(i64.reinterpret(fast.compute(float(x), float(y))));
    const csr = b.let(mxcsr());
    b.if(i32.and(isPlainMode(csr), onlyInexact(fast, r, x, y)), () => {
      const exact = fast.isExact(r, x, y);
      b.if(i32.eqz(i32.and(csr, MXCSR.PE)), () => b.if(i32.eqz(exact), () => b.do(noteSseFlags, MXCSR.PE)));
      b.return(r);
    });
    b.return(call(softArithmetic, fast.operation, DOUBLE, x, y));
  });
  return { general, compute: fast.compute };
}

/** Each a routine (i64, i64) -> i64 on bit patterns; exception flags are noted. */
export const doubleArithmetic = {
  add: binary(
    'doubleAdd',
    sumCase(SOFT.ADD, f64.add, (b) => b),
  ),
  sub: binary('doubleSubtract', sumCase(SOFT.SUB, f64.sub, f64.neg)),
  mul: binary('doubleMultiply', {
    operation: SOFT.MUL,
    compute: f64.mul,
    isSum: false,
    isExact: productIsExact,
  }),
  // The quotient q is exact iff q * y is exactly x. A rounded product that equals x and is itself exact proves it.
  div: binary('doubleDivide', {
    operation: SOFT.DIV,
    compute: f64.div,
    isSum: false,
    isExact: (q, x, y) => i32.and(f64.eq(f64.mul(float(q), float(y)), float(x)), productIsExact(x, q, y)),
  }),
} as const;

/** doubleSquareRoot(x): the root of a positive normal number is well within range; exact as for a quotient. */
export const doubleSquareRoot = routine('doubleSquareRoot', ['i64'], 'i64', (b, x) => {
  const csr = b.let(mxcsr());
  const normal = i64.lt_u(i64.sub(x, HIDDEN_BIT), 0x7fen * HIDDEN_BIT);
  b.if(i32.and(isPlainMode(csr), normal), () => {
    const r = b.let(i64.reinterpret(f64.sqrt(float(x))));
    b.if(i32.eqz(i32.and(csr, MXCSR.PE)), () => {
      const exact = i32.and(f64.eq(f64.mul(float(r), float(r)), float(x)), productIsExact(x, r, r));
      b.if(i32.eqz(exact), () => b.do(noteSseFlags, MXCSR.PE));
    });
    b.return(r);
  });
  b.return(call(softSquareRoot, DOUBLE, x));
});
