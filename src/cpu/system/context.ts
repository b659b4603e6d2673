import type { Clock } from '../../core/clock.js';
import type { LinearMemory, TlbControl } from '../memory/linear-memory.js';
import type { PageWalker } from '../memory/page-walk.js';
import type { CpuStateView } from '../state/cpu-state-view.js';
import type { CpuidConfig } from './cpuid.js';

/** What system routines work with. */
export interface CpuContext {
  readonly state: CpuStateView;
  readonly linear: LinearMemory;
  readonly walker: PageWalker;
  readonly tlb: TlbControl;
  readonly clock: Pick<Clock, 'now' | 'nsPerTick'>;
  readonly cpuid: CpuidConfig;
  /** IA32_APIC_BASE was written. */
  readonly onApicBase: () => void;
  /** FERR# output; the PC/AT latches it into IRQ 13. */
  readonly onFerr: (level: boolean) => void;
}

export type OperandSize = 16 | 32;
