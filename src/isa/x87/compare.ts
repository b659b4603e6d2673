import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I32Like } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import type { Real } from './format.js';
import { CLASS, SIGN, classOf, exponentOf, isNormal, normalize, signOf } from './format.js';
import { SW, raiseX87 } from './status.js';

/** C3, C2 and C0 as a comparison leaves them (SDM 1, table 8-6). */
export const RELATION = { GREATER: 0, LESS: SW.C0, EQUAL: SW.C3, UNORDERED: SW.C3 | SW.C2 | SW.C0 } as const;
/**
 * In the outcome of compare(): an unmasked exception keeps the stack from being popped. The relation is reported all the
 * same: processors do so, whatever the SDM says of FCOM.
 */
export const UNPOPPED = 0x1_0000;

/** Raises exceptions; returns UNPOPPED, or 0 when they are masked. */
function raise(flags: I32Like): I32 {
  return select(call(raiseX87, flags), i32.const(UNPOPPED), i32.const(0));
}

/** x87OrderNumbers(a, b): RELATION of two numbers or infinities. */
const orderNumbers = routine(
  'x87OrderNumbers',
  ['i64', 'i32', 'i64', 'i32'],
  'i32',
  (b, significandA, signExponentA, significandB, signExponentB) => {
    const zeroX = i64.eqz(significandA);
    const zeroY = i64.eqz(significandB);
    b.if(i32.and(zeroX, zeroY), () => b.return(i32.const(RELATION.EQUAL)));
    const byX = select(signOf(signExponentA), i32.const(RELATION.LESS), i32.const(RELATION.GREATER));
    const byY = select(signOf(signExponentB), i32.const(RELATION.GREATER), i32.const(RELATION.LESS));
    b.if(zeroX, () => b.return(byY));
    b.if(zeroY, () => b.return(byX));
    b.if(i32.ne(signOf(signExponentA), signOf(signExponentB)), () => b.return(byX));
    // An infinity has the largest exponent.
    const p = normalize(b, { significand: significandA, signExponent: signExponentA });
    const q = normalize(b, { significand: significandB, signExponent: signExponentB });
    const sameExponent = b.let(i32.eq(p.exponent, q.exponent));
    b.if(i32.and(sameExponent, i64.eq(p.significand, q.significand)), () => b.return(i32.const(RELATION.EQUAL)));
    const larger = select(sameExponent, i64.gt_u(p.significand, q.significand), i32.gt_s(p.exponent, q.exponent));
    b.return(select(i32.ne(larger, i32.ne(p.sign, 0)), i32.const(RELATION.GREATER), i32.const(RELATION.LESS)));
  },
);

/** x87CompareUnusual(a, b, quiet): x87Compare when an operand is zero, denormal or no number. */
const compareUnusual = routine(
  'x87CompareUnusual',
  ['i64', 'i32', 'i64', 'i32', 'i32'],
  'i32',
  (b, significandA, signExponentA, significandB, signExponentB, quiet) => {
    const x = { significand: significandA, signExponent: signExponentA };
    const y = { significand: significandB, signExponent: signExponentB };
    const classX = b.let(classOf(x));
    const classY = b.let(classOf(y));
    const largest = b.let(select(i32.gt_u(classX, classY), classX, classY));
    b.if(i32.ge_u(largest, CLASS.QUIET_NAN), () => {
      const tolerated = i32.and(i32.eq(largest, CLASS.QUIET_NAN), quiet);
      b.return(i32.or(RELATION.UNORDERED, raise(select(tolerated, i32.const(0), i32.const(SW.IE)))));
    });
    const denormal = i32.or(i32.eq(classX, CLASS.DENORMAL), i32.eq(classY, CLASS.DENORMAL));
    const held = b.let(raise(select(denormal, i32.const(SW.DE), i32.const(0))));
    b.return(i32.or(held, call(orderNumbers, significandA, signExponentA, significandB, signExponentB)));
  },
);

/**
 * Ends a routine with a RELATION, and UNPOPPED after an unmasked exception. Without `quiet` a quiet NaN is invalid, too.
 * Of normal numbers nothing but signs and magnitudes counts.
 */
export function returnRelation(b: Body, x: Real, y: Real, quiet: I32): void {
  b.if(i32.eqz(i32.and(isNormal(x), isNormal(y))), () =>
    b.return(call(compareUnusual, x.significand, x.signExponent, y.significand, y.signExponent, quiet)),
  );
  b.if(i32.and(i32.xor(x.signExponent, y.signExponent), SIGN), () =>
    b.return(select(signOf(x.signExponent), i32.const(RELATION.LESS), i32.const(RELATION.GREATER))),
  );
  const sameExponent = b.let(i32.eq(x.signExponent, y.signExponent));
  b.if(i32.and(sameExponent, i64.eq(x.significand, y.significand)), () => b.return(i32.const(RELATION.EQUAL)));
  const larger = select(
    sameExponent,
    i64.gt_u(x.significand, y.significand),
    i32.gt_u(exponentOf(x.signExponent), exponentOf(y.signExponent)),
  );
  const negative = i32.ne(signOf(x.signExponent), 0);
  b.return(select(i32.ne(larger, negative), i32.const(RELATION.GREATER), i32.const(RELATION.LESS)));
}
