import { STATE } from '../cpu-state.js';
import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I32Like } from '../ir/expr.js';
import { call, i32, isConst } from '../ir/expr.js';
import { storeIndefinite } from './format.js';
import { SW, TOP_SHIFT, clearC1, raiseX87, statusWord } from './status.js';

const REGISTER_SHIFT = 4;

/** Number of the physical register that is ST(i). */
export function physicalIndex(i: I32Like): I32 {
  return i32.and(i32.add(i32.shr_u(statusWord(), TOP_SHIFT), i), 7);
}
/** Address of ST(i). */
export function registerAddress(i: I32Like): I32 {
  return addressOfPhysical(physicalIndex(i));
}
export function addressOfPhysical(index: I32): I32 {
  return i32.add(i32.shl(index, REGISTER_SHIFT), STATE.fpr);
}

/** 1 when ST(i) is not empty. */
export function isFilled(i: I32Like): I32 {
  return i32.and(i32.shr_u(i32.load(STATE.ftag), physicalIndex(i)), 1);
}
export function markFilled(b: Body, i: I32Like): void {
  b.store(STATE.ftag, i32.or(i32.load(STATE.ftag), i32.shl(1, physicalIndex(i))));
}
export function markEmpty(b: Body, i: I32Like): void {
  b.store(STATE.ftag, i32.and(i32.load(STATE.ftag), i32.not(i32.shl(1, physicalIndex(i)))));
}

/** Adds a number to TOP, modulo 8. */
export function moveTop(b: Body, by: number): void {
  const moved = i32.add(statusWord(), (by & 7) << TOP_SHIFT);
  b.store(STATE.fsw, i32.or(i32.and(moved, SW.TOP), i32.and(statusWord(), ~SW.TOP)));
}

/** Status and tags read once: for what changes both in one go. */
export interface StackState {
  readonly status: I32;
  readonly tags: I32;
  /** Number of the physical register that is ST(0). */
  readonly top: I32;
}
export function readStack(b: Body): StackState {
  const status = b.let(statusWord());
  const tags = b.let(i32.load(STATE.ftag));
  return { status, tags, top: predictTop(b, status) };
}

/**
 * TOP by branches and not by arithmetic. A processor that guesses the branches goes on with a constant for an address
 * and need not wait for the status word, in which the flags of the instruction before come late.
 */
function predictTop(b: Body, status: I32): I32 {
  const top = b.var('i32');
  // Bits of the lowest byte have the shortest encodings.
  const field = b.let(i32.shr_u(status, TOP_SHIFT));
  const decide = (bit: number, known: number): void => {
    if (bit < 0) {
      b.set(top, i32.const(known));
      return;
    }
    b.if(
      i32.and(field, 1 << bit),
      () => decide(bit - 1, known | (1 << bit)),
      () => decide(bit - 1, known),
    );
  };
  decide(2, 0);
  return top;
}
/** Number of the physical register that is ST(i). */
export function numberOf({ top }: StackState, i: I32Like): I32 {
  return isConstant(i, 0) ? top : i32.and(i32.add(top, i), 7);
}
const isConstant = (e: I32Like, value: number): boolean =>
  typeof e === 'number' ? e === value : isConst(e) && e.imm === value;
/** 1 when a physical register is not empty; other bits are not 0. */
export function isFilledIn({ tags }: StackState, physical: I32): I32 {
  return i32.shr_u(tags, physical);
}
/** Puts the status back with `flags` set and C1 clear otherwise, and ST(0) popped if `pops`. */
export function writeStack(b: Body, { status, tags, top }: StackState, flags: I32Like, pops: boolean): void {
  if (!pops) {
    b.store(STATE.fsw, i32.or(i32.and(status, ~SW.C1), flags));
    return;
  }
  const moved = i32.and(i32.add(status, 1 << TOP_SHIFT), SW.TOP);
  b.store(STATE.fsw, i32.or(i32.or(i32.and(status, ~(SW.TOP | SW.C1)), moved), flags));
  b.store(STATE.ftag, i32.and(tags, i32.not(i32.shl(1, top))));
}
/** The same with `physical`, the register above ST(0), pushed. */
export function writePushed(b: Body, { status, tags }: StackState, physical: I32): void {
  b.store(STATE.fsw, i32.or(i32.and(status, ~(SW.TOP | SW.C1)), i32.shl(physical, TOP_SHIFT)));
  b.store(STATE.ftag, i32.or(tags, i32.shl(1, physical)));
}

/** Pops ST(0) and changes nothing else. */
export function writePopped(b: Body, { status, tags, top }: StackState): void {
  const moved = i32.and(i32.add(status, 1 << TOP_SHIFT), SW.TOP);
  b.store(STATE.fsw, i32.or(i32.and(status, ~SW.TOP), moved));
  b.store(STATE.ftag, i32.and(tags, i32.not(i32.shl(1, top))));
}

/** x87Pop() */
export const pop = routine('x87Pop', [], null, (b) => writePopped(b, readStack(b)));

/**
 * x87Underflow(i): an instruction found a register empty and would have written ST(i). Returns 0 when IE is unmasked;
 * otherwise ST(i) is the default NaN.
 */
export const stackUnderflow = routine('x87Underflow', ['i32'], 'i32', (b, i) => {
  b.if(call(raiseX87, SW.IE | SW.SF), () => b.return(i32.const(0)));
  storeIndefinite(b, registerAddress(i));
  markFilled(b, i);
  b.return(i32.const(1));
});

/**
 * x87Push(): makes room on the stack. Returns 1 when the new ST(0) is to be written; 0 after stack overflow, for which
 * it is the default NaN or, IE unmasked, nothing changed.
 */
export const push = routine('x87Push', [], 'i32', (b) => {
  clearC1(b);
  b.if(isFilled(-1), () => {
    b.if(call(raiseX87, SW.IE | SW.SF | SW.C1), () => b.return(i32.const(0)));
    moveTop(b, -1);
    storeIndefinite(b, registerAddress(0));
    b.return(i32.const(0));
  });
  moveTop(b, -1);
  markFilled(b, 0);
  b.return(i32.const(1));
});

/** Places for the results of an instruction that replaces ST(0) and pushes. */
export interface TwoResults {
  readonly target: I32;
  readonly pushed: I32;
  /** Ends the routine with both results in place. */
  readonly accept: () => void;
}

/** Begins a routine for such an instruction; it ends here after a stack fault. */
export function beginTwoResults(b: Body): TwoResults {
  clearC1(b);
  const target = b.let(registerAddress(0));
  const pushed = b.let(registerAddress(-1));
  const accept = (): void => {
    markFilled(b, 0);
    moveTop(b, -1);
    markFilled(b, 0);
    b.return();
  };
  const fault = (flags: number): void => {
    b.if(call(raiseX87, flags), () => b.return());
    storeIndefinite(b, target);
    storeIndefinite(b, pushed);
    accept();
  };
  b.if(i32.eqz(isFilled(0)), () => fault(SW.IE | SW.SF));
  b.if(isFilled(-1), () => fault(SW.IE | SW.SF | SW.C1));
  return { target, pushed, accept };
}
