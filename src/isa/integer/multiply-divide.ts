import { EAX, EDX, EXCEPTION } from '../cpu-state.js';
import type { I32 } from '../ir/expr.js';
import { i32, i64 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Semantics, SemanticsFn, Width } from '../semantics.js';
import { signExtend, widthOf, zeroExtend } from './bits.js';

/** Products set CF and OF when the upper half matters; SF ZF AF PF are undefined and stay. */
function setOverflow(c: Semantics, overflow: I32): void {
  const o = c.let(overflow);
  c.flags.set({ cf: o, of: o });
}

/** Writes a value of twice the width to AX, DX:AX. */
function setPair(c: Semantics, low: I32, high: I32): void {
  c.setReg(EAX, 16, low);
  c.setReg(EDX, 16, high);
}

const mul: SemanticsFn = (c, [src]) => {
  const w = widthOf(src);
  const b = c.let(c.read(src));
  if (w === 32) {
    const product = c.let(i64.mul(i64.extend_u(c.reg(EAX, 32)), i64.extend_u(b)));
    const high = c.let(i32.wrap(i64.shr_u(product, 32)));
    c.setReg(EAX, 32, i32.wrap(product));
    c.setReg(EDX, 32, high);
    setOverflow(c, i32.ne(high, 0));
    return;
  }
  const product = c.let(i32.mul(c.reg(EAX, w), b));
  const high = c.let(i32.shr_u(product, w));
  if (w === 8) c.setReg(EAX, 16, product);
  else setPair(c, product, high);
  setOverflow(c, i32.ne(high, 0));
};

const imul: SemanticsFn = (c, [src]) => {
  const w = widthOf(src);
  const b = c.let(c.read(src));
  if (w === 32) {
    const product = c.let(i64.mul(i64.extend_s(c.reg(EAX, 32)), i64.extend_s(b)));
    const low = c.let(i32.wrap(product));
    const high = c.let(i32.wrap(i64.shr_u(product, 32)));
    c.setReg(EAX, 32, low);
    c.setReg(EDX, 32, high);
    setOverflow(c, i32.ne(high, i32.shr_s(low, 31)));
    return;
  }
  const product = c.let(i32.mul(signExtend(w, c.reg(EAX, w)), signExtend(w, b)));
  if (w === 8) c.setReg(EAX, 16, product);
  else setPair(c, product, i32.shr_u(product, 16));
  setOverflow(c, i32.ne(product, signExtend(w, product)));
};

/** Two- and three-operand IMUL: the product is cut to the destination. */
function imulCut(c: Semantics, w: Width, a: I32, b: I32): I32 {
  if (w === 16) {
    const product = c.let(i32.mul(signExtend(16, a), signExtend(16, b)));
    setOverflow(c, i32.ne(product, signExtend(16, product)));
    return product;
  }
  const product = c.let(i64.mul(i64.extend_s(a), i64.extend_s(b)));
  setOverflow(c, i64.ne(product, i64.extend32_s(product)));
  return i32.wrap(product);
}
const imul2: SemanticsFn = (c, [dst, src]) => {
  const b = c.let(c.read(src));
  c.write(dst, imulCut(c, widthOf(dst), c.let(c.read(dst)), b));
};
const imul3: SemanticsFn = (c, [dst, src, imm]) => {
  const a = c.let(c.read(src));
  c.write(dst, imulCut(c, widthOf(dst), a, c.read(imm)));
};

// #DE covers the zero divisor and every quotient that does not fit, so that no WebAssembly division can trap.
// All flags are undefined and stay.

const div: SemanticsFn = (c, [src]) => {
  const w = widthOf(src);
  const divisor = c.let(c.read(src));
  // The quotient fits exactly when the upper half is below the divisor, which is then not 0.
  const high = c.let(w === 8 ? c.reg(4 /* AH */, 8) : c.reg(EDX, w));
  c.raiseIf(i32.ge_u(high, divisor), EXCEPTION.DE);
  if (w === 32) {
    const low = c.let(c.reg(EAX, 32));
    const dividend = i64.or(i64.shl(i64.extend_u(high), 32), i64.extend_u(low));
    const quotient = c.let(i32.wrap(i64.div_u(dividend, i64.extend_u(divisor))));
    c.setReg(EAX, 32, quotient);
    c.setReg(EDX, 32, i32.sub(low, i32.mul(quotient, divisor)));
    return;
  }
  const dividend = c.let(i32.or(i32.shl(high, w), c.reg(EAX, w)));
  const quotient = c.let(i32.div_u(dividend, divisor));
  storeQuotient(c, w, quotient, i32.rem_u(dividend, divisor));
};

/** 8 bits: AL and AH; 16 bits: AX and DX. */
function storeQuotient(c: Semantics, w: 8 | 16, quotient: I32, remainder: I32): void {
  if (w === 8) c.setReg(EAX, 16, i32.or(zeroExtend(8, quotient), i32.shl(remainder, 8)));
  else setPair(c, quotient, remainder);
}

const idiv: SemanticsFn = (c, [src]) => {
  const w = widthOf(src);
  const divisor = c.let(signExtend(w, c.read(src)));
  c.raiseIf(i32.eqz(divisor), EXCEPTION.DE);
  if (w === 32) {
    const low = c.let(c.reg(EAX, 32));
    const dividend = c.let(i64.or(i64.shl(i64.extend_u(c.reg(EDX, 32)), 32), i64.extend_u(low)));
    // -2^63 overflows with every divisor; -2^63 / -1 would trap.
    c.raiseIf(i64.eq(dividend, i64.const(-(1n << 63n))), EXCEPTION.DE);
    const quotient = c.let(i64.div_s(dividend, i64.extend_s(divisor)));
    c.raiseIf(i64.ne(quotient, i64.extend32_s(quotient)), EXCEPTION.DE);
    const q = c.let(i32.wrap(quotient));
    c.setReg(EAX, 32, q);
    c.setReg(EDX, 32, i32.sub(low, i32.mul(q, divisor)));
    return;
  }
  const dividend = c.let(
    w === 8 ? signExtend(16, c.reg(EAX, 16)) : i32.or(i32.shl(c.reg(EDX, 16), 16), c.reg(EAX, 16)),
  );
  // As above: -2^31 overflows with every 16-bit divisor.
  if (w === 16) c.raiseIf(i32.eq(dividend, -0x80000000), EXCEPTION.DE);
  const quotient = c.let(i32.div_s(dividend, divisor));
  c.raiseIf(i32.ne(quotient, signExtend(w, quotient)), EXCEPTION.DE);
  storeQuotient(c, w, quotient, i32.sub(dividend, i32.mul(quotient, divisor)));
};

export const MULTIPLY_DIVIDE: readonly Instruction[] = [
  instruction('MUL', 'F6 /4', 'Eb', mul),
  instruction('MUL', 'F7 /4', 'Ev', mul),
  instruction('IMUL', 'F6 /5', 'Eb', imul),
  instruction('IMUL', 'F7 /5', 'Ev', imul),
  instruction('IMUL', '0F AF /r', 'Gv, Ev', imul2),
  instruction('IMUL', '69 /r', 'Gv, Ev, Iz', imul3),
  instruction('IMUL', '6B /r', 'Gv, Ev, sIb', imul3),
  instruction('DIV', 'F6 /6', 'Eb', div),
  instruction('DIV', 'F7 /6', 'Ev', div),
  instruction('IDIV', 'F6 /7', 'Eb', idiv),
  instruction('IDIV', 'F7 /7', 'Ev', idiv),
];
