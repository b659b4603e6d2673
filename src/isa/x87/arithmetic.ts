import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { Callable, I32 } from '../ir/expr.js';
import { call, i32 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { add } from './add-sub.js';
import { divide } from './divide.js';
import type { FastOperation } from './fast-path.js';
import { fastProduct, fastQuotient, fastSum, requireUsual, reversed } from './fast-path.js';
import type { Real } from './format.js';
import { SIGN, loadReal, storeReal } from './format.js';
import type { MemoryFormat } from './memory-operand.js';
import { M16INT, M32INT, M32REAL, M64REAL, takeMemory } from './memory-operand.js';
import { multiply } from './multiply.js';
import { X87 } from './option.js';
import { rememberInstruction } from './pointer.js';
import type { StackState } from './stack.js';
import { addressOfPhysical, isFilledIn, numberOf, pop, readStack, stackUnderflow, writeStack } from './stack.js';
import { clearC1 } from './status.js';

type Outcome = Callable & { readonly result: 'i32' };

/** An operation on x = ST(0) and y: the routine call, and what it amounts to for most operands. */
interface Operation {
  readonly general: (target: I32, x: Real, y: Real) => I32;
  readonly fast: FastOperation;
}

const on = (f: Outcome, target: I32, x: Real, y: Real): I32 =>
  call(f, target, x.significand, x.signExponent, y.significand, y.signExponent);
const sum = (target: I32, x: Real, y: Real, flip: number): I32 =>
  call(add, target, x.significand, x.signExponent, y.significand, y.signExponent, flip);
/** The fast path of an operation: leaves the routine with 1, or falls through with nothing changed. */
function attempt(b: Body, stack: StackState, { fast }: Operation, place: FastPlace): void {
  b.block((slow) => {
    const { target, filled, x, y, pops } = place;
    requireUsual(b, filled, x, y, slow);
    const r = fast(b, x, y, slow);
    storeReal(b, target, r.significand, r.signExponent);
    writeStack(b, stack, r.flags, pops);
    b.return(i32.const(1));
  });
}
interface FastPlace {
  readonly target: I32;
  /** Bit 0: the operands are not empty. */
  readonly filled: I32;
  readonly x: Real;
  readonly y: Real;
  readonly pops: boolean;
}

/** name(i): the operation on ST(0) and ST(i), into either; ST(0) then is popped or not. */
function registerRoutine(name: string, operation: Operation, into: 'top' | 'other', pops: boolean): Outcome {
  return routine(name, ['i32'], 'i32', (b, i) => {
    const stack = readStack(b);
    const other = b.let(numberOf(stack, i));
    const topAddress = b.let(addressOfPhysical(stack.top));
    const otherAddress = b.let(addressOfPhysical(other));
    const filled = b.let(i32.and(isFilledIn(stack, stack.top), isFilledIn(stack, other)));
    const x = loadReal(b, topAddress);
    const y = loadReal(b, otherAddress);
    const target = into === 'top' ? topAddress : otherAddress;
    attempt(b, stack, operation, { target, filled, x, y, pops });
    clearC1(b);
    const destination = into === 'top' ? i32.const(0) : i;
    const outcome = b.var('i32');
    b.if(
      i32.and(filled, 1),
      () => b.set(outcome, operation.general(target, x, y)),
      () => b.set(outcome, call(stackUnderflow, destination)),
    );
    if (pops) b.if(outcome, () => b.do(pop));
    b.return(outcome);
  });
}

/** name(significand, signExponent): ST(0) = the operation on ST(0) and an operand. */
function operandRoutine(name: string, operation: Operation): Outcome {
  return routine(name, ['i64', 'i32'], 'i32', (b, significand, signExponent) => {
    const stack = readStack(b);
    const target = b.let(addressOfPhysical(stack.top));
    const x = loadReal(b, target);
    const y = { significand, signExponent };
    const filled = b.let(isFilledIn(stack, stack.top));
    attempt(b, stack, operation, { target, filled, x, y, pops: false });
    clearC1(b);
    b.if(i32.eqz(i32.and(filled, 1)), () => b.return(call(stackUnderflow, 0)));
    b.return(operation.general(target, x, y));
  });
}

const OPERATIONS = {
  FADD: { general: (target, x, y) => sum(target, x, y, 0), fast: fastSum(false, false) },
  FMUL: { general: (target, x, y) => on(multiply, target, x, y), fast: fastProduct },
  FSUB: { general: (target, x, y) => sum(target, x, y, SIGN), fast: fastSum(false, true) },
  FSUBR: { general: (target, x, y) => sum(target, y, x, SIGN), fast: fastSum(true, false) },
  FDIV: { general: (target, x, y) => on(divide, target, x, y), fast: fastQuotient },
  FDIVR: { general: (target, x, y) => on(divide, target, y, x), fast: reversed(fastQuotient) },
} as const satisfies Record<string, Operation>;
type Mnemonic = keyof typeof OPERATIONS;

interface OperationRoutines {
  readonly ontoTop: Outcome;
  readonly ontoOther: Outcome;
  readonly ontoOtherAndPop: Outcome;
  readonly withOperand: Outcome;
}
function routinesOf(mnemonic: Mnemonic): OperationRoutines {
  const operation = OPERATIONS[mnemonic];
  return {
    ontoTop: registerRoutine(`${mnemonic}Top`, operation, 'top', false),
    ontoOther: registerRoutine(`${mnemonic}Other`, operation, 'other', false),
    ontoOtherAndPop: registerRoutine(`${mnemonic}OtherPop`, operation, 'other', true),
    withOperand: operandRoutine(`${mnemonic}Operand`, operation),
  };
}
export const ARITHMETIC_ROUTINES: Readonly<Record<Mnemonic, OperationRoutines>> = {
  FADD: routinesOf('FADD'),
  FMUL: routinesOf('FMUL'),
  FSUB: routinesOf('FSUB'),
  FSUBR: routinesOf('FSUBR'),
  FDIV: routinesOf('FDIV'),
  FDIVR: routinesOf('FDIVR'),
};

/** All forms of an operation with the digit /digit. With another register as destination the names are those of `swapped`. */
function forms(mnemonic: Mnemonic, swapped: Mnemonic, digit: number): Instruction[] {
  const { ontoTop, ontoOther, ontoOtherAndPop, withOperand } = ARITHMETIC_ROUTINES[mnemonic];
  const withMemory =
    (format: MemoryFormat): SemanticsFn =>
    (c, [m]) => {
      const y = takeMemory(c, format, m);
      c.do(withOperand, y.significand, y.signExponent);
    };
  const withRegister =
    (f: Outcome, place: 0 | 1): SemanticsFn =>
    (c, operands) => {
      rememberInstruction(c);
      c.do(f, c.index(operands[place]));
    };
  const first = (0xc0 + 8 * digit).toString(16).toUpperCase();
  const integer = mnemonic.replace('F', 'FI');
  return [
    instruction(mnemonic, `D8 ${first}+i`, 'ST, STi', withRegister(ontoTop, 1), X87),
    instruction(swapped, `DC ${first}+i`, 'STi, ST', withRegister(ontoOther, 0), X87),
    instruction(`${swapped}P`, `DE ${first}+i`, 'STi, ST', withRegister(ontoOtherAndPop, 0), X87),
    ...(
      [
        [mnemonic, 'D8', M32REAL],
        [mnemonic, 'DC', M64REAL],
        [integer, 'DA', M32INT],
        [integer, 'DE', M16INT],
      ] as const
    ).map(([name, opcode, format]) =>
      instruction(name, `${opcode} /${digit}`, format.notation, withMemory(format), X87),
    ),
  ];
}

export const ARITHMETIC: readonly Instruction[] = [
  ...forms('FADD', 'FADD', 0),
  ...forms('FMUL', 'FMUL', 1),
  ...forms('FSUB', 'FSUBR', 4),
  ...forms('FSUBR', 'FSUB', 5),
  ...forms('FDIV', 'FDIVR', 6),
  ...forms('FDIVR', 'FDIV', 7),
];
