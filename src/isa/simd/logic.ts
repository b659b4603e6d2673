import type { I64 } from '../ir/expr.js';
import { i64, isConst, simd } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { ZERO_VECTOR } from './lane.js';
import type { PackedFunction } from './packed-operation.js';
import { SSE, SSE2, onXmm, packed } from './packed-operation.js';

const ALL: PackedFunction = (a, b) => simd('v128.and', a, b);
/** The first operand is the one complemented; WebAssembly complements the second. */
const NOT_FIRST: PackedFunction = (a, b) => simd('v128.andnot', b, a);
const ANY: PackedFunction = (a, b) => simd('v128.or', a, b);
const ODD: PackedFunction = (a, b) => simd('v128.xor', a, b);
const xor = onXmm(ODD);

/** With itself a register becomes zero, which depends on nothing: compilers begin with that. */
const exclusiveOr: SemanticsFn = (c, operands, w) => {
  const [dst, src] = operands;
  if (src.kind === 'xmm') {
    const [to, from] = [c.slot(dst), c.slot(src)];
    if (isConst(to) && isConst(from) && to.imm === from.imm) {
      c.write128(dst, ZERO_VECTOR);
      return;
    }
  }
  xor(c, operands, w);
};

/** Integer, single and double forms do the same. */
function logic(
  name: string,
  integer: string,
  float: string,
  f: PackedFunction,
  f64: (a: I64, b: I64) => I64,
): Instruction[] {
  const onVector = f === ODD ? exclusiveOr : onXmm(f);
  const [mmx] = packed(`P${name}`, integer, f, 'MMX', f64);
  return [
    mmx,
    instruction(`P${name}`, `66 0F ${integer} /r`, 'Vdq, Wdq', onVector, SSE2),
    instruction(`${name}PS`, `NP 0F ${float} /r`, 'Vdq, Wdq', onVector, SSE),
    instruction(`${name}PD`, `66 0F ${float} /r`, 'Vdq, Wdq', onVector, SSE2),
  ];
}

export const LOGIC: readonly Instruction[] = [
  ...logic('AND', 'DB', '54', ALL, i64.and),
  ...logic('ANDN', 'DF', '55', NOT_FIRST, (a, b) => i64.and(i64.not(a), b)),
  ...logic('OR', 'EB', '56', ANY, i64.or),
  ...logic('XOR', 'EF', '57', ODD, i64.xor),
];
