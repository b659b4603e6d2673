import { routine } from '../../ir/body.js';
import type { I32, I64 } from '../../ir/expr.js';
import { call, f32, f64, i32, i64, select } from '../../ir/expr.js';
import { DOUBLE, Format, SINGLE } from './format.js';
import { MXCSR, noteSseFlags } from './mxcsr.js';
import { denormalsAreZeros, noteDenormal } from './soft-arithmetic.js';

/** What compare() returns. */
export const RELATION = { GREATER: 0, LESS: 1, EQUAL: 2, UNORDERED: 3 } as const;

/** A finite or infinite number in the upper half, or a double, as a number that orders it; both zeros give 0. */
const order = (x: I64): I64 => select(i64.lt_s(x, 0n), i64.neg(i64.and(x, (1n << 63n) - 1n)), x);

/** softCompare(e, x, y, signalQuiet): RELATION; a quiet NaN raises IE as well if signalQuiet. Format as in format.ts. */
const softCompare = routine('softCompare', ['i32', 'i64', 'i64', 'i32'], 'i32', (b, e, x0, y0, signalQuiet) => {
  const f = new Format(b, e);
  const x = b.var(x0);
  const y = b.var(y0);
  denormalsAreZeros(b, f, x, y);
  b.if(i32.or(f.isNaN(x), f.isNaN(y)), () => {
    b.if(i32.or(i32.or(f.isSignalling(x), f.isSignalling(y)), signalQuiet), () => b.do(noteSseFlags, MXCSR.IE));
    b.return(i32.const(RELATION.UNORDERED));
  });
  noteDenormal(b, f, x, y);
  const p = b.let(order(x));
  const q = b.let(order(y));
  b.if(i64.eq(p, q), () => b.return(i32.const(RELATION.EQUAL)));
  b.return(i64.lt_s(p, q));
});

/** Neither NaN nor denormal: no flags, and the engine can compare. */
const SMALLEST_NORMAL_2 = 1n << 53n;
const INFINITY_2 = 0x7ffn << 53n;
const isPlain = (x: I64): I32 =>
  i32.or(i64.le_u(i64.sub(i64.shl(x, 1n), SMALLEST_NORMAL_2), INFINITY_2 - SMALLEST_NORMAL_2), i64.eqz(i64.shl(x, 1n)));

/** RELATION of numbers that are no NaNs. */
export const relationOfDoubles = (x: I64, y: I64): I32 => {
  const [p, q] = [f64.reinterpret(x), f64.reinterpret(y)];
  return i32.or(f64.lt(p, q), i32.shl(f64.eq(p, q), 1));
};

/** doubleCompare(x, y, signalQuiet) */
export const doubleCompare = routine('doubleCompare', ['i64', 'i64', 'i32'], 'i32', (b, x, y, signalQuiet) => {
  b.if(i32.and(isPlain(x), isPlain(y)), () => b.return(relationOfDoubles(x, y)));
  b.return(call(softCompare, DOUBLE, x, y, signalQuiet));
});

const SMALLEST_NORMAL_SINGLE_2 = 1 << 24;
const INFINITY_SINGLE_2 = 0xff << 24;
const isPlainSingle = (x: I32): I32 =>
  i32.or(
    i32.le_u(i32.sub(i32.shl(x, 1), SMALLEST_NORMAL_SINGLE_2), INFINITY_SINGLE_2 - SMALLEST_NORMAL_SINGLE_2),
    i32.eqz(i32.shl(x, 1)),
  );
const upper = (a: I32): I64 => i64.shl(i64.extend_u(a), 32n);

export const relationOfSingles = (x: I32, y: I32): I32 => {
  const [p, q] = [f32.reinterpret(x), f32.reinterpret(y)];
  return i32.or(f32.lt(p, q), i32.shl(f32.eq(p, q), 1));
};

/** singleCompare(x, y, signalQuiet) */
export const singleCompare = routine('singleCompare', ['i32', 'i32', 'i32'], 'i32', (b, x, y, signalQuiet) => {
  b.if(i32.and(isPlainSingle(x), isPlainSingle(y)), () => b.return(relationOfSingles(x, y)));
  b.return(call(softCompare, SINGLE, upper(x), upper(y), signalQuiet));
});

/** softMinMax(e, x, y, wanted): x if its RELATION to y is `wanted`, else y, also for NaNs and equal operands. */
const softMinMax = routine('softMinMax', ['i32', 'i64', 'i64', 'i32'], 'i64', (b, e, x0, y0, wanted) => {
  const f = new Format(b, e);
  const x = b.var(x0);
  const y = b.var(y0);
  denormalsAreZeros(b, f, x, y);
  b.return(select(i32.eq(call(softCompare, e, x, y, 1), wanted), x, y));
});

/** doubleMin and doubleMax (x, y) */
const doubleExtreme = (name: string, wanted: number, better: typeof f64.lt) =>
  routine(name, ['i64', 'i64'], 'i64', (b, x, y) => {
    b.if(i32.and(isPlain(x), isPlain(y)), () => b.return(select(better(f64.reinterpret(x), f64.reinterpret(y)), x, y)));
    b.return(call(softMinMax, DOUBLE, x, y, wanted));
  });
export const doubleMin = doubleExtreme('doubleMin', RELATION.LESS, f64.lt);
export const doubleMax = doubleExtreme('doubleMax', RELATION.GREATER, f64.gt);

/** singleMin and singleMax (x, y) */
const singleExtreme = (name: string, wanted: number, better: typeof f32.lt) =>
  routine(name, ['i32', 'i32'], 'i32', (b, x, y) => {
    b.if(i32.and(isPlainSingle(x), isPlainSingle(y)), () =>
      b.return(select(better(f32.reinterpret(x), f32.reinterpret(y)), x, y)),
    );
    b.return(i32.wrap(i64.shr_u(call(softMinMax, SINGLE, upper(x), upper(y), wanted), 32n)));
  });
export const singleMin = singleExtreme('singleMin', RELATION.LESS, f32.lt);
export const singleMax = singleExtreme('singleMax', RELATION.GREATER, f32.gt);

/**
 * Outcomes of the eight CMPccPS predicates EQ LT LE UNORD NEQ NLT NLE ORD, four bits each: bit n is the outcome for
 * RELATION n.
 */
const [G, L, E, U] = [1, 2, 4, 8];
const OUTCOMES = [E, L, L | E, U, G | L | U, G | E | U, G | U, G | L | E].reduce(
  (all, set, i) => all | (set << (4 * i)),
  0,
);

/** 0/1: outcome of `predicate` (0..7) for a RELATION. */
export function outcome(predicate: I32, relation: I32): I32 {
  return i32.and(i32.shr_u(i32.shr_u(OUTCOMES, i32.shl(predicate, 2)), relation), 1);
}
/** 0/1: LT, LE, NLT and NLE raise IE for quiet NaNs as well. */
export function signalsQuiet(predicate: I32): I32 {
  const low = i32.and(predicate, 3);
  return i32.and(i32.xor(low, i32.shr_u(low, 1)), 1);
}
