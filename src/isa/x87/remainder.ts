import { STATE } from '../cpu-state.js';
import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32 } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import {
  CLASS,
  SIGN,
  checkDenormal,
  classOf,
  exponentOf,
  loadReal,
  normalize,
  returnInvalid,
  storeReal,
} from './format.js';
import { screenOperands } from './nan.js';
import { fullPrecision, normalizeRound } from './round.js';
import { isFilled, registerAddress, stackUnderflow } from './stack.js';
import { SW, setConditions, statusWord } from './status.js';

/** Exponents further apart than this are brought nearer in one execution, which leaves C2 set. */
const COMPLETE_BELOW = 64;

/** The low three bits of the quotient where FPREM reports them: C0 = bit 2, C3 = bit 1, C1 = bit 0. */
function quotientConditions(quotient: I32): I32 {
  const bit = (n: number, flag: number): I32 => select(i32.and(quotient, 1 << n), i32.const(flag), i32.const(0));
  return i32.or(i32.or(bit(2, SW.C0), bit(1, SW.C3)), bit(0, SW.C1));
}

/**
 * FPREM, or FPREM1 when `nearest`: ST(0) = ST(0) - q * ST(1) with the quotient truncated, or rounded to nearest even.
 * Exact: one subtraction for each bit of q.
 */
function remainder(b: Body, nearest: boolean): void {
  // C0 and C3 stay as they are when there is no remainder.
  b.store(STATE.fsw, i32.and(statusWord(), ~(SW.C1 | SW.C2)));
  b.if(i32.eqz(i32.and(isFilled(0), isFilled(1))), () => b.return(call(stackUnderflow, 0)));
  const target = b.let(registerAddress(0));
  const x = loadReal(b, target);
  const y = loadReal(b, registerAddress(1));
  const classX = b.let(classOf(x));
  const classY = b.let(classOf(y));
  screenOperands(b, target, { ...x, class: classX }, { ...y, class: classY });
  b.if(i32.or(i32.eq(classX, CLASS.INFINITY), i32.eqz(classY)), () => returnInvalid(b, target));
  checkDenormal(b, classX, classY);
  setConditions(b, i32.const(0));
  b.if(i32.eqz(classX), () => b.return(i32.const(1)));
  const p = normalize(b, x);
  const q = normalize(b, y);
  const distance = b.var(i32.sub(p.exponent, q.exponent));
  // The divisor is moved up for a partial reduction.
  const exponent = b.var(q.exponent);
  b.if(i32.eq(classY, CLASS.INFINITY), () => {
    // Only a pseudo-denormal changes: into the number that it is.
    const pseudo = i32.and(i32.eqz(exponentOf(x.signExponent)), i64.lt_s(x.significand, 0n));
    storeReal(b, target, x.significand, i32.or(x.signExponent, pseudo));
    b.return(i32.const(1));
  });
  b.if(i32.lt_s(distance, nearest ? -1 : 0), () => {
    b.do(normalizeRound, target, p.sign, p.exponent, p.significand, 0n, fullPrecision());
    b.return(i32.const(1));
  });
  const partial = b.let(i32.ge_s(distance, COMPLETE_BELOW));
  b.if(partial, () => {
    const step = b.let(i32.or(i32.and(distance, 31), 32));
    b.set(exponent, i32.add(exponent, i32.sub(distance, step)));
    b.set(distance, step);
    setConditions(b, i32.const(SW.C2));
  });
  const divisor = q.significand;
  const rest = b.var(p.significand);
  const quotient = b.var(i32.const(0));
  const sign = b.var(p.sign);
  const subtract = (): void => {
    b.set(rest, i64.sub(rest, divisor));
    b.set(quotient, i32.or(quotient, 1));
  };
  b.if(
    i32.ge_s(distance, 0),
    () => {
      b.if(i64.ge_u(rest, divisor), subtract);
      b.loop((again) =>
        b.if(distance, () => {
          const carry = b.let(i64.lt_s(rest, 0n));
          b.set(rest, i64.shl(rest, 1n));
          b.set(quotient, i32.shl(quotient, 1));
          b.if(i32.or(carry, i64.ge_u(rest, divisor)), subtract);
          b.set(distance, i32.sub(distance, 1));
          b.br(again);
        }),
      );
      if (nearest) {
        const complement = b.let(i64.sub(divisor, rest));
        const tie = i32.and(i64.eq(rest, complement), i32.and(quotient, 1));
        b.if(i32.and(i32.eqz(partial), i32.or(i64.gt_u(rest, complement), tie)), () => {
          b.set(rest, complement);
          b.set(quotient, i32.add(quotient, 1));
          b.set(sign, i32.xor(sign, SIGN));
        });
      }
    },
    () => {
      // FPREM1 of a dividend with the next lower exponent: the quotient is 0, or 1 above one half.
      b.set(exponent, i32.sub(exponent, 1));
      b.if(i64.gt_u(rest, divisor), () => {
        b.set(rest, i64.sub(i64.shl(divisor, 1n), rest));
        b.set(quotient, i32.const(1));
        b.set(sign, i32.xor(sign, SIGN));
      });
    },
  );
  b.if(i32.eqz(partial), () => setConditions(b, quotientConditions(quotient)));
  b.if(
    i64.eqz(rest),
    () => storeReal(b, target, 0n, p.sign),
    () => b.do(normalizeRound, target, sign, exponent, rest, 0n, fullPrecision()),
  );
  b.return(i32.const(1));
}

/** x87Remainder(), x87RemainderNearest(): FPREM and FPREM1. */
export const truncatingRemainder = routine('x87Remainder', [], 'i32', (b) => remainder(b, false));
export const nearestRemainder = routine('x87RemainderNearest', [], 'i32', (b) => remainder(b, true));
