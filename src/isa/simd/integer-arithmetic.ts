import type { V128 } from '../ir/expr.js';
import { i32, simd, v128 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { and, repeated } from './lane.js';
import type { PackedFunction } from './packed-operation.js';
import { packed } from './packed-operation.js';

const op =
  (name: string): PackedFunction =>
  (a, b) =>
    simd(name, a, b);

/** Upper halves of the eight 32-bit products of 16-bit lanes. */
const multiplyHigh =
  (sign: 's' | 'u'): PackedFunction =>
  (a, b) =>
    v128.shuffle(
      simd(`i32x4.extmul_low_i16x8_${sign}`, a, b),
      simd(`i32x4.extmul_high_i16x8_${sign}`, a, b),
      [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31],
    );

const LOW_32 = repeated(0xffff_ffffn, 8);
/** PMULUDQ: 64-bit products of the even 32-bit lanes. */
const multiplyEven: PackedFunction = (a, b) => simd('i64x2.mul', and(a, LOW_32), and(b, LOW_32));

/** PSADBW: sum of the eight absolute differences of bytes in each half. */
const sumOfDifferences: PackedFunction = (a, b) => {
  const difference = simd('v128.or', simd('i8x16.sub_sat_u', a, b), simd('i8x16.sub_sat_u', b, a));
  const sums = simd('i32x4.extadd_pairwise_i16x8_u', simd('i16x8.extadd_pairwise_i8x16_u', difference));
  const shifted: V128 = simd('i64x2.shr_u', sums, i32.const(32));
  return simd('i64x2.add', and(sums, LOW_32), shifted);
};

export const INTEGER_ARITHMETIC: readonly Instruction[] = [
  ...packed('PADDB', 'FC', op('i8x16.add'), 'MMX'),
  ...packed('PADDW', 'FD', op('i16x8.add'), 'MMX'),
  ...packed('PADDD', 'FE', op('i32x4.add'), 'MMX'),
  ...packed('PADDQ', 'D4', op('i64x2.add'), 'SSE2'),
  ...packed('PADDSB', 'EC', op('i8x16.add_sat_s'), 'MMX'),
  ...packed('PADDSW', 'ED', op('i16x8.add_sat_s'), 'MMX'),
  ...packed('PADDUSB', 'DC', op('i8x16.add_sat_u'), 'MMX'),
  ...packed('PADDUSW', 'DD', op('i16x8.add_sat_u'), 'MMX'),
  ...packed('PSUBB', 'F8', op('i8x16.sub'), 'MMX'),
  ...packed('PSUBW', 'F9', op('i16x8.sub'), 'MMX'),
  ...packed('PSUBD', 'FA', op('i32x4.sub'), 'MMX'),
  ...packed('PSUBQ', 'FB', op('i64x2.sub'), 'SSE2'),
  ...packed('PSUBSB', 'E8', op('i8x16.sub_sat_s'), 'MMX'),
  ...packed('PSUBSW', 'E9', op('i16x8.sub_sat_s'), 'MMX'),
  ...packed('PSUBUSB', 'D8', op('i8x16.sub_sat_u'), 'MMX'),
  ...packed('PSUBUSW', 'D9', op('i16x8.sub_sat_u'), 'MMX'),
  ...packed('PMULLW', 'D5', op('i16x8.mul'), 'MMX'),
  ...packed('PMULHW', 'E5', multiplyHigh('s'), 'MMX'),
  ...packed('PMULHUW', 'E4', multiplyHigh('u'), 'SSE'),
  ...packed('PMULUDQ', 'F4', multiplyEven, 'SSE2'),
  // Four products of -32768 add up to 80000000h, as on x86.
  ...packed('PMADDWD', 'F5', op('i32x4.dot_i16x8_s'), 'MMX'),
  ...packed('PAVGB', 'E0', op('i8x16.avgr_u'), 'SSE'),
  ...packed('PAVGW', 'E3', op('i16x8.avgr_u'), 'SSE'),
  ...packed('PMINUB', 'DA', op('i8x16.min_u'), 'SSE'),
  ...packed('PMAXUB', 'DE', op('i8x16.max_u'), 'SSE'),
  ...packed('PMINSW', 'EA', op('i16x8.min_s'), 'SSE'),
  ...packed('PMAXSW', 'EE', op('i16x8.max_s'), 'SSE'),
  ...packed('PSADBW', 'F6', sumOfDifferences, 'SSE'),
  ...packed('PCMPEQB', '74', op('i8x16.eq'), 'MMX'),
  ...packed('PCMPEQW', '75', op('i16x8.eq'), 'MMX'),
  ...packed('PCMPEQD', '76', op('i32x4.eq'), 'MMX'),
  ...packed('PCMPGTB', '64', op('i8x16.gt_s'), 'MMX'),
  ...packed('PCMPGTW', '65', op('i16x8.gt_s'), 'MMX'),
  ...packed('PCMPGTD', '66', op('i32x4.gt_s'), 'MMX'),
];
