import { STATE } from '../cpu-state.js';
import { i32, i64 } from '../ir/expr.js';
import type { I64 } from '../ir/expr.js';
import type { Operand, Semantics } from '../semantics.js';

const TOP_BITS = 0x3800;
const ALL_VALID = 0xff;
/** Sign and exponent that an MMX write gives the x87 register it aliases. */
const ALIAS_EXPONENT = 0xffff;
const EXPONENT_OFFSET = 8;

/**
 * What every MMX instruction but EMMS does to the x87 state: TOP = 0, all registers valid (SDM 3, 12.2). Comes after
 * everything that can fault.
 */
export function enterMmx(c: Semantics): void {
  c.store(STATE.fsw, i32.and(i32.load(STATE.fsw), ~TOP_BITS));
  c.store(STATE.ftag, ALL_VALID);
}

/** EMMS: all registers empty; TOP becomes 0 as well. */
export function leaveMmx(c: Semantics): void {
  enterMmx(c);
  c.store(STATE.ftag, 0);
}

/** Marks an MMX register whose low 64 bits are being written. */
export function markWritten(c: Semantics, op: Operand): void {
  c.store16(c.slot(op), ALIAS_EXPONENT, EXPONENT_OFFSET);
}

/** Writes an MMX register and enters MMX state. `value` is pinned or does not fault. */
export function writeMmx(c: Semantics, op: Operand, value: I64): void {
  c.write64(op, value);
  markWritten(c, op);
  enterMmx(c);
}

/** Reads mm/m64, or mm/m32 with zeros above. */
export function readMmx(c: Semantics, op: Operand): I64 {
  const narrow = op.kind === 'memory' && op.width === 32;
  return c.let(narrow ? i64.extend_u(c.read(op)) : c.read64(op));
}
