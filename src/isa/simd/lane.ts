import type { Expr, I32, I64, V128 } from '../ir/expr.js';
import { simd, v128 } from '../ir/expr.js';

export const ZERO_VECTOR: V128 = v128.const(new Array<number>(16).fill(0));

/** Constant of sixteen bytes. */
export const bytes = (f: (index: number) => number): V128 =>
  v128.const(Array.from({ length: 16 }, (_, i) => f(i) & 0xff));
/** Constant with the same little-endian value in every lane of `laneBytes` bytes. */
export const repeated = (value: bigint, laneBytes: number): V128 =>
  bytes((i) => Number((value >> BigInt(8 * (i % laneBytes))) & 0xffn));

export const lane32 = (v: V128, lane: number): I32 => v128.extract('i32', 'i32x4.extract_lane', v, lane);
export const lane64 = (v: V128, lane: number): I64 => v128.extract('i64', 'i64x2.extract_lane', v, lane);

/** A vector of four 32-bit or two 64-bit lanes. */
export function vectorOf(lanes: readonly Expr<'i32'>[] | readonly Expr<'i64'>[]): V128 {
  const shape = lanes.length === 4 ? 'i32x4' : 'i64x2';
  let v = v128.splat(shape, lanes[0]);
  for (let i = 1; i < lanes.length; i++) v = v128.replace(`${shape}.replace_lane`, v, i, lanes[i]);
  return v;
}
/** Two lanes of 64 bits. */
export const pair = (low: I64, high: I64): V128 => vectorOf([low, high]);

export const and = (...all: V128[]): V128 => all.reduce((a, b) => simd('v128.and', a, b));
