import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { widthOf } from './bits.js';

const input: SemanticsFn = (c, [accumulator, port]) => {
  const value = c.let(c.portIn(widthOf(accumulator), c.let(c.read(port))));
  c.write(accumulator, value);
};
const output: SemanticsFn = (c, [port, accumulator]) =>
  c.portOut(widthOf(accumulator), c.let(c.read(port)), c.let(c.read(accumulator)));

export const IO: readonly Instruction[] = [
  instruction('IN', 'E4', 'AL, Ib', input),
  instruction('IN', 'E5', 'eAX, Ib', input),
  instruction('IN', 'EC', 'AL, DX', input),
  instruction('IN', 'ED', 'eAX, DX', input),
  instruction('OUT', 'E6', 'Ib, AL', output),
  instruction('OUT', 'E7', 'Ib, eAX', output),
  instruction('OUT', 'EE', 'DX, AL', output),
  instruction('OUT', 'EF', 'DX, eAX', output),
];
