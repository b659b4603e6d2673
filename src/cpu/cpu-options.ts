import type { MmioBus, Width } from '../core/bus.js';
import type { Tick } from '../core/clock.js';
import type { CpuCode } from './code.js';
import type { CpuidConfig } from './system/cpuid.js';

/** The I/O port space as the CPU sees it. */
export interface IoSpace {
  read(port: number, width: Width): number;
  write(port: number, value: number, width: Width): void;
  /** See PortHandler.steadyUntil(). */
  steadyUntil?(port: number): Tick;
  /** True when this access needs no I/O permission (the backdoor port, if the policy says so). */
  exempt(port: number, width: Width, isRead: boolean): boolean;
}

/** Which engines run the guest. It cannot tell: one is for speed, one alone is for finding faults in them. */
export type Tier = 'interpreter' | 'regions' | 'all';

export interface CpuOptions {
  readonly code: CpuCode;
  readonly ramBytes: number;
  /** Memory of devices behind RAM; none unless given. */
  readonly deviceBytes?: number;
  readonly mmio: MmioBus;
  readonly io: IoSpace;
  readonly nsPerTick: number;
  /** Default 'all'; 'regions' compiles blocks when they run first, and waits. */
  readonly tier?: Tier;
  /** How often a block runs before it is compiled, where the tier does not say it well enough. */
  readonly hotRuns?: number;
  /** Default true; without, each round of a program that waits is executed (recurrence.ts). The guest cannot tell. */
  readonly skipsRounds?: boolean;
  readonly cpuid: CpuidConfig;
  /** INTA cycle: vector of the pending external interrupt. */
  readonly acknowledge: () => number;
  /** WRMSR has changed IA32_APIC_BASE. */
  readonly onApicBase?: () => void;
  /** x87 error output, wired to IRQ 13. */
  readonly onFerr: (level: boolean) => void;
}
