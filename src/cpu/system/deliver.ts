import { CS, DS, ES, ESP, EXCEPTION, FLAG, FS, GS, SS } from '../../isa/cpu-state.js';
import type { CpuContext, OperandSize } from './context.js';
import { CR0, DR7 } from './control-bits.js';
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
import { checkCodeOffset, checkStackSegment, loadCache, loadCode, loadNull, loadReal } from './segment-load.js';
import type { StackCursor } from './stack-cursor.js';
import { currentStack, stackOf } from './stack-cursor.js';
import { readGateTss, switchTask } from './task-switch.js';
import { currentTssIs32, readInnerStack } from './tss.js';

export interface CpuEvent {
  readonly vector: number;
  /** null when the exception has none. */
  readonly errorCode: number | null;
  /**
   * fault: EIP is the instruction's own. trap, interrupt, nmi: EIP is the next instruction. software: INT n, INT3, INTO:
   * the gate's DPL counts, the EXT bit of error codes stays clear.
   */
  readonly kind: 'fault' | 'trap' | 'interrupt' | 'nmi' | 'software';
  /** #PF: the linear address. */
  readonly cr2?: number;
  /** #DB fault of an instruction breakpoint, which the handler must be able to meet again: RF is not saved as 1. */
  readonly instructionBreakpoint?: boolean;
}

/** `shutdown`: a fault while #DF was delivered. The state is that of the moment before. */
export type DeliveryOutcome = 'delivered' | 'shutdown';

const GATE_ERROR_IDT = 2;

/** EFLAGS as saved for the handler (SDM 3, 17.3.1.1). */
function savedFlags(ctx: CpuContext, event: CpuEvent): number {
  const { eflags } = ctx.state;
  // Between the iterations of a repeated string instruction RF is set already.
  if (event.kind === 'fault' && event.instructionBreakpoint !== true) return eflags | FLAG.RF;
  return event.kind === 'software' ? eflags & ~FLAG.RF : eflags;
}

/** Real mode: four bytes per vector (SDM 3, 20.1.4). */
function enterRealHandler(ctx: CpuContext, event: CpuEvent): void {
  const { state, linear } = ctx;
  const offset = event.vector * 4;
  if (offset + 3 > state.idtrLimit) throw new GuestFault(EXCEPTION.GP, 0);
  const at = (state.idtrBase + offset) >>> 0;
  const eip = linear.read16(at, false);
  const selector = linear.read16((at + 2) >>> 0, false);
  const stack = currentStack(ctx);
  stack.push(16, savedFlags(ctx, event));
  stack.push(16, state.segSelector(CS));
  stack.push(16, state.eip);
  if (eip > state.segLimit(CS)) throw new GuestFault(EXCEPTION.GP, 0);
  stack.commitPointer(state);
  loadReal(state, CS, selector);
  state.eip = eip;
  state.eflagsRest &= ~(FLAG.IF | FLAG.TF | FLAG.AC | FLAG.RF);
}

/** An entry of the IDT that has passed its checks. */
interface IdtGate {
  readonly type: number;
  readonly selector: number;
  readonly offset: number;
}

function readGate(ctx: CpuContext, event: CpuEvent): IdtGate {
  const { state, linear } = ctx;
  const error = event.vector * 8 + GATE_ERROR_IDT;
  if (event.vector * 8 + 7 > state.idtrLimit) throw new GuestFault(EXCEPTION.GP, error);
  const at = (state.idtrBase + event.vector * 8) >>> 0;
  const low = linear.read32(at, false);
  const high = linear.read32((at + 4) >>> 0, false);
  const access = (high >>> 8) & 0xff;
  const type = systemType(access);
  switch (type) {
    case SYSTEM_TYPE.TASK_GATE:
    case SYSTEM_TYPE.INTERRUPT_GATE16:
    case SYSTEM_TYPE.TRAP_GATE16:
    case SYSTEM_TYPE.INTERRUPT_GATE32:
    case SYSTEM_TYPE.TRAP_GATE32:
      break;
    default:
      throw new GuestFault(EXCEPTION.GP, error);
  }
  if (event.kind === 'software' && dplOf(access) < state.cpl) throw new GuestFault(EXCEPTION.GP, error);
  if (!isPresent(access)) throw new GuestFault(EXCEPTION.NP, error);
  const offset = (low & 0xffff) | (type & TYPE_32 ? high & 0xffff_0000 : 0);
  return { type, selector: low >>> 16, offset: offset >>> 0 };
}

function enterTask(ctx: CpuContext, gate: IdtGate, event: CpuEvent): void {
  switchTask(ctx, readGateTss(ctx, gate.selector), 'call', savedFlags(ctx, event));
  if (event.errorCode === null) return;
  const stack = currentStack(ctx);
  stack.push(currentTssIs32(ctx) ? 32 : 16, event.errorCode);
  stack.commitPointer(ctx.state);
}

/** The code segment of an interrupt or trap gate. */
function readHandlerCode(ctx: CpuContext, selector: number): Descriptor {
  if (isNull(selector)) throw new GuestFault(EXCEPTION.GP, 0);
  const code = readDescriptor(ctx, selector, EXCEPTION.GP);
  if (!isCode(code.access) || dplOf(code.access) > ctx.state.cpl) {
    throw new GuestFault(EXCEPTION.GP, selectorError(selector));
  }
  if (!isPresent(code.access)) throw new GuestFault(EXCEPTION.NP, selectorError(selector));
  return code;
}

function pushFrame(ctx: CpuContext, stack: StackCursor, size: OperandSize, event: CpuEvent): void {
  const { state } = ctx;
  stack.push(size, savedFlags(ctx, event));
  stack.push(size, state.segSelector(CS));
  stack.push(size, state.eip);
  if (event.errorCode !== null) stack.push(size, event.errorCode);
}

/** The handler is more privileged: stack from the TSS; V86 mode saves all its segment registers. */
function enterInnerLevel(ctx: CpuContext, code: Descriptor, gate: IdtGate, size: OperandSize, event: CpuEvent): void {
  const { state } = ctx;
  const level = dplOf(code.access);
  const fromV86 = state.v86Mode;
  if (fromV86 && level !== 0) throw new GuestFault(EXCEPTION.GP, selectorError(code.selector));
  const inner = readInnerStack(ctx, level);
  const segment = checkStackSegment(ctx, inner.selector, level, EXCEPTION.TS);
  checkCodeOffset(code, gate.offset);
  const stack = stackOf(ctx, segment, inner.pointer, level, selectorError(inner.selector));
  if (fromV86) for (const s of [GS, FS, DS, ES]) stack.push(size, state.segSelector(s));
  stack.push(size, state.segSelector(SS));
  stack.push(size, state.gpr(ESP));
  pushFrame(ctx, stack, size, event);
  const codeAccess = markAccessed(ctx, code);
  const stackAccess = markAccessed(ctx, segment);
  if (fromV86) for (const s of [GS, FS, DS, ES]) loadNull(state, s, 0);
  loadCache(state, SS, inner.selector, segment, stackAccess);
  stack.commitPointer(state);
  loadCode(ctx, code, codeAccess, level);
}

function enterSameLevel(ctx: CpuContext, code: Descriptor, gate: IdtGate, size: OperandSize, event: CpuEvent): void {
  const { state } = ctx;
  checkCodeOffset(code, gate.offset);
  const stack = currentStack(ctx);
  pushFrame(ctx, stack, size, event);
  loadCode(ctx, code, markAccessed(ctx, code), state.cpl);
  stack.commitPointer(state);
}

function enterProtectedHandler(ctx: CpuContext, event: CpuEvent): void {
  const { state } = ctx;
  const gate = readGate(ctx, event);
  if (gate.type === SYSTEM_TYPE.TASK_GATE) {
    enterTask(ctx, gate, event);
    return;
  }
  const size = gate.type & TYPE_32 ? 32 : 16;
  const code = readHandlerCode(ctx, gate.selector);
  if (!isConforming(code.access) && dplOf(code.access) < state.cpl) enterInnerLevel(ctx, code, gate, size, event);
  else if (state.v86Mode) throw new GuestFault(EXCEPTION.GP, selectorError(gate.selector));
  else enterSameLevel(ctx, code, gate, size, event);
  state.eip = gate.offset;
  const isInterruptGate = (gate.type & ~TYPE_32) === SYSTEM_TYPE.INTERRUPT_GATE16;
  state.eflagsRest &= ~(FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM | (isInterruptGate ? FLAG.IF : 0));
}

/** One attempt to enter the handler of `event`; throws GuestFault with nothing but memory changed. */
export function enterHandler(ctx: CpuContext, event: CpuEvent): void {
  if (ctx.state.cr0 & CR0.PE) enterProtectedHandler(ctx, event);
  else enterRealHandler(ctx, event);
}

/** Error codes of #TS, #NP, #SS and #GP say that the cause was not the program (SDM 3, 6.13). */
export function withExternalBit(fault: GuestFault): GuestFault {
  if (fault.vector < EXCEPTION.TS || fault.vector > EXCEPTION.GP || fault.errorCode === null) return fault;
  return new GuestFault(fault.vector, fault.errorCode | 1);
}

type FaultClass = 'benign' | 'contributory' | 'page-fault' | 'double-fault';

/** SDM 3, table 6-4. */
function classOf(event: CpuEvent): FaultClass {
  if (event.kind !== 'fault') return 'benign';
  switch (event.vector) {
    case EXCEPTION.DE:
    case EXCEPTION.TS:
    case EXCEPTION.NP:
    case EXCEPTION.SS:
    case EXCEPTION.GP:
      return 'contributory';
    case EXCEPTION.PF:
      return 'page-fault';
    case EXCEPTION.DF:
      return 'double-fault';
    default:
      return 'benign';
  }
}

/** The event that follows when delivering `first` raised `second`, or null for a shutdown (SDM 3, table 6-5). */
function escalate(first: CpuEvent, second: CpuEvent): CpuEvent | null {
  const [a, b] = [classOf(first), classOf(second)];
  if (a === 'double-fault') return b === 'benign' ? second : null;
  const doubled =
    (a === 'contributory' && b === 'contributory') ||
    (a === 'page-fault' && (b === 'contributory' || b === 'page-fault'));
  return doubled ? { vector: EXCEPTION.DF, errorCode: 0, kind: 'fault' } : second;
}

/** No chain of faults is longer than: any, contributory, #PF, #DF. */
const MAX_ATTEMPTS = 6;

/**
 * Delivers an exception or interrupt: EIP in the state is the address to return to. Faults of the delivery itself are
 * delivered in its place, up to the double fault; a fault of that is a shutdown.
 */
export function deliverEvent(ctx: CpuContext, event: CpuEvent): DeliveryOutcome {
  const { state } = ctx;
  state.halted = 0;
  state.interruptShadow = 0;
  let current = event;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    prepare(ctx, current);
    try {
      enterHandler(ctx, current);
      if (current.kind === 'nmi') state.nmiBlocked = 1;
      return 'delivered';
    } catch (raised) {
      if (!(raised instanceof GuestFault)) throw raised;
      const fault = current.kind === 'software' ? raised : withExternalBit(raised);
      // Even if a double fault or a shutdown takes the page fault's place.
      if (fault.cr2 !== undefined) state.cr2 = fault.cr2;
      const next = escalate(current, { ...fault, kind: 'fault' });
      if (next === null) return 'shutdown';
      current = next;
    }
  }
  return 'shutdown';
}

/** What an exception changes before its handler is looked up. */
function prepare(ctx: CpuContext, event: CpuEvent): void {
  const { state } = ctx;
  if (event.vector === EXCEPTION.PF && event.cr2 !== undefined) state.cr2 = event.cr2;
  if (event.vector !== EXCEPTION.DB || event.kind === 'software') return;
  state.setDr(6, state.dr(6) | state.pendingDebug);
  state.pendingDebug = 0;
  // The handler may use the debug registers.
  state.setDr(7, state.dr(7) & ~DR7.GD);
}

/** Kinds of software interrupt: see SYSTEM_ROUTINES. */
const INT_N = 0;
const INT1 = 3;

/** INT n, INT3, INTO and INT1. EIP in the state is the next instruction's; a fault belongs to the instruction itself. */
export function softwareInterrupt(ctx: CpuContext, vector: number, kind: number): void {
  const { state } = ctx;
  // Without VME, IOPL decides (SDM 3, 20.2.2).
  if (kind === INT_N && state.v86Mode && state.iopl < 3) throw new GuestFault(EXCEPTION.GP, 0);
  if (kind !== INT1) {
    enterHandler(ctx, { vector, errorCode: null, kind: 'software' });
    return;
  }
  // INT1 is a debug trap without a cause in DR6: the gate's DPL does not matter.
  try {
    enterHandler(ctx, { vector, errorCode: null, kind: 'trap' });
  } catch (raised) {
    throw raised instanceof GuestFault ? withExternalBit(raised) : raised;
  }
}
