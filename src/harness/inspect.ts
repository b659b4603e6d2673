import type { Pc } from '../machine/pc.js';
import { CS, DS, ES, FS, GS, SS } from '../isa/cpu-state.js';
import { LAYOUT } from '../cpu/memory/layout.js';

const GPR_NAMES = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const SEGMENTS = { es: ES, cs: CS, ss: SS, ds: DS, fs: FS, gs: GS };

/** Registers by their usual names, unsigned. */
export function registersOf({ machine }: Pc): Record<string, number> {
  const { state } = machine.cpu;
  const registers: Record<string, number> = {};
  GPR_NAMES.forEach((name, i) => (registers[name] = state.gpr(i)));
  registers.eip = state.eip;
  registers.eflags = state.eflags;
  for (const [name, index] of Object.entries(SEGMENTS)) registers[name] = state.segSelector(index);
  for (const name of ['cr0', 'cr2', 'cr3', 'cr4'] as const) registers[name] = state[name];
  return registers;
}

/** Guest memory at a linear address as a debugger sees it: no access is traced, unmapped bytes read as zero. */
export function readLinearMemory({ machine }: Pc, linear: number, length: number): Uint8Array {
  const { memory, physical } = machine.cpu;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const address = memory.peek((linear + i) >>> 0, false);
    const host = address === null ? 0 : physical.host(address);
    if (host >= LAYOUT.ram) bytes[i] = physical.u8[host];
  }
  return bytes;
}
