import { EAX, EDI, EDX, ES, ESI, FLAG, STATE } from '../cpu-state.js';
import type { I32 } from '../ir/expr.js';
import { i32 } from '../ir/expr.js';
import type { Instruction, InstructionOptions } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Semantics, Width } from '../semantics.js';

/**
 * String instructions: one iteration. The REP prefixes, their counter ECX and the ZF test are the engine's. ESI is
 * relative to DS or the override, EDI always to ES.
 */

/** An iteration at width `w`. */
type Iteration = (c: Semantics, w: Width) => void;

/** Moves index registers on by `w`, up or down as DF says. */
function advance(c: Semantics, w: Width, ...registers: number[]): void {
  const df = i32.and(i32.load(0, STATE.eflagsRest), FLAG.DF);
  // DF is bit 10: shifted right, it is twice the element size.
  const twice = i32.shr_u(df, { 8: 9, 16: 8, 32: 7 }[w]);
  const step = c.let(i32.sub(w / 8, twice));
  for (const register of registers) c.setAddressReg(register, i32.add(c.addressReg(register), step));
}

const readSource = (c: Semantics, w: Width): I32 => c.let(c.loadMemory(c.dataSegment, c.let(c.addressReg(ESI)), w));
const readTarget = (c: Semantics, w: Width): I32 => c.let(c.loadMemory(ES, c.let(c.addressReg(EDI)), w));

const movs: Iteration = (c, w) => {
  const value = readSource(c, w);
  c.storeMemory(ES, c.let(c.addressReg(EDI)), w, value);
  advance(c, w, ESI, EDI);
};
const cmps: Iteration = (c, w) => {
  const a = readSource(c, w);
  const b = readTarget(c, w);
  c.flags.sub(w, a, b, c.let(i32.sub(a, b)));
  advance(c, w, ESI, EDI);
};
const stos: Iteration = (c, w) => {
  c.storeMemory(ES, c.let(c.addressReg(EDI)), w, c.let(c.reg(EAX, w)));
  advance(c, w, EDI);
};
const lods: Iteration = (c, w) => {
  c.setReg(EAX, w, readSource(c, w));
  advance(c, w, ESI);
};
const scas: Iteration = (c, w) => {
  const a = c.let(c.reg(EAX, w));
  const b = readTarget(c, w);
  c.flags.sub(w, a, b, c.let(i32.sub(a, b)));
  advance(c, w, EDI);
};
/** The port is read only when it is allowed and the destination is writable. */
const ins: Iteration = (c, w) => {
  const port = c.let(c.reg(EDX, 16));
  c.checkPort(w, port);
  c.updateMemory(ES, c.let(c.addressReg(EDI)), w, () => c.let(c.portIn(w, port)));
  advance(c, w, EDI);
};
const outs: Iteration = (c, w) => {
  const port = c.let(c.reg(EDX, 16));
  c.checkPort(w, port);
  c.portOut(w, port, readSource(c, w));
  advance(c, w, ESI);
};

/** The byte form and, one opcode up, the form of operand size. */
function pair(
  mnemonic: string,
  opcode: number,
  iteration: Iteration,
  string: 'plain' | 'compare',
  operation?: 'copy' | 'fill',
): Instruction[] {
  const options = (element: 'byte' | 'operand size'): InstructionOptions =>
    operation === undefined ? { string } : { string, bulk: { operation, element } };
  const hex = (n: number) => n.toString(16).toUpperCase();
  return [
    instruction(`${mnemonic}B`, hex(opcode), '', (c) => iteration(c, 8), options('byte')),
    instruction(
      `${mnemonic}W/${mnemonic}D`,
      hex(opcode + 1),
      '',
      (c) => iteration(c, c.operandSize),
      options('operand size'),
    ),
  ];
}

export const STRING: readonly Instruction[] = [
  ...pair('INS', 0x6c, ins, 'plain'),
  ...pair('OUTS', 0x6e, outs, 'plain'),
  ...pair('MOVS', 0xa4, movs, 'plain', 'copy'),
  ...pair('CMPS', 0xa6, cmps, 'compare'),
  ...pair('STOS', 0xaa, stos, 'plain', 'fill'),
  ...pair('LODS', 0xac, lods, 'plain'),
  ...pair('SCAS', 0xae, scas, 'compare'),
];
