import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { I64, V128 } from '../ir/expr.js';
import { f64, i32, i64, v128 } from '../ir/expr.js';
import type { SemanticsFn } from '../semantics.js';
import { ZERO_VECTOR } from './lane.js';
import { SSE, SSE2 } from './packed-operation.js';

const UPPER = 8;
/** A register with 64 bits below and zeros above. */
const below = (value: I64): V128 => v128.replace('i64x2.replace_lane', ZERO_VECTOR, 0, value);

/**
 * Between registers in halves: scalar instructions write the lower one, and a load that spans two stores waits until
 * both are done. Stores are whole for the sake of loads of either size.
 */
const copy =
  (aligned: boolean): SemanticsFn =>
  (c, [dst, src]) => {
    if (dst.kind === 'xmm' && src.kind === 'xmm') {
      const from = c.slot(src);
      const lower = v128.splat('f64x2', f64.load(from));
      c.write128(dst, v128.replace('f64x2.replace_lane', lower, 1, f64.load(from, UPPER)));
    } else c.write128(dst, c.let(c.read128(src, aligned)), aligned);
  };
const aligned = copy(true);
const unaligned = copy(false);

/** MOVSS: loading clears the rest of the register, copying between registers keeps it. */
const movss: SemanticsFn = (c, [dst, src]) => {
  const value = c.let(c.read(src));
  if (dst.kind === 'memory') c.write(dst, value);
  else if (src.kind === 'memory') c.write128(dst, below(i64.extend_u(value)));
  else c.store(c.slot(dst), value);
};
const movsd: SemanticsFn = (c, [dst, src]) => {
  const value = c.let(c.read64(src));
  if (src.kind === 'memory') c.write128(dst, below(value));
  else c.write64(dst, value);
};
/** MOVQ: the upper half of a register written becomes zero. */
const movq: SemanticsFn = (c, [dst, src]) => {
  const value = c.let(c.read64(src));
  if (dst.kind === 'xmm') c.write128(dst, below(value));
  else c.write64(dst, value);
};
const movdToXmm: SemanticsFn = (c, [dst, src]) => {
  c.write128(dst, below(i64.extend_u(c.let(c.read(src)))));
};
const movdFromXmm: SemanticsFn = (c, [dst, src]) => c.write(dst, c.let(i32.load(c.slot(src))));

/** MOVLPS, MOVLPD; between registers MOVHLPS: upper half of the source to the lower half. */
const loadLow: SemanticsFn = (c, [dst, src]) =>
  c.write64(dst, src.kind === 'memory' ? c.let(c.read64(src)) : i64.load(c.slot(src), UPPER));
/** MOVHPS, MOVHPD; between registers MOVLHPS: lower half of the source to the upper half. */
const loadHigh: SemanticsFn = (c, [dst, src]) => {
  const value = c.let(c.read64(src));
  c.store64(c.slot(dst), value, UPPER);
};
const storeLow: SemanticsFn = (c, [dst, src]) => c.write64(dst, c.let(c.read64(src)));
const storeHigh: SemanticsFn = (c, [dst, src]) => c.write64(dst, c.let(i64.load(c.slot(src), UPPER)));

const storeGpr: SemanticsFn = (c, [dst, src]) => c.write(dst, c.read(src));

export const SSE_MOVE: readonly Instruction[] = [
  instruction('MOVUPS', 'NP 0F 10 /r', 'Vdq, Wdq', unaligned, SSE),
  instruction('MOVUPS', 'NP 0F 11 /r', 'Wdq, Vdq', unaligned, SSE),
  instruction('MOVUPD', '66 0F 10 /r', 'Vdq, Wdq', unaligned, SSE2),
  instruction('MOVUPD', '66 0F 11 /r', 'Wdq, Vdq', unaligned, SSE2),
  instruction('MOVDQU', 'F3 0F 6F /r', 'Vdq, Wdq', unaligned, SSE2),
  instruction('MOVDQU', 'F3 0F 7F /r', 'Wdq, Vdq', unaligned, SSE2),
  instruction('MOVAPS', 'NP 0F 28 /r', 'Vdq, Wdq', aligned, SSE),
  instruction('MOVAPS', 'NP 0F 29 /r', 'Wdq, Vdq', aligned, SSE),
  instruction('MOVAPD', '66 0F 28 /r', 'Vdq, Wdq', aligned, SSE2),
  instruction('MOVAPD', '66 0F 29 /r', 'Wdq, Vdq', aligned, SSE2),
  instruction('MOVDQA', '66 0F 6F /r', 'Vdq, Wdq', aligned, SSE2),
  instruction('MOVDQA', '66 0F 7F /r', 'Wdq, Vdq', aligned, SSE2),
  instruction('MOVNTPS', 'NP 0F 2B /r', 'Mdq, Vdq', aligned, SSE),
  instruction('MOVNTPD', '66 0F 2B /r', 'Mdq, Vdq', aligned, SSE2),
  instruction('MOVNTDQ', '66 0F E7 /r', 'Mdq, Vdq', aligned, SSE2),
  // An ordinary store with a cache hint: no SSE state is involved.
  instruction('MOVNTI', 'NP 0F C3 /r', 'Md, Gd', storeGpr, { feature: 'SSE2' }),
  instruction('MOVSS', 'F3 0F 10 /r', 'Vdq, Wd', movss, SSE),
  instruction('MOVSS', 'F3 0F 11 /r', 'Wd, Vdq', movss, SSE),
  instruction('MOVSD', 'F2 0F 10 /r', 'Vdq, Wq', movsd, SSE2),
  instruction('MOVSD', 'F2 0F 11 /r', 'Wq, Vdq', movsd, SSE2),
  instruction('MOVLPS/MOVHLPS', 'NP 0F 12 /r', 'Vdq, Wq', loadLow, SSE),
  instruction('MOVLPS', 'NP 0F 13 /r', 'Mq, Vdq', storeLow, SSE),
  instruction('MOVLPD', '66 0F 12 /r', 'Vdq, Mq', loadLow, SSE2),
  instruction('MOVLPD', '66 0F 13 /r', 'Mq, Vdq', storeLow, SSE2),
  instruction('MOVHPS/MOVLHPS', 'NP 0F 16 /r', 'Vdq, Wq', loadHigh, SSE),
  instruction('MOVHPS', 'NP 0F 17 /r', 'Mq, Vdq', storeHigh, SSE),
  instruction('MOVHPD', '66 0F 16 /r', 'Vdq, Mq', loadHigh, SSE2),
  instruction('MOVHPD', '66 0F 17 /r', 'Mq, Vdq', storeHigh, SSE2),
  instruction('MOVD', '66 0F 6E /r', 'Vdq, Ed', movdToXmm, SSE2),
  instruction('MOVD', '66 0F 7E /r', 'Ed, Vdq', movdFromXmm, SSE2),
  instruction('MOVQ', 'F3 0F 7E /r', 'Vdq, Wq', movq, SSE2),
  instruction('MOVQ', '66 0F D6 /r', 'Wq, Vdq', movq, SSE2),
];
