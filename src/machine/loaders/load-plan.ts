/** What a loader puts into memory before the first instruction, and where the CPU starts. */

export interface MemoryWrite {
  /** Physical. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** The reset vector: the boot ROM decides. */
export interface ResetCpu {
  readonly mode: 'reset';
}

/**
 * Real mode, after the boot ROM has set up the machine: the program wants BIOS services. The CPU starts at the reset
 * vector, and the boot disk tells the ROM this entry (`BootDiskOptions.entry`).
 */
export interface RealModeCpu {
  readonly mode: 'real';
  readonly cs: number;
  readonly ip: number;
  readonly ss: number;
  readonly sp: number;
  /** DS, ES, FS, GS. */
  readonly ds: number;
}

/**
 * Protected mode without paging: CR0.PE, flat 4 GiB segments of ring 0 loaded from the GDT at `gdtBase`, A20 on, EFLAGS = 2
 * (no interrupts), IDT limit 0. Registers not named are 0.
 */
export interface ProtectedModeCpu {
  readonly mode: 'protected';
  readonly eip: number;
  readonly esp: number;
  readonly eax: number;
  readonly ebx: number;
  readonly esi: number;
  readonly gdtBase: number;
  /** As in GDTR: size minus 1. */
  readonly gdtLimit: number;
  /** Selector for CS, and for DS, ES, FS, GS, SS. */
  readonly codeSelector: number;
  readonly dataSelector: number;
}

export type InitialCpu = ResetCpu | RealModeCpu | ProtectedModeCpu;

/** RAM not named is 0. */
export interface LoadPlan {
  readonly writes: readonly MemoryWrite[];
  readonly cpu: InitialCpu;
}
