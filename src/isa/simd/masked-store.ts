import { EDI } from '../cpu-state.js';
import type { I32 } from '../ir/expr.js';
import { i32, v128 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { enterMmx } from './mmx-register.js';
import { SSE2, mmxOptions } from './packed-operation.js';

/**
 * MASKMOVQ, MASKMOVDQU: stores the bytes of the first register whose byte in the second has its top bit set, at
 * [(E)DI]. Bytes not selected are not touched, so an empty mask never faults.
 */
const maskedStore: SemanticsFn = (c, [data, mask]) => {
  const isMmx = data.kind === 'mmx';
  const bits = v128.test('i8x16.bitmask', isMmx ? v128.splat('i64x2', c.read64(mask)) : c.read128(mask));
  const left = c.var(isMmx ? i32.and(bits, 0xff) : bits);
  const start = c.addressReg(EDI);
  const at = (index: I32): I32 => c.wrapAddress(i32.add(start, index));
  c.if(left, () => {
    // Nothing may be stored when a byte faults. Only where the selected bytes straddle two pages can some fault and
    // others not: then the last one is tried first, by storing what is there.
    const first = c.let(i32.ctz(left));
    const last = c.let(i32.sub(31, i32.clz(left)));
    const sameLine = i32.eq(i32.shr_u(i32.add(start, first), 4), i32.shr_u(i32.add(start, last), 4));
    c.if(i32.eqz(sameLine), () => c.updateMemory(c.dataSegment, at(last), 8, (old) => old));
    c.loop((again) => {
      const index = c.let(i32.ctz(left));
      c.storeMemory(c.dataSegment, at(index), 8, i32.load8_u(i32.add(c.slot(data), index)));
      c.set(left, i32.and(left, i32.sub(left, 1)));
      c.brIf(again, left);
    });
  });
  if (isMmx) enterMmx(c);
};

export const MASKED_STORE: readonly Instruction[] = [
  instruction('MASKMOVQ', 'NP 0F F7 /r', 'Pq, Nq', maskedStore, mmxOptions('SSE')),
  instruction('MASKMOVDQU', '66 0F F7 /r', 'Vdq, Udq', maskedStore, SSE2),
];
