import { EXCEPTION, STATE } from '../../cpu-state.js';
import { routine } from '../../ir/body.js';
import type { I32 } from '../../ir/expr.js';
import { call, i32, select } from '../../ir/expr.js';
import type { Semantics } from '../../semantics.js';

/** Bits of MXCSR (SDM 1, 10.2.3). The mask of each exception flag lies MXCSR_MASK_SHIFT above it. */
export const MXCSR = {
  IE: 0x1,
  DE: 0x2,
  ZE: 0x4,
  OE: 0x8,
  UE: 0x10,
  PE: 0x20,
  DAZ: 0x40,
  OM: 0x400,
  UM: 0x800,
  PM: 0x1000,
  RC: 0x6000,
  FZ: 0x8000,
} as const;
export const MXCSR_MASK_SHIFT = 7;
/** Bits that may be set: what FXSAVE stores as MXCSR_MASK. */
export const MXCSR_WRITABLE = 0xffff;
/** Conditions that are known before a result is computed; they are reported first (SDM 1, 11.5.4). */
const PRE_COMPUTATION = MXCSR.IE | MXCSR.DE | MXCSR.ZE;

const RC_SHIFT = 13;
/** Rounding control: nearest even, down, up, towards zero. */
export const ROUNDING = { NEAREST: 0, DOWN: 1, UP: 2, ZERO: 3 } as const;

export function mxcsr(): I32 {
  return i32.load(STATE.mxcsr);
}

/** ROUNDING value in force. */
export function roundingControl(): I32 {
  return i32.and(i32.shr_u(mxcsr(), RC_SHIFT), 3);
}

/** Remembers exception flags; settle() acts on them when the whole instruction has been computed. */
export const noteSseFlags = routine('noteSseFlags', ['i32'], null, (b, flags) => {
  b.store(STATE.mxcsrPending, i32.or(i32.load(STATE.mxcsrPending), flags));
});

/** sseSettle(): moves the flags met into MXCSR; returns the vector to raise, 0 when all of them are masked. */
const sseSettle = routine('sseSettle', [], 'i32', (b) => {
  const met = b.let(i32.load(STATE.mxcsrPending));
  const csr = b.let(mxcsr());
  const unmasked = b.let(i32.and(met, i32.not(i32.shr_u(csr, MXCSR_MASK_SHIFT))));
  const vector = b.let(
    select(i32.and(i32.load(STATE.cr4), CR4_OSXMMEXCPT), i32.const(EXCEPTION.XM), i32.const(EXCEPTION.UD)),
  );
  b.store(STATE.mxcsrPending, 0);
  b.if(i32.and(unmasked, PRE_COMPUTATION), () => {
    b.store(STATE.mxcsr, i32.or(csr, i32.and(met, PRE_COMPUTATION)));
    b.return(vector);
  });
  b.store(STATE.mxcsr, i32.or(csr, met));
  b.if(unmasked, () => b.return(vector));
  b.return(i32.const(0));
});
const CR4_OSXMMEXCPT = 0x400;

/**
 * Ends the computation of an instruction: its flags become visible and an unmasked one raises #XM. Comes after all
 * results are computed (let) and before any of them is written.
 */
export function settle(c: Semantics): void {
  c.if(i32.load(STATE.mxcsrPending), () => {
    const vector = c.let(call(sseSettle));
    c.raiseIf(i32.eq(vector, EXCEPTION.XM), EXCEPTION.XM);
    c.raiseIf(i32.eq(vector, EXCEPTION.UD), EXCEPTION.UD);
  });
}
