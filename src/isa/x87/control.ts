import { STATE } from '../cpu-state.js';
import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import { i32 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { X87, X87_NO_WAIT } from './option.js';
import { rememberInstruction } from './pointer.js';
import { markEmpty, moveTop, pop } from './stack.js';
import { CW, EXCEPTIONS, SW, clearC1, loadX87Words, statusWord } from './status.js';

/** x87Initialize(): FNINIT; the contents of the registers stay. */
export const initialize = routine('x87Initialize', [], null, (b: Body) => {
  b.store(STATE.fcw, CW.RESET);
  for (const field of [STATE.fsw, STATE.ftag, STATE.fop, STATE.fip, STATE.fcs, STATE.fdp, STATE.fds]) b.store(field, 0);
});

const fnclex: SemanticsFn = (c) =>
  c.store(STATE.fsw, i32.and(statusWord(), 0xffff & ~(EXCEPTIONS | SW.SF | SW.ES | SW.B)));
const fldcw: SemanticsFn = (c, [m]) => c.do(loadX87Words, c.read(m), statusWord());
const rotate =
  (by: number): SemanticsFn =>
  (c) => {
    rememberInstruction(c);
    clearC1(c);
    moveTop(c, by);
  };
/** The 8087's interrupt enable and the 80287's mode switch do nothing since the 80387. */
const nothing: SemanticsFn = () => {};

export const CONTROL: readonly Instruction[] = [
  instruction('FNINIT', 'DB E3', '', (c) => c.do(initialize), X87_NO_WAIT),
  instruction('FNCLEX', 'DB E2', '', fnclex, X87_NO_WAIT),
  instruction('FNSTSW', 'DD /7', 'Mw', (c, [m]) => c.write(m, statusWord()), X87_NO_WAIT),
  instruction('FNSTSW', 'DF E0', 'AX', (c, [ax]) => c.write(ax, statusWord()), X87_NO_WAIT),
  instruction('FNSTCW', 'D9 /7', 'Mw', (c, [m]) => c.write(m, i32.load(STATE.fcw)), X87_NO_WAIT),
  instruction('FLDCW', 'D9 /5', 'Mw', fldcw, X87),
  instruction('FNOP', 'D9 D0', '', (c) => rememberInstruction(c), X87),
  instruction('FDECSTP', 'D9 F6', '', rotate(-1), X87),
  instruction('FINCSTP', 'D9 F7', '', rotate(1), X87),
  instruction(
    'FFREE',
    'DD C0+i',
    'STi',
    (c, [st]) => {
      rememberInstruction(c);
      clearC1(c);
      markEmpty(c, c.index(st));
    },
    X87,
  ),
  instruction(
    'FFREEP',
    'DF C0+i',
    'STi',
    (c, [st]) => {
      rememberInstruction(c);
      clearC1(c);
      markEmpty(c, c.index(st));
      c.do(pop);
    },
    X87,
  ),
  instruction('FENI', 'DB E0', '', nothing, X87_NO_WAIT),
  instruction('FDISI', 'DB E1', '', nothing, X87_NO_WAIT),
  instruction('FSETPM', 'DB E4', '', nothing, X87_NO_WAIT),
];
