import type { I32 } from '../ir/expr.js';
import { i32, isConst } from '../ir/expr.js';
import type { Operand, Semantics, Width } from '../semantics.js';

/** Width of an integer operand. */
export function widthOf(op: Operand): Width {
  return op.width as Width;
}

export function signExtend(w: Width, value: I32): I32 {
  return w === 8 ? i32.extend8_s(value) : w === 16 ? i32.extend16_s(value) : value;
}

export function zeroExtend(w: Width, value: I32): I32 {
  return w === 32 ? value : i32.and(value, w === 8 ? 0xff : 0xffff);
}

/** 0/1: the sign bit of a value of width `w`; bits above it are ignored. */
export function signBit(w: Width, value: I32): I32 {
  return w === 32 ? i32.shr_u(value, 31) : i32.and(i32.shr_u(value, w - 1), 1);
}

/** `then` runs when `value` is not 0; decided now if `value` is a constant. */
export function unlessZero(c: Semantics, value: I32, then: () => void): void {
  if (!isConst(value)) c.if(value, then);
  else if (value.imm !== 0) then();
}
