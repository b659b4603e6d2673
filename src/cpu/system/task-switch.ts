import {
  CS,
  DS,
  EAX,
  EBP,
  EBX,
  ECX,
  EDI,
  EDX,
  ES,
  ESI,
  ESP,
  EXCEPTION,
  FLAG,
  FS,
  GS,
  LDTR,
  SS,
  TR,
} from '../../isa/cpu-state.js';
import type { CpuContext } from './context.js';
import { CR0, CR4, DR6, DR7 } from './control-bits.js';
import { loadPageDirectory } from './control-registers.js';
import type { Descriptor } from './descriptor.js';
import {
  SYSTEM_TYPE,
  TSS_BUSY,
  TYPE_32,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  segmentBase,
  segmentLimit,
  selectorError,
  systemType,
} from './descriptor.js';
import { markAccessed, readDescriptor, writeType } from './descriptor-table.js';
import { GuestFault } from './guest-fault.js';
import { checkDataSegment, checkStackSegment, loadCache, loadNull, loadReal } from './segment-load.js';
import { TSS16, TSS32, currentTssIs32 } from './tss.js';

/** How control comes to the new task: decides busy bits, back link and NT. */
export type SwitchReason = 'jump' | 'call' | 'return';

const REGISTERS = [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI];
const TSS_SEGMENTS = [ES, CS, SS, DS, FS, GS];
const TSS16_SEGMENTS = [ES, CS, SS, DS];

/** The part of a TSS that a switch loads. */
interface TaskImage {
  readonly cr3: number | null;
  readonly eip: number;
  readonly eflags: number;
  readonly registers: readonly number[];
  /** ES CS SS DS FS GS. */
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly trap: boolean;
}

function readImage(ctx: CpuContext, base: number, wide: boolean): TaskImage {
  const { linear } = ctx;
  const word = (offset: number): number => linear.read16((base + offset) >>> 0, false);
  const long = (offset: number): number => linear.read32((base + offset) >>> 0, false);
  if (wide) {
    return {
      cr3: long(TSS32.cr3),
      eip: long(TSS32.eip),
      eflags: long(TSS32.eflags),
      registers: REGISTERS.map((_, i) => long(TSS32.registers + 4 * i)),
      segments: TSS_SEGMENTS.map((_, i) => word(TSS32.segments + 4 * i)),
      ldt: word(TSS32.ldt),
      trap: (word(TSS32.trap) & 1) !== 0,
    };
  }
  return {
    cr3: null,
    eip: word(TSS16.eip),
    eflags: word(TSS16.eflags),
    // The upper halves are undefined (SDM 3, 7.6); the 80286 had none.
    registers: REGISTERS.map((_, i) => (0xffff_0000 | word(TSS16.registers + 2 * i)) >>> 0),
    segments: [...TSS16_SEGMENTS.map((_, i) => word(TSS16.segments + 2 * i)), 0, 0],
    ldt: word(TSS16.ldt),
    trap: false,
  };
}

/** Saves the outgoing task; the caller has checked that its TSS can be written. */
function saveTask(ctx: CpuContext, eflags: number): void {
  const { state, linear } = ctx;
  const base = state.segBase(TR);
  const word = (offset: number, value: number): void => linear.write16((base + offset) >>> 0, value & 0xffff, false);
  const long = (offset: number, value: number): void => linear.write32((base + offset) >>> 0, value >>> 0, false);
  if (currentTssIs32(ctx)) {
    long(TSS32.eip, state.eip);
    long(TSS32.eflags, eflags);
    REGISTERS.forEach((r, i) => long(TSS32.registers + 4 * i, state.gpr(r)));
    TSS_SEGMENTS.forEach((s, i) => word(TSS32.segments + 4 * i, state.segSelector(s)));
  } else {
    word(TSS16.eip, state.eip);
    word(TSS16.eflags, eflags);
    REGISTERS.forEach((r, i) => word(TSS16.registers + 2 * i, state.gpr(r)));
    TSS16_SEGMENTS.forEach((s, i) => word(TSS16.segments + 2 * i, state.segSelector(s)));
  }
}

function checkSaveArea(ctx: CpuContext): void {
  const base = ctx.state.segBase(TR);
  const [first, last] = currentTssIs32(ctx) ? [TSS32.eip, TSS32.ldt] : [TSS16.eip, TSS16.ldt];
  ctx.linear.checkWrite((base + first) >>> 0, last - first, false);
}

/**
 * Switches to the task whose TSS descriptor `d` has passed the type, privilege and presence checks of the transfer
 * (SDM 3, 7.3). Up to the commit point a fault leaves the old task as it was; a fault while the new task's segments are
 * loaded belongs to the new task, at its first instruction.
 */
export function switchTask(ctx: CpuContext, d: Descriptor, reason: SwitchReason, pushedFlags = ctx.state.eflags): void {
  const { state, linear, walker, tlb } = ctx;
  const wide = (d.access & TYPE_32) !== 0;
  const base = segmentBase(d);
  if (segmentLimit(d) < (wide ? TSS32 : TSS16).minimumLimit) {
    throw new GuestFault(EXCEPTION.TS, selectorError(d.selector));
  }
  const image = readImage(ctx, base, wide);
  const paging = (state.cr0 & CR0.PG) !== 0;
  const newCr3 = paging && image.cr3 !== null ? image.cr3 : null;
  const pointers = newCr3 !== null && (state.cr4 & CR4.PAE) !== 0 ? walker.readPointers(newCr3) : null;
  const oldTask = reason === 'call' ? null : readDescriptor(ctx, state.segSelector(TR), EXCEPTION.TS);
  checkSaveArea(ctx);
  if (oldTask !== null) linear.checkWrite((oldTask.address + 5) >>> 0, 1, false);
  linear.checkWrite((d.address + 5) >>> 0, 1, false);
  if (reason === 'call') linear.checkWrite(base, 2, false);

  saveTask(ctx, reason === 'return' ? pushedFlags & ~FLAG.NT : pushedFlags);
  if (oldTask !== null) writeType(ctx, oldTask, oldTask.access & ~TSS_BUSY);
  const busy = d.access | TSS_BUSY;
  if (reason === 'call') linear.write16(base, state.segSelector(TR), false);
  if (reason !== 'return') writeType(ctx, d, busy);

  // The commit point.
  loadCache(state, TR, d.selector, d, busy);
  state.cr0 |= CR0.TS;
  if (newCr3 !== null) loadPageDirectory(state, tlb, newCr3, pointers);
  state.eip = image.eip;
  state.instructionEip = image.eip;
  state.eflags = reason === 'call' ? image.eflags | FLAG.NT : image.eflags;
  REGISTERS.forEach((r, i) => state.setGpr(r, image.registers[i]));
  state.setDr(7, state.dr(7) & ~DR7.LOCAL);
  if (image.trap) state.pendingDebug |= DR6.BT;
  state.interruptShadow = 0;
  loadTaskSegments(ctx, image);
  if (state.eip > state.segLimit(CS)) throw new GuestFault(EXCEPTION.GP, 0);
}

function loadTaskSegments(ctx: CpuContext, image: TaskImage): void {
  const { state } = ctx;
  loadNull(state, LDTR, image.ldt);
  if (state.v86Mode) {
    state.cpl = 3;
    TSS_SEGMENTS.forEach((s, i) => loadReal(state, s, image.segments[i]));
    loadTaskLdt(ctx, image.ldt);
    return;
  }
  // Selectors first: until its descriptor has been loaded a segment is unusable.
  TSS_SEGMENTS.forEach((s, i) => loadNull(state, s, image.segments[i]));
  const [es, cs, ss, ds, fs, gs] = image.segments;
  state.cpl = cs & 3;
  loadTaskLdt(ctx, image.ldt);
  loadTaskCode(ctx, cs);
  const stack = checkStackSegment(ctx, ss, state.cpl, EXCEPTION.TS);
  loadCache(state, SS, ss, stack, markAccessed(ctx, stack));
  for (const [segment, selector] of [
    [DS, ds],
    [ES, es],
    [FS, fs],
    [GS, gs],
  ]) {
    if (isNull(selector)) continue;
    const data = checkDataSegment(ctx, selector, EXCEPTION.TS);
    loadCache(state, segment, selector, data, markAccessed(ctx, data));
  }
}

function loadTaskLdt(ctx: CpuContext, selector: number): void {
  if (isNull(selector)) return;
  const invalid = new GuestFault(EXCEPTION.TS, selectorError(selector));
  if (selector & 4) throw invalid;
  const d = readDescriptor(ctx, selector, EXCEPTION.TS);
  if (systemType(d.access) !== SYSTEM_TYPE.LDT || !isPresent(d.access)) throw invalid;
  loadCache(ctx.state, LDTR, selector, d);
}

function loadTaskCode(ctx: CpuContext, selector: number): void {
  const invalid = new GuestFault(EXCEPTION.TS, selectorError(selector));
  if (isNull(selector)) throw invalid;
  const d = readDescriptor(ctx, selector, EXCEPTION.TS);
  const dpl = dplOf(d.access);
  const rpl = selector & 3;
  if (!isCode(d.access) || (isConforming(d.access) ? dpl > rpl : dpl !== rpl)) throw invalid;
  if (!isPresent(d.access)) throw new GuestFault(EXCEPTION.NP, selectorError(selector));
  loadCache(ctx.state, CS, selector, d, markAccessed(ctx, d));
}

/** The available TSS that a task gate names; `vector` #GP for all its faults but #NP. */
export function readGateTss(ctx: CpuContext, selector: number): Descriptor {
  const invalid = new GuestFault(EXCEPTION.GP, selectorError(selector));
  if (selector & 4 || isNull(selector)) throw invalid;
  const d = readDescriptor(ctx, selector, EXCEPTION.GP);
  const type = systemType(d.access);
  if (type !== SYSTEM_TYPE.TSS16 && type !== SYSTEM_TYPE.TSS32) throw invalid;
  if (!isPresent(d.access)) throw new GuestFault(EXCEPTION.NP, selectorError(selector));
  return d;
}
