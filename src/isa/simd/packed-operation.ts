import type { I64, V128 } from '../ir/expr.js';
import { v128 } from '../ir/expr.js';
import type { Instruction, InstructionOptions } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { lane64 } from './lane.js';
import { readMmx, writeMmx } from './mmx-register.js';

export type PackedFunction = (a: V128, b: V128) => V128;

/** MMX instructions report pending x87 exceptions first (SDM 3, 12.5). */
export const mmxOptions = (feature: 'MMX' | 'SSE' | 'SSE2'): InstructionOptions => ({
  unit: 'mmx',
  fpuWait: true,
  feature,
});
export const SSE: InstructionOptions = { unit: 'sse', feature: 'SSE' };
export const SSE2: InstructionOptions = { unit: 'sse', feature: 'SSE2' };
/** SSE instructions that touch MMX registers. */
export const withMmx = (o: InstructionOptions): InstructionOptions => ({ ...o, fpuWait: true });

/** dst = f(dst, src) on XMM registers, memory aligned. */
export function onXmm(f: PackedFunction): SemanticsFn {
  return (c, [dst, src]) => {
    const b = c.let(c.read128(src, true));
    c.write128(dst, f(c.let(c.read128(dst)), b));
  };
}

/** dst = f(dst, src) on MMX registers. */
export function onMmx(f: (a: I64, b: I64) => I64): SemanticsFn {
  return (c, [dst, src]) => {
    const b = readMmx(c, src);
    writeMmx(c, dst, c.let(f(c.let(c.read64(dst)), b)));
  };
}

/** An operation whose lanes below 64 bits depend on such lanes only, on 64-bit values. */
export const lower =
  (f: PackedFunction) =>
  (a: I64, b: I64): I64 =>
    lane64(f(v128.splat('i64x2', a), v128.splat('i64x2', b)), 0);

/** Both forms of one integer instruction: MMX from `mmxFeature` on, and XMM with prefix 66. */
export function packed(
  mnemonic: string,
  opcode: string,
  f: PackedFunction,
  mmxFeature: 'MMX' | 'SSE' | 'SSE2',
  mmxForm: (a: I64, b: I64) => I64 = lower(f),
): Instruction[] {
  return [
    instruction(mnemonic, `NP 0F ${opcode} /r`, 'Pq, Qq', onMmx(mmxForm), mmxOptions(mmxFeature)),
    instruction(mnemonic, `66 0F ${opcode} /r`, 'Vdq, Wdq', onXmm(f), SSE2),
  ];
}
