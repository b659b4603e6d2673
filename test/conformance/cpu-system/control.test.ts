import { describe, expect, it } from 'vitest';
import { EAX, EBX, ECX, EDX, ESP, FLAG, TR } from '../../../src/isa/cpu-state.js';
import type { SystemRoutine } from '../../../src/isa/semantics.js';
import { SYSTEM_ROUTINES } from '../../../src/isa/semantics.js';
import {
  APIC_CPUID,
  DEFAULT_CPUID,
  cpuidLeaf,
  cpuidSignature,
  type CpuidConfig,
} from '../../../src/cpu/system/cpuid.js';
import type { GuestFault } from '../../../src/cpu/system/guest-fault.js';
import { AT, Machine } from './fixture.js';

const PG = 0x8000_0000;

const leafOf = (config: CpuidConfig, leaf: number): readonly number[] =>
  cpuidLeaf(config, leaf, { isApicOn: true, nsPerTick: 4 });

describe('CR0', () => {
  it('keeps only the bits that exist; ET is always set', () => {
    const machine = new Machine().protect();
    machine.run('writeControl', 0, 0x1ffa_ffc1);
    expect(machine.state.cr0).toBe(0x11);
    machine.run('writeControl', 0, 0x6005_003f);
    expect(machine.state.cr0).toBe(0x6005_003f);
  });

  it.each([
    ['PG without PE', PG],
    ['NW without CD', 0x2000_0001],
  ])('refuses %s', (_, value) => {
    const machine = new Machine().protect();
    expect(machine.fault('writeControl', 0, value)).toEqual([13, 0]);
    expect(machine.state.cr0).toBe(0x6000_0011);
  });

  it('flushes the TLB when PG, WP or PE change, not for TS', () => {
    const machine = new Machine().protect();
    machine.run('writeControl', 0, 0x6000_0019);
    expect(machine.tlb).toEqual([]);
    machine.run('writeControl', 0, 0xe001_0011);
    machine.run('writeControl', 0, 0xe000_0011);
    machine.run('writeControl', 0, 0x10);
    expect(machine.tlb).toEqual(['all', 'all', 'all']);
  });

  it('leaving protected mode keeps segments and CPL 0', () => {
    const machine = new Machine().protect();
    machine.run('writeControl', 0, 0x10);
    expect([machine.state.segLimit(3), machine.state.cpl, machine.state.flat]).toEqual([0xffff_ffff, 0, 0]);
  });

  it('LMSW changes four bits and cannot clear PE', () => {
    const machine = new Machine().protect();
    machine.run('lmsw', 0xfffe);
    expect(machine.state.cr0).toBe(0x6000_001f);
    machine.run('lmsw', 0);
    expect(machine.state.cr0).toBe(0x6000_0011);
    const real = new Machine();
    real.run('lmsw', 1);
    expect(real.state.cr0).toBe(0x6000_0011);
  });

  it('CLTS clears TS', () => {
    const machine = new Machine().protect();
    machine.run('lmsw', 8);
    machine.run('clts');
    expect(machine.state.cr0).toBe(0x6000_0011);
  });

  it('switching PAE paging on checks the pointers first', () => {
    const machine = new Machine().protect();
    machine.run('writeControl', 4, 0x20);
    machine.run('writeControl', 3, 0x1_0000);
    machine.put(0x1_0000, [0x1_2003, 0]);
    expect(machine.fault('writeControl', 0, 0xe000_0011)).toEqual([13, 0]);
    expect(machine.state.cr0).toBe(0x6000_0011);
    machine.put(0x1_0000, [0x1_2001, 0]);
    machine.run('writeControl', 0, 0xe000_0011);
    expect(machine.state.get64('pdpte', 0)).toBe(0x1_2001n);
  });
});

describe('CR2, CR3, CR4', () => {
  it('CR3 tells the TLB, with the same value too', () => {
    const machine = new Machine().protect();
    machine.run('writeControl', 3, 0x4000);
    machine.state.cr0 = (machine.state.cr0 | 0x8000_0000) >>> 0;
    machine.run('writeControl', 3, 0x5018);
    machine.run('writeControl', 3, 0x5018);
    expect([machine.state.cr3, machine.tlb]).toEqual([0x5018, ['4000 to 5000', '5000 to 5000']]);
  });

  it('CR4 takes what CPUID announces and refuses the rest', () => {
    const machine = new Machine().protect();
    machine.run('writeControl', 4, 0x7bc);
    expect(machine.state.cr4).toBe(0x7bc);
    for (const bit of [0, 1, 6, 11, 12, 13, 14, 16, 17, 18, 20, 21, 31]) {
      expect(machine.fault('writeControl', 4, 1 << bit)).toEqual([13, 0]);
    }
    expect(machine.state.cr4).toBe(0x7bc);
  });

  it('CR4 follows the configured features', () => {
    const machine = new Machine({ ...DEFAULT_CPUID, features: ['FPU', 'TSC', 'MCE'] }).protect();
    expect(machine.fault('writeControl', 4, 0x10)).toEqual([13, 0]);
    machine.run('writeControl', 4, 0x44);
  });

  it('CR4.PAE flushes and, with paging on, loads the pointers', () => {
    const machine = new Machine().protect();
    // Linear page 0 is identity-mapped in both forms.
    machine.put(0x1_0000, [0x1_2001, 0]);
    machine.run('writeControl', 3, 0x1_0000);
    machine.run('writeControl', 0, 0xe000_0011);
    machine.run('writeControl', 4, 0x20);
    expect(machine.state.get64('pdpte', 0)).toBe(0x1_2001n);
    expect(machine.tlb.slice(-1)).toEqual(['all']);
    const count = machine.tlb.length;
    machine.run('writeControl', 4, 0x620);
    expect(machine.tlb.length).toBe(count);
  });

  it('are read back', () => {
    const machine = new Machine().protect();
    machine.run('writeControl', 2, -1);
    machine.run('readControl', 2, EBX);
    expect(machine.state.gpr(EBX)).toBe(0xffff_ffff);
    machine.run('readControl', 0, ESP);
    expect(machine.state.gpr(ESP)).toBe(0x6000_0011);
  });

  it.each([1, 5, 6, 7])('CR%i does not exist', (n) => {
    const machine = new Machine().protect();
    expect(machine.fault('writeControl', n, 0)).toEqual([6, null]);
    expect(machine.fault('readControl', n, 0)).toEqual([6, null]);
  });
});

describe('debug registers', () => {
  it('have fixed bits', () => {
    const machine = new Machine().protect();
    machine.run('writeDebug', 6, 0);
    machine.run('writeDebug', 7, 0);
    expect([machine.state.dr(6), machine.state.dr(7)]).toEqual([0xffff_0ff0, 0x400]);
    machine.run('writeDebug', 6, -1);
    machine.run('writeDebug', 7, ~0x2000);
    expect([machine.state.dr(6), machine.state.dr(7)]).toEqual([0xffff_efff, 0xffff_07ff]);
    machine.run('writeDebug', 3, -1);
    expect(machine.state.dr(3)).toBe(0xffff_ffff);
  });

  it('DR4 and DR5 are DR6 and DR7 unless CR4.DE is set', () => {
    const machine = new Machine().protect();
    machine.run('writeDebug', 5, 0x101);
    machine.run('readDebug', 7, EBX);
    expect(machine.state.gpr(EBX)).toBe(0x501);
    machine.run('writeControl', 4, 8);
    expect(machine.fault('readDebug', 4, EBX)).toEqual([6, null]);
    expect(machine.fault('writeDebug', 5, 0)).toEqual([6, null]);
  });

  it('are guarded by DR7.GD', () => {
    const machine = new Machine().protect();
    machine.run('writeDebug', 7, 0x2000);
    expect(machine.fault('readDebug', 0, EBX)).toEqual([1, null]);
    machine.state.pendingDebug = 0;
    machine.state.instructionEip = 0x100;
    machine.state.nextEip = 0x103;
    machine.system.invoke('readDebug', 0, EBX);
    expect([machine.state.eip, machine.stack(1)]).toEqual([0x5_0001, [0x100]]);
    expect([machine.state.dr(6), machine.state.dr(7)]).toEqual([0xffff_2ff0, 0x400]);
    machine.run('readDebug', 0, EBX);
  });
});

describe('CLI, STI, POPF', () => {
  it('STI holds interrupts off for one instruction, only when they were off', () => {
    const machine = new Machine().protect();
    machine.run('sti');
    expect([machine.state.eflags, machine.state.interruptShadow]).toEqual([0x202, 1]);
    machine.state.interruptShadow = 0;
    machine.run('sti');
    expect(machine.state.interruptShadow).toBe(0);
    machine.run('cli');
    expect(machine.state.eflags).toBe(2);
  });

  it('CLI and STI need IOPL', () => {
    const machine = new Machine().user();
    expect(machine.fault('cli')).toEqual([13, 0]);
    expect(machine.fault('sti')).toEqual([13, 0]);
    machine.state.eflags = 0x3002;
    machine.run('sti');
    expect(machine.state.eflags).toBe(0x3202);
    expect(new Machine().v86(2).fault('cli')).toEqual([13, 0]);
    new Machine().v86(3).run('cli');
  });

  it.each<[string, (m: Machine) => Machine, number, number, number, number]>([
    ['ring 0 takes everything but VM and RF', (m) => m.protect(), 0x2, -1, 32, 0x24_7fd7],
    ['ring 0 keeps the upper half with 16 bits', (m) => m.protect(), 0x24_0002, 0, 16, 0x24_0002],
    ['ring 3 keeps IF and IOPL', (m) => m.user(), 0x202, 0x7000, 32, 0x4202],
    ['ring 3 with IOPL 3 changes IF', (m) => m.user(), 0x3202, 0, 32, 0x3002],
    ['real mode changes IOPL and NT', (m) => m.real(), 2, 0x7000, 16, 0x7002],
    ['V86 mode with IOPL 3 keeps VM and IOPL', (m) => m.v86(3), 0x2_3202, 0, 32, 0x2_3002],
    ['RF is cleared', (m) => m.protect(), 0x1_0002, 0x1_0000, 32, 2],
  ])('POPF: %s', (_, mode, before, value, size, after) => {
    const machine = mode(new Machine());
    machine.state.eflags = before;
    machine.run('popf', value, size);
    expect(machine.state.eflags).toBe(after);
  });

  it('POPF and PUSHF in V86 mode need IOPL 3', () => {
    expect(new Machine().v86(2).fault('popf', 0, 16)).toEqual([13, 0]);
    expect(new Machine().v86(2).fault('pushfCheck')).toEqual([13, 0]);
    new Machine().v86(3).run('pushfCheck');
  });
});

describe('I/O permission', () => {
  const allowed = (machine: Machine, port: number, bytes: 1 | 2 | 4): boolean => {
    try {
      machine.system.checkIo(port, bytes);
      return true;
    } catch (e) {
      expect([(e as GuestFault).vector, (e as GuestFault).errorCode]).toEqual([13, 0]);
      return false;
    }
  };
  /** A map at 68h with a TSS limit, all ports denied but those in `open`. */
  const withMap = (machine: Machine, limit: number, open: readonly number[]): Machine => {
    machine.state.setSegment(TR, 0x28, AT.tss, limit, 0x8b);
    machine.ram.view.setUint16(AT.tss + 102, 0x68, true);
    machine.ram.bytes.fill(0xff, AT.tss + 0x68, AT.tss + limit + 1);
    for (const port of open) machine.ram.bytes[AT.tss + 0x68 + (port >> 3)] &= ~(1 << (port & 7));
    return machine;
  };

  it('is not asked for in real mode and up to IOPL', () => {
    expect(allowed(new Machine().real(), 0x3f8, 1)).toBe(true);
    expect(allowed(new Machine().protect(), 0x3f8, 1)).toBe(true);
    const machine = new Machine().user();
    expect(allowed(machine, 0x3f8, 1)).toBe(false);
    machine.state.eflags = 0x3002;
    expect(allowed(machine, 0x3f8, 1)).toBe(true);
  });

  it('comes from the bit of each port', () => {
    const machine = withMap(new Machine().user(), 0x68 + 0x80, [0x3c6, 0x3c7, 0x3c8, 0x3ca]);
    expect([1, 2, 4].map((n) => allowed(machine, 0x3c6, n as 1))).toEqual([true, true, false]);
    expect(allowed(machine, 0x3c7, 2)).toBe(true);
    expect(allowed(machine, 0x3c5, 1)).toBe(false);
  });

  it('in V86 mode is asked for whatever IOPL says', () => {
    const machine = withMap(new Machine().v86(3), 0x68 + 0x80, [0x60]);
    expect([allowed(machine, 0x60, 1), allowed(machine, 0x61, 1)]).toEqual([true, false]);
  });

  it('needs both bytes of the map within the limit', () => {
    const machine = withMap(new Machine().user(), 0x69, [0, 8]);
    expect([allowed(machine, 0, 1), allowed(machine, 8, 1), allowed(machine, 0xffff, 4)]).toEqual([true, false, false]);
  });

  it('is not found in a 16-bit or short TSS', () => {
    const machine = withMap(new Machine().user(), 0x66, []);
    expect(allowed(machine, 0, 1)).toBe(false);
    machine.state.setSegment(TR, 0x28, AT.tss, 0xff, 0x83);
    expect(allowed(machine, 0, 1)).toBe(false);
  });
});

describe('CPUID', () => {
  it('names the vendor and the last leaf', () => {
    const [eax, ebx, ecx, edx] = leafOf(DEFAULT_CPUID, 0);
    expect([eax, ebx, edx, ecx]).toEqual([2, 0x756e_6547, 0x4965_6e69, 0x6c65_746e]);
  });

  it('gives signature and features', () => {
    const machine = new Machine().protect();
    machine.state.setGpr(EAX, 1);
    machine.run('cpuid');
    expect([EAX, EBX, ECX, EDX].map((r) => machine.state.gpr(r))).toEqual([0x1_06c2, 0, 0, 0x0782_a97d]);
  });

  it('spells the brand in three leaves', () => {
    const words = [2, 3, 4].flatMap((n) => [...leafOf(DEFAULT_CPUID, 0x8000_0000 + n)]);
    const text = words.flatMap((w) => [0, 8, 16, 24].map((s) => String.fromCharCode((w >>> s) & 0xff))).join('');
    expect(text.replace(/\0+$/, '')).toBe(DEFAULT_CPUID.brand);
  });

  it('answers unknown leaves with the last basic one', () => {
    expect(leafOf(DEFAULT_CPUID, 0x4000_0000)).toEqual(leafOf(DEFAULT_CPUID, 2));
    expect(leafOf(DEFAULT_CPUID, 0x8000_0009)).toEqual(leafOf(DEFAULT_CPUID, 2));
    expect(leafOf(DEFAULT_CPUID, 0x8000_0001)).toEqual([0, 0, 0, 0]);
  });

  it('CPUID shows the local APIC while IA32_APIC_BASE has it on, and the rates of its timer and the TSC', () => {
    const off = { isApicOn: false, nsPerTick: 4 };
    expect(cpuidLeaf(APIC_CPUID, 1, off)[3] & 0x200).toBe(0);
    expect(leafOf(APIC_CPUID, 1)[3] & 0x200).toBe(0x200);
    expect(leafOf(DEFAULT_CPUID, 1)[3] & 0x200).toBe(0);
    expect(leafOf(APIC_CPUID, 0x15)).toEqual([1, 1, 250_000_000, 0]);
    expect(leafOf(APIC_CPUID, 0x16)).toEqual([250, 250, 250, 0]);
    expect(leafOf(APIC_CPUID, 6)).toEqual([4, 0, 0, 0]);
    expect(leafOf(APIC_CPUID, 7)).toEqual([0, 0, 0, 0]);
  });

  it('IA32_APIC_BASE can be moved and switched off where there is a local APIC', () => {
    const machine = new Machine(APIC_CPUID).protect();
    const { state } = machine;
    expect(state.get64('apicBase')).toBe(0xfee0_0900n);
    state.setGpr(ECX, 0x1b);
    state.setGpr(EDX, 0);
    state.setGpr(EAX, 0xfed0_0800);
    machine.run('wrmsr');
    expect(state.get64('apicBase')).toBe(0xfed0_0900n);
    expect(machine.apicBaseWrites).toBe(1);
    state.setGpr(EAX, 0xfed0_0c00);
    expect(machine.fault('wrmsr')).toEqual([13, 0]);
  });

  it('encodes extended family and model', () => {
    expect(cpuidSignature({ ...DEFAULT_CPUID, family: 6, model: 8, stepping: 10 })).toBe(0x68a);
    expect(cpuidSignature({ ...DEFAULT_CPUID, family: 0x17, model: 0x31, stepping: 0 })).toBe(0x83_0f10);
  });
});

describe('model-specific registers', () => {
  const read = (machine: Machine, number: number): bigint => {
    machine.state.setGpr(ECX, number);
    machine.run('rdmsr');
    return (BigInt(machine.state.gpr(EDX)) << 32n) | BigInt(machine.state.gpr(EAX));
  };
  const set = (machine: Machine, number: number, value: bigint): void => {
    machine.state.setGpr(ECX, number);
    machine.state.setGpr(EAX, Number(value & 0xffff_ffffn));
    machine.state.setGpr(EDX, Number(value >> 32n));
  };
  const write = (machine: Machine, number: number, value: bigint): void => {
    set(machine, number, value);
    machine.run('wrmsr');
  };
  const refused = (machine: Machine, number: number, value: bigint): boolean => {
    set(machine, number, value);
    return machine.fault('wrmsr')[0] === 13;
  };
  const full = (): Machine =>
    new Machine({ ...DEFAULT_CPUID, features: [...DEFAULT_CPUID.features, 'MTRR', 'PAT', 'MCA'] }).protect();

  it('the time-stamp counter is the tick plus what was written', () => {
    const machine = new Machine().protect();
    write(machine, 0x10, 0xffff_ffff_ffff_fff0n);
    machine.clock.now += 0x20;
    expect(read(machine, 0x10)).toBe(0x10n);
  });

  it('has no performance counters for RDPMC', () => {
    expect(new Machine().protect().fault('rdpmc')).toEqual([13, 0]);
  });

  it('SYSENTER registers hold 32 bits', () => {
    const machine = new Machine().protect();
    for (const number of [0x174, 0x175, 0x176]) {
      write(machine, number, 0x1_8000_0000n + BigInt(number));
      expect(read(machine, number)).toBe(0x8000_0000n + BigInt(number));
    }
    expect([machine.state.sysenterCs, machine.state.sysenterEsp, machine.state.sysenterEip]).toEqual([
      0x8000_0174, 0x8000_0175, 0x8000_0176,
    ]);
  });

  it.each([0, 0x2a, 0xc1, 0x186, 0x277, 0xfe, 0x2ff, 0x179, 0xc000_0080])('%i does not exist by default', (number) => {
    const machine = new Machine().protect();
    machine.state.setGpr(ECX, number);
    expect(machine.fault('rdmsr')).toEqual([13, 0]);
    expect(machine.fault('wrmsr')).toEqual([13, 0]);
  });

  it('those that Linux reads on such a CPU exist', () => {
    const machine = new Machine().protect();
    expect(read(machine, 0x17)).toBe(0n);
    expect(read(machine, 0x8b)).toBe(0x218_0000_0000n);
    expect(read(machine, 0x1a0)).toBe(1n);
    expect(read(machine, 0x1b)).toBe(0xfee0_0100n);
    expect(read(machine, 0x1d9)).toBe(0n);
    write(machine, 0x8b, 0n);
    expect(refused(machine, 0x17, 0n)).toBe(true);
    expect(refused(machine, 0x1d9, 1n)).toBe(true);
  });

  it('the APIC base has no enable bit without an APIC', () => {
    const machine = new Machine().protect();
    write(machine, 0x1b, 0xfee0_0800n);
    expect(read(machine, 0x1b)).toBe(0xfee0_0100n);
    expect(refused(machine, 0x1b, 0xfee0_0400n)).toBe(true);
    expect(refused(machine, 0x1b, 0x10_0000_0000n)).toBe(true);
  });

  it('PAT and MTRRs check memory types and reserved bits', () => {
    const machine = full();
    expect(read(machine, 0x277)).toBe(0x0007_0406_0007_0406n);
    write(machine, 0x277, 0x0007_0106_0007_0106n);
    expect(read(machine, 0x277)).toBe(0x0007_0106_0007_0106n);
    expect(refused(machine, 0x277, 2n)).toBe(true);
    write(machine, 0x2ff, 0xc06n);
    expect(read(machine, 0x2ff)).toBe(0xc06n);
    expect(refused(machine, 0x2ff, 0x1000n)).toBe(true);
    expect(refused(machine, 0x2ff, 3n)).toBe(true);
    write(machine, 0x250, 0x0606_0606_0606_0606n);
    expect(refused(machine, 0x250, 0x07n << 56n)).toBe(true);
    write(machine, 0x200, 0x8000_0006n);
    write(machine, 0x201, 0xf_8000_0800n);
    write(machine, 0x20f, 0x800n);
    expect([read(machine, 0x200), read(machine, 0x201), read(machine, 0x20f)]).toEqual([
      0x8000_0006n,
      0xf_8000_0800n,
      0x800n,
    ]);
    expect(refused(machine, 0x200, 0x10_0000_0000n)).toBe(true);
    expect(refused(machine, 0x201, 0x400n)).toBe(true);
    expect(read(machine, 0xfe)).toBe(0x508n);
    expect(refused(machine, 0xfe, 0n)).toBe(true);
    expect(read(machine, 0x179)).toBe(0n);
  });
});

describe('x87 errors', () => {
  it('with CR0.NE are #MF', () => {
    const machine = new Machine().protect();
    machine.state.cr0 |= 0x20;
    expect(machine.fault('fpuError')).toEqual([16, null]);
    expect(machine.ferr).toEqual([]);
  });

  it('without it drive FERR# and keep the CPU at the instruction', () => {
    const machine = new Machine().protect();
    machine.run('fpuError');
    expect([machine.state.eip, machine.ferr]).toEqual([0x100, [true]]);
  });
});

describe('the rest', () => {
  it('RSM is undefined, WBINVD does nothing, LGDT and LIDT load', () => {
    const machine = new Machine().protect();
    expect(machine.fault('rsm')).toEqual([6, null]);
    machine.run('wbinvd');
    machine.run('lgdt', -0x1000, 0x1_2345);
    machine.run('lidt', 0x1234_5678, 0x3ff);
    const { state } = machine;
    expect([state.gdtrBase, state.gdtrLimit, state.idtrBase, state.idtrLimit]).toEqual([
      0xffff_f000, 0x2345, 0x1234_5678, 0x3ff,
    ]);
  });
});

describe('hostile guests', () => {
  it('get nothing but guest faults from any routine with any state', () => {
    // xorshift32: reproducible.
    let seed = 0x1234_5678;
    const random = (): number => {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      return seed >>> 0;
    };
    const names = Object.keys(SYSTEM_ROUTINES) as SystemRoutine[];
    const modes: ((m: Machine) => Machine)[] = [
      (m) => m.protect(),
      (m) => m.user(),
      (m) => m.v86(3),
      (m) => m.v86(0),
      (m) => m.real(),
    ];
    const outcomes = new Set<string>();
    for (let round = 0; round < 60; round++) {
      const machine = modes[round % modes.length](new Machine());
      const { state } = machine;
      // Tables of garbage, half of the time with valid-looking low bits.
      for (let at = 0x1000; at < 0x5000; at += 4) {
        if (random() % 3 === 0) machine.ram.view.setUint32(at, random(), true);
      }
      for (let step = 0; step < 150; step++) {
        const name = names[random() % names.length];
        const small = (): number => (random() % 2 === 0 ? (random() % 16) * 8 + (random() % 8) : random());
        const args = Array.from({ length: SYSTEM_ROUTINES[name] }, small);
        // Register numbers and sizes come from the decoder, not from the guest.
        if (/Segment|FarPointer/.test(name)) args[0] = [0, 2, 3, 4, 5][args[0] % 5];
        if (/Control|Debug/.test(name)) args[0] %= 8;
        if (/^read/.test(name) || name === 'loadFarPointer') args[1] %= 8;
        if (name === 'lar' || name === 'lsl') args[1] = 64;
        if (name === 'lgdt' || name === 'lidt') args[0] = 0x1000 + (args[0] & 0xff8);
        state.instructionEip = random() & 0xffff;
        state.nextEip = state.instructionEip + 2;
        if (random() % 8 === 0) state.setGpr(ESP, random());
        outcomes.add(machine.system.invoke(name, ...args));
        if (random() % 10 === 0) {
          outcomes.add(machine.system.deliver({ vector: random() & 0xff, errorCode: null, kind: 'interrupt' }));
        }
        expect(state.eflags & FLAG.VIF).toBe(0);
        expect(state.cpl).toBeLessThan(4);
      }
    }
    expect([...outcomes].sort()).toEqual(['delivered', 'shutdown']);
  });
});
