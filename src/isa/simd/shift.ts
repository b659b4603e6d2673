import type { I32, I64, V128 } from '../ir/expr.js';
import { i32, i64, select, simd, v128 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { ZERO_VECTOR, bytes, lane64 } from './lane.js';
import { readMmx, writeMmx } from './mmx-register.js';
import { SSE2, mmxOptions } from './packed-operation.js';

/** A shift of all lanes by one 64-bit count. WebAssembly takes counts modulo the width; x86 does not. */
type Shift = (v: V128, count: I64) => V128;

const logical =
  (op: string, width: number): Shift =>
  (v, count) =>
    select(i64.lt_u(count, width), simd(op, v, i32.wrap(count)), ZERO_VECTOR);
/** Larger counts leave copies of the sign. */
const arithmetic =
  (op: string, width: number): Shift =>
  (v, count) =>
    simd(op, v, i32.wrap(select(i64.lt_u(count, width), count, i64.const(width - 1))));

const mmxByRegister =
  (shift: Shift): SemanticsFn =>
  (c, [dst, src]) => {
    const count = readMmx(c, src);
    writeMmx(c, dst, c.let(lane64(shift(v128.splat('i64x2', c.read64(dst)), count), 0)));
  };
const mmxByImmediate =
  (shift: Shift): SemanticsFn =>
  (c, [dst, count]) => {
    const n = c.let(i64.extend_u(c.read(count)));
    writeMmx(c, dst, c.let(lane64(shift(v128.splat('i64x2', c.read64(dst)), n), 0)));
  };
const xmmByRegister =
  (shift: Shift): SemanticsFn =>
  (c, [dst, src]) => {
    const count = c.let(lane64(c.read128(src, true), 0));
    c.write128(dst, shift(c.read128(dst), count));
  };
const xmmByImmediate =
  (shift: Shift): SemanticsFn =>
  (c, [dst, count]) => {
    const n = c.let(i64.extend_u(c.read(count)));
    c.write128(dst, shift(c.read128(dst), n));
  };

/** Four forms: by register or memory, and by immediate, of MMX and XMM registers. */
function shifts(mnemonic: string, opcode: string, immediate: string, shift: Shift): Instruction[] {
  return [
    instruction(mnemonic, `NP 0F ${opcode} /r`, 'Pq, Qq', mmxByRegister(shift), mmxOptions('MMX')),
    instruction(mnemonic, `66 0F ${opcode} /r`, 'Vdq, Wdq', xmmByRegister(shift), SSE2),
    instruction(mnemonic, `NP 0F ${immediate}`, 'Nq, Ib', mmxByImmediate(shift), mmxOptions('MMX')),
    instruction(mnemonic, `66 0F ${immediate}`, 'Udq, Ib', xmmByImmediate(shift), SSE2),
  ];
}

/**
 * PSLLDQ and PSRLDQ: byte i of the result is byte i - n or i + n. Indexes outside 0..15, taken as unsigned bytes, select
 * zero.
 */
const byteShift =
  (direction: 1 | -1): SemanticsFn =>
  (c, [dst, count]) => {
    const n = c.let(c.read(count));
    const clamped: I32 = select(i32.lt_u(n, 16), n, i32.const(16));
    const step = v128.splat('i8x16', i32.mul(clamped, direction));
    c.write128(
      dst,
      simd(
        'i8x16.swizzle',
        c.read128(dst),
        simd(
          'i8x16.add',
          bytes((i) => i),
          step,
        ),
      ),
    );
  };

export const SHIFTS: readonly Instruction[] = [
  ...shifts('PSRLW', 'D1', '71 /2', logical('i16x8.shr_u', 16)),
  ...shifts('PSRLD', 'D2', '72 /2', logical('i32x4.shr_u', 32)),
  ...shifts('PSRLQ', 'D3', '73 /2', logical('i64x2.shr_u', 64)),
  ...shifts('PSRAW', 'E1', '71 /4', arithmetic('i16x8.shr_s', 16)),
  ...shifts('PSRAD', 'E2', '72 /4', arithmetic('i32x4.shr_s', 32)),
  ...shifts('PSLLW', 'F1', '71 /6', logical('i16x8.shl', 16)),
  ...shifts('PSLLD', 'F2', '72 /6', logical('i32x4.shl', 32)),
  ...shifts('PSLLQ', 'F3', '73 /6', logical('i64x2.shl', 64)),
  instruction('PSRLDQ', '66 0F 73 /3', 'Udq, Ib', byteShift(1), SSE2),
  instruction('PSLLDQ', '66 0F 73 /7', 'Udq, Ib', byteShift(-1), SSE2),
];
