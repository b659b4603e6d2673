import type { I32 } from '../ir/expr.js';
import { i32 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Semantics, SemanticsFn, Width } from '../semantics.js';
import { widthOf } from './bits.js';

/** Result and flags of a two-operand operation; both operands are pinned. */
type Operation = (c: Semantics, w: Width, a: I32, b: I32) => I32;

const add: Operation = (c, w, a, b) => {
  const r = c.let(i32.add(a, b));
  c.flags.add(w, a, b, r);
  return r;
};
const adc: Operation = (c, w, a, b) => {
  const r = c.let(i32.add(i32.add(a, b), c.flags.get('cf')));
  c.flags.add(w, a, b, r, 'carry-in');
  return r;
};
const sub: Operation = (c, w, a, b) => {
  const r = c.let(i32.sub(a, b));
  c.flags.sub(w, a, b, r);
  return r;
};
const sbb: Operation = (c, w, a, b) => {
  const r = c.let(i32.sub(i32.sub(a, b), c.flags.get('cf')));
  c.flags.sub(w, a, b, r, 'carry-in');
  return r;
};
const logic =
  (combine: (a: I32, b: I32) => I32): Operation =>
  (c, w, a, b) => {
    const r = c.let(combine(a, b));
    c.flags.logic(w, r);
    return r;
  };
const and = logic(i32.and);
const or = logic(i32.or);
const xor = logic(i32.xor);

/** Writes the result to the first operand. */
const storing =
  (operation: Operation): SemanticsFn =>
  (c, [dst, src]) => {
    const b = c.let(c.read(src));
    c.update(dst, (old) => operation(c, widthOf(dst), c.let(old), b));
  };
/** Flags only. */
const comparing =
  (operation: Operation): SemanticsFn =>
  (c, [dst, src]) => {
    const a = c.let(c.read(dst));
    operation(c, widthOf(dst), a, c.let(c.read(src)));
  };

function hex(opcode: number): string {
  return opcode.toString(16).toUpperCase().padStart(2, '0');
}

/** The eight operations that share one layout: opcodes 00-3D and group 1 (80-83) by `index`. */
function arithmeticGroup(mnemonic: string, index: number, semantics: SemanticsFn, locked: boolean): Instruction[] {
  const base = index << 3;
  const lock = locked ? { lock: true } : {};
  return [
    instruction(mnemonic, `${hex(base)} /r`, 'Eb, Gb', semantics, lock),
    instruction(mnemonic, `${hex(base + 1)} /r`, 'Ev, Gv', semantics, lock),
    instruction(mnemonic, `${hex(base + 2)} /r`, 'Gb, Eb', semantics),
    instruction(mnemonic, `${hex(base + 3)} /r`, 'Gv, Ev', semantics),
    instruction(mnemonic, hex(base + 4), 'AL, Ib', semantics),
    instruction(mnemonic, hex(base + 5), 'eAX, Iz', semantics),
    instruction(mnemonic, `80 /${index}`, 'Eb, Ib', semantics, lock),
    instruction(mnemonic, `81 /${index}`, 'Ev, Iz', semantics, lock),
    // 82 is an alias of 80 (SDM volume 2, table A-6, invalid in 64-bit mode only).
    instruction(mnemonic, `82 /${index}`, 'Eb, Ib', semantics, lock),
    instruction(mnemonic, `83 /${index}`, 'Ev, sIb', semantics, lock),
  ];
}

const inc: SemanticsFn = (c, [dst]) =>
  c.update(dst, (old) => {
    const a = c.let(old);
    const r = c.let(i32.add(a, 1));
    c.flags.inc(widthOf(dst), a, r);
    return r;
  });
const dec: SemanticsFn = (c, [dst]) =>
  c.update(dst, (old) => {
    const a = c.let(old);
    const r = c.let(i32.sub(a, 1));
    c.flags.dec(widthOf(dst), a, r);
    return r;
  });
const not: SemanticsFn = (c, [dst]) => c.update(dst, (old) => i32.not(old));
const neg: SemanticsFn = (c, [dst]) =>
  c.update(dst, (old) => {
    const a = c.let(old);
    const r = c.let(i32.neg(a));
    c.flags.sub(widthOf(dst), i32.const(0), a, r);
    return r;
  });
const test = comparing(and);

export const ALU: readonly Instruction[] = [
  ...arithmeticGroup('ADD', 0, storing(add), true),
  ...arithmeticGroup('OR', 1, storing(or), true),
  ...arithmeticGroup('ADC', 2, storing(adc), true),
  ...arithmeticGroup('SBB', 3, storing(sbb), true),
  ...arithmeticGroup('AND', 4, storing(and), true),
  ...arithmeticGroup('SUB', 5, storing(sub), true),
  ...arithmeticGroup('XOR', 6, storing(xor), true),
  ...arithmeticGroup('CMP', 7, comparing(sub), false),
  instruction('INC', '40+r', 'Zv', inc),
  instruction('DEC', '48+r', 'Zv', dec),
  instruction('INC', 'FE /0', 'Eb', inc, { lock: true }),
  instruction('DEC', 'FE /1', 'Eb', dec, { lock: true }),
  instruction('INC', 'FF /0', 'Ev', inc, { lock: true }),
  instruction('DEC', 'FF /1', 'Ev', dec, { lock: true }),
  instruction('TEST', '84 /r', 'Eb, Gb', test),
  instruction('TEST', '85 /r', 'Ev, Gv', test),
  instruction('TEST', 'A8', 'AL, Ib', test),
  instruction('TEST', 'A9', 'eAX, Iz', test),
  instruction('TEST', 'F6 /0', 'Eb, Ib', test),
  instruction('TEST', 'F6 /1', 'Eb, Ib', test),
  instruction('TEST', 'F7 /0', 'Ev, Iz', test),
  instruction('TEST', 'F7 /1', 'Ev, Iz', test),
  instruction('NOT', 'F6 /2', 'Eb', not, { lock: true }),
  instruction('NOT', 'F7 /2', 'Ev', not, { lock: true }),
  instruction('NEG', 'F6 /3', 'Eb', neg, { lock: true }),
  instruction('NEG', 'F7 /3', 'Ev', neg, { lock: true }),
];
