import { CS, ESP, EXCEPTION, SS } from '../../isa/cpu-state.js';
import type { CpuContext, OperandSize } from './context.js';
import type { Descriptor } from './descriptor.js';
import {
  SYSTEM_TYPE,
  TYPE_32,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  selectorError,
  systemType,
} from './descriptor.js';
import { markAccessed, readDescriptor } from './descriptor-table.js';
import { GuestFault } from './guest-fault.js';
import { checkCodeOffset, checkDirectCode, checkStackSegment, loadCache, loadCode, loadReal } from './segment-load.js';
import { currentStack, stackOf } from './stack-cursor.js';
import { readGateTss, switchTask } from './task-switch.js';
import { readInnerStack } from './tss.js';

/** Offset cut to the operand size. */
function cut(offset: number, size: OperandSize): number {
  return size === 16 ? offset & 0xffff : offset >>> 0;
}

function checkRealOffset(ctx: CpuContext, eip: number): void {
  if (eip > ctx.state.segLimit(CS)) throw new GuestFault(EXCEPTION.GP, 0);
}

function enterReal(ctx: CpuContext, selector: number, eip: number): void {
  loadReal(ctx.state, CS, selector);
  ctx.state.eip = eip;
}

/** The descriptor a far JMP or CALL names. */
function readTarget(ctx: CpuContext, selector: number): Descriptor {
  if (isNull(selector)) throw new GuestFault(EXCEPTION.GP, 0);
  return readDescriptor(ctx, selector, EXCEPTION.GP);
}

/** Gates and TSSs may be used when neither CPL nor RPL is less privileged than their DPL. */
function checkGate(ctx: CpuContext, d: Descriptor): void {
  const dpl = dplOf(d.access);
  if (ctx.state.cpl > dpl || (d.selector & 3) > dpl) throw new GuestFault(EXCEPTION.GP, selectorError(d.selector));
  if (!isPresent(d.access)) throw new GuestFault(EXCEPTION.NP, selectorError(d.selector));
}

/** JMP or CALL to a TSS or through a task gate. False when `d` is neither. */
function transferToTask(ctx: CpuContext, d: Descriptor, reason: 'jump' | 'call'): boolean {
  switch (systemType(d.access)) {
    case SYSTEM_TYPE.TSS16:
    case SYSTEM_TYPE.TSS32:
      // A TSS descriptor lies in the GDT only.
      if (d.selector & 4) throw new GuestFault(EXCEPTION.GP, selectorError(d.selector));
      checkGate(ctx, d);
      switchTask(ctx, d, reason);
      return true;
    case SYSTEM_TYPE.TASK_GATE:
      checkGate(ctx, d);
      switchTask(ctx, readGateTss(ctx, d.low >>> 16), reason);
      return true;
    default:
      return false;
  }
}

/** A call gate and the code it leads to; anything else is #GP. */
interface GateTarget {
  readonly code: Descriptor;
  readonly eip: number;
  readonly size: OperandSize;
  readonly parameters: number;
}

function readCallGate(ctx: CpuContext, gate: Descriptor): GateTarget {
  const type = systemType(gate.access);
  if (type !== SYSTEM_TYPE.CALL_GATE16 && type !== SYSTEM_TYPE.CALL_GATE32) {
    throw new GuestFault(EXCEPTION.GP, selectorError(gate.selector));
  }
  checkGate(ctx, gate);
  const size = type & TYPE_32 ? 32 : 16;
  const selector = gate.low >>> 16;
  if (isNull(selector)) throw new GuestFault(EXCEPTION.GP, 0);
  const code = readDescriptor(ctx, selector, EXCEPTION.GP);
  if (!isCode(code.access) || dplOf(code.access) > ctx.state.cpl) {
    throw new GuestFault(EXCEPTION.GP, selectorError(selector));
  }
  const eip = (gate.low & 0xffff) | (size === 32 ? gate.high & 0xffff_0000 : 0);
  return { code, eip: eip >>> 0, size, parameters: gate.high & 31 };
}

function checkGateCode(target: GateTarget): void {
  const { code, eip } = target;
  if (!isPresent(code.access)) throw new GuestFault(EXCEPTION.NP, selectorError(code.selector));
  checkCodeOffset(code, eip);
}

export function farJump(ctx: CpuContext, selector: number, offset: number, size: OperandSize): void {
  const { state } = ctx;
  const eip = cut(offset, size);
  if (!state.protectedMode) {
    checkRealOffset(ctx, eip);
    enterReal(ctx, selector, eip);
    return;
  }
  const d = readTarget(ctx, selector);
  if (isCode(d.access)) {
    checkDirectCode(ctx, d);
    checkCodeOffset(d, eip);
    loadCode(ctx, d, markAccessed(ctx, d), state.cpl);
    state.eip = eip;
    return;
  }
  if (transferToTask(ctx, d, 'jump')) return;
  const target = readCallGate(ctx, d);
  // A jump never changes the privilege level.
  if (!isConforming(target.code.access) && dplOf(target.code.access) !== state.cpl) {
    throw new GuestFault(EXCEPTION.GP, selectorError(target.code.selector));
  }
  checkGateCode(target);
  loadCode(ctx, target.code, markAccessed(ctx, target.code), state.cpl);
  state.eip = target.eip;
}

/** Pushes CS and the return address on the current stack, then enters `code` at the same privilege level. */
function callSameLevel(ctx: CpuContext, code: Descriptor, eip: number, size: OperandSize): void {
  const { state } = ctx;
  checkCodeOffset(code, eip);
  const stack = currentStack(ctx);
  stack.push(size, state.segSelector(CS));
  stack.push(size, state.eip);
  loadCode(ctx, code, markAccessed(ctx, code), state.cpl);
  stack.commitPointer(state);
  state.eip = eip;
}

/** A call gate to a more privileged level: new stack, parameters copied (SDM 3, 5.8.5). */
function callInnerLevel(ctx: CpuContext, target: GateTarget): void {
  const { state } = ctx;
  const { code, size } = target;
  const level = dplOf(code.access);
  const inner = readInnerStack(ctx, level);
  const stackSegment = checkStackSegment(ctx, inner.selector, level, EXCEPTION.TS);
  checkGateCode(target);
  const caller = currentStack(ctx);
  const parameters: number[] = [];
  for (let i = 0; i < target.parameters; i++) parameters.push(caller.peek(size, (i * size) / 8));
  const stack = stackOf(ctx, stackSegment, inner.pointer, level, selectorError(inner.selector));
  stack.push(size, state.segSelector(SS));
  stack.push(size, state.gpr(ESP));
  for (const value of parameters.reverse()) stack.push(size, value);
  stack.push(size, state.segSelector(CS));
  stack.push(size, state.eip);
  const codeAccess = markAccessed(ctx, code);
  loadCache(state, SS, inner.selector, stackSegment, markAccessed(ctx, stackSegment));
  stack.commitPointer(state);
  loadCode(ctx, code, codeAccess, level);
  state.eip = target.eip;
}

/** EIP in the state is the return address. */
export function farCall(ctx: CpuContext, selector: number, offset: number, size: OperandSize): void {
  const { state } = ctx;
  const eip = cut(offset, size);
  if (!state.protectedMode) {
    checkRealOffset(ctx, eip);
    const stack = currentStack(ctx);
    stack.push(size, state.segSelector(CS));
    stack.push(size, state.eip);
    stack.commitPointer(state);
    enterReal(ctx, selector, eip);
    return;
  }
  const d = readTarget(ctx, selector);
  if (isCode(d.access)) {
    checkDirectCode(ctx, d);
    callSameLevel(ctx, d, eip, size);
    return;
  }
  if (transferToTask(ctx, d, 'call')) return;
  const target = readCallGate(ctx, d);
  if (!isConforming(target.code.access) && dplOf(target.code.access) < state.cpl) {
    callInnerLevel(ctx, target);
    return;
  }
  checkGateCode(target);
  callSameLevel(ctx, target.code, target.eip, target.size);
}
