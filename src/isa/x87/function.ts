import type { Body, Routine } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { Callable, I32 } from '../ir/expr.js';
import { call, i32 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { arcTangent } from './arctangent.js';
import { roundReal } from './convert-int.js';
import { exponential } from './exponential.js';
import { SIGN, SIGN_EXPONENT_OFFSET, loadReal } from './format.js';
import { logarithm, logarithmPlusOne } from './logarithm.js';
import { X87 } from './option.js';
import { rememberInstruction } from './pointer.js';
import { nearestRemainder, truncatingRemainder } from './remainder.js';
import { extract, scale } from './scale-extract.js';
import { squareRoot } from './sqrt.js';
import { isFilled, pop, registerAddress, stackUnderflow } from './stack.js';
import { clearC1 } from './status.js';
import { cosine, sine, sineCosine, tangent } from './trigonometric.js';

type Outcome = Callable & { readonly result: 'i32' };

/** name(): ST(0) = f(ST(0)) */
function onTop(name: string, f: (b: Body, target: I32) => void): Routine {
  return routine(name, [], null, (b) => {
    clearC1(b);
    b.if(i32.eqz(isFilled(0)), () => {
      b.do(stackUnderflow, 0);
      b.return();
    });
    f(b, b.let(registerAddress(0)));
  });
}
function computed(name: string, f: Outcome): Routine {
  return onTop(name, (b, target) => {
    const x = loadReal(b, target);
    b.do(f, target, x.significand, x.signExponent);
  });
}
/** Only the sign changes, of a NaN as well. */
function withSign(name: string, f: (signExponent: I32) => I32): Routine {
  return onTop(name, (b, target) =>
    b.store16(target, f(i32.load16_u(target, SIGN_EXPONENT_OFFSET)), SIGN_EXPONENT_OFFSET),
  );
}

const run =
  (f: Callable): SemanticsFn =>
  (c) => {
    rememberInstruction(c);
    c.do(f);
  };
/** The result went to ST(1); ST(0) goes. */
const runAndPop =
  (f: Outcome): SemanticsFn =>
  (c) => {
    rememberInstruction(c);
    c.if(call(f), () => c.do(pop));
  };

const FUNCTIONS: readonly (readonly [string, string, SemanticsFn])[] = [
  ['FCHS', 'E0', run(withSign('x87ChangeSign', (x) => i32.xor(x, SIGN)))],
  ['FABS', 'E1', run(withSign('x87Absolute', (x) => i32.and(x, SIGN - 1)))],
  ['F2XM1', 'F0', run(exponential)],
  ['FYL2X', 'F1', runAndPop(logarithm)],
  ['FPTAN', 'F2', run(tangent)],
  ['FPATAN', 'F3', runAndPop(arcTangent)],
  ['FXTRACT', 'F4', run(extract)],
  ['FPREM1', 'F5', run(nearestRemainder)],
  ['FPREM', 'F8', run(truncatingRemainder)],
  ['FYL2XP1', 'F9', runAndPop(logarithmPlusOne)],
  ['FSQRT', 'FA', run(computed('x87SquareRootTop', squareRoot))],
  ['FSINCOS', 'FB', run(sineCosine)],
  ['FRNDINT', 'FC', run(computed('x87RoundTop', roundReal))],
  ['FSCALE', 'FD', run(scale)],
  ['FSIN', 'FE', run(sine)],
  ['FCOS', 'FF', run(cosine)],
];

export const FUNCTION: readonly Instruction[] = FUNCTIONS.map(([mnemonic, byte, semantics]) =>
  instruction(mnemonic, `D9 ${byte}`, '', semantics, X87),
);
