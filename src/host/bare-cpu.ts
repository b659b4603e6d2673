import { Cpu } from '../cpu/cpu.js';
import type { CpuOptions, IoSpace } from '../cpu/cpu-options.js';
import { DEFAULT_CPUID } from '../cpu/system/cpuid.js';
import { cpuCode } from './cpu-code.js';

export type BareCpuOptions = Pick<CpuOptions, 'ramBytes' | 'mmio'> &
  Partial<Pick<CpuOptions, 'code' | 'io' | 'tier' | 'hotRuns' | 'skipsRounds'>>;

/** Ports that read as ones. */
const NO_PORTS: IoSpace = {
  read: (_port, width) => (width === 4 ? 0xffff_ffff : (1 << (8 * width)) - 1),
  write: () => {},
  exempt: () => false,
};

/** A CPU with RAM and nothing else, unless ports are given: no interrupts. For vectors and tests. */
export function createBareCpu(options: BareCpuOptions): Cpu {
  return new Cpu({
    io: NO_PORTS,
    ...options,
    code: options.code ?? cpuCode(),
    nsPerTick: 4,
    cpuid: DEFAULT_CPUID,
    acknowledge: () => 0xff,
    onFerr: () => {},
  });
}
