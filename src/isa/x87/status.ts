import { STATE } from '../cpu-state.js';
import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32 } from '../ir/expr.js';
import { i32, select } from '../ir/expr.js';

/** Bits of the status word (SDM 1, 8.1.3). */
export const SW = {
  IE: 0x1,
  DE: 0x2,
  ZE: 0x4,
  OE: 0x8,
  UE: 0x10,
  PE: 0x20,
  SF: 0x40,
  ES: 0x80,
  C0: 0x100,
  C1: 0x200,
  C2: 0x400,
  TOP: 0x3800,
  C3: 0x4000,
  B: 0x8000,
} as const;
export const TOP_SHIFT = 11;
export const CONDITIONS = SW.C0 | SW.C1 | SW.C2 | SW.C3;
/** Exception flags of the status word, and their masks in the control word. */
export const EXCEPTIONS = 0x3f;
/** What says that an unmasked exception is pending; B only mirrors ES since the 80387. */
const SUMMARY = SW.ES | SW.B;

/** Fields of the control word (SDM 1, 8.1.5). */
export const CW = { PC: 0x300, RC: 0xc00, WRITABLE: 0x1f3f, ALWAYS: 0x40, RESET: 0x37f } as const;
const RC_SHIFT = 10;
/** Rounding control: nearest even, down, up, towards zero. */
export const ROUNDING = { NEAREST: 0, DOWN: 1, UP: 2, ZERO: 3 } as const;

export function statusWord(): I32 {
  return i32.load(STATE.fsw);
}
export function controlWord(): I32 {
  return i32.load(STATE.fcw);
}
/** The ROUNDING value of a control word. */
export function roundingOf(control: I32): I32 {
  return i32.and(i32.shr_u(control, RC_SHIFT), 3);
}

/** raiseX87(flags): sets flags of the status word; returns the unmasked exceptions among them. */
export const raiseX87 = routine('raiseX87', ['i32'], 'i32', (b, flags) => {
  const unmasked = b.let(i32.and(i32.and(flags, EXCEPTIONS), i32.not(controlWord())));
  const summary = select(unmasked, i32.const(SUMMARY), i32.const(0));
  b.store(STATE.fsw, i32.or(i32.or(statusWord(), flags), summary));
  b.return(unmasked);
});

/** Every instruction that may set C1 clears it first. */
export function clearC1(b: Body): void {
  b.store(STATE.fsw, i32.and(statusWord(), ~SW.C1));
}

/** Replaces C3, C2, C1 and C0. */
export function setConditions(b: Body, bits: I32): void {
  b.store(STATE.fsw, i32.or(i32.and(statusWord(), ~CONDITIONS), bits));
}

/** loadX87Words(control, status): both words from memory, ES and B as flags and masks have it. */
export const loadX87Words = routine('loadX87Words', ['i32', 'i32'], null, (b, control, status) => {
  const fcw = b.let(i32.or(i32.and(control, CW.WRITABLE), CW.ALWAYS));
  const pending = i32.and(i32.and(status, i32.not(fcw)), EXCEPTIONS);
  b.store(STATE.fcw, fcw);
  b.store(STATE.fsw, i32.or(i32.and(status, 0xffff & ~SUMMARY), select(pending, i32.const(SUMMARY), i32.const(0))));
});
