import { EBX, EAX } from '../cpu-state.js';
import { i32 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';

export const mov: SemanticsFn = (c, [dst, src]) => c.write(dst, c.read(src));

const lea: SemanticsFn = (c, [dst, src]) => c.write(dst, c.effectiveAddress(src));

/** AL = [segment:(E)BX + AL], the sum wrapped to the address size. */
const xlat: SemanticsFn = (c) => {
  const offset = c.wrapAddress(i32.add(c.addressReg(EBX), c.reg(EAX, 8)));
  c.setReg(EAX, 8, c.loadMemory(c.dataSegment, c.let(offset), 8));
};

const nothing: SemanticsFn = () => {};

/** Hints and reserved NOPs of the 0F map: a ModRM operand that is not accessed. */
function hint(mnemonic: string, opcode: string): Instruction {
  return instruction(mnemonic, `0F ${opcode} /r`, 'Ev', nothing);
}

export const MOVE: readonly Instruction[] = [
  instruction('MOV', '88 /r', 'Eb, Gb', mov),
  instruction('MOV', '89 /r', 'Ev, Gv', mov),
  instruction('MOV', '8A /r', 'Gb, Eb', mov),
  instruction('MOV', '8B /r', 'Gv, Ev', mov),
  instruction('MOV', 'A0', 'AL, Ob', mov),
  instruction('MOV', 'A1', 'eAX, Ov', mov),
  instruction('MOV', 'A2', 'Ob, AL', mov),
  instruction('MOV', 'A3', 'Ov, eAX', mov),
  instruction('MOV', 'B0+r', 'Zb, Ib', mov),
  instruction('MOV', 'B8+r', 'Zv, Iv', mov),
  instruction('MOV', 'C6 /0', 'Eb, Ib', mov),
  instruction('MOV', 'C7 /0', 'Ev, Iz', mov),
  instruction('LEA', '8D /r', 'Gv, M', lea),
  instruction('XLAT', 'D7', '', xlat),
  // 66 90 exchanges AX with itself, to the same effect.
  instruction('NOP', 'NP 90', '', nothing),
  instruction('PAUSE', 'F3 90', '', nothing),
  hint('PREFETCHW', '0D'),
  hint('PREFETCH', '18'),
  ...['19', '1A', '1B', '1C', '1D', '1E', '1F'].map((opcode) => hint('NOP', opcode)),
];
