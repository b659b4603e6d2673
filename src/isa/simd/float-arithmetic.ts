import type { Callable, F64, I32 } from '../ir/expr.js';
import { call, f32, f64, i32, i64 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { approximateReciprocal, approximateReciprocalRoot } from './float/approximate.js';
import { doubleMax, doubleMin, singleMax, singleMin } from './float/compare.js';
import type { DoubleOperation } from './float/fast-double.js';
import { doubleArithmetic, doubleSquareRoot } from './float/fast-double.js';
import type { SingleOperation } from './float/fast-single.js';
import { singleArithmetic, singleSquareRoot } from './float/fast-single.js';
import { settle } from './float/mxcsr.js';
import type { OnVector } from './float/packed.js';
import { onEachDouble, onEachSingle, packedArithmetic } from './float/packed.js';
import { USUAL_DOUBLE, USUAL_SINGLE, isUsualResult } from './float/usual.js';
import { SSE, SSE2 } from './packed-operation.js';

type On32 = Callable & { result: 'i32' };
type On64 = Callable & { result: 'i64' };

/** dst = f(dst, src), or f(src) for routines of one operand. */
const scalarSingle =
  (f: On32): SemanticsFn =>
  (c, [dst, src]) => {
    const y = c.let(c.read(src));
    const r = c.let(f.params.length === 1 ? call(f, y) : call(f, i32.load(c.slot(dst)), y));
    settle(c);
    c.store(c.slot(dst), r);
  };
const scalarDouble =
  (f: On64): SemanticsFn =>
  (c, [dst, src]) => {
    const y = c.let(c.read64(src));
    const r = c.let(f.params.length === 1 ? call(f, y) : call(f, i64.load(c.slot(dst)), y));
    settle(c);
    c.store64(c.slot(dst), r);
  };
/**
 * The same in place in the usual case. Values go from memory to memory as floating-point numbers; what is looked at on
 * the way are copies.
 */
const quickSingle =
  ({ general, compute }: SingleOperation): SemanticsFn =>
  (c, [dst, src]) => {
    const y = c.let(src.kind === 'xmm' ? f32.load(c.slot(src)) : f32.reinterpret(c.read(src)));
    const x = c.let(f32.load(c.slot(dst)));
    const r = c.var(compute(x, y));
    const [bitsR, bitsX, bitsY] = [r, x, y].map((v) => c.let(i32.reinterpret(v)));
    c.if(i32.eqz(isUsualResult(USUAL_SINGLE, bitsR, bitsX, bitsY)), () => {
      c.set(r, f32.reinterpret(call(general, bitsX, bitsY)));
      settle(c);
    });
    c.storeF32(c.slot(dst), r);
  };
const quickDouble =
  ({ general, compute }: DoubleOperation): SemanticsFn =>
  (c, [dst, src]) => {
    const y = c.let(src.kind === 'xmm' ? f64.load(c.slot(src)) : f64.reinterpret(c.read64(src)));
    const x = c.let(f64.load(c.slot(dst)));
    const r = c.var(compute(x, y));
    const upper = (v: F64): I32 => c.let(i32.wrap(i64.shr_u(i64.reinterpret(v), 32n)));
    c.if(i32.eqz(isUsualResult(USUAL_DOUBLE, upper(r), upper(x), upper(y))), () => {
      c.set(r, f64.reinterpret(call(general, i64.reinterpret(x), i64.reinterpret(y))));
      settle(c);
    });
    c.storeF64(c.slot(dst), r);
  };
const packed =
  (f: OnVector): SemanticsFn =>
  (c, [dst, src]) => {
    const y = c.let(c.read128(src, true));
    const r = c.let(f.params.length === 1 ? call(f, y) : call(f, c.read128(dst), y));
    settle(c);
    c.write128(dst, r);
  };

function singles(name: string, opcode: string, vector: OnVector, scalar: On32 | SingleOperation): Instruction[] {
  const onLowest = 'general' in scalar ? quickSingle(scalar) : scalarSingle(scalar);
  return [
    instruction(`${name}PS`, `NP 0F ${opcode} /r`, 'Vdq, Wdq', packed(vector), SSE),
    instruction(`${name}SS`, `F3 0F ${opcode} /r`, 'Vdq, Wd', onLowest, SSE),
  ];
}
function doubles(name: string, opcode: string, vector: OnVector, scalar: On64 | DoubleOperation): Instruction[] {
  const onLowest = 'general' in scalar ? quickDouble(scalar) : scalarDouble(scalar);
  return [
    instruction(`${name}PD`, `66 0F ${opcode} /r`, 'Vdq, Wdq', packed(vector), SSE2),
    instruction(`${name}SD`, `F2 0F ${opcode} /r`, 'Vdq, Wq', onLowest, SSE2),
  ];
}

function both(name: 'add' | 'mul' | 'sub' | 'div', opcode: string): Instruction[] {
  return [
    ...singles(name.toUpperCase(), opcode, packedArithmetic.single[name], singleArithmetic[name]),
    ...doubles(name.toUpperCase(), opcode, packedArithmetic.double[name], doubleArithmetic[name]),
  ];
}

export const FLOAT_ARITHMETIC: readonly Instruction[] = [
  ...both('add', '58'),
  ...both('mul', '59'),
  ...both('sub', '5C'),
  ...both('div', '5E'),
  ...singles('SQRT', '51', packedArithmetic.single.sqrt, singleSquareRoot),
  ...doubles('SQRT', '51', packedArithmetic.double.sqrt, doubleSquareRoot),
  ...singles('MIN', '5D', onEachSingle(singleMin), singleMin),
  ...doubles('MIN', '5D', onEachDouble(doubleMin), doubleMin),
  ...singles('MAX', '5F', onEachSingle(singleMax), singleMax),
  ...doubles('MAX', '5F', onEachDouble(doubleMax), doubleMax),
  ...singles('RSQRT', '52', onEachSingle(approximateReciprocalRoot), approximateReciprocalRoot),
  ...singles('RCP', '53', onEachSingle(approximateReciprocal), approximateReciprocal),
];
