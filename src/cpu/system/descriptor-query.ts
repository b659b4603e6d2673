import { LDTR, EXCEPTION, TR } from '../../isa/cpu-state.js';
import type { CpuContext, OperandSize } from './context.js';
import type { Descriptor } from './descriptor.js';
import {
  ACCESS,
  SYSTEM_TYPE,
  TSS_BUSY,
  dplOf,
  isConformingCode,
  isNull,
  isPresent,
  isReadable,
  isWritableData,
  segmentLimit,
  selectorError,
  systemType,
} from './descriptor.js';
import { findDescriptor, readDescriptor, writeType } from './descriptor-table.js';
import { GuestFault } from './guest-fault.js';
import { loadCache, loadNull } from './segment-load.js';

const SEGMENT_TYPES: readonly number[] = [
  SYSTEM_TYPE.TSS16,
  SYSTEM_TYPE.LDT,
  SYSTEM_TYPE.TSS16_BUSY,
  SYSTEM_TYPE.TSS32,
  SYSTEM_TYPE.TSS32_BUSY,
];
const LSL_TYPES = new Set<number>(SEGMENT_TYPES);
const LAR_TYPES = new Set<number>([
  ...SEGMENT_TYPES,
  SYSTEM_TYPE.CALL_GATE16,
  SYSTEM_TYPE.TASK_GATE,
  SYSTEM_TYPE.CALL_GATE32,
]);

/** The descriptor of `selector` if it exists and CPL and RPL may see it; null otherwise. */
function visible(ctx: CpuContext, selector: number): Descriptor | null {
  if (isNull(selector)) return null;
  const d = findDescriptor(ctx, selector);
  if (d === null || isConformingCode(d.access)) return d;
  return Math.max(ctx.state.cpl, selector & 3) > dplOf(d.access) ? null : d;
}

/** Writes a result of LAR or LSL to the register at byte `slot`, or leaves it; ZF says which. */
function answer(ctx: CpuContext, slot: number, size: OperandSize, value: number | null): void {
  const { state } = ctx;
  state.setZero(value !== null);
  if (value === null) return;
  if (size === 16) state.view.setUint16(slot, value, true);
  else state.view.setUint32(slot, value, true);
}

/** LAR: access rights as they stand in the upper half of the descriptor. */
export function lar(ctx: CpuContext, selector: number, slot: number, size: OperandSize): void {
  const d = visible(ctx, selector);
  const valid = d !== null && (d.access & ACCESS.S || LAR_TYPES.has(systemType(d.access)));
  answer(ctx, slot, size, valid ? d.high & (size === 16 ? 0xff00 : 0x00ff_ff00) : null);
}

/** LSL: limit, byte granular. */
export function lsl(ctx: CpuContext, selector: number, slot: number, size: OperandSize): void {
  const d = visible(ctx, selector);
  const valid = d !== null && (d.access & ACCESS.S || LSL_TYPES.has(systemType(d.access)));
  answer(ctx, slot, size, valid ? segmentLimit(d) : null);
}

export function verr(ctx: CpuContext, selector: number): void {
  const d = visible(ctx, selector);
  ctx.state.setZero(d !== null && isReadable(d.access));
}

export function verw(ctx: CpuContext, selector: number): void {
  const d = visible(ctx, selector);
  ctx.state.setZero(d !== null && isWritableData(d.access));
}

export function lldt(ctx: CpuContext, selector: number): void {
  const { state } = ctx;
  if (isNull(selector)) {
    loadNull(state, LDTR, selector);
    return;
  }
  const invalid = new GuestFault(EXCEPTION.GP, selectorError(selector));
  if (selector & 4) throw invalid;
  const d = readDescriptor(ctx, selector, EXCEPTION.GP);
  if (systemType(d.access) !== SYSTEM_TYPE.LDT) throw invalid;
  if (!isPresent(d.access)) throw new GuestFault(EXCEPTION.NP, selectorError(selector));
  loadCache(state, LDTR, selector, d);
}

/** LTR: the descriptor becomes busy. */
export function ltr(ctx: CpuContext, selector: number): void {
  if (isNull(selector)) throw new GuestFault(EXCEPTION.GP, 0);
  const invalid = new GuestFault(EXCEPTION.GP, selectorError(selector));
  if (selector & 4) throw invalid;
  const d = readDescriptor(ctx, selector, EXCEPTION.GP);
  const type = systemType(d.access);
  if (type !== SYSTEM_TYPE.TSS16 && type !== SYSTEM_TYPE.TSS32) throw invalid;
  if (!isPresent(d.access)) throw new GuestFault(EXCEPTION.NP, selectorError(selector));
  const busy = d.access | TSS_BUSY;
  writeType(ctx, d, busy);
  loadCache(ctx.state, TR, selector, d, busy);
}
