import type { Clock } from '../../core/clock.js';
import { ESP, EXCEPTION, SS } from '../../isa/cpu-state.js';
import type { SystemRoutine } from '../../isa/semantics.js';
import type { LinearMemory, PageTableMemory, TlbControl } from '../memory/linear-memory.js';
import { PageWalker } from '../memory/page-walk.js';
import type { CpuStateView } from '../state/cpu-state-view.js';
import type { CpuContext, OperandSize } from './context.js';
import { APIC_BASE, CR0 } from './control-bits.js';
import { lmsw, readControl, readDebug, writeControl, writeDebug } from './control-registers.js';
import type { CpuidConfig } from './cpuid.js';
import { cpuidRoutine, cpuidSignature } from './cpuid.js';
import type { CpuEvent, DeliveryOutcome } from './deliver.js';
import { deliverEvent, softwareInterrupt } from './deliver.js';
import { lar, lldt, lsl, ltr, verr, verw } from './descriptor-query.js';
import { farReturn, iret } from './far-return.js';
import { farCall, farJump } from './far-transfer.js';
import { sysenter, sysexit } from './fast-call.js';
import { cli, popf, pushfCheck, sti } from './flag-control.js';
import { GuestFault } from './guest-fault.js';
import { checkIoPermission } from './io-permission.js';
import { rdmsr, rdpmc, wrmsr } from './msr.js';
import { loadSegmentRegister } from './segment-load.js';
import { currentStack } from './stack-cursor.js';

export interface CpuSystemOptions {
  readonly state: CpuStateView;
  readonly linear: LinearMemory;
  readonly physical: PageTableMemory;
  readonly tlb: TlbControl;
  readonly clock: Pick<Clock, 'now' | 'nsPerTick'>;
  readonly cpuid: CpuidConfig;
  /** FERR# output; the PC/AT latches it into IRQ 13. */
  readonly onFerr: (level: boolean) => void;
  /** IA32_APIC_BASE was written. */
  readonly onApicBase: () => void;
  /** A fault while #DF was delivered. */
  readonly onShutdown: () => void;
}

/** Interrupt shadow after MOV SS and POP SS: debug traps are held off as well. */
const SHADOW_STACK_SWITCH = 2;

/**
 * The parts of the CPU that are procedures over tables, descriptors and control registers.
 *
 * A routine is called with instructionEip and nextEip in the state and EIP = nextEip; it changes EIP only to transfer
 * control. When it throws a GuestFault, the caller sets EIP = instructionEip (read after the throw: a task switch may
 * have moved it into the new task) and delivers the fault. invoke() is that contract.
 */
export class CpuSystem {
  readonly routines: Readonly<Record<SystemRoutine, (...args: number[]) => void>>;
  readonly #ctx: CpuContext;

  constructor(private readonly options: CpuSystemOptions) {
    const { state, linear, tlb, clock, cpuid, onFerr, onApicBase } = options;
    const walker = new PageWalker(state, options.physical);
    this.#ctx = { state, linear, walker, tlb, clock, cpuid, onFerr, onApicBase };
    this.routines = bindRoutines(this.#ctx);
  }

  /** Power-on state; the time-stamp counter starts at zero now. */
  reset(): void {
    const { state, clock, cpuid, onFerr } = this.options;
    state.reset(cpuidSignature(cpuid));
    if (cpuid.features.includes('APIC')) state.set64('apicBase', state.get64('apicBase') | BigInt(APIC_BASE.enable));
    state.set64('tscOffset', -BigInt(clock.now));
    onFerr(false);
  }

  /** Runs a routine by the contract above, delivering what it raises. */
  invoke(name: SystemRoutine, ...args: number[]): DeliveryOutcome {
    const { state } = this.options;
    state.eip = state.nextEip;
    try {
      this.routines[name](...args);
    } catch (raised) {
      if (!(raised instanceof GuestFault)) throw raised;
      state.eip = state.instructionEip;
      return this.deliver({ ...raised, kind: 'fault' });
    }
    return 'delivered';
  }

  /** Delivers an exception or interrupt; EIP in the state is the return address. */
  deliver(event: CpuEvent): DeliveryOutcome {
    const outcome = deliverEvent(this.#ctx, event);
    this.options.state.updateModeCache();
    if (outcome === 'shutdown') this.options.onShutdown();
    return outcome;
  }

  /** Throws #GP(0) unless the program may use these ports. */
  checkIo(port: number, sizeBytes: 1 | 2 | 4): void {
    checkIoPermission(this.#ctx, port, sizeBytes);
  }
}

/** MOV to SS and POP SS hold off interrupts for one instruction; LSS does not. */
function loadWithShadow(ctx: CpuContext, segment: number, selector: number): void {
  loadSegmentRegister(ctx, segment, selector & 0xffff);
  if (segment === SS) ctx.state.interruptShadow = SHADOW_STACK_SWITCH;
}

/** Sixteen bits are read whatever the operand size; the pointer moves by all of it, on the old stack. */
function popSegment(ctx: CpuContext, segment: number, size: OperandSize): void {
  const { state } = ctx;
  const stack = currentStack(ctx);
  const selector = stack.peek(16, 0);
  const mask = state.stackMask;
  const next = (state.gpr(ESP) & ~mask) | ((state.gpr(ESP) + size / 8) & mask);
  loadWithShadow(ctx, segment, selector);
  state.setGpr(ESP, next);
}

function loadFarPointer(
  ctx: CpuContext,
  target: { segment: number; gpr: number },
  selector: number,
  offset: number,
  size: OperandSize,
): void {
  loadSegmentRegister(ctx, target.segment, selector & 0xffff);
  if (size === 16) ctx.state.setGpr16(target.gpr, offset);
  else ctx.state.setGpr(target.gpr, offset);
}

/**
 * A pending x87 exception met by a waiting instruction. With CR0.NE clear the CPU reports it outside and stops until an
 * interrupt comes (SDM 1, 8.7.2): the instruction starts again and again, a tick each time, until the handler of IRQ 13
 * has cleared the exception.
 */
function fpuError(ctx: CpuContext): void {
  const { state } = ctx;
  if (state.cr0 & CR0.NE) throw new GuestFault(EXCEPTION.MF, null);
  state.eip = state.instructionEip;
  ctx.onFerr(true);
}

const size = (bits: number): OperandSize => (bits === 16 ? 16 : 32);

function bindRoutines(ctx: CpuContext): Record<SystemRoutine, (...args: number[]) => void> {
  const { state } = ctx;
  const plain: Record<SystemRoutine, (...args: number[]) => void> = {
    farJump: (selector, offset, bits) => farJump(ctx, selector & 0xffff, offset, size(bits)),
    farCall: (selector, offset, bits) => farCall(ctx, selector & 0xffff, offset, size(bits)),
    farReturn: (bits, release) => farReturn(ctx, size(bits), release & 0xffff),
    iret: (bits) => iret(ctx, size(bits)),
    softwareInterrupt: (vector, kind) => softwareInterrupt(ctx, vector & 0xff, kind),
    loadSegment: (segment, selector) => loadWithShadow(ctx, segment, selector),
    popSegment: (segment, bits) => popSegment(ctx, segment, size(bits)),
    loadFarPointer: (segment, gpr, selector, offset, bits) =>
      loadFarPointer(ctx, { segment, gpr }, selector, offset, size(bits)),
    lldt: (selector) => lldt(ctx, selector & 0xffff),
    ltr: (selector) => ltr(ctx, selector & 0xffff),
    lgdt: (base, limit) => {
      state.gdtrBase = base;
      state.gdtrLimit = limit & 0xffff;
    },
    lidt: (base, limit) => {
      state.idtrBase = base;
      state.idtrLimit = limit & 0xffff;
    },
    lmsw: (value) => lmsw(ctx, value),
    clts: () => {
      state.cr0 &= ~CR0.TS;
    },
    writeControl: (register, value) => writeControl(ctx, register, value),
    readControl: (register, gpr) => readControl(ctx, register, gpr),
    writeDebug: (register, value) => writeDebug(ctx, register, value),
    readDebug: (register, gpr) => readDebug(ctx, register, gpr),
    hlt: () => {
      state.halted = 1;
    },
    cpuid: cpuidRoutine(ctx),
    rdpmc: () => rdpmc(),
    rdmsr: () => rdmsr(ctx),
    wrmsr: () => wrmsr(ctx),
    sysenter: () => sysenter(ctx),
    sysexit: () => sysexit(ctx),
    cli: () => cli(ctx),
    sti: () => sti(ctx),
    popf: (value, bits) => popf(ctx, value, size(bits)),
    lar: (selector, slot, bits) => lar(ctx, selector & 0xffff, slot, size(bits)),
    lsl: (selector, slot, bits) => lsl(ctx, selector & 0xffff, slot, size(bits)),
    verr: (selector) => verr(ctx, selector & 0xffff),
    verw: (selector) => verw(ctx, selector & 0xffff),
    wbinvd: () => {},
    rsm: () => {
      throw new GuestFault(EXCEPTION.UD, null);
    },
    pushfCheck: () => pushfCheck(ctx),
    fpuError: () => fpuError(ctx),
  };
  const bound = {} as Record<SystemRoutine, (...args: number[]) => void>;
  for (const name of Object.keys(plain) as SystemRoutine[]) {
    bound[name] = (...args) => {
      plain[name](...args);
      state.updateModeCache();
    };
  }
  return bound;
}
