import { EXCEPTION, TR } from '../../isa/cpu-state.js';
import type { CpuContext } from './context.js';
import { CR0 } from './control-bits.js';
import { GuestFault } from './guest-fault.js';
import { TSS32, currentTssIs32 } from './tss.js';

/** #GP(0) unless ports [port, port + sizeBytes) may be used: IOPL, then the TSS's map (SDM 1, 19.5). */
export function checkIoPermission(ctx: CpuContext, port: number, sizeBytes: 1 | 2 | 4): void {
  const { state, linear } = ctx;
  if ((state.cr0 & CR0.PE) === 0) return;
  if (!state.v86Mode && state.cpl <= state.iopl) return;
  const limit = state.segLimit(TR);
  if (!currentTssIs32(ctx) || limit < TSS32.minimumLimit) throw new GuestFault(EXCEPTION.GP, 0);
  const base = state.segBase(TR);
  const map = linear.read16((base + TSS32.ioMap) >>> 0, false);
  const offset = map + (port >>> 3);
  // Two bytes are always read, so both must lie within the TSS.
  if (offset + 1 > limit) throw new GuestFault(EXCEPTION.GP, 0);
  const bits = linear.read16((base + offset) >>> 0, false) >>> (port & 7);
  if ((bits & ((1 << sizeBytes) - 1)) !== 0) throw new GuestFault(EXCEPTION.GP, 0);
}
