import { EAX, EDX } from '../cpu-state.js';
import { i32 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { signExtend, widthOf } from './bits.js';
import { mov } from './move.js';

/** CBW, CWDE: AX = sign of AL, EAX = sign of AX. */
const cbw: SemanticsFn = (c) => {
  const from = c.operandSize === 16 ? 8 : 16;
  c.setReg(EAX, c.operandSize, signExtend(from, c.reg(EAX, from)));
};
/** CWD, CDQ: DX = sign of AX, EDX = sign of EAX. */
const cwd: SemanticsFn = (c) =>
  c.setReg(EDX, c.operandSize, i32.shr_s(signExtend(c.operandSize, c.reg(EAX, c.operandSize)), 31));

const movsx: SemanticsFn = (c, [dst, src]) => c.write(dst, signExtend(widthOf(src), c.read(src)));

export const CONVERT: readonly Instruction[] = [
  instruction('CBW/CWDE', '98', '', cbw),
  instruction('CWD/CDQ', '99', '', cwd),
  // Values read are zero-extended already.
  instruction('MOVZX', '0F B6 /r', 'Gv, Eb', mov),
  instruction('MOVZX', '0F B7 /r', 'Gv, Ew', mov),
  instruction('MOVSX', '0F BE /r', 'Gv, Eb', movsx),
  instruction('MOVSX', '0F BF /r', 'Gv, Ew', movsx),
];
