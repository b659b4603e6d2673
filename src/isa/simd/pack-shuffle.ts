import type { I32, V128 } from '../ir/expr.js';
import { i32, select, simd, v128 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Operand, Semantics, SemanticsFn } from '../semantics.js';
import { bytes, lane64, pair, repeated, and } from './lane.js';
import { enterMmx, markWritten, readMmx, writeMmx } from './mmx-register.js';
import type { PackedFunction } from './packed-operation.js';
import { SSE, SSE2, lower, mmxOptions, onMmx, onXmm, packed } from './packed-operation.js';

/** PACK...: narrowing keeps operand order. An MMX form packs both operands laid side by side. */
function pack(mnemonic: string, opcode: string, op: string): Instruction[] {
  return packed(
    mnemonic,
    opcode,
    (a, b) => simd(op, a, b),
    'MMX',
    (a, b) => {
      const both = pair(a, b);
      return lane64(simd(op, both, both), 0);
    },
  );
}

/** Lanes of `laneBytes` from one half of two vectors, alternating. */
const interleave =
  (laneBytes: number, upper: boolean): PackedFunction =>
  (a, b) =>
    v128.shuffle(
      a,
      b,
      Array.from({ length: 16 }, (_, i) => {
        const lane = Math.floor(i / laneBytes);
        return (upper ? 8 : 0) + Math.floor(lane / 2) * laneBytes + (i % laneBytes) + (lane % 2) * 16;
      }),
    );

/** MMX: the lower halves interleave to 128 bits, of which PUNPCKL takes the lower and PUNPCKH the upper 64. */
function unpack(suffix: string, laneBytes: number, low: string, high: string): Instruction[] {
  const whole = interleave(laneBytes, false);
  const lowest = lower(whole);
  return [
    instruction(`PUNPCKL${suffix}`, `NP 0F ${low} /r`, 'Pq, Qd', onMmx(lowest), mmxOptions('MMX')),
    instruction(`PUNPCKL${suffix}`, `66 0F ${low} /r`, 'Vdq, Wdq', onXmm(whole), SSE2),
    ...packed(`PUNPCKH${suffix}`, high, interleave(laneBytes, true), 'MMX', (a, b) =>
      lane64(whole(v128.splat('i64x2', a), v128.splat('i64x2', b)), 1),
    ),
  ];
}

const dwordsLow = onXmm(interleave(4, false));
const dwordsHigh = onXmm(interleave(4, true));
const qwordsLow = onXmm(interleave(8, false));
const qwordsHigh = onXmm(interleave(8, true));

/** Byte indexes for i8x16.swizzle from the four 2-bit fields of a shuffle control, one per 32-bit lane. */
function dwordIndexes(control: I32): V128 {
  // Field i moves to bits 6-7 by a multiplication: lanes cannot be shifted by different counts.
  const factors = bytes((i) => (i % 4 === 0 ? 64 >> (i / 2) : 0));
  const fields = simd('i32x4.shr_u', simd('i32x4.mul', v128.splat('i32x4', control), factors), i32.const(6));
  const starts = simd('i32x4.mul', and(fields, repeated(3n, 4)), repeated(0x0404_0404n, 4));
  return simd('i32x4.add', starts, repeated(0x0302_0100n, 4));
}

/** Likewise for 16-bit lanes, the same fields in both halves; the upper half selects within itself. */
function wordIndexes(control: I32): V128 {
  const factors = bytes((i) => (i % 2 === 0 ? 64 >> (i % 8) : 0));
  const fields = simd('i16x8.shr_u', simd('i16x8.mul', v128.splat('i16x8', control), factors), i32.const(6));
  const starts = simd('i16x8.mul', and(fields, repeated(3n, 2)), repeated(0x0202n, 2));
  return simd(
    'i16x8.add',
    starts,
    bytes((i) => (i % 2) + (i < 8 ? 0 : 8)),
  );
}

const pshufd: SemanticsFn = (c, [dst, src, control]) => {
  const v = c.let(c.read128(src, true));
  c.write128(dst, simd('i8x16.swizzle', v, dwordIndexes(c.read(control))));
};

/** PSHUFLW and PSHUFHW: the other half is copied. */
const shuffleHalf =
  (upper: boolean): SemanticsFn =>
  (c, [dst, src, control]) => {
    const v = c.let(c.read128(src, true));
    const shuffled = simd('i8x16.swizzle', v, wordIndexes(c.read(control)));
    c.write128(
      dst,
      v128.shuffle(
        shuffled,
        v,
        Array.from({ length: 16 }, (_, i) => (i < 8 === upper ? 16 + i : i)),
      ),
    );
  };

const pshufw: SemanticsFn = (c, [dst, src, control]) => {
  const v = v128.splat('i64x2', readMmx(c, src));
  writeMmx(c, dst, c.let(lane64(simd('i8x16.swizzle', v, wordIndexes(c.read(control))), 0)));
};

/** SHUFPS: two lanes from the destination, two from the source. */
const shufps: SemanticsFn = (c, [dst, src, control]) => {
  const v = c.let(c.read128(src, true));
  const indexes = c.let(dwordIndexes(c.read(control)));
  const [fromDst, fromSrc] = [c.read128(dst), v].map((from) => simd('i8x16.swizzle', from, indexes));
  c.write128(
    dst,
    v128.shuffle(
      fromDst,
      fromSrc,
      Array.from({ length: 16 }, (_, i) => (i < 8 ? i : 16 + i)),
    ),
  );
};

const shufpd: SemanticsFn = (c, [dst, src, control]) => {
  const v = c.let(c.read128(src, true));
  const old = c.let(c.read128(dst));
  const n = c.let(c.read(control));
  const low = select(i32.and(n, 1), lane64(old, 1), lane64(old, 0));
  const high = select(i32.and(n, 2), lane64(v, 1), lane64(v, 0));
  c.write128(dst, pair(low, high));
};

/** Address of the 16-bit lane that the immediate selects; its upper bits are ignored. */
function wordLane(c: Semantics, register: Operand, selector: Operand): I32 {
  const lanes = register.kind === 'mmx' ? 4 : 8;
  return i32.add(c.slot(register), i32.shl(i32.and(c.read(selector), lanes - 1), 1));
}

const pextrw: SemanticsFn = (c, [dst, src, selector]) => {
  c.write(dst, i32.load16_u(wordLane(c, src, selector)));
  if (src.kind === 'mmx') enterMmx(c);
};

const pinsrw: SemanticsFn = (c, [dst, src, selector]) => {
  const value = c.let(c.read(src));
  c.store16(wordLane(c, dst, selector), value);
  if (dst.kind !== 'mmx') return;
  markWritten(c, dst);
  enterMmx(c);
};

const pmovmskb: SemanticsFn = (c, [dst, src]) => {
  if (src.kind === 'mmx') {
    c.write(dst, i32.and(v128.test('i8x16.bitmask', v128.splat('i64x2', c.read64(src))), 0xff));
    enterMmx(c);
  } else c.write(dst, v128.test('i8x16.bitmask', c.read128(src)));
};
const signMask =
  (op: string): SemanticsFn =>
  (c, [dst, src]) =>
    c.write(dst, v128.test(op, c.read128(src)));

export const PACK_SHUFFLE: readonly Instruction[] = [
  ...pack('PACKSSWB', '63', 'i8x16.narrow_i16x8_s'),
  ...pack('PACKUSWB', '67', 'i8x16.narrow_i16x8_u'),
  ...pack('PACKSSDW', '6B', 'i16x8.narrow_i32x4_s'),
  ...unpack('BW', 1, '60', '68'),
  ...unpack('WD', 2, '61', '69'),
  ...unpack('DQ', 4, '62', '6A'),
  instruction('PUNPCKLQDQ', '66 0F 6C /r', 'Vdq, Wdq', qwordsLow, SSE2),
  instruction('PUNPCKHQDQ', '66 0F 6D /r', 'Vdq, Wdq', qwordsHigh, SSE2),
  instruction('UNPCKLPS', 'NP 0F 14 /r', 'Vdq, Wdq', dwordsLow, SSE),
  instruction('UNPCKHPS', 'NP 0F 15 /r', 'Vdq, Wdq', dwordsHigh, SSE),
  instruction('UNPCKLPD', '66 0F 14 /r', 'Vdq, Wdq', qwordsLow, SSE2),
  instruction('UNPCKHPD', '66 0F 15 /r', 'Vdq, Wdq', qwordsHigh, SSE2),
  instruction('PSHUFW', 'NP 0F 70 /r', 'Pq, Qq, Ib', pshufw, mmxOptions('SSE')),
  instruction('PSHUFD', '66 0F 70 /r', 'Vdq, Wdq, Ib', pshufd, SSE2),
  instruction('PSHUFLW', 'F2 0F 70 /r', 'Vdq, Wdq, Ib', shuffleHalf(false), SSE2),
  instruction('PSHUFHW', 'F3 0F 70 /r', 'Vdq, Wdq, Ib', shuffleHalf(true), SSE2),
  instruction('SHUFPS', 'NP 0F C6 /r', 'Vdq, Wdq, Ib', shufps, SSE),
  instruction('SHUFPD', '66 0F C6 /r', 'Vdq, Wdq, Ib', shufpd, SSE2),
  instruction('PEXTRW', 'NP 0F C5 /r', 'Gd, Nq, Ib', pextrw, mmxOptions('SSE')),
  instruction('PEXTRW', '66 0F C5 /r', 'Gd, Udq, Ib', pextrw, SSE2),
  instruction('PINSRW', 'NP 0F C4 /r', 'Pq, Rd/Mw, Ib', pinsrw, mmxOptions('SSE')),
  instruction('PINSRW', '66 0F C4 /r', 'Vdq, Rd/Mw, Ib', pinsrw, SSE2),
  instruction('PMOVMSKB', 'NP 0F D7 /r', 'Gd, Nq', pmovmskb, mmxOptions('SSE')),
  instruction('PMOVMSKB', '66 0F D7 /r', 'Gd, Udq', pmovmskb, SSE2),
  instruction('MOVMSKPS', 'NP 0F 50 /r', 'Gd, Udq', signMask('i32x4.bitmask'), SSE),
  instruction('MOVMSKPD', '66 0F 50 /r', 'Gd, Udq', signMask('i64x2.bitmask'), SSE2),
];
