import { EXCEPTION, TR } from '../../isa/cpu-state.js';
import type { CpuContext } from './context.js';
import { TYPE_32, selectorError } from './descriptor.js';
import { GuestFault } from './guest-fault.js';

/** Byte offsets in a TSS (SDM 3, figures 7-2 and 7-10) and the smallest limit a task switch accepts. */
export const TSS32 = {
  backLink: 0,
  sp0: 4,
  cr3: 28,
  eip: 32,
  eflags: 36,
  registers: 40,
  segments: 72,
  ldt: 96,
  trap: 100,
  ioMap: 102,
  minimumLimit: 103,
} as const;
export const TSS16 = {
  backLink: 0,
  sp0: 2,
  eip: 14,
  eflags: 16,
  registers: 18,
  segments: 34,
  ldt: 42,
  minimumLimit: 43,
} as const;

export function currentTssIs32(ctx: CpuContext): boolean {
  return (ctx.state.segAccess(TR) & TYPE_32) !== 0;
}

/** SS:ESP for ring `level` from the current TSS; #TS when they lie beyond its limit. */
export function readInnerStack(
  ctx: CpuContext,
  level: number,
): { readonly selector: number; readonly pointer: number } {
  const { state, linear } = ctx;
  const wide = currentTssIs32(ctx);
  const offset = wide ? TSS32.sp0 + 8 * level : TSS16.sp0 + 4 * level;
  if (offset + (wide ? 5 : 3) > state.segLimit(TR)) {
    throw new GuestFault(EXCEPTION.TS, selectorError(state.segSelector(TR)));
  }
  const at = (state.segBase(TR) + offset) >>> 0;
  return wide
    ? { pointer: linear.read32(at, false), selector: linear.read16((at + 4) >>> 0, false) }
    : { pointer: linear.read16(at, false), selector: linear.read16((at + 2) >>> 0, false) };
}
