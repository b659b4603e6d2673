import type { Cpu } from '../../../src/cpu/cpu.js';
import { CS, DS, ES, SS } from '../../../src/isa/cpu-state.js';

/** Puts `code` at `address` and lets the CPU begin there: in real mode, or with flat segments of 32 bits. */
export function startAt(cpu: Cpu, address: number, code: readonly number[], mode: 'real' | 'flat'): void {
  const { state, physical } = cpu;
  const [limit, rights] = mode === 'flat' ? [0xffff_ffff, 0xc000] : [0xffff, 0];
  for (const segment of [CS, DS, ES, SS])
    state.setSegment(segment, 0, 0, limit, rights | (segment === CS ? 0x9b : 0x93));
  state.cr0 = mode === 'flat' ? 0x11 : 0x10;
  state.updateModeCache();
  state.eip = address;
  physical.write(address, Uint8Array.from(code));
  cpu.restored();
}
