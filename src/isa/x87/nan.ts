import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I64, Local } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import type { Real } from './format.js';
import { CLASS, QUIET_BIT, invalid, storeReal } from './format.js';
import { SW, raiseX87 } from './status.js';

const GO_ON = -1;

/**
 * x87Screen(target, a, aClass, b, bClass): what all operations do about unsupported operands and NaNs (SDM 1, table
 * 4-7). Returns -1 when there are none, else what the operation shall return. Of two quiet or two signalling NaNs the
 * one with the larger significand is the result, the positive one if they are equal; a quiet one comes before a
 * signalling one.
 */
const screen = routine(
  'x87Screen',
  ['i32', 'i64', 'i32', 'i32', 'i64', 'i32', 'i32'],
  'i32',
  (b, target, a, signA, classA, other, signB, classB) => {
    const largest = b.let(select(i32.gt_u(classA, classB), classA, classB));
    b.if(i32.lt_u(largest, CLASS.QUIET_NAN), () => b.return(i32.const(GO_ON)));
    b.if(i32.eq(largest, CLASS.UNSUPPORTED), () => b.return(call(invalid, target)));
    b.if(i32.eq(largest, CLASS.SIGNALLING_NAN), () => b.if(call(raiseX87, SW.IE), () => b.return(i32.const(0))));
    const isNaN = (c: I32): I32 => i32.ge_u(c, CLASS.QUIET_NAN);
    const larger = i32.or(
      i64.gt_u(a, other),
      i32.and(i64.eq(a, other), i32.le_u(i32.and(signA, 0xffff), i32.and(signB, 0xffff))),
    );
    // Where only one is a NaN, or only one is quiet, its class decides.
    const both = i32.and(isNaN(classA), isNaN(classB));
    const byClass = select(both, i32.lt_u(classA, classB), isNaN(classA));
    const first = b.let(select(i32.and(both, i32.eq(classA, classB)), larger, byClass));
    storeReal(b, target, i64.or(select(first, a, other), QUIET_BIT), select(first, signA, signB));
    b.return(i32.const(1));
  },
);

type Operand = Real & { readonly class: I32 };

function returnUnless(b: Body, outcome: I32): void {
  const r = b.let(outcome);
  b.if(i32.ne(r, GO_ON), () => b.return(r));
}

/** Ends a routine for an operation on two values when one of them is no number. */
export function screenOperands(b: Body, target: Local<'i32'> | I32, x: Operand, y: Operand): void {
  returnUnless(b, call(screen, target, x.significand, x.signExponent, x.class, y.significand, y.signExponent, y.class));
}

/** The same for an operation on one value. */
export function screenOperand(b: Body, target: I32, x: Operand): void {
  const none: I64 = i64.const(0n);
  returnUnless(b, call(screen, target, x.significand, x.signExponent, x.class, none, i32.const(0), i32.const(0)));
}
