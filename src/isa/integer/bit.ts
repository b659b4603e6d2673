import type { I32 } from '../ir/expr.js';
import { i32, select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Operand, Semantics, SemanticsFn, Width } from '../semantics.js';
import { signExtend, widthOf } from './bits.js';

/** What becomes of the tested bit. */
type Change = (old: I32, mask: I32) => I32;
const set: Change = i32.or;
const reset: Change = (old, mask) => i32.and(old, i32.not(mask));
const complement: Change = i32.xor;

/** Offset of the memory word that holds bit `index` of the bit string at `base` (SDM volume 1, 3.1.1.9 BitBase). */
function wordOffset(c: Semantics, base: Operand, w: Width, index: I32): I32 {
  const words = i32.shr_s(signExtend(w, index), w === 32 ? 5 : 4);
  return c.let(c.wrapAddress(i32.add(c.effectiveAddress(base), i32.mul(words, w / 8))));
}

/** CF is the bit; OF SF AF PF are undefined and stay. */
function takeBit(c: Semantics, value: I32, position: I32): void {
  c.flags.set({ cf: i32.and(i32.shr_u(value, position), 1) });
}

const test: SemanticsFn = (c, [base, index]) => {
  const w = widthOf(base);
  const i = c.let(c.read(index));
  const position = c.let(i32.and(i, w - 1));
  const indexed = base.kind === 'memory' && index.kind === 'gpr';
  takeBit(c, c.let(indexed ? c.loadMemory(base, wordOffset(c, base, w, i), w) : c.read(base)), position);
};

const testAnd =
  (change: Change): SemanticsFn =>
  (c, [base, index]) => {
    const w = widthOf(base);
    const i = c.let(c.read(index));
    const position = c.let(i32.and(i, w - 1));
    const modify = (old: I32): I32 => {
      const value = c.let(old);
      takeBit(c, value, position);
      return change(value, i32.shl(1, position));
    };
    if (base.kind === 'memory' && index.kind === 'gpr') c.updateMemory(base, wordOffset(c, base, w, i), w, modify);
    else c.update(base, modify);
  };

/** The destination keeps its value when the source is 0, as every processor does it; only ZF is defined. */
const scanning =
  (find: (value: I32) => I32): SemanticsFn =>
  (c, [dst, src]) => {
    const value = c.let(c.read(src));
    c.write(dst, select(value, find(value), c.read(dst)));
    c.flags.set({ zf: i32.eqz(value) });
  };

/** 16-bit BSWAP is undefined in the SDM; processors clear the register. */
const bswap: SemanticsFn = (c, [dst]) => {
  if (widthOf(dst) === 16) {
    c.write(dst, i32.const(0));
    return;
  }
  const value = c.let(c.read(dst));
  c.write(dst, i32.or(i32.and(i32.rotl(value, 8), 0x00ff00ff), i32.and(i32.rotr(value, 8), 0xff00ff00)));
};

const bts = testAnd(set);
const btr = testAnd(reset);
const btc = testAnd(complement);

export const BIT: readonly Instruction[] = [
  instruction('BT', '0F A3 /r', 'Ev, Gv', test),
  instruction('BTS', '0F AB /r', 'Ev, Gv', bts, { lock: true }),
  instruction('BTR', '0F B3 /r', 'Ev, Gv', btr, { lock: true }),
  instruction('BTC', '0F BB /r', 'Ev, Gv', btc, { lock: true }),
  instruction('BT', '0F BA /4', 'Ev, Ib', test),
  instruction('BTS', '0F BA /5', 'Ev, Ib', bts, { lock: true }),
  instruction('BTR', '0F BA /6', 'Ev, Ib', btr, { lock: true }),
  instruction('BTC', '0F BA /7', 'Ev, Ib', btc, { lock: true }),
  instruction('BSF', '0F BC /r', 'Gv, Ev', scanning(i32.ctz)),
  instruction(
    'BSR',
    '0F BD /r',
    'Gv, Ev',
    scanning((value) => i32.xor(i32.clz(value), 31)),
  ),
  instruction('BSWAP', '0F C8+r', 'Zv', bswap),
];
