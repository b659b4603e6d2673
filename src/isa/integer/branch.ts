import { ECX, EXCEPTION } from '../cpu-state.js';
import type { I32 } from '../ir/expr.js';
import { i32 } from '../ir/expr.js';
import type { BranchKind, Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Operand, Semantics, SemanticsFn } from '../semantics.js';
import { signExtend } from './bits.js';
import { stackTop } from './stack.js';

const jcc: SemanticsFn = (c, [target]) => c.jumpIf(c.flags.condition(c.conditionCode), c.read(target));

const jmp: SemanticsFn = (c, [target]) => c.jump(c.let(c.read(target)));

/** The target is checked before the push, the push faults before EIP changes. */
const call: SemanticsFn = (c, [operand]) => {
  const target = c.let(c.read(operand));
  c.checkTarget(target);
  c.push(c.operandSize, c.nextEip());
  c.jump(target);
};

/** `extra` bytes of arguments are released too. */
function nearReturn(c: Semantics, extra: I32): void {
  const { pointer, value: target } = stackTop(c, c.operandSize);
  c.checkTarget(target);
  c.setStackPointer(i32.add(i32.add(pointer, c.operandSize / 8), extra));
  c.jump(target);
}
const ret: SemanticsFn = (c) => nearReturn(c, i32.const(0));
const retRelease: SemanticsFn = (c, [extra]) => nearReturn(c, c.read(extra));

/** LOOP and its kin count CX or ECX down, by the address size; flags do not change. */
const loop =
  (continues?: (c: Semantics) => I32): SemanticsFn =>
  (c, [operand]) => {
    const count = c.let(c.addressReg(ECX));
    const target = c.read(operand);
    const more = i32.ne(count, 1);
    const taken = c.let(continues ? i32.and(more, continues(c)) : more);
    c.if(taken, () => c.checkTarget(target));
    c.setAddressReg(ECX, i32.sub(count, 1));
    c.jumpIf(taken, target);
  };
const jcxz: SemanticsFn = (c, [target]) => c.jumpIf(i32.eqz(c.addressReg(ECX)), c.read(target));

/** Selector and offset of a far pointer, immediate or in memory. */
function farPointer(c: Semantics, pointer: Operand): [selector: I32, offset: I32] {
  if (pointer.kind === 'farPointer') return [c.farSelector(pointer), c.read(pointer)];
  const size = c.operandSize;
  const offset = c.let(c.loadAt(pointer, 0, size));
  return [c.let(c.loadAt(pointer, size / 8, 16)), offset];
}
const far =
  (routine: 'farJump' | 'farCall'): SemanticsFn =>
  (c, [pointer]) =>
    c.system(routine, ...farPointer(c, pointer), c.operandSize);

const retf: SemanticsFn = (c) => c.system('farReturn', c.operandSize, 0);
const retfRelease: SemanticsFn = (c, [extra]) => c.system('farReturn', c.operandSize, c.read(extra));
const iret: SemanticsFn = (c) => c.system('iret', c.operandSize);

const int: SemanticsFn = (c, [vector]) => c.system('softwareInterrupt', c.read(vector), 0);
const int3: SemanticsFn = (c) => c.system('softwareInterrupt', EXCEPTION.BP, 1);
const int1: SemanticsFn = (c) => c.system('softwareInterrupt', EXCEPTION.DB, 3);
const into: SemanticsFn = (c) => c.if(c.flags.get('of'), () => c.system('softwareInterrupt', EXCEPTION.OF, 2));

/** Signed comparison with two bounds in memory; #BR is a fault. */
const bound: SemanticsFn = (c, [index, bounds]) => {
  const size = c.operandSize;
  const value = c.let(signExtend(size, c.read(index)));
  const lower = c.let(signExtend(size, c.loadAt(bounds, 0, size)));
  const upper = c.let(signExtend(size, c.loadAt(bounds, size / 8, size)));
  c.raiseIf(i32.or(i32.lt_s(value, lower), i32.gt_s(value, upper)), EXCEPTION.BR);
};

const near =
  (kind: BranchKind) =>
  (mnemonic: string, pattern: string, operands: string, semantics: SemanticsFn): Instruction =>
    instruction(mnemonic, pattern, operands, semantics, { branch: kind });
const jumping = near('jump');
const conditional = near('conditional');
const calling = near('call');
const returning = near('return');
const elsewhere = near('far');

export const BRANCH: readonly Instruction[] = [
  conditional('Jcc', '70+cc', 'Jb', jcc),
  conditional('Jcc', '0F 80+cc', 'Jz', jcc),
  jumping('JMP', 'EB', 'Jb', jmp),
  jumping('JMP', 'E9', 'Jz', jmp),
  jumping('JMP', 'FF /4', 'Ev', jmp),
  calling('CALL', 'E8', 'Jz', call),
  calling('CALL', 'FF /2', 'Ev', call),
  returning('RET', 'C3', '', ret),
  returning('RET', 'C2', 'Iw', retRelease),
  conditional(
    'LOOPNE',
    'E0',
    'Jb',
    loop((c) => i32.xor(c.flags.get('zf'), 1)),
  ),
  conditional(
    'LOOPE',
    'E1',
    'Jb',
    loop((c) => c.flags.get('zf')),
  ),
  conditional('LOOP', 'E2', 'Jb', loop()),
  conditional('JCXZ/JECXZ', 'E3', 'Jb', jcxz),
  elsewhere('JMP far', 'EA', 'Ap', far('farJump')),
  elsewhere('JMP far', 'FF /5', 'Mp', far('farJump')),
  elsewhere('CALL far', '9A', 'Ap', far('farCall')),
  elsewhere('CALL far', 'FF /3', 'Mp', far('farCall')),
  elsewhere('RET far', 'CB', '', retf),
  elsewhere('RET far', 'CA', 'Iw', retfRelease),
  elsewhere('IRET/IRETD', 'CF', '', iret),
  elsewhere('INT3', 'CC', '', int3),
  elsewhere('INT', 'CD', 'Ib', int),
  elsewhere('INTO', 'CE', '', into),
  elsewhere('INT1', 'F1', '', int1),
  instruction('BOUND', '62 /r', 'Gv, M', bound),
];
