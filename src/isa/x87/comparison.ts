import { routine } from '../ir/body.js';
import type { I32 } from '../ir/expr.js';
import { call, i32, select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Semantics, SemanticsFn } from '../semantics.js';
import { RELATION, UNPOPPED, returnRelation } from './compare.js';
import { CLASS, classOf, loadReal, signOf } from './format.js';
import type { MemoryFormat } from './memory-operand.js';
import { M16INT, M32INT, M32REAL, M64REAL, takeMemory } from './memory-operand.js';
import { X87, X87_CMOV } from './option.js';
import { rememberInstruction } from './pointer.js';
import {
  addressOfPhysical,
  isFilled,
  isFilledIn,
  numberOf,
  pop,
  readStack,
  registerAddress,
  writePopped,
} from './stack.js';
import { CONDITIONS, SW, clearC1, raiseX87, setConditions } from './status.js';

/** x87CompareStackFault(): registers that are empty have no relation; returns UNORDERED as compare() does. */
const stackFault = routine('x87CompareStackFault', [], 'i32', (b) => {
  clearC1(b);
  const unmasked = b.let(call(raiseX87, SW.IE | SW.SF));
  b.return(i32.or(RELATION.UNORDERED, select(unmasked, i32.const(UNPOPPED), i32.const(0))));
});

/** x87CompareRegisters(i, quiet): RELATION of ST(0) and ST(i). */
const compareRegisters = routine('x87CompareRegisters', ['i32', 'i32'], 'i32', (b, i, quiet) => {
  const stack = readStack(b);
  const other = b.let(numberOf(stack, i));
  b.if(i32.eqz(i32.and(i32.and(isFilledIn(stack, stack.top), isFilledIn(stack, other)), 1)), () =>
    b.return(call(stackFault)),
  );
  const x = loadReal(b, b.let(addressOfPhysical(stack.top)));
  const y = loadReal(b, b.let(addressOfPhysical(other)));
  returnRelation(b, x, y, quiet);
});

/** x87CompareOperand(significand, signExponent): RELATION of ST(0) and the operand. */
const compareOperand = routine('x87CompareOperand', ['i64', 'i32'], 'i32', (b, significand, signExponent) => {
  const stack = readStack(b);
  b.if(i32.eqz(i32.and(isFilledIn(stack, stack.top), 1)), () => b.return(call(stackFault)));
  const x = loadReal(b, b.let(addressOfPhysical(stack.top)));
  returnRelation(b, x, { significand, signExponent }, i32.const(0));
});

/** x87ReportRelation(relation, pops): conditions from a comparison, then pops. */
const report = routine('x87ReportRelation', ['i32', 'i32'], null, (b, relation, pops) => {
  setConditions(b, i32.and(relation, CONDITIONS));
  b.if(i32.or(i32.eqz(pops), i32.and(relation, UNPOPPED)), () => b.return());
  b.do(pop);
  b.if(i32.gt_u(pops, 1), () => b.do(pop));
});

const withRegister =
  (quiet: number, pops: number): SemanticsFn =>
  (c, [, st]) => {
    rememberInstruction(c);
    c.do(report, call(compareRegisters, c.index(st), quiet), pops);
  };
/** FCOMPP and FUCOMPP compare with ST(1). */
const withNext =
  (quiet: number): SemanticsFn =>
  (c) => {
    rememberInstruction(c);
    c.do(report, call(compareRegisters, 1, quiet), 2);
  };
const withMemory =
  (format: MemoryFormat, pops: number): SemanticsFn =>
  (c, [m]) => {
    const y = takeMemory(c, format, m);
    c.do(report, call(compareOperand, y.significand, y.signExponent), pops);
  };

function setFlags(c: Semantics, relation: I32): void {
  const bit = (mask: number): I32 => i32.ne(i32.and(relation, mask), 0);
  c.flags.set({ cf: bit(SW.C0), pf: bit(SW.C2), zf: bit(SW.C3), of: 0, sf: 0, af: 0 });
}
const intoFlags =
  (quiet: number, pops: number): SemanticsFn =>
  (c, [, st]) => {
    rememberInstruction(c);
    // The status word keeps its conditions, C1 as well.
    const relation = c.let(call(compareRegisters, c.index(st), quiet));
    setFlags(c, relation);
    if (pops > 0) c.if(i32.eqz(i32.and(relation, UNPOPPED)), () => writePopped(c, readStack(c)));
  };

const ftst: SemanticsFn = (c) => {
  rememberInstruction(c);
  c.do(report, call(compareOperand, 0n, 0), 0);
};

/** x87Examine(): C3, C2 and C0 say what ST(0) holds, C1 its sign, even if it is empty (SDM 2, FXAM). */
const examine = routine('x87Examine', [], null, (b) => {
  const x = loadReal(b, b.let(registerAddress(0)));
  const sign = b.let(select(signOf(x.signExponent), i32.const(SW.C1), i32.const(0)));
  b.if(i32.eqz(isFilled(0)), () => {
    setConditions(b, i32.or(sign, SW.C3 | SW.C0));
    b.return();
  });
  const kind = b.let(classOf(x));
  const named = (c: number, conditions: number): void =>
    b.if(i32.eq(kind, c), () => {
      setConditions(b, i32.or(sign, conditions));
      b.return();
    });
  named(CLASS.NORMAL, SW.C2);
  named(CLASS.ZERO, SW.C3);
  named(CLASS.DENORMAL, SW.C3 | SW.C2);
  named(CLASS.INFINITY, SW.C2 | SW.C0);
  named(CLASS.UNSUPPORTED, 0);
  setConditions(b, i32.or(sign, SW.C0));
});

export const COMPARISON: readonly Instruction[] = [
  instruction('FCOM', 'D8 D0+i', 'ST, STi', withRegister(0, 0), X87),
  instruction('FCOMP', 'D8 D8+i', 'ST, STi', withRegister(0, 1), X87),
  // Undocumented second and third encodings.
  instruction('FCOM', 'DC D0+i', 'ST, STi', withRegister(0, 0), X87),
  instruction('FCOMP', 'DC D8+i', 'ST, STi', withRegister(0, 1), X87),
  instruction('FCOMP', 'DE D0+i', 'ST, STi', withRegister(0, 1), X87),
  instruction('FCOMPP', 'DE D9', '', withNext(0), X87),
  instruction('FCOM', 'D8 /2', M32REAL.notation, withMemory(M32REAL, 0), X87),
  instruction('FCOMP', 'D8 /3', M32REAL.notation, withMemory(M32REAL, 1), X87),
  instruction('FCOM', 'DC /2', M64REAL.notation, withMemory(M64REAL, 0), X87),
  instruction('FCOMP', 'DC /3', M64REAL.notation, withMemory(M64REAL, 1), X87),
  instruction('FICOM', 'DA /2', M32INT.notation, withMemory(M32INT, 0), X87),
  instruction('FICOMP', 'DA /3', M32INT.notation, withMemory(M32INT, 1), X87),
  instruction('FICOM', 'DE /2', M16INT.notation, withMemory(M16INT, 0), X87),
  instruction('FICOMP', 'DE /3', M16INT.notation, withMemory(M16INT, 1), X87),
  instruction('FUCOM', 'DD E0+i', 'ST, STi', withRegister(1, 0), X87),
  instruction('FUCOMP', 'DD E8+i', 'ST, STi', withRegister(1, 1), X87),
  instruction('FUCOMPP', 'DA E9', '', withNext(1), X87),
  instruction('FCOMI', 'DB F0+i', 'ST, STi', intoFlags(0, 0), X87_CMOV),
  instruction('FCOMIP', 'DF F0+i', 'ST, STi', intoFlags(0, 1), X87_CMOV),
  instruction('FUCOMI', 'DB E8+i', 'ST, STi', intoFlags(1, 0), X87_CMOV),
  instruction('FUCOMIP', 'DF E8+i', 'ST, STi', intoFlags(1, 1), X87_CMOV),
  instruction('FTST', 'D9 E4', '', ftst, X87),
  instruction(
    'FXAM',
    'D9 E5',
    '',
    (c) => {
      rememberInstruction(c);
      c.do(examine);
    },
    X87,
  ),
];
