import type { Callable, I32 } from '../ir/expr.js';
import { routine } from '../ir/body.js';
import { call, i32 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { add } from './add-sub.js';
import { divide } from './divide.js';
import type { Real } from './format.js';
import { SIGN, loadReal } from './format.js';
import type { MemoryFormat } from './memory-operand.js';
import { M16INT, M32INT, M32REAL, M64REAL, takeMemory } from './memory-operand.js';
import { multiply } from './multiply.js';
import { X87 } from './option.js';
import { rememberInstruction } from './pointer.js';
import { isFilled, pop, registerAddress, stackUnderflow } from './stack.js';
import { clearC1 } from './status.js';
import { operand } from './work.js';

/** The routine call for an operation on x = ST(0) and y. */
type Operation = (target: I32, x: Real, y: Real) => I32;
type Outcome = Callable & { readonly result: 'i32' };

const on = (f: Outcome, target: I32, x: Real, y: Real): I32 =>
  call(f, target, x.significand, x.signExponent, y.significand, y.signExponent);
const sum =
  (flip: number): Operation =>
  (target, x, y) =>
    call(add, target, x.significand, x.signExponent, y.significand, y.signExponent, flip);
const reversed =
  (f: Operation): Operation =>
  (target, x, y) =>
    f(target, y, x);
const difference = sum(SIGN);
const product: Operation = (target, x, y) => on(multiply, target, x, y);
const quotient: Operation = (target, x, y) => on(divide, target, x, y);

/** name(i, destination): ST(destination) = the operation on ST(0) and ST(i). */
function registerRoutine(name: string, operation: Operation): Outcome {
  return routine(`${name}Register`, ['i32', 'i32'], 'i32', (b, i, destination) => {
    clearC1(b);
    b.if(i32.eqz(i32.and(isFilled(0), isFilled(i))), () => b.return(call(stackUnderflow, destination)));
    const x = loadReal(b, b.let(registerAddress(0)));
    const y = loadReal(b, b.let(registerAddress(i)));
    b.return(operation(registerAddress(destination), x, y));
  });
}

/** name(): ST(0) = the operation on ST(0) and the operand. */
function operandRoutine(name: string, operation: Operation): Outcome {
  return routine(`${name}Memory`, [], 'i32', (b) => {
    clearC1(b);
    b.if(i32.eqz(isFilled(0)), () => b.return(call(stackUnderflow, 0)));
    const target = b.let(registerAddress(0));
    b.return(operation(target, loadReal(b, target), operand(b)));
  });
}

/** All forms of an operation with the digit /digit. With another register as destination the names are those of `swapped`. */
function forms(mnemonic: string, swapped: string, digit: number, operation: Operation): Instruction[] {
  const onRegister = registerRoutine(mnemonic, operation);
  const onOperand = operandRoutine(mnemonic, operation);
  const withMemory =
    (format: MemoryFormat): SemanticsFn =>
    (c, [m]) => {
      takeMemory(c, format, m);
      c.do(onOperand);
    };
  const intoTop: SemanticsFn = (c, [, st]) => {
    rememberInstruction(c);
    c.do(onRegister, c.index(st), 0);
  };
  const intoOther: SemanticsFn = (c, [st]) => {
    rememberInstruction(c);
    c.do(onRegister, c.index(st), c.index(st));
  };
  const intoOtherAndPop: SemanticsFn = (c, [st]) => {
    rememberInstruction(c);
    c.if(call(onRegister, c.index(st), c.index(st)), () => c.do(pop));
  };
  const first = (0xc0 + 8 * digit).toString(16).toUpperCase();
  const integer = mnemonic.replace('F', 'FI');
  return [
    instruction(mnemonic, `D8 ${first}+i`, 'ST, STi', intoTop, X87),
    instruction(swapped, `DC ${first}+i`, 'STi, ST', intoOther, X87),
    instruction(`${swapped}P`, `DE ${first}+i`, 'STi, ST', intoOtherAndPop, X87),
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
  ...forms('FADD', 'FADD', 0, sum(0)),
  ...forms('FMUL', 'FMUL', 1, product),
  ...forms('FSUB', 'FSUBR', 4, difference),
  ...forms('FSUBR', 'FSUB', 5, reversed(difference)),
  ...forms('FDIV', 'FDIVR', 6, quotient),
  ...forms('FDIVR', 'FDIV', 7, reversed(quotient)),
];
