import { EAX, EXCEPTION } from '../cpu-state.js';
import type { I32 } from '../ir/expr.js';
import { i32, select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Semantics, SemanticsFn } from '../semantics.js';

const AH = 4;

/** 0/1: the low digit of AL needs adjusting. */
function lowDigit(c: Semantics, al: I32): I32 {
  return c.let(i32.or(i32.gt_u(i32.and(al, 0xf), 9), c.flags.get('af')));
}

/** DAA and DAS (SDM volume 2): `sign` is 1 or -1. OF is undefined and stays. */
const decimalAdjust =
  (sign: 1 | -1): SemanticsFn =>
  (c) => {
    const al = c.let(c.reg(EAX, 8));
    const af = lowDigit(c, al);
    const high = c.let(i32.or(i32.gt_u(al, 0x99), c.flags.get('cf')));
    const adjusted = c.let(i32.add(al, i32.mul(sign, i32.add(i32.mul(af, 6), i32.mul(high, 0x60)))));
    // Only DAS keeps the borrow of the low digit as its carry: AL below 6 with AF set.
    const borrow = i32.and(af, i32.lt_u(al, 6));
    const cf = c.let(sign === 1 ? high : i32.or(high, borrow));
    c.setReg(EAX, 8, adjusted);
    c.flags.result(8, adjusted);
    c.flags.set({ cf, af });
  };

/** AAA and AAS: OF SF ZF PF are undefined and stay. */
const asciiAdjust =
  (sign: 1 | -1): SemanticsFn =>
  (c) => {
    const ax = c.let(c.reg(EAX, 16));
    const adjust = lowDigit(c, ax);
    const adjusted = i32.add(ax, i32.mul(adjust, sign * 0x106));
    c.setReg(EAX, 16, i32.and(adjusted, 0xff0f));
    c.flags.set({ cf: adjust, af: adjust });
  };

/** OF AF CF are undefined and stay. */
const aam: SemanticsFn = (c, [base]) => {
  const divisor = c.let(c.read(base));
  c.raiseIf(i32.eqz(divisor), EXCEPTION.DE);
  const al = c.let(c.reg(EAX, 8));
  const remainder = c.let(i32.rem_u(al, divisor));
  c.setReg(EAX, 16, i32.or(remainder, i32.shl(i32.div_u(al, divisor), 8)));
  c.flags.result(8, remainder);
};
const aad: SemanticsFn = (c, [base]) => {
  const sum = i32.add(c.reg(EAX, 8), i32.mul(c.reg(AH, 8), c.read(base)));
  const r = c.let(i32.and(sum, 0xff));
  c.setReg(EAX, 16, r);
  c.flags.result(8, r);
};

/** Undocumented: AL = CF ? FF : 0. */
const salc: SemanticsFn = (c) => c.setReg(EAX, 8, select(c.flags.get('cf'), i32.const(0xff), i32.const(0)));

export const BCD: readonly Instruction[] = [
  instruction('DAA', '27', '', decimalAdjust(1)),
  instruction('DAS', '2F', '', decimalAdjust(-1)),
  instruction('AAA', '37', '', asciiAdjust(1)),
  instruction('AAS', '3F', '', asciiAdjust(-1)),
  instruction('AAM', 'D4', 'Ib', aam),
  instruction('AAD', 'D5', 'Ib', aad),
  instruction('SALC', 'D6', '', salc),
];
