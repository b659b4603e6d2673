import { EXCEPTION, FLAG } from '../../isa/cpu-state.js';
import { ARITHMETIC_FLAGS } from '../state/cpu-state-view.js';
import type { CpuContext, OperandSize } from './context.js';
import { GuestFault } from './guest-fault.js';

/** CLI and STI need CPL <= IOPL; in V86 mode CPL is 3. Real mode has CPL 0. */
function checkIopl(ctx: CpuContext): void {
  if (ctx.state.cpl > ctx.state.iopl) throw new GuestFault(EXCEPTION.GP, 0);
}

export function cli(ctx: CpuContext): void {
  checkIopl(ctx);
  ctx.state.eflagsRest &= ~FLAG.IF;
}

/** Interrupts stay off until the instruction after STI has retired, if they were off before. */
export function sti(ctx: CpuContext): void {
  const { state } = ctx;
  checkIopl(ctx);
  if (state.eflagsRest & FLAG.IF) return;
  state.eflagsRest |= FLAG.IF;
  state.interruptShadow = 1;
}

/** PUSHF and POPF in V86 mode: #GP(0) when IOPL < 3. */
export function pushfCheck(ctx: CpuContext): void {
  if (ctx.state.v86Mode && ctx.state.iopl < 3) throw new GuestFault(EXCEPTION.GP, 0);
}

/** POPF with the value already popped (SDM 2, POPF). RF is cleared, VM never changes. */
export function popf(ctx: CpuContext, value: number, size: OperandSize): void {
  const { state } = ctx;
  pushfCheck(ctx);
  let mask = ARITHMETIC_FLAGS | FLAG.TF | FLAG.DF | FLAG.NT;
  if (size === 32) mask |= FLAG.AC | FLAG.ID;
  if (state.cpl <= state.iopl) mask |= FLAG.IF;
  if (state.cpl === 0) mask |= FLAG.IOPL;
  state.eflags = (state.eflags & ~(mask | FLAG.RF)) | (value & mask);
}
