import { CS, DS, ES, EXCEPTION, FS, GS, SS } from '../../isa/cpu-state.js';
import type { CpuStateView } from '../state/cpu-state-view.js';
import type { CpuContext } from './context.js';
import type { Descriptor } from './descriptor.js';
import {
  ACCESS,
  dplOf,
  isCode,
  isConforming,
  isConformingCode,
  isNull,
  isPresent,
  isReadable,
  isWritableData,
  segmentBase,
  segmentLimit,
  selectorError,
} from './descriptor.js';
import { markAccessed, readDescriptor } from './descriptor-table.js';
import { GuestFault } from './guest-fault.js';

/** Access rights of every segment in V86 mode: present, DPL 3, accessed writable data (SDM 3, 20.2). */
const V86_ACCESS = 0xf3;

/** Makes a segment register unusable; it keeps the selector. */
export function loadNull(state: CpuStateView, segment: number, selector: number): void {
  state.setSegment(segment, selector, 0, 0, ACCESS.UNUSABLE);
}

/** Fills a segment register from a descriptor that has passed its checks. */
export function loadCache(
  state: CpuStateView,
  segment: number,
  selector: number,
  d: Descriptor,
  access: number = d.access,
): void {
  state.setSegment(segment, selector, segmentBase(d), segmentLimit(d), access);
}

/** Real and V86 mode: the base follows from the selector; real mode leaves limit and rights alone. */
export function loadReal(state: CpuStateView, segment: number, selector: number): void {
  const base = (selector & 0xffff) << 4;
  if (state.v86Mode) {
    state.setSegment(segment, selector, base, 0xffff, V86_ACCESS);
    return;
  }
  // A null selector left by protected mode has no limit to keep.
  const usable = (state.segAccess(segment) & ACCESS.UNUSABLE) === 0;
  const limit = usable ? state.segLimit(segment) : 0xffff;
  state.setSegment(segment, selector, base, limit, usable ? state.segAccess(segment) : 0x93);
}

/**
 * SS for privilege level `cpl`: checks of SDM 3, 5.7. `vector` is raised for an invalid selector: #GP, or #TS when the
 * selector comes from a TSS.
 */
export function checkStackSegment(ctx: CpuContext, selector: number, cpl: number, vector: number): Descriptor {
  if (isNull(selector)) throw new GuestFault(vector, vector === EXCEPTION.TS ? selectorError(selector) : 0);
  const d = readDescriptor(ctx, selector, vector);
  if ((selector & 3) !== cpl || dplOf(d.access) !== cpl || !isWritableData(d.access)) {
    throw new GuestFault(vector, selectorError(selector));
  }
  if (!isPresent(d.access)) throw new GuestFault(EXCEPTION.SS, selectorError(selector));
  return d;
}

/** DS, ES, FS, GS with a selector that is not null: SDM 3, 5.6. */
export function checkDataSegment(ctx: CpuContext, selector: number, vector: number): Descriptor {
  const d = readDescriptor(ctx, selector, vector);
  const { access } = d;
  const dpl = dplOf(access);
  const guarded = !isConformingCode(access);
  if (!isReadable(access) || (guarded && ((selector & 3) > dpl || ctx.state.cpl > dpl))) {
    throw new GuestFault(vector, selectorError(selector));
  }
  if (!isPresent(access)) throw new GuestFault(EXCEPTION.NP, selectorError(selector));
  return d;
}

/** Loads ES, SS, DS, FS or GS as MOV and POP do. */
export function loadSegmentRegister(ctx: CpuContext, segment: number, selector: number): void {
  const { state } = ctx;
  if (!state.protectedMode) {
    loadReal(state, segment, selector);
  } else if (segment === SS) {
    const d = checkStackSegment(ctx, selector, state.cpl, EXCEPTION.GP);
    loadCache(state, SS, selector, d, markAccessed(ctx, d));
  } else if (isNull(selector)) {
    loadNull(state, segment, selector);
  } else {
    const d = checkDataSegment(ctx, selector, EXCEPTION.GP);
    loadCache(state, segment, selector, d, markAccessed(ctx, d));
  }
}

/** Target of a far JMP or CALL without a gate: SDM 3, 5.8.1. */
export function checkDirectCode(ctx: CpuContext, d: Descriptor): void {
  const { cpl } = ctx.state;
  const dpl = dplOf(d.access);
  const allowed = isConforming(d.access) ? dpl <= cpl : (d.selector & 3) <= cpl && dpl === cpl;
  if (!allowed) throw new GuestFault(EXCEPTION.GP, selectorError(d.selector));
  if (!isPresent(d.access)) throw new GuestFault(EXCEPTION.NP, selectorError(d.selector));
}

/** CS of a far return or IRET that goes to the privilege level in the selector's RPL: SDM 2, RET and IRET. */
export function checkReturnCode(ctx: CpuContext, selector: number): Descriptor {
  if (isNull(selector)) throw new GuestFault(EXCEPTION.GP, 0);
  const d = readDescriptor(ctx, selector, EXCEPTION.GP);
  const rpl = selector & 3;
  const dpl = dplOf(d.access);
  const allowed = isCode(d.access) && rpl >= ctx.state.cpl && (isConforming(d.access) ? dpl <= rpl : dpl === rpl);
  if (!allowed) throw new GuestFault(EXCEPTION.GP, selectorError(selector));
  if (!isPresent(d.access)) throw new GuestFault(EXCEPTION.NP, selectorError(selector));
  return d;
}

/** #GP(0) when execution cannot go on at `eip` in the code segment `d`. */
export function checkCodeOffset(d: Descriptor, eip: number): void {
  if (eip > segmentLimit(d)) throw new GuestFault(EXCEPTION.GP, 0);
}

/** Sets CS with its RPL replaced by `cpl`, and CPL. */
export function loadCode(ctx: CpuContext, d: Descriptor, access: number, cpl: number): void {
  loadCache(ctx.state, CS, (d.selector & ~3) | cpl, d, access);
  ctx.state.cpl = cpl;
}

/** On the way to a less privileged level, data segments that it may not use become null (SDM 2, RET). */
export function dropPrivilegedSegments(state: CpuStateView): void {
  for (const segment of [ES, DS, FS, GS]) {
    const access = state.segAccess(segment);
    if (access & ACCESS.UNUSABLE || isConformingCode(access)) continue;
    if (dplOf(access) < state.cpl) loadNull(state, segment, 0);
  }
}
