import { describe, expect, it } from 'vitest';
import { CS, DS, ES, ESP, EXCEPTION, FLAG, FS, GS, SS } from '../../../src/isa/cpu-state.js';
import type { CpuEvent } from '../../../src/cpu/system/deliver.js';
import { AT, Machine, SEL, descriptor, gate } from './fixture.js';

const fault = (vector: number, errorCode: number | null = null, cr2?: number): CpuEvent => ({
  vector,
  errorCode,
  kind: 'fault',
  cr2,
});
const interrupt = (vector: number): CpuEvent => ({ vector, errorCode: null, kind: 'interrupt' });
const at = ({ state }: Machine): number[] => [state.segSelector(CS), state.eip, state.cpl];
/** Offset the fixture's gate for a vector leads to. */
const handler = (vector: number): number => 0x5_0000 + vector;

describe('real mode', () => {
  it('pushes FLAGS CS IP, clears IF TF AC and jumps through the vector table', () => {
    const machine = new Machine().real();
    machine.put(0x21 * 4, [0xf000_1234]);
    machine.state.eip = 0x345;
    machine.state.eflags = 0x4_0302;
    expect(machine.system.deliver(interrupt(0x21))).toBe('delivered');
    expect(at(machine)).toEqual([0xf000, 0x1234, 0]);
    expect(machine.stack(3, 2)).toEqual([0x345, 0x1000, 0x302]);
    expect(machine.state.eflags).toBe(2);
  });

  it('pushes no error code', () => {
    const machine = new Machine().real();
    machine.put(13 * 4, [0x2000_0010]);
    machine.system.deliver(fault(13, 0));
    expect(machine.state.gpr(ESP)).toBe(0x7000 - 6);
  });

  it('INT n beyond the table is #GP, delivered in its place', () => {
    const machine = new Machine().real();
    machine.put(13 * 4, [0x2000_0010]);
    machine.state.idtrLimit = 0x7f;
    machine.state.instructionEip = 0x100;
    machine.state.nextEip = 0x102;
    expect(machine.system.invoke('softwareInterrupt', 0x21, 0)).toBe('delivered');
    expect(at(machine)).toEqual([0x2000, 0x10, 0]);
    expect(machine.stack(1, 2)).toEqual([0x100]);
  });

  it('shuts down when the stack has no room', () => {
    const machine = new Machine().real();
    machine.state.setGpr(ESP, 1);
    expect(machine.system.deliver(interrupt(8))).toBe('shutdown');
    expect(machine.shutdowns).toBe(1);
    expect(machine.state.gpr(ESP)).toBe(1);
  });

  it('uses the relocated table', () => {
    const machine = new Machine().real();
    machine.run('lidt', 0x5000, 0x3ff);
    machine.put(0x5000 + 4 * 4, [0x2000_0010]);
    machine.run('softwareInterrupt', 4, 2);
    expect(at(machine)).toEqual([0x2000, 0x10, 0]);
    expect(machine.stack(2, 2)).toEqual([0x102, 0x1000]);
  });
});

describe('protected mode, same level', () => {
  it('pushes EFLAGS CS EIP and the error code; an interrupt gate clears IF', () => {
    const machine = new Machine().protect();
    machine.state.eflags = 0x4302;
    machine.system.deliver(fault(13, 0x58));
    expect(at(machine)).toEqual([SEL.code, handler(13), 0]);
    expect(machine.stack(4)).toEqual([0x58, 0x100, SEL.code, 0x1_4302]);
    expect(machine.state.eflags).toBe(2);
  });

  it('a trap gate keeps IF', () => {
    const machine = new Machine().protect();
    machine.setIdt(0x80, gate(SEL.code, 0x1234, 0x8f));
    machine.state.eflags = 0x4302;
    machine.system.deliver(interrupt(0x80));
    expect(machine.state.eflags).toBe(0x202);
  });

  it('a 16-bit gate pushes words and cuts the offset', () => {
    const machine = new Machine().protect();
    machine.setIdt(13, gate(SEL.code, 0xffff_1234, 0x86));
    machine.system.deliver(fault(13, 0x58));
    expect(machine.state.eip).toBe(0x1234);
    expect(machine.stack(4, 2)).toEqual([0x58, 0x100, SEL.code, 2]);
  });

  it('a conforming handler runs at the level it interrupts', () => {
    const machine = new Machine().user();
    machine.setIdt(6, gate(SEL.conforming, 0x1234, 0x8e));
    machine.system.deliver(fault(6));
    expect(at(machine)).toEqual([SEL.conforming | 3, 0x1234, 3]);
    expect(machine.stack(3)).toEqual([0x100, SEL.userCode, 0x1_0002]);
  });

  it('sets CR2 for #PF', () => {
    const machine = new Machine().protect();
    machine.system.deliver(fault(14, 2, 0xdead_b000));
    expect(machine.state.cr2).toBe(0xdead_b000);
    expect(machine.stack(1)).toEqual([2]);
  });
});

describe('RF in the saved flags', () => {
  const saved = (event: CpuEvent, eflags = 2): number => {
    const machine = new Machine().protect();
    machine.state.eflags = eflags;
    machine.system.deliver(event);
    return machine.stack(3)[2] & FLAG.RF;
  };
  it('is set by faults, not by instruction breakpoints, traps and interrupts', () => {
    expect(saved(fault(6))).toBe(FLAG.RF);
    // General detect.
    expect(saved(fault(1))).toBe(FLAG.RF);
    expect(saved({ ...fault(1), instructionBreakpoint: true })).toBe(0);
    expect(saved({ vector: 1, errorCode: null, kind: 'trap' })).toBe(0);
    expect(saved(interrupt(0x20))).toBe(0);
  });
  it('is kept for interrupts', () => {
    expect(saved(interrupt(0x20), 0x1_0002)).toBe(FLAG.RF);
  });
  it('is clear for INT n', () => {
    const machine = new Machine().protect();
    machine.state.eflags = 0x1_0002;
    machine.run('softwareInterrupt', 0x80, 0);
    expect(machine.stack(3)[2]).toBe(2);
  });
});

describe('protected mode, inner level', () => {
  it('takes the stack from the TSS and pushes SS ESP first', () => {
    const machine = new Machine().user();
    machine.state.eflags = 0x3202;
    machine.system.deliver(fault(14, 6, 0x1000));
    expect(at(machine)).toEqual([SEL.code, handler(14), 0]);
    expect(machine.stack(6)).toEqual([6, 0x100, SEL.userCode, 0x1_3202, AT.userStack, SEL.userData]);
    expect([machine.state.gpr(ESP), machine.state.segSelector(SS)]).toEqual([AT.kernelStack - 24, SEL.data]);
    expect([machine.state.tlbRead, machine.state.flat]).toEqual([16, 1]);
    // Data segments stay.
    expect(machine.state.segSelector(DS)).toBe(SEL.userData);
  });

  it('goes to ring 1 through the stack of ring 1', () => {
    const machine = new Machine().user();
    machine.setIdt(0x30, gate(SEL.ring1Code, 0x1234, 0x8e));
    machine.system.deliver(interrupt(0x30));
    expect(at(machine)).toEqual([SEL.ring1Code, 0x1234, 1]);
    expect(machine.state.segSelector(SS)).toBe(SEL.ring1Data);
  });

  it('reads a 16-bit TSS', () => {
    const machine = new Machine().user();
    machine.state.setSegment(7, SEL.tss, AT.tss, 0x2b, 0x83);
    machine.put(AT.tss, [0x6000_0000, SEL.data]);
    machine.system.deliver(interrupt(0x30));
    expect(machine.state.gpr(ESP)).toBe(0x6000 - 20);
  });

  it('comes back by IRET to where it was', () => {
    const machine = new Machine().user();
    machine.state.eflags = 0x246;
    machine.system.deliver(interrupt(0x30));
    machine.run('iret', 32);
    expect(at(machine)).toEqual([SEL.userCode, 0x100, 3]);
    expect([machine.state.gpr(ESP), machine.state.eflags]).toEqual([AT.userStack, 0x246]);
  });
});

describe('INT n, INT3, INTO, INT1', () => {
  it('INT n needs a gate that the level may use', () => {
    const machine = new Machine().user();
    expect(machine.fault('softwareInterrupt', 0x80, 0)).toEqual([13, 0x402]);
    expect(machine.fault('softwareInterrupt', 3, 1)).toEqual([13, 0x1a]);
    machine.setIdt(0x80, gate(SEL.code, 0x1234, 0xee));
    machine.run('softwareInterrupt', 0x80, 0);
    expect(at(machine)).toEqual([SEL.code, 0x1234, 0]);
    expect(machine.stack(1)).toEqual([0x102]);
  });

  it('INT1 may use any gate', () => {
    const machine = new Machine().user();
    machine.run('softwareInterrupt', 1, 3);
    expect(at(machine)).toEqual([SEL.code, handler(1), 0]);
    machine.user();
    machine.setIdt(1, gate(SEL.code, 0, 0x0e));
    expect(machine.fault('softwareInterrupt', 1, 3)).toEqual([11, 0x0b]);
  });

  it('have error codes without EXT', () => {
    const machine = new Machine().protect();
    machine.setIdt(0x80, gate(SEL.code, 0, 0x0e));
    expect(machine.fault('softwareInterrupt', 0x80, 0)).toEqual([11, 0x402]);
    machine.setIdt(0x80, gate(0, 0, 0x8e));
    expect(machine.fault('softwareInterrupt', 0x80, 0)).toEqual([13, 0]);
    machine.setIdt(0x80, gate(SEL.data, 0, 0x8e));
    expect(machine.fault('softwareInterrupt', 0x80, 0)).toEqual([13, SEL.data]);
    machine.setIdt(0x80, gate(SEL.code16, 0x1_0000, 0x8e));
    expect(machine.fault('softwareInterrupt', 0x80, 0)).toEqual([13, 0]);
    machine.setIdt(0x80, gate(SEL.code, 0, 0x8c));
    expect(machine.fault('softwareInterrupt', 0x80, 0)).toEqual([13, 0x402]);
    machine.state.idtrLimit = 0x3ff;
    expect(machine.fault('softwareInterrupt', 0x80, 0)).toEqual([13, 0x402]);
  });

  it('refuse a handler that is less privileged', () => {
    const machine = new Machine().protect();
    machine.setIdt(0x80, gate(SEL.userCode, 0, 0x8e));
    expect(machine.fault('softwareInterrupt', 0x80, 0)).toEqual([13, SEL.userCode & ~3]);
  });

  it('restart at the instruction when they fault', () => {
    const machine = new Machine().user();
    machine.state.instructionEip = 0x100;
    machine.state.nextEip = 0x102;
    expect(machine.system.invoke('softwareInterrupt', 0x80, 0)).toBe('delivered');
    expect(at(machine)).toEqual([SEL.code, handler(13), 0]);
    expect(machine.stack(2)).toEqual([0x402, 0x100]);
  });
});

describe('V86 mode', () => {
  it('saves and clears the data segments on the way to ring 0', () => {
    const machine = new Machine().v86(0);
    machine.system.deliver(fault(13, 0));
    expect(at(machine)).toEqual([SEL.code, handler(13), 0]);
    expect(machine.stack(10)).toEqual([0, 0x100, 0x101, 0x3_0202, 0x1000, 0x102, 0x100, 0x103, 0x104, 0x105]);
    expect([ES, DS, FS, GS].map((s) => machine.state.segAccess(s))).toEqual([0x1_0000, 0x1_0000, 0x1_0000, 0x1_0000]);
    expect(machine.state.eflags).toBe(2);
  });

  it('INT n needs IOPL 3, INT3 does not', () => {
    const machine = new Machine().v86(2);
    machine.setIdt(0x21, gate(SEL.code, 0x1234, 0xee));
    machine.setIdt(3, gate(SEL.code, 0x1234, 0xee));
    expect(machine.fault('softwareInterrupt', 0x21, 0)).toEqual([13, 0]);
    machine.run('softwareInterrupt', 3, 1);
    expect(at(machine)).toEqual([SEL.code, 0x1234, 0]);
    machine.v86(3);
    machine.setIdt(0x21, gate(SEL.code, 0x1234, 0xee));
    machine.run('softwareInterrupt', 0x21, 0);
    expect(at(machine)).toEqual([SEL.code, 0x1234, 0]);
  });

  it('refuses handlers outside ring 0 and conforming handlers', () => {
    const machine = new Machine().v86(3);
    machine.setIdt(0x21, gate(SEL.ring1Code, 0, 0xee));
    expect(machine.fault('softwareInterrupt', 0x21, 0)).toEqual([13, SEL.ring1Code & ~3]);
    machine.setIdt(0x21, gate(SEL.conforming, 0, 0xee));
    expect(machine.fault('softwareInterrupt', 0x21, 0)).toEqual([13, SEL.conforming]);
  });

  it('pushes words through a 16-bit gate', () => {
    const machine = new Machine().v86(3);
    machine.setIdt(0x21, gate(SEL.code, 0x1234, 0xe6));
    machine.run('softwareInterrupt', 0x21, 0);
    expect(machine.stack(9, 2)).toEqual([0x102, 0x101, 0x3202, 0x1000, 0x102, 0x100, 0x103, 0x104, 0x105]);
  });

  it('is left and entered again by IRET with everything as it was', () => {
    const machine = new Machine().v86(1);
    const before = [...Array(6).keys()].map((s) => [machine.state.segSelector(s), machine.state.segBase(s)]);
    machine.system.deliver(interrupt(0x20));
    machine.run('iret', 32);
    expect([...Array(6).keys()].map((s) => [machine.state.segSelector(s), machine.state.segBase(s)])).toEqual(before);
    expect([machine.state.eip, machine.state.eflags, machine.state.gpr(ESP), machine.state.cpl]).toEqual([
      0x100, 0x2_1202, 0x1000, 3,
    ]);
  });
});

describe('faults while delivering', () => {
  it.each<[string, (m: Machine) => void, CpuEvent, number, number]>([
    [
      'an absent gate of an interrupt is #NP with EXT and IDT',
      (m) => m.setIdt(0x20, gate(8, 0, 0x0e)),
      interrupt(0x20),
      11,
      0x103,
    ],
    ['an interrupt beyond the IDT is #GP', (m) => (m.state.idtrLimit = 0xff), interrupt(0x20), 13, 0x103],
    [
      'an absent handler is #NP of its selector',
      (m) => m.setGdt(SEL.code16, descriptor(0, 0xffff, 0x1a)),
      interrupt(0x21),
      11,
      SEL.code16 | 1,
    ],
    ['#UD through a bad gate is #GP', (m) => m.setIdt(6, [0, 0]), fault(6), 13, 0x33],
    ['#GP through a bad gate is #DF', (m) => m.setIdt(13, [0, 0]), fault(13, 0), 8, 0],
    ['#DE through a bad gate is #DF', (m) => m.setIdt(0, [0, 0]), fault(0), 8, 0],
    ['#PF through a bad gate is #DF', (m) => m.setIdt(14, [0, 0]), fault(14, 0, 1), 8, 0],
    [
      'an interrupt through a bad gate whose #GP has a bad gate is #DF',
      (m) => {
        m.setIdt(0x20, [0, 0]);
        m.setIdt(13, [0, 0]);
      },
      interrupt(0x20),
      8,
      0,
    ],
  ])('%s', (_, change, event, vector, error) => {
    const machine = new Machine().protect();
    machine.setIdt(0x21, gate(SEL.code16, 0x1234, 0x8e));
    change(machine);
    expect(machine.system.deliver(event)).toBe('delivered');
    expect(machine.state.eip).toBe(handler(vector));
    expect(machine.stack(3)).toEqual([error, 0x100, SEL.code]);
    expect(machine.state.gpr(ESP)).toBe(AT.kernelStack - 0x200 - 16);
  });

  it('a fault of #DF is a shutdown with the registers of the moment before', () => {
    const machine = new Machine().protect();
    machine.setIdt(13, [0, 0]);
    machine.setIdt(8, [0, 0]);
    expect(machine.system.deliver(fault(13, 0))).toBe('shutdown');
    expect(machine.shutdowns).toBe(1);
    expect([...at(machine), machine.state.gpr(ESP)]).toEqual([SEL.code, 0x100, 0, AT.kernelStack - 0x200]);
  });

  it('an empty IDT shuts down', () => {
    const machine = new Machine().protect();
    machine.state.idtrLimit = 0;
    expect(machine.system.deliver(fault(6))).toBe('shutdown');
  });

  it('a bad inner stack is #TS with EXT', () => {
    const machine = new Machine().user();
    machine.put(AT.tss + 8, [SEL.readOnly]);
    machine.setIdt(10, gate(SEL.conforming, 0x1234, 0x8e));
    machine.system.deliver(interrupt(0x20));
    expect(machine.stack(3)).toEqual([SEL.readOnly | 1, 0x100, SEL.userCode]);
  });

  it('a full ring 0 stack during #UD ends in #DF, then shutdown', () => {
    const machine = new Machine().protect();
    machine.state.setSegment(SS, SEL.data, 0, 0xffff, 0x4093);
    machine.state.setGpr(ESP, 4);
    expect(machine.system.deliver(fault(6))).toBe('shutdown');
    expect(machine.state.gpr(ESP)).toBe(4);
  });

  describe('with paging', () => {
    /** Identity maps the first MiB but for `absent`. */
    const page = (machine: Machine, absent: readonly number[]): void => {
      machine.put(0x6_0000, [0x6_1007]);
      for (let i = 0; i < 256; i++) machine.put(0x6_1000 + 4 * i, [absent.includes(i) ? 0 : (i << 12) | 7]);
      machine.state.cr3 = 0x6_0000;
      machine.state.cr0 = (machine.state.cr0 | 0x8000_0000) >>> 0;
    };

    it('a #PF on the new stack replaces an interrupt, with a supervisor error code', () => {
      const machine = new Machine().user();
      machine.put(AT.tss + 4, [0xa000]);
      machine.setIdt(14, gate(SEL.conforming, 0x1234, 0x8e));
      page(machine, [9]);
      machine.put(AT.userStack + 0x1000, []);
      machine.state.setGpr(ESP, 0xb000);
      machine.system.deliver(interrupt(0x20));
      expect(machine.state.cr2).toBe(0x9ffc);
      expect(machine.stack(4)).toEqual([2, 0x100, SEL.userCode, 0x1_0002]);
    });

    it('a #PF while delivering #PF is #DF; CR2 is the second address', () => {
      const machine = new Machine().user();
      machine.put(AT.tss + 4, [0xa000]);
      machine.setIdt(8, gate(SEL.conforming, 0x1234, 0x8e));
      page(machine, [9]);
      machine.state.setGpr(ESP, 0xb000);
      machine.system.deliver(fault(14, 4, 0x7777));
      expect([machine.state.eip, machine.state.cr2]).toEqual([0x1234, 0x9ffc]);
    });

    it('a #PF while delivering #GP is delivered as #PF', () => {
      const machine = new Machine().protect();
      page(machine, [2]);
      machine.state.idtrBase = 0x1000 + 0xf00;
      // The gate of #GP lies on the present page, that of #PF as well; #GP's handler is found on the absent one.
      machine.setGdt(SEL.a, descriptor(0, 0xf_ffff, 0xc09a));
      machine.put(0x1f00 + 14 * 8, gate(SEL.code, handler(14), 0x8e));
      machine.put(0x1f00 + 13 * 8, gate(0x4 | 8, 0, 0x8e));
      machine.state.setSegment(6, SEL.ldt, 0x2000, 0xff, 0x82);
      machine.system.deliver(fault(13, 0));
      expect([machine.state.eip, machine.state.cr2]).toEqual([handler(14), 0x2008]);
    });

    it('a #PF on the IDT itself shuts down', () => {
      const machine = new Machine().protect();
      page(machine, [2]);
      expect(machine.system.deliver(interrupt(0x20))).toBe('shutdown');
      expect(machine.state.cr2).toBe(0x2000 + 8 * EXCEPTION.DF);
    });
  });
});

describe('what delivery changes besides', () => {
  it('wakes from HLT and ends the interrupt shadow', () => {
    const machine = new Machine().protect();
    machine.run('hlt');
    expect(machine.state.halted).toBe(1);
    machine.state.interruptShadow = 1;
    machine.system.deliver(interrupt(0x20));
    expect([machine.state.halted, machine.state.interruptShadow]).toEqual([0, 0]);
  });

  it('blocks NMIs in an NMI handler until IRET', () => {
    const machine = new Machine().protect();
    machine.system.deliver({ vector: 2, errorCode: null, kind: 'nmi' });
    expect(machine.state.nmiBlocked).toBe(1);
    machine.run('iret', 32);
    expect(machine.state.nmiBlocked).toBe(0);
  });

  it('reports pending debug conditions in DR6 and clears DR7.GD', () => {
    const machine = new Machine().protect();
    machine.state.pendingDebug = 0x4001;
    machine.state.setDr(7, 0x2400);
    machine.system.deliver({ vector: 1, errorCode: null, kind: 'trap' });
    expect([machine.state.dr(6), machine.state.dr(7), machine.state.pendingDebug]).toEqual([0xffff_4ff1, 0x400, 0]);
  });

  it('sets the accessed bit of the handler code and the inner stack', () => {
    const machine = new Machine().user();
    machine.system.deliver(interrupt(0x20));
    expect([machine.gdtAccess(SEL.code), machine.gdtAccess(SEL.data)]).toEqual([0x9b, 0x93]);
    expect([machine.state.segAccess(CS), machine.state.segAccess(SS)]).toEqual([0xc09b, 0xc093]);
  });

  it('leaves GS of a 32-bit program alone', () => {
    const machine = new Machine().user();
    machine.state.setSegment(GS, 0x33, 0x1_0000, 0xff, 0xf3);
    machine.system.deliver(interrupt(0x20));
    expect(machine.state.segBase(GS)).toBe(0x1_0000);
  });
});
