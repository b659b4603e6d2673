import { STATE } from '../cpu-state.js';
import { i32 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';

const X87 = { unit: 'x87', feature: 'FPU' } as const;

export const X87_INSTRUCTIONS: readonly Instruction[] = [
  instruction('FNINIT', 'DB E3', '', (c) => {
    c.store(STATE.fcw, 0x37f);
    c.store(STATE.fsw, 0);
    c.store(STATE.ftag, 0);
    for (const field of [STATE.fop, STATE.fip, STATE.fcs, STATE.fdp, STATE.fds]) c.store(field, 0);
  }, X87),
  instruction('FNCLEX', 'DB E2', '', (c) => c.store(STATE.fsw, i32.and(i32.load(STATE.fsw), 0x7f00)), X87),
  instruction('FNSTSW', 'DD /7', 'Mw', (c, [m]) => c.write(m, i32.load(STATE.fsw)), X87),
  instruction('FNSTSW', 'DF E0', 'AX', (c, [ax]) => c.write(ax, i32.load(STATE.fsw)), X87),
  instruction('FNSTCW', 'D9 /7', 'Mw', (c, [m]) => c.write(m, i32.load(STATE.fcw)), X87),
];
