import { CS, STATE } from '../cpu-state.js';
import { i32 } from '../ir/expr.js';
import type { Operand, Semantics } from '../semantics.js';

/**
 * Remembers the instruction and its memory operand for exception handlers: every x87 instruction that is no control
 * instruction does, once it can no longer fault (SDM 1, 8.1.8 and 8.1.9). Without an operand in memory FDP stays.
 */
export function rememberInstruction(c: Semantics, memory?: Operand): void {
  c.store(STATE.fop, c.fpuOpcode());
  c.store(STATE.fip, c.instructionEip());
  c.store(STATE.fcs, i32.load(STATE.segSelector + 4 * CS));
  if (memory !== undefined) {
    c.store(STATE.fdp, c.effectiveAddress(memory));
    c.store(STATE.fds, c.segmentSelector(memory));
  }
}
