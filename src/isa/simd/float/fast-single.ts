import type { Routine } from '../../ir/body.js';
import { routine } from '../../ir/body.js';
import type { F32, F64, I32 } from '../../ir/expr.js';
import { call, f32, f64, i32, i64 } from '../../ir/expr.js';
import { isPlainMode } from './fast-double.js';
import { SINGLE } from './format.js';
import { MXCSR, mxcsr, noteSseFlags } from './mxcsr.js';
import { SOFT, softArithmetic, softSquareRoot } from './soft-arithmetic.js';

/**
 * Single-precision arithmetic on bit patterns, as in fast-double.ts. Exactness is easier to see: a product of two
 * single-precision numbers fits double precision, so products are compared there.
 */
type Binary = (a: F32, b: F32) => F32;

const HIDDEN_BIT = 1 << 23;
const SMALLEST_NORMAL_2 = HIDDEN_BIT << 1;

const isDenormal = (a: I32): I32 => i32.lt_u(i32.sub(i32.shl(a, 1), 1), SMALLEST_NORMAL_2 - 1);
/** Finite with an exponent field of at least 2. */
const isWellNormal = (a: I32): I32 =>
  i32.lt_u(i32.sub(i32.shl(a, 1), 2 * SMALLEST_NORMAL_2), (0xff - 2) * SMALLEST_NORMAL_2);

const float = f32.reinterpret;
const wide = (a: I32): F64 => f64.promote(float(a));
const productEquals = (a: I32, b: I32, r: I32): I32 => f64.eq(f64.mul(wide(a), wide(b)), wide(r));

interface FastCase {
  readonly operation: number;
  readonly compute: Binary;
  readonly isSum: boolean;
  /** All as bit patterns. */
  readonly isExact: (r: I32, a: I32, b: I32) => I32;
}

const sumCase = (operation: number, compute: Binary, sign: (b: F32) => F32): FastCase => ({
  operation,
  compute,
  isSum: true,
  // As sumIsExact() in fast-double.ts.
  isExact: (r, a, b) =>
    i32.and(f32.eq(f32.sub(float(r), float(a)), sign(float(b))), f32.eq(f32.sub(float(r), sign(float(b))), float(a))),
});

const upper = (a: I32) => i64.shl(i64.extend_u(a), 32n);

const isZero = (a: I32): I32 => i32.eqz(i32.shl(a, 1));

/** 0/1: x86's result is r, and no exception but PE can be. */
const onlyInexact = ({ isSum }: FastCase, r: I32, x: I32, y: I32): I32 => {
  const inRange = isSum ? i32.or(isWellNormal(r), isZero(r)) : isWellNormal(r);
  return i32.and(inRange, i32.eqz(i32.or(isDenormal(x), isDenormal(y))));
};

/** As a DoubleOperation. */
export interface SingleOperation {
  readonly general: Routine & { result: 'i32' };
  readonly compute: Binary;
}

function binary(name: string, fast: FastCase): SingleOperation {
  const general = routine(name, ['i32', 'i32'], 'i32', (b, x, y) => {
    const r = b.let(i32.reinterpret(fast.compute(float(x), float(y))));
    const csr = b.let(mxcsr());
    b.if(i32.and(isPlainMode(csr), onlyInexact(fast, r, x, y)), () => {
      const exact = fast.isExact(r, x, y);
      b.if(i32.eqz(i32.and(csr, MXCSR.PE)), () => b.if(i32.eqz(exact), () => b.do(noteSseFlags, MXCSR.PE)));
      b.return(r);
    });
    b.return(i32.wrap(i64.shr_u(call(softArithmetic, fast.operation, SINGLE, upper(x), upper(y)), 32n)));
  });
  return { general, compute: fast.compute };
}

/** Each a routine (i32, i32) -> i32 on bit patterns; exception flags are noted. */
export const singleArithmetic = {
  add: binary(
    'singleAdd',
    sumCase(SOFT.ADD, f32.add, (b) => b),
  ),
  sub: binary('singleSubtract', sumCase(SOFT.SUB, f32.sub, f32.neg)),
  mul: binary('singleMultiply', {
    operation: SOFT.MUL,
    compute: f32.mul,
    isSum: false,
    isExact: (r, x, y) => productEquals(x, y, r),
  }),
  div: binary('singleDivide', {
    operation: SOFT.DIV,
    compute: f32.div,
    isSum: false,
    isExact: (r, x, y) => productEquals(r, y, x),
  }),
} as const;

/** singleSquareRoot(x) */
export const singleSquareRoot = routine('singleSquareRoot', ['i32'], 'i32', (b, x) => {
  const csr = b.let(mxcsr());
  const normal = i32.lt_u(i32.sub(x, HIDDEN_BIT), 0xfe * HIDDEN_BIT);
  b.if(i32.and(isPlainMode(csr), normal), () => {
    const r = b.let(i32.reinterpret(f32.sqrt(float(x))));
    b.if(i32.eqz(i32.and(csr, MXCSR.PE)), () =>
      b.if(i32.eqz(productEquals(r, r, x)), () => b.do(noteSseFlags, MXCSR.PE)),
    );
    b.return(r);
  });
  b.return(i32.wrap(i64.shr_u(call(softSquareRoot, SINGLE, upper(x)), 32n)));
});
