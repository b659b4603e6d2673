import type { Instruction } from '../instruction.js';
import { ALU } from './alu.js';
import { ATOMIC } from './atomic.js';
import { BCD } from './bcd.js';
import { BIT } from './bit.js';
import { BRANCH } from './branch.js';
import { CONDITIONAL } from './conditional.js';
import { CONVERT } from './convert.js';
import { FLAGS } from './flag.js';
import { IO } from './io.js';
import { MOVE } from './move.js';
import { MULTIPLY_DIVIDE } from './multiply-divide.js';
import { SEGMENT } from './segment.js';
import { SHIFT } from './shift.js';
import { STACK } from './stack.js';
import { STRING } from './string.js';
import { SYSTEM } from './system.js';

/** Integer and system instructions, group by group. */
export const INTEGER_INSTRUCTIONS: readonly Instruction[] = [
  ...ALU,
  ...SHIFT,
  ...MULTIPLY_DIVIDE,
  ...BIT,
  ...BCD,
  ...MOVE,
  ...CONVERT,
  ...CONDITIONAL,
  ...ATOMIC,
  ...STACK,
  ...BRANCH,
  ...STRING,
  ...FLAGS,
  ...IO,
  ...SEGMENT,
  ...SYSTEM,
];
