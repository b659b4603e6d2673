import type { I32, I64 } from '../ir/expr.js';
import { i32, i64, isConst } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Semantics, SemanticsFn, Width } from '../semantics.js';
import { signBit, signExtend, unlessZero, widthOf } from './bits.js';

/**
 * Shifts and rotates. Counts are taken modulo 32; a count of 0 leaves every flag as it was. OF is defined for a count
 * of 1 only; the formula for 1 is used for all counts.
 */

interface Outcome {
  readonly r: I32;
  /** 0/1, valid when the count is not 0. */
  readonly cf: I32;
  readonly of: I32;
}

/** `a` is zero-extended, `n` is 0..31; both pinned. */
type Shift = (c: Semantics, w: Width, a: I32, n: I32) => Outcome;

const bit = (value: I32, at: I32 | number): I32 => i32.and(i32.shr_u(value, at), 1);

const shl: Shift = (c, w, a, n) => {
  const r = c.let(i32.shl(a, n));
  const cf = c.let(w === 32 ? bit(a, i32.sub(32, n)) : bit(r, w));
  return { r, cf, of: i32.xor(signBit(w, r), cf) };
};
const shr: Shift = (c, w, a, n) => ({
  r: c.let(i32.shr_u(a, n)),
  cf: c.let(bit(a, i32.sub(n, 1))),
  of: signBit(w, a),
});
const sar: Shift = (c, w, a, n) => {
  const s = c.let(signExtend(w, a));
  return { r: c.let(i32.shr_s(s, n)), cf: c.let(i32.and(i32.shr_s(s, i32.sub(n, 1)), 1)), of: i32.const(0) };
};

/** Sets SF ZF PF from the result; AF is undefined and stays. */
const shifting =
  (shift: Shift): SemanticsFn =>
  (c, [dst, count]) => {
    const w = widthOf(dst);
    const n = c.let(i32.and(c.read(count), 31));
    c.update(dst, (old) => {
      const { r, cf, of } = shift(c, w, c.let(old), n);
      unlessZero(c, n, () => {
        c.flags.result(w, r);
        c.flags.set({ cf, of });
      });
      return r;
    });
  };

/** `value` repeated so that a 32-bit rotate rotates within `w` bits, for any count. */
function repeated(c: Semantics, w: Width, value: I32): I32 {
  if (w === 32) return value;
  const twice = w === 16 ? value : c.let(i32.or(value, i32.shl(value, 8)));
  return c.let(i32.or(twice, i32.shl(twice, 16)));
}
const rol: Shift = (c, w, a, n) => {
  const r = c.let(i32.rotl(repeated(c, w, a), n));
  const cf = c.let(i32.and(r, 1));
  return { r, cf, of: i32.xor(signBit(w, r), cf) };
};
const ror: Shift = (c, w, a, n) => {
  const r = c.let(i32.rotr(repeated(c, w, a), n));
  const cf = c.let(signBit(w, r));
  return { r, cf, of: i32.xor(cf, bit(r, w - 2)) };
};

/** Only CF and OF change. */
const rotating =
  (rotate: Shift): SemanticsFn =>
  (c, [dst, count]) => {
    const w = widthOf(dst);
    const n = c.let(i32.and(c.read(count), 31));
    c.update(dst, (old) => {
      const { r, cf, of } = rotate(c, w, c.let(old), n);
      unlessZero(c, n, () => c.flags.set({ cf, of }));
      return r;
    });
  };

/** Rotates CF:operand, a quantity of w + 1 bits, left or right by `n` modulo w + 1. */
const rotatingThroughCarry =
  (direction: 'left' | 'right'): SemanticsFn =>
  (c, [dst, count]) => {
    const w = widthOf(dst);
    const masked = i32.and(c.read(count), 31);
    const n = c.let(isConst(masked) ? i32.const((masked.imm as number) % (w + 1)) : i32.rem_u(masked, w + 1));
    const left = c.let(i64.extend_u(direction === 'left' ? n : i32.sub(w + 1, n)));
    c.update(dst, (old) => {
      const carry = i64.shl(i64.extend_u(c.flags.get('cf')), w);
      const whole = c.let(i64.or(i64.extend_u(old), carry));
      const rotated: I64 = c.let(i64.or(i64.shl(whole, left), i64.shr_u(whole, i64.sub(w + 1, left))));
      const r = c.let(i32.wrap(rotated));
      unlessZero(c, n, () => {
        const cf = c.let(i32.and(i32.wrap(i64.shr_u(rotated, w)), 1));
        const of = direction === 'left' ? i32.xor(signBit(w, r), cf) : i32.xor(signBit(w, r), bit(r, w - 2));
        c.flags.set({ cf, of });
      });
      return r;
    });
  };

/**
 * SHLD and SHRD. A 16-bit operand with a count above 16 is undefined in the SDM; the bits then come from dst:src:dst,
 * as Intel's processors do it.
 */
const doubleShifting =
  (direction: 'left' | 'right'): SemanticsFn =>
  (c, [dst, source, count]) => {
    const w = widthOf(dst);
    const n = c.let(i32.and(c.read(count), 31));
    const src = c.let(c.read(source));
    c.update(dst, (old) => {
      const a = c.let(old);
      const { r, cf } = w === 32 ? double32(c, direction, a, src, n) : double16(c, direction, a, src, n);
      unlessZero(c, n, () => {
        c.flags.result(w, r);
        c.flags.set({ cf, of: i32.xor(signBit(w, r), signBit(w, a)) });
      });
      return r;
    });
  };

/** Valid for n = 0 too: the 64-bit shift moves nothing in. */
function double32(c: Semantics, direction: 'left' | 'right', a: I32, src: I32, n: I32): Omit<Outcome, 'of'> {
  const n64 = i64.extend_u(n);
  if (direction === 'left') {
    const pair = i64.or(i64.shl(i64.extend_u(a), 32), i64.extend_u(src));
    return { r: c.let(i32.wrap(i64.shr_u(i64.shl(pair, n64), 32))), cf: c.let(bit(a, i32.sub(32, n))) };
  }
  const pair = i64.or(i64.shl(i64.extend_u(src), 32), i64.extend_u(a));
  return { r: c.let(i32.wrap(i64.shr_u(pair, n64))), cf: c.let(bit(a, i32.sub(n, 1))) };
}

function double16(c: Semantics, direction: 'left' | 'right', a: I32, src: I32, n: I32): Omit<Outcome, 'of'> {
  const low = i32.or(i32.shl(src, 16), a);
  const triple = c.let(i64.or(i64.shl(i64.extend_u(a), 32), i64.extend_u(low)));
  const bits = (at: I32): I32 => i32.wrap(i64.shr_u(triple, i64.extend_u(at)));
  if (direction === 'left') {
    return {
      r: c.let(i32.and(bits(i32.sub(32, n)), 0xffff)),
      cf: c.let(i32.and(bits(i32.sub(48, n)), 1)),
    };
  }
  return { r: c.let(i32.and(bits(n), 0xffff)), cf: c.let(i32.and(bits(i32.sub(n, 1)), 1)) };
}

/** Group 2: immediate, 1 and CL counts. */
function group(mnemonic: string, digit: number, semantics: SemanticsFn): Instruction[] {
  return [
    instruction(mnemonic, `C0 /${digit}`, 'Eb, Ib', semantics),
    instruction(mnemonic, `C1 /${digit}`, 'Ev, Ib', semantics),
    instruction(mnemonic, `D0 /${digit}`, 'Eb, 1', semantics),
    instruction(mnemonic, `D1 /${digit}`, 'Ev, 1', semantics),
    instruction(mnemonic, `D2 /${digit}`, 'Eb, CL', semantics),
    instruction(mnemonic, `D3 /${digit}`, 'Ev, CL', semantics),
  ];
}

const shld = doubleShifting('left');
const shrd = doubleShifting('right');

export const SHIFT: readonly Instruction[] = [
  ...group('ROL', 0, rotating(rol)),
  ...group('ROR', 1, rotating(ror)),
  ...group('RCL', 2, rotatingThroughCarry('left')),
  ...group('RCR', 3, rotatingThroughCarry('right')),
  ...group('SHL', 4, shifting(shl)),
  ...group('SHR', 5, shifting(shr)),
  // /6 is an undocumented alias of /4.
  ...group('SAL', 6, shifting(shl)),
  ...group('SAR', 7, shifting(sar)),
  instruction('SHLD', '0F A4 /r', 'Ev, Gv, Ib', shld),
  instruction('SHLD', '0F A5 /r', 'Ev, Gv, CL', shld),
  instruction('SHRD', '0F AC /r', 'Ev, Gv, Ib', shrd),
  instruction('SHRD', '0F AD /r', 'Ev, Gv, CL', shrd),
];
