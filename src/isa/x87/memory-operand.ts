import { i32, i64 } from '../ir/expr.js';
import type { Operand, Semantics } from '../semantics.js';
import { loadDouble, loadSingle } from './convert-float.js';
import { loadInteger } from './convert-int.js';
import { rememberInstruction } from './pointer.js';

/** A memory operand that is converted to 80 bits: its notation, and what makes it the operand of work.ts. */
export interface MemoryFormat {
  readonly notation: string;
  readonly convert: (c: Semantics, m: Operand) => void;
}

export const M32REAL: MemoryFormat = { notation: 'Md', convert: (c, m) => c.do(loadSingle, c.read(m)) };
export const M64REAL: MemoryFormat = { notation: 'Mq', convert: (c, m) => c.do(loadDouble, c.read64(m)) };
export const M16INT: MemoryFormat = {
  notation: 'Mw',
  convert: (c, m) => c.do(loadInteger, i64.extend_s(i32.extend16_s(c.read(m)))),
};
export const M32INT: MemoryFormat = {
  notation: 'Md',
  convert: (c, m) => c.do(loadInteger, i64.extend_s(c.read(m))),
};
export const M64INT: MemoryFormat = { notation: 'Mq', convert: (c, m) => c.do(loadInteger, c.read64(m)) };

/** Reads and converts the memory operand of an instruction, and remembers the instruction. */
export function takeMemory(c: Semantics, format: MemoryFormat, m: Operand): void {
  format.convert(c, m);
  rememberInstruction(c, m);
}
