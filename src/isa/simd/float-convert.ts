import type { I32, I64 } from '../ir/expr.js';
import { call, f64, i32, i64 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Operand, Semantics, SemanticsFn } from '../semantics.js';
import {
  conversionRounding,
  doubleToInteger,
  doubleToSingle,
  integerToDouble,
  integerToSingle,
  singleToDouble,
  singleToInteger,
} from './float/convert.js';
import { settle } from './float/mxcsr.js';
import { lane32, lane64, pair, vectorOf } from './lane.js';
import { enterMmx, readMmx, writeMmx } from './mmx-register.js';
import { SSE, SSE2, withMmx } from './packed-operation.js';

const lowDword = (v: I64): I32 => i32.wrap(v);
const highDword = (v: I64): I32 => i32.wrap(i64.shr_u(v, 32n));
const join = (low: I32, high: I32): I64 => i64.or(i64.extend_u(low), i64.shl(i64.extend_u(high), 32n));

/** Writes 64 bits and zeros above. */
function writeLow(c: Semantics, dst: Operand, value: I64): void {
  c.write128(dst, pair(value, i64.const(0n)));
}

// ---- integers in MMX registers
/**
 * CVTPI2PS: the upper half stays. With a memory operand no MMX register is used and processors leave the x87 state
 * alone, as the manual says for CVTPI2PD only.
 */
const cvtpi2ps: SemanticsFn = (c, [dst, src]) => {
  const v = readMmx(c, src);
  const r = c.let(join(call(integerToSingle, lowDword(v)), call(integerToSingle, highDword(v))));
  settle(c);
  c.write64(dst, r);
  if (src.kind === 'mmx') enterMmx(c);
};
const cvtpi2pd: SemanticsFn = (c, [dst, src]) => {
  const v = readMmx(c, src);
  c.write128(dst, pair(integerToDouble(lowDword(v)), integerToDouble(highDword(v))));
  if (src.kind === 'mmx') enterMmx(c);
};
const cvtps2pi =
  (truncate: boolean): SemanticsFn =>
  (c, [dst, src]) => {
    const v = c.let(c.read64(src));
    const rc = c.let(conversionRounding(truncate));
    const r = c.let(join(call(singleToInteger, lowDword(v), rc), call(singleToInteger, highDword(v), rc)));
    settle(c);
    writeMmx(c, dst, r);
  };
const cvtpd2pi =
  (truncate: boolean): SemanticsFn =>
  (c, [dst, src]) => {
    const v = c.let(c.read128(src, true));
    const rc = c.let(conversionRounding(truncate));
    const r = c.let(join(call(doubleToInteger, lane64(v, 0), rc), call(doubleToInteger, lane64(v, 1), rc)));
    settle(c);
    writeMmx(c, dst, r);
  };

// ---- integers in general registers
const cvtsi2ss: SemanticsFn = (c, [dst, src]) => {
  const r = c.let(call(integerToSingle, c.let(c.read(src))));
  settle(c);
  c.store(c.slot(dst), r);
};
const cvtsi2sd: SemanticsFn = (c, [dst, src]) => c.storeF64(c.slot(dst), f64.convert_i32_s(c.let(c.read(src))));
const cvtss2si =
  (truncate: boolean): SemanticsFn =>
  (c, [dst, src]) => {
    const v = c.let(c.read(src));
    const r = c.let(call(singleToInteger, v, conversionRounding(truncate)));
    settle(c);
    c.write(dst, r);
  };
const cvtsd2si =
  (truncate: boolean): SemanticsFn =>
  (c, [dst, src]) => {
    const v = c.let(c.read64(src));
    const r = c.let(call(doubleToInteger, v, conversionRounding(truncate)));
    settle(c);
    c.write(dst, r);
  };

// ---- integers in XMM registers
const cvtdq2ps: SemanticsFn = (c, [dst, src]) => {
  const v = c.let(c.read128(src, true));
  const r = c.let(vectorOf([0, 1, 2, 3].map((i) => call(integerToSingle, lane32(v, i)))));
  settle(c);
  c.write128(dst, r);
};
const cvtdq2pd: SemanticsFn = (c, [dst, src]) => {
  const v = c.let(c.read64(src));
  c.write128(dst, pair(integerToDouble(lowDword(v)), integerToDouble(highDword(v))));
};
const cvtps2dq =
  (truncate: boolean): SemanticsFn =>
  (c, [dst, src]) => {
    const v = c.let(c.read128(src, true));
    const rc = c.let(conversionRounding(truncate));
    const r = c.let(vectorOf([0, 1, 2, 3].map((i) => call(singleToInteger, lane32(v, i), rc))));
    settle(c);
    c.write128(dst, r);
  };
const cvtpd2dq =
  (truncate: boolean): SemanticsFn =>
  (c, [dst, src]) => {
    const v = c.let(c.read128(src, true));
    const rc = c.let(conversionRounding(truncate));
    const r = c.let(join(call(doubleToInteger, lane64(v, 0), rc), call(doubleToInteger, lane64(v, 1), rc)));
    settle(c);
    writeLow(c, dst, r);
  };

// ---- between the formats
const cvtsd2ss: SemanticsFn = (c, [dst, src]) => {
  const r = c.let(call(doubleToSingle, c.let(c.read64(src))));
  settle(c);
  c.store(c.slot(dst), r);
};
const cvtss2sd: SemanticsFn = (c, [dst, src]) => {
  const r = c.let(call(singleToDouble, c.let(c.read(src))));
  settle(c);
  c.store64(c.slot(dst), r);
};
const cvtpd2ps: SemanticsFn = (c, [dst, src]) => {
  const v = c.let(c.read128(src, true));
  const r = c.let(join(call(doubleToSingle, lane64(v, 0)), call(doubleToSingle, lane64(v, 1))));
  settle(c);
  writeLow(c, dst, r);
};
const cvtps2pd: SemanticsFn = (c, [dst, src]) => {
  const v = c.let(c.read64(src));
  const r = c.let(pair(call(singleToDouble, lowDword(v)), call(singleToDouble, highDword(v))));
  settle(c);
  c.write128(dst, r);
};

export const FLOAT_CONVERT: readonly Instruction[] = [
  instruction('CVTPI2PS', 'NP 0F 2A /r', 'Vdq, Nq', cvtpi2ps, withMmx(SSE)),
  instruction('CVTPI2PS', 'NP 0F 2A /r', 'Vdq, Mq', cvtpi2ps, SSE),
  instruction('CVTPI2PD', '66 0F 2A /r', 'Vdq, Nq', cvtpi2pd, withMmx(SSE2)),
  instruction('CVTPI2PD', '66 0F 2A /r', 'Vdq, Mq', cvtpi2pd, SSE2),
  instruction('CVTSI2SS', 'F3 0F 2A /r', 'Vdq, Ed', cvtsi2ss, SSE),
  instruction('CVTSI2SD', 'F2 0F 2A /r', 'Vdq, Ed', cvtsi2sd, SSE2),
  ...[true, false].flatMap((truncate) => {
    const [t, opcode] = truncate ? ['T', '2C'] : ['', '2D'];
    return [
      instruction(`CVT${t}PS2PI`, `NP 0F ${opcode} /r`, 'Pq, Wq', cvtps2pi(truncate), withMmx(SSE)),
      instruction(`CVT${t}PD2PI`, `66 0F ${opcode} /r`, 'Pq, Wdq', cvtpd2pi(truncate), withMmx(SSE2)),
      instruction(`CVT${t}SS2SI`, `F3 0F ${opcode} /r`, 'Gd, Wd', cvtss2si(truncate), SSE),
      instruction(`CVT${t}SD2SI`, `F2 0F ${opcode} /r`, 'Gd, Wq', cvtsd2si(truncate), SSE2),
    ];
  }),
  instruction('CVTPS2PD', 'NP 0F 5A /r', 'Vdq, Wq', cvtps2pd, SSE2),
  instruction('CVTPD2PS', '66 0F 5A /r', 'Vdq, Wdq', cvtpd2ps, SSE2),
  instruction('CVTSS2SD', 'F3 0F 5A /r', 'Vdq, Wd', cvtss2sd, SSE2),
  instruction('CVTSD2SS', 'F2 0F 5A /r', 'Vdq, Wq', cvtsd2ss, SSE2),
  instruction('CVTDQ2PS', 'NP 0F 5B /r', 'Vdq, Wdq', cvtdq2ps, SSE2),
  instruction('CVTPS2DQ', '66 0F 5B /r', 'Vdq, Wdq', cvtps2dq(false), SSE2),
  instruction('CVTTPS2DQ', 'F3 0F 5B /r', 'Vdq, Wdq', cvtps2dq(true), SSE2),
  instruction('CVTTPD2DQ', '66 0F E6 /r', 'Vdq, Wdq', cvtpd2dq(true), SSE2),
  instruction('CVTPD2DQ', 'F2 0F E6 /r', 'Vdq, Wdq', cvtpd2dq(false), SSE2),
  instruction('CVTDQ2PD', 'F3 0F E6 /r', 'Vdq, Wq', cvtdq2pd, SSE2),
];
