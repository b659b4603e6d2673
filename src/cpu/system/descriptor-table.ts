import { LDTR } from '../../isa/cpu-state.js';
import type { CpuContext } from './context.js';
import type { Descriptor } from './descriptor.js';
import { ACCESS, selectorError } from './descriptor.js';
import { GuestFault } from './guest-fault.js';

const TABLE_INDICATOR = 4;

/** The descriptor that `selector` names, or null when it lies beyond its table. The null selector gives GDT entry 0. */
export function findDescriptor(ctx: CpuContext, selector: number): Descriptor | null {
  const { state, linear } = ctx;
  const offset = selector & 0xfff8;
  const local = (selector & TABLE_INDICATOR) !== 0;
  if (local && state.segAccess(LDTR) & ACCESS.UNUSABLE) return null;
  if (offset + 7 > (local ? state.segLimit(LDTR) : state.gdtrLimit)) return null;
  const address = ((local ? state.segBase(LDTR) : state.gdtrBase) + offset) >>> 0;
  const low = linear.read32(address, false);
  const high = linear.read32((address + 4) >>> 0, false);
  return { selector, address, low, high, access: (high >>> 8) & 0xf0ff };
}

/** Like findDescriptor(), but raises `vector` with the selector as error code. */
export function readDescriptor(ctx: CpuContext, selector: number, vector: number): Descriptor {
  const found = findDescriptor(ctx, selector);
  if (found === null) throw new GuestFault(vector, selectorError(selector));
  return found;
}

/** Replaces the low nibble of the type, in memory. */
export function writeType(ctx: CpuContext, d: Descriptor, access: number): void {
  ctx.linear.write8((d.address + 5) >>> 0, access & 0xff, false);
}

/** Sets the accessed bit in memory if it is clear; returns the access rights with it set. */
export function markAccessed(ctx: CpuContext, d: Descriptor): number {
  const access = d.access | ACCESS.ACCESSED;
  if (access !== d.access) writeType(ctx, d, access);
  return access;
}
