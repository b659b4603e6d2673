import { CS, ES, DS, ESP, EXCEPTION, FLAG, FS, GS, SS, TR } from '../../isa/cpu-state.js';
import { ARITHMETIC_FLAGS } from '../state/cpu-state-view.js';
import type { CpuContext, OperandSize } from './context.js';
import type { Descriptor } from './descriptor.js';
import { SYSTEM_TYPE, TSS_BUSY, isPresent, selectorError, systemType } from './descriptor.js';
import { markAccessed, readDescriptor } from './descriptor-table.js';
import { GuestFault } from './guest-fault.js';
import {
  checkCodeOffset,
  checkReturnCode,
  checkStackSegment,
  dropPrivilegedSegments,
  loadCache,
  loadCode,
  loadReal,
} from './segment-load.js';
import type { StackCursor } from './stack-cursor.js';
import { currentStack, setStackPointer } from './stack-cursor.js';
import { switchTask } from './task-switch.js';

/** Pops EIP and CS in real and V86 mode. */
function returnReal(ctx: CpuContext, stack: StackCursor, size: OperandSize): { eip: number; selector: number } {
  const eip = stack.pop(size);
  const selector = stack.pop(size) & 0xffff;
  if (eip > ctx.state.segLimit(CS)) throw new GuestFault(EXCEPTION.GP, 0);
  return { eip, selector };
}

/** The stack that a return to `code`'s outer level goes back to; ESP and SS are the next two values on `stack`. */
function outerStack(ctx: CpuContext, stack: StackCursor, size: OperandSize, code: Descriptor) {
  const pointer = stack.pop(size);
  const selector = stack.pop(size) & 0xffff;
  return { pointer, selector, segment: checkStackSegment(ctx, selector, code.selector & 3, EXCEPTION.GP) };
}

/** Enters a less privileged level. Nothing has been changed before; `release` bytes of parameters go. */
function enterOuterLevel(
  ctx: CpuContext,
  code: Descriptor,
  outer: ReturnType<typeof outerStack>,
  release: number,
): void {
  const { state } = ctx;
  const codeAccess = markAccessed(ctx, code);
  const stackAccess = markAccessed(ctx, outer.segment);
  loadCode(ctx, code, codeAccess, code.selector & 3);
  loadCache(state, SS, outer.selector, outer.segment, stackAccess);
  setStackPointer(state, (outer.pointer + release) >>> 0);
  dropPrivilegedSegments(state);
}

/** RET far; `release` bytes of parameters are popped on both stacks. */
export function farReturn(ctx: CpuContext, size: OperandSize, release: number): void {
  const { state } = ctx;
  const stack = currentStack(ctx);
  if (!state.protectedMode) {
    const { eip, selector } = returnReal(ctx, stack, size);
    stack.skip(release);
    stack.commitPointer(state);
    loadReal(state, CS, selector);
    state.eip = eip;
    return;
  }
  const eip = stack.pop(size);
  const selector = stack.pop(size) & 0xffff;
  const code = checkReturnCode(ctx, selector);
  stack.skip(release);
  if ((selector & 3) === state.cpl) {
    checkCodeOffset(code, eip);
    loadCode(ctx, code, markAccessed(ctx, code), state.cpl);
    stack.commitPointer(state);
  } else {
    const outer = outerStack(ctx, stack, size, code);
    checkCodeOffset(code, eip);
    enterOuterLevel(ctx, code, outer, release);
  }
  state.eip = eip;
}

/** EFLAGS bits that IRET takes from the stack. */
function writableFlags(ctx: CpuContext, size: OperandSize): number {
  const { state } = ctx;
  let mask = ARITHMETIC_FLAGS | FLAG.TF | FLAG.DF | FLAG.NT;
  if (size === 32) mask |= FLAG.RF | FLAG.AC | FLAG.ID;
  if (state.cpl <= state.iopl) mask |= FLAG.IF;
  if (state.cpl === 0) mask |= FLAG.IOPL;
  return mask;
}

function loadFlags(ctx: CpuContext, image: number, mask: number): void {
  const { state } = ctx;
  state.eflags = (state.eflags & ~mask) | (image & mask);
}

function iretReal(ctx: CpuContext, size: OperandSize): void {
  const { state } = ctx;
  if (state.v86Mode && state.iopl < 3) throw new GuestFault(EXCEPTION.GP, 0);
  const stack = currentStack(ctx);
  const { eip, selector } = returnReal(ctx, stack, size);
  const image = stack.pop(size);
  stack.commitPointer(state);
  loadReal(state, CS, selector);
  state.eip = eip;
  loadFlags(ctx, image, writableFlags(ctx, size));
}

/** IRET with NT set: back to the task that the current TSS names (SDM 3, 7.4). */
function iretTask(ctx: CpuContext): void {
  const { state, linear } = ctx;
  const selector = linear.read16(state.segBase(TR), false);
  const invalid = new GuestFault(EXCEPTION.TS, selectorError(selector));
  if (selector & 4) throw invalid;
  const d = readDescriptor(ctx, selector, EXCEPTION.TS);
  const type = systemType(d.access);
  if ((type & ~8) !== (SYSTEM_TYPE.TSS16 | TSS_BUSY)) throw invalid;
  if (!isPresent(d.access)) throw new GuestFault(EXCEPTION.NP, selectorError(selector));
  switchTask(ctx, d, 'return');
}

/** IRET from ring 0 to V86 mode. EIP, CS and EFLAGS have been popped. */
function iretToV86(ctx: CpuContext, stack: StackCursor, eip: number, selector: number, image: number): void {
  const { state } = ctx;
  const pointer = stack.pop(32);
  const [ss, es, ds, fs, gs] = [0, 1, 2, 3, 4].map(() => stack.pop(32) & 0xffff);
  if (eip > 0xffff) throw new GuestFault(EXCEPTION.GP, 0);
  state.eflags = image;
  state.cpl = 3;
  loadReal(state, CS, selector);
  loadReal(state, SS, ss);
  loadReal(state, ES, es);
  loadReal(state, DS, ds);
  loadReal(state, FS, fs);
  loadReal(state, GS, gs);
  state.setGpr(ESP, pointer);
  state.eip = eip;
}

function iretProtected(ctx: CpuContext, size: OperandSize): void {
  const { state } = ctx;
  const stack = currentStack(ctx);
  const eip = stack.pop(size);
  const selector = stack.pop(size) & 0xffff;
  const image = stack.pop(size);
  if (size === 32 && (image & FLAG.VM) !== 0 && state.cpl === 0) {
    iretToV86(ctx, stack, eip, selector, image);
    return;
  }
  const code = checkReturnCode(ctx, selector);
  // By the level that executes IRET, not the one returned to.
  const mask = writableFlags(ctx, size);
  if ((selector & 3) === state.cpl) {
    checkCodeOffset(code, eip);
    loadCode(ctx, code, markAccessed(ctx, code), state.cpl);
    stack.commitPointer(state);
  } else {
    const outer = outerStack(ctx, stack, size, code);
    checkCodeOffset(code, eip);
    enterOuterLevel(ctx, code, outer, 0);
  }
  state.eip = eip;
  loadFlags(ctx, image, mask);
}

/** IRET and IRETD (SDM 2). Ends the blocking of NMIs. */
export function iret(ctx: CpuContext, size: OperandSize): void {
  const { state } = ctx;
  if (!state.protectedMode) iretReal(ctx, size);
  else if (state.eflagsRest & FLAG.NT) iretTask(ctx);
  else iretProtected(ctx, size);
  state.nmiBlocked = 0;
}
