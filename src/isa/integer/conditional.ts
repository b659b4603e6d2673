import { select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';

/** The source is read, and may fault, whether the condition holds or not. */
const cmov: SemanticsFn = (c, [dst, src]) => {
  const value = c.let(c.read(src));
  c.write(dst, select(c.flags.condition(c.conditionCode), value, c.read(dst)));
};

const setcc: SemanticsFn = (c, [dst]) => c.write(dst, c.flags.condition(c.conditionCode));

export const CONDITIONAL: readonly Instruction[] = [
  instruction('CMOVcc', '0F 40+cc /r', 'Gv, Ev', cmov, { feature: 'CMOV' }),
  instruction('SETcc', '0F 90+cc /r', 'Eb', setcc),
];
