import { CS, ECX, EDX, ESP, EXCEPTION, FLAG, SS } from '../../isa/cpu-state.js';
import type { CpuContext } from './context.js';
import { CR0 } from './control-bits.js';
import { isNull } from './descriptor.js';
import { GuestFault } from './guest-fault.js';

/** Flat 4 GiB segments, present, accessed, 32-bit: no descriptor is read (SDM 2, SYSENTER). */
const CODE_ACCESS = 0xc09b;
const DATA_ACCESS = 0xc093;

function checkReady(ctx: CpuContext): void {
  const { state } = ctx;
  if ((state.cr0 & CR0.PE) === 0 || isNull(state.sysenterCs)) throw new GuestFault(EXCEPTION.GP, 0);
}

function loadFlat(ctx: CpuContext, code: number, stack: number, cpl: number): void {
  const { state } = ctx;
  state.setSegment(CS, code | cpl, 0, 0xffff_ffff, CODE_ACCESS | (cpl << 5));
  state.setSegment(SS, stack | cpl, 0, 0xffff_ffff, DATA_ACCESS | (cpl << 5));
  state.cpl = cpl;
}

export function sysenter(ctx: CpuContext): void {
  const { state } = ctx;
  checkReady(ctx);
  const base = state.sysenterCs & 0xfffc;
  state.eflagsRest &= ~(FLAG.VM | FLAG.IF | FLAG.RF);
  loadFlat(ctx, base, base + 8, 0);
  state.setGpr(ESP, state.sysenterEsp);
  state.eip = state.sysenterEip;
}

export function sysexit(ctx: CpuContext): void {
  const { state } = ctx;
  checkReady(ctx);
  const base = state.sysenterCs & 0xfffc;
  loadFlat(ctx, base + 16, base + 24, 3);
  state.setGpr(ESP, state.gpr(ECX));
  state.eip = state.gpr(EDX);
}
