import { EXCEPTION } from '../../isa/cpu-state.js';
import type { TlbControl } from '../memory/linear-memory.js';
import { directories } from '../memory/page-walk.js';
import type { CpuStateView } from '../state/cpu-state-view.js';
import type { CpuContext } from './context.js';
import { CR0, CR4, DR6, DR7 } from './control-bits.js';
import type { CpuidConfig } from './cpuid.js';
import { GuestFault } from './guest-fault.js';

const CR0_MASK = (CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG) >>> 0;
/** CR0 bits that decide what a translation is and allows. */
const CR0_PAGING = CR0.PE | CR0.WP | CR0.PG;
/** CR0 and CR4 bits whose change reloads the page-directory pointers (SDM 3, 4.4.1). */
const CR0_POINTERS = CR0.CD | CR0.NW | CR0.PG;
/** CR4 bits that decide what a translation is. PGE does not: a coherent TLB has nothing that it could keep for too long. */
const CR4_PAGING = CR4.PSE | CR4.PAE;
/** CR4 bits whose change reloads the page-directory pointers. */
const CR4_POINTERS = CR4_PAGING | CR4.PGE;

const MSW = CR0.PE | CR0.MP | CR0.EM | CR0.TS;

/** CR4 bits a CPU with these features has; setting another one is #GP(0). */
function cr4Mask(cpuid: CpuidConfig): number {
  const has = (feature: string): boolean => cpuid.features.includes(feature);
  return (
    CR4.PCE |
    (has('TSC') ? CR4.TSD : 0) |
    (has('DE') ? CR4.DE : 0) |
    (has('PSE') ? CR4.PSE : 0) |
    (has('PAE') ? CR4.PAE : 0) |
    (has('MCE') ? CR4.MCE : 0) |
    (has('PGE') ? CR4.PGE : 0) |
    (has('FXSR') ? CR4.OSFXSR : 0) |
    (has('SSE') ? CR4.OSXMMEXCPT : 0)
  );
}

/** Loads CR3 and, with PAE paging, the pointers that walker.readPointers() accepted. */
export function loadPageDirectory(
  state: CpuStateView,
  tlb: TlbControl,
  cr3: number,
  pointers: readonly bigint[] | null,
): void {
  const before = directories(state);
  state.cr3 = cr3;
  if (pointers !== null) pointers.forEach((p, i) => state.set64('pdpte', p, i));
  // Without paging nothing derives from it.
  if ((state.cr0 & CR0.PG) !== 0) tlb.directoriesChanged(before, directories(state));
}

function writeCr0(ctx: CpuContext, value: number): void {
  const { state, walker, tlb } = ctx;
  const old = state.cr0;
  const next = ((value & CR0_MASK) | CR0.ET) >>> 0;
  const pagingWithoutProtection = (next & (CR0.PG | CR0.PE)) >>> 0 === CR0.PG;
  if (pagingWithoutProtection || (next & (CR0.NW | CR0.CD)) === CR0.NW) throw new GuestFault(EXCEPTION.GP, 0);
  const changed = old ^ next;
  const paePaging = (next & CR0.PG) !== 0 && (state.cr4 & CR4.PAE) !== 0;
  const pointers = paePaging && (changed & CR0_POINTERS) !== 0 ? walker.readPointers(state.cr3) : null;
  state.cr0 = next;
  if (pointers !== null) pointers.forEach((p, i) => state.set64('pdpte', p, i));
  if ((changed & CR0_PAGING) !== 0) tlb.flushAll();
}

function writeCr3(ctx: CpuContext, value: number): void {
  const { state, walker, tlb } = ctx;
  const paePaging = (state.cr0 & CR0.PG) !== 0 && (state.cr4 & CR4.PAE) !== 0;
  loadPageDirectory(state, tlb, value, paePaging ? walker.readPointers(value) : null);
}

function writeCr4(ctx: CpuContext, value: number): void {
  const { state, walker, tlb } = ctx;
  if ((value & ~cr4Mask(ctx.cpuid)) !== 0) throw new GuestFault(EXCEPTION.GP, 0);
  const changed = state.cr4 ^ value;
  const paePaging = (state.cr0 & CR0.PG) !== 0 && (value & CR4.PAE) !== 0;
  const pointers = paePaging && (changed & CR4_POINTERS) !== 0 ? walker.readPointers(state.cr3) : null;
  const before = directories(state);
  state.cr4 = value;
  if (pointers !== null) pointers.forEach((p, i) => state.set64('pdpte', p, i));
  if ((changed & CR4_PAGING) !== 0) tlb.flushAll();
  else if (pointers !== null) tlb.directoriesChanged(before, directories(state));
}

/** MOV CRn, r32. */
export function writeControl(ctx: CpuContext, register: number, value: number): void {
  const unsigned = value >>> 0;
  if (register === 0) writeCr0(ctx, unsigned);
  else if (register === 2) ctx.state.cr2 = unsigned;
  else if (register === 3) writeCr3(ctx, unsigned);
  else if (register === 4) writeCr4(ctx, unsigned);
  else throw new GuestFault(EXCEPTION.UD, null);
}

/** MOV r32, CRn. */
export function readControl(ctx: CpuContext, register: number, gpr: number): void {
  const { state } = ctx;
  const value = { 0: state.cr0, 2: state.cr2, 3: state.cr3, 4: state.cr4 }[register];
  if (value === undefined) throw new GuestFault(EXCEPTION.UD, null);
  state.setGpr(gpr, value);
}

/** LMSW can set PE but not clear it. */
export function lmsw(ctx: CpuContext, value: number): void {
  const { cr0 } = ctx.state;
  writeCr0(ctx, ((cr0 & ~(MSW & ~CR0.PE)) | (value & MSW)) >>> 0);
}

/** Number of the debug register meant: DR4 and DR5 are DR6 and DR7 unless CR4.DE is set (SDM 3, 17.2.2). */
function debugRegister(ctx: CpuContext, register: number): number {
  const { state } = ctx;
  const alias = register === 4 || register === 5;
  if (alias && (state.cr4 & CR4.DE) !== 0) throw new GuestFault(EXCEPTION.UD, null);
  if ((state.dr(7) & DR7.GD) !== 0) {
    state.pendingDebug |= DR6.BD;
    throw new GuestFault(EXCEPTION.DB, null);
  }
  return alias ? register + 2 : register;
}

/** MOV DRn, r32. */
export function writeDebug(ctx: CpuContext, register: number, value: number): void {
  const number = debugRegister(ctx, register);
  if (number === 6) ctx.state.setDr(6, DR6.FIXED | (value & DR6.WRITABLE));
  else if (number === 7) ctx.state.setDr(7, DR7.FIXED | (value & DR7.WRITABLE));
  else ctx.state.setDr(number, value);
}

/** MOV r32, DRn. */
export function readDebug(ctx: CpuContext, register: number, gpr: number): void {
  ctx.state.setGpr(gpr, ctx.state.dr(debugRegister(ctx, register)));
}
