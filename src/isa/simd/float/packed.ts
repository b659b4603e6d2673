import type { Routine } from '../../ir/body.js';
import { routine } from '../../ir/body.js';
import type { Callable, I32, V128 } from '../../ir/expr.js';
import { call, simd, v128 } from '../../ir/expr.js';
import { ZERO_VECTOR, and, lane32, lane64, repeated, vectorOf } from '../lane.js';
import { doubleArithmetic, doubleSquareRoot, isStickyMode } from './fast-double.js';
import { singleArithmetic, singleSquareRoot } from './fast-single.js';
import { mxcsr } from './mxcsr.js';

/** Packed arithmetic: lane by lane through the scalar routines, or all at once where no lane can raise a flag. */
type On32 = Callable & { result: 'i32' };
type On64 = Callable & { result: 'i64' };
export type OnVector = Routine & { readonly result: 'v128' };

/** Numbers as the lanes' bit patterns. */
interface Shape {
  readonly name: 'f32x4' | 'f64x2';
  readonly smallestNormal: V128;
  readonly twiceSmallestNormal: V128;
  readonly largest: V128;
}
const SINGLES: Shape = {
  name: 'f32x4',
  smallestNormal: repeated(0x0080_0000n, 4),
  twiceSmallestNormal: repeated(0x0100_0000n, 4),
  largest: repeated(0x7f7f_ffffn, 4),
};
const DOUBLES: Shape = {
  name: 'f64x2',
  smallestNormal: repeated(0x0010n << 48n, 8),
  twiceSmallestNormal: repeated(0x0020n << 48n, 8),
  largest: repeated(0x7fef_ffff_ffff_ffffn, 8),
};

/**
 * 0/1: in every lane the result and the operands are such that only PE can occur (see fast-double.ts; zeros are left
 * to the scalar routines). A NaN fails its comparison.
 */
function allPlain(shape: Shape, result: V128, operands: readonly V128[]): I32 {
  const of = (op: string, a: V128, b: V128): V128 => simd(`${shape.name}.${op}`, a, b);
  const magnitude = (v: V128): V128 => simd(`${shape.name}.abs`, v);
  const checks = and(
    of('ge', magnitude(result), shape.twiceSmallestNormal),
    of('le', magnitude(result), shape.largest),
    ...operands.map((v) => of('ge', magnitude(v), shape.smallestNormal)),
  );
  return v128.test('i32x4.all_true', checks);
}

function arithmetic(shape: Shape, op: string, lane: On32 | On64, operandCount: 1 | 2): OnVector {
  const params = operandCount === 1 ? (['v128'] as const) : (['v128', 'v128'] as const);
  return routine(`packed.${lane.name}`, params, 'v128', (b, ...operands) => {
    const vectors: readonly V128[] = operands;
    b.if(isStickyMode(mxcsr()), () => {
      const r = b.let(simd(`${shape.name}.${op}`, ...vectors));
      b.if(allPlain(shape, r, vectors), () => b.return(r));
    });
    b.return(lanes(shape, vectors, lane));
  });
}

/** The scalar routine on every lane. */
function lanes(shape: Shape, operands: readonly V128[], lane: On32 | On64): V128 {
  return shape === SINGLES
    ? vectorOf([0, 1, 2, 3].map((i) => call(lane as On32, ...operands.map((v) => lane32(v, i)))))
    : vectorOf([0, 1].map((i) => call(lane as On64, ...operands.map((v) => lane64(v, i)))));
}

export const packedArithmetic = {
  single: {
    add: arithmetic(SINGLES, 'add', singleArithmetic.add.general, 2),
    sub: arithmetic(SINGLES, 'sub', singleArithmetic.sub.general, 2),
    mul: arithmetic(SINGLES, 'mul', singleArithmetic.mul.general, 2),
    div: arithmetic(SINGLES, 'div', singleArithmetic.div.general, 2),
    sqrt: arithmetic(SINGLES, 'sqrt', singleSquareRoot, 1),
  },
  double: {
    add: arithmetic(DOUBLES, 'add', doubleArithmetic.add.general, 2),
    sub: arithmetic(DOUBLES, 'sub', doubleArithmetic.sub.general, 2),
    mul: arithmetic(DOUBLES, 'mul', doubleArithmetic.mul.general, 2),
    div: arithmetic(DOUBLES, 'div', doubleArithmetic.div.general, 2),
    sqrt: arithmetic(DOUBLES, 'sqrt', doubleSquareRoot, 1),
  },
} as const;

/** A routine that applies `lane` to each of four singles or two doubles: packed forms without a fast path of their own. */
export function onEachSingle(lane: On32): OnVector {
  return eachLane(SINGLES, lane);
}
export function onEachDouble(lane: On64): OnVector {
  return eachLane(DOUBLES, lane);
}
function eachLane(shape: Shape, lane: On32 | On64): OnVector {
  return routine(
    `each.${lane.name}`,
    lane.params.map(() => 'v128' as const),
    'v128',
    (b, ...operands) => b.return(lanes(shape, operands as readonly V128[], lane)),
  );
}

/** Two 32-bit results below 64 zeros. */
export const lowerHalf = (first: I32, second: I32): V128 =>
  v128.replace('i32x4.replace_lane', v128.replace('i32x4.replace_lane', ZERO_VECTOR, 0, first), 1, second);
