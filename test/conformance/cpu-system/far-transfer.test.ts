import { beforeEach, describe, expect, it } from 'vitest';
import { CS, DS, ES, ESP, FLAG, FS, GS, SS } from '../../../src/isa/cpu-state.js';
import { AT, Machine, SEL, descriptor, gate } from './fixture.js';

const at = ({ state }: Machine): number[] => [state.segSelector(CS), state.eip, state.cpl];

describe('far JMP', () => {
  it('in real mode sets the base from the selector', () => {
    const machine = new Machine().real();
    machine.run('farJump', 0x2345, 0x1_6789, 16);
    expect(at(machine)).toEqual([0x2345, 0x6789, 0]);
    expect(machine.state.segBase(CS)).toBe(0x2_3450);
  });

  it('in real and V86 mode keeps EIP within 64 KiB', () => {
    expect(new Machine().real().fault('farJump', 0, 0x1_0000, 32)).toEqual([13, 0]);
    expect(new Machine().v86(3).fault('farJump', 0, 0x1_0000, 32)).toEqual([13, 0]);
  });

  it('enters protected mode behind a write of CR0', () => {
    const machine = new Machine().real();
    const tables = new Machine().protect();
    machine.ram.bytes.set(tables.ram.bytes);
    machine.run('lgdt', AT.gdt, 0x7f);
    machine.run('writeControl', 0, 0x11);
    machine.run('farJump', SEL.code, 0x10_0000, 32);
    expect(at(machine)).toEqual([SEL.code, 0x10_0000, 0]);
    expect(machine.state.segAccess(CS)).toBe(0xc09b);
  });

  it('replaces RPL by CPL and sets the accessed bit', () => {
    const machine = new Machine().user();
    machine.run('farJump', SEL.userCode & ~3, 0x1234, 32);
    expect(at(machine)).toEqual([SEL.userCode, 0x1234, 3]);
    expect(machine.gdtAccess(SEL.userCode)).toBe(0xfb);
  });

  it('to conforming code keeps the privilege level', () => {
    const machine = new Machine().user();
    machine.run('farJump', SEL.conforming, 0x1234, 32);
    expect(at(machine)).toEqual([SEL.conforming | 3, 0x1234, 3]);
  });

  it.each<[string, number, number, number]>([
    ['null', 3, 13, 0],
    ['beyond the GDT', 0x83, 13, 0x80],
    ['data', SEL.userData, 13, SEL.userData & ~3],
    ['more privileged code', SEL.code | 3, 13, SEL.code],
    ['an LDT', SEL.ldt, 13, SEL.ldt],
    ['absent code', SEL.a, 11, SEL.a],
  ])('from ring 3 refuses %s', (_, selector, vector, error) => {
    const machine = new Machine().user();
    machine.setGdt(SEL.a, descriptor(0, 0xff, 0x007a));
    expect(machine.fault('farJump', selector, 0, 32)).toEqual([vector, error]);
    expect(machine.state.segSelector(CS)).toBe(SEL.userCode);
  });

  it('from ring 0 refuses less privileged and requested-less-privileged code', () => {
    const machine = new Machine().protect();
    expect(machine.fault('farJump', SEL.userCode, 0, 32)).toEqual([13, SEL.userCode & ~3]);
    expect(machine.fault('farJump', SEL.code | 3, 0, 32)).toEqual([13, SEL.code]);
  });

  it('checks the new limit', () => {
    const machine = new Machine().protect();
    expect(machine.fault('farJump', SEL.code16, 0x1_0000, 32)).toEqual([13, 0]);
    expect(machine.gdtAccess(SEL.code16)).toBe(0x9a);
  });

  it('goes through a call gate at its own level only', () => {
    const machine = new Machine().protect();
    machine.setGdt(SEL.a, gate(SEL.code, 0x1234_5678, 0xec));
    machine.run('farJump', SEL.a, 0xffff_ffff, 16);
    expect(at(machine)).toEqual([SEL.code, 0x1234_5678, 0]);
    const user = new Machine().user();
    user.setGdt(SEL.a, gate(SEL.code, 0, 0xec));
    expect(user.fault('farJump', SEL.a, 0, 32)).toEqual([13, SEL.code]);
  });
});

describe('far CALL', () => {
  it('in real mode pushes CS and the next IP', () => {
    const machine = new Machine().real();
    machine.run('farCall', 0x2000, 0x30, 16);
    expect(machine.stack(2, 2)).toEqual([0x102, 0x1000]);
    expect(at(machine)).toEqual([0x2000, 0x30, 0]);
  });

  it('pushes 16 or 32 bits by the operand size', () => {
    const machine = new Machine().protect();
    machine.run('farCall', SEL.code, 0x5000, 32);
    expect(machine.stack(2)).toEqual([0x102, SEL.code]);
    machine.run('farCall', SEL.code16, 0x5000, 16);
    expect(machine.stack(2, 2)).toEqual([0x102, SEL.code]);
    expect(machine.state.gpr(ESP)).toBe(AT.kernelStack - 0x200 - 12);
  });

  it('leaves the stack pointer alone when the target is bad or the stack is full', () => {
    const machine = new Machine().protect();
    expect(machine.fault('farCall', SEL.code16, 0x1_0000, 32)).toEqual([13, 0]);
    machine.state.setSegment(SS, SEL.data, 0, 0xffff, 0x4093);
    machine.state.setGpr(ESP, 6);
    expect(machine.fault('farCall', SEL.code, 0, 32)).toEqual([12, 0]);
    expect(machine.state.gpr(ESP)).toBe(6);
    expect(machine.state.segSelector(CS)).toBe(SEL.code);
  });

  describe('through a call gate', () => {
    let machine: Machine;
    beforeEach(() => {
      machine = new Machine().user();
      machine.put(AT.userStack, [0x1111_1111, 0x2222_2222, 0x3333_3333]);
    });

    it('to ring 0 switches stacks and copies parameters', () => {
      machine.setGdt(SEL.a, gate(SEL.code | 3, 0xabcd_1234, 0xec, 3));
      machine.run('farCall', SEL.a | 3, 0, 32);
      expect(at(machine)).toEqual([SEL.code, 0xabcd_1234, 0]);
      expect(machine.state.segSelector(SS)).toBe(SEL.data);
      expect(machine.stack(7)).toEqual([
        0x102,
        SEL.userCode,
        0x1111_1111,
        0x2222_2222,
        0x3333_3333,
        AT.userStack,
        SEL.userData,
      ]);
      expect(machine.state.gpr(ESP)).toBe(AT.kernelStack - 28);
      expect(machine.state.tlbRead).toBe(16);
    });

    it('of 16 bits copies words', () => {
      machine.setGdt(SEL.a, gate(SEL.code, 0xffff_1234, 0xe4, 2));
      machine.run('farCall', SEL.a, 0, 32);
      expect(machine.state.eip).toBe(0x1234);
      expect(machine.stack(6, 2)).toEqual([0x102, SEL.userCode, 0x1111, 0x1111, AT.userStack, SEL.userData]);
    });

    it('to ring 1 takes the stack of ring 1', () => {
      machine.setGdt(SEL.a, gate(SEL.ring1Code, 0x1234, 0xec));
      machine.run('farCall', SEL.a, 0, 32);
      expect(at(machine)).toEqual([SEL.ring1Code, 0x1234, 1]);
      expect([machine.state.segSelector(SS), machine.state.gpr(ESP)]).toEqual([
        SEL.ring1Data,
        AT.kernelStack - 0x400 - 16,
      ]);
    });

    it('to conforming code stays on the stack and in the ring', () => {
      machine.setGdt(SEL.a, gate(SEL.conforming, 0x1234, 0xec, 3));
      machine.run('farCall', SEL.a, 0, 32);
      expect(at(machine)).toEqual([SEL.conforming | 3, 0x1234, 3]);
      expect(machine.stack(2)).toEqual([0x102, SEL.userCode]);
    });

    it.each<[string, readonly number[], number, number]>([
      ['a gate of ring 0', gate(SEL.code, 0, 0x8c), 13, SEL.a],
      ['an absent gate', gate(SEL.code, 0, 0x6c), 11, SEL.a],
      ['a null target', gate(0, 0, 0xec), 13, 0],
      ['a target beyond the GDT', gate(0x80, 0, 0xec), 13, 0x80],
      ['a data target', gate(SEL.data, 0, 0xec), 13, SEL.data],
      ['an absent target', gate(SEL.b, 0, 0xec), 11, SEL.b],
      ['an offset beyond the limit', gate(SEL.code16, 0x1_0000, 0xec), 13, 0],
    ])('refuses %s', (_, entry, vector, error) => {
      machine.setGdt(SEL.b, descriptor(0, 0xffff, 0x401a));
      machine.setGdt(SEL.a, entry);
      expect(machine.fault('farCall', SEL.a, 0, 32)).toEqual([vector, error]);
      expect([machine.state.gpr(ESP), machine.state.segSelector(SS), machine.state.cpl]).toEqual([
        AT.userStack,
        SEL.userData,
        3,
      ]);
    });

    it.each<[string, (m: Machine) => void, number, number]>([
      ['a null stack', (m) => m.put(AT.tss + 8, [0]), 10, 0],
      ['a stack of another ring', (m) => m.put(AT.tss + 8, [SEL.userData]), 10, SEL.userData & ~3],
      ['a read-only stack', (m) => m.put(AT.tss + 8, [SEL.readOnly]), 10, SEL.readOnly],
      ['an absent stack', (m) => m.put(AT.tss + 8, [SEL.absent]), 12, SEL.absent],
      ['a stack beyond the GDT', (m) => m.put(AT.tss + 8, [0x90]), 10, 0x90],
      ['a TSS that ends before the stack', (m) => m.state.setSegment(7, SEL.tss, AT.tss, 8, 0x8b), 10, SEL.tss],
      ['a full stack', (m) => m.setGdt(SEL.data, descriptor(0, 0x7ff0, 0x4092)), 12, SEL.data],
    ])('raises the right fault for %s', (_, change, vector, error) => {
      machine.setGdt(SEL.a, gate(SEL.code, 0, 0xec));
      change(machine);
      expect(machine.fault('farCall', SEL.a, 0, 32)).toEqual([vector, error]);
      expect([machine.state.segSelector(SS), machine.state.cpl]).toEqual([SEL.userData, 3]);
    });
  });
});

describe('far RET', () => {
  it('in real mode releases parameters', () => {
    const machine = new Machine().real();
    machine.put(0x7000, [0x2000_1234]);
    machine.run('farReturn', 16, 6);
    expect(at(machine)).toEqual([0x2000, 0x1234, 0]);
    expect(machine.state.gpr(ESP)).toBe(0x700a);
  });

  it('to the same level pops and releases', () => {
    const machine = new Machine().protect();
    machine.put(AT.kernelStack - 0x200, [0x1234, 0xffff_0000 | SEL.code]);
    machine.run('farReturn', 32, 8);
    expect(at(machine)).toEqual([SEL.code, 0x1234, 0]);
    expect(machine.state.gpr(ESP)).toBe(AT.kernelStack - 0x200 + 16);
  });

  it('to an outer level restores its stack, releases there too, and drops privileged segments', () => {
    const machine = new Machine().protect();
    machine.state.setSegment(ES, SEL.userData, 0, 0xffff_ffff, 0xc0f3);
    machine.state.setSegment(FS, SEL.conforming, 0, 0xffff_ffff, 0xc09f);
    machine.put(AT.kernelStack - 0x200, [0x1234, SEL.userCode, 11, 22, AT.userStack, SEL.userData]);
    machine.run('farReturn', 32, 8);
    expect(at(machine)).toEqual([SEL.userCode, 0x1234, 3]);
    expect([machine.state.segSelector(SS), machine.state.gpr(ESP)]).toEqual([SEL.userData, AT.userStack + 8]);
    expect([DS, ES, FS, GS].map((s) => machine.state.segSelector(s))).toEqual([0, SEL.userData, SEL.conforming, 0]);
    expect(machine.state.segAccess(DS)).toBe(0x1_0000);
  });

  it('to an outer 16-bit stack changes only SP', () => {
    const machine = new Machine().protect();
    machine.setGdt(SEL.a, descriptor(0, 0xffff, 0x00f2));
    machine.state.setGpr(ESP, 0x8_7e00);
    machine.put(0x8_7e00, [0x1234, SEL.userCode, 0xabcd_9000, SEL.a | 3]);
    machine.run('farReturn', 32, 0);
    expect(machine.state.gpr(ESP)).toBe(0x8_9000);
  });

  it.each<[string, number[], number, number]>([
    ['a null CS', [0, 0], 13, 0],
    ['a more privileged CS', [0, SEL.code], 13, SEL.code],
    ['a CS whose RPL is not its DPL', [0, SEL.code | 3], 13, SEL.code],
    ['data', [0, SEL.userData], 13, SEL.userData & ~3],
    ['absent code', [0, SEL.a | 3], 11, SEL.a],
    ['a limit', [0x1_0000, SEL.b | 3], 13, 0],
  ])('from ring 3 refuses %s', (_, frame, vector, error) => {
    const machine = new Machine().user();
    machine.setGdt(SEL.a, descriptor(0, 0xffff, 0x407a));
    machine.setGdt(SEL.b, descriptor(0, 0xffff, 0x40fa));
    machine.put(AT.userStack, frame);
    expect(machine.fault('farReturn', 32, 0)).toEqual([vector, error]);
    expect(machine.state.gpr(ESP)).toBe(AT.userStack);
  });

  it.each<[string, number, number, number]>([
    ['a null stack', 0, 13, 0],
    ['a stack of another ring', SEL.data, 13, SEL.data],
    ['an absent stack', SEL.a | 3, 12, SEL.a],
    ['a code segment as stack', SEL.userCode, 13, SEL.userCode & ~3],
  ])('to an outer level refuses %s', (_, ss, vector, error) => {
    const machine = new Machine().protect();
    machine.setGdt(SEL.a, descriptor(0, 0xffff, 0x4072));
    machine.put(AT.kernelStack - 0x200, [0x1234, SEL.userCode, AT.userStack, ss]);
    expect(machine.fault('farReturn', 32, 0)).toEqual([vector, error]);
    expect(at(machine)).toEqual([SEL.code, 0x102, 0]);
  });
});

describe('IRET', () => {
  it('in real mode takes all flags but VM', () => {
    const machine = new Machine().real();
    machine.put(0x7000, [0x100, 0x2000, 0x27_7fd7]);
    machine.run('iret', 32);
    expect(at(machine)).toEqual([0x2000, 0x100, 0]);
    expect(machine.state.eflags).toBe(0x25_7fd7);
  });

  it('of 16 bits keeps the upper flags', () => {
    const machine = new Machine().real();
    machine.state.eflags = 0x24_0002;
    machine.put(0x7000, [0x2000_0100, 0x7202]);
    machine.run('iret', 16);
    expect(machine.state.eflags).toBe(0x24_7202);
    expect(machine.state.gpr(ESP)).toBe(0x7006);
  });

  it('to ring 3 restores stack, flags and IOPL, and unblocks NMIs', () => {
    const machine = new Machine().protect();
    machine.state.nmiBlocked = 1;
    machine.put(AT.kernelStack - 0x200, [0x1234, SEL.userCode, 0x3202, AT.userStack, SEL.userData]);
    machine.run('iret', 32);
    expect(at(machine)).toEqual([SEL.userCode, 0x1234, 3]);
    expect([machine.state.gpr(ESP), machine.state.segSelector(SS)]).toEqual([AT.userStack, SEL.userData]);
    expect([machine.state.eflags, machine.state.nmiBlocked]).toEqual([0x3202, 0]);
    expect(machine.state.segSelector(DS)).toBe(0);
  });

  it('in ring 3 changes neither IF nor IOPL nor VM', () => {
    const machine = new Machine().user();
    machine.state.eflags = 0x202;
    machine.put(AT.userStack, [0x1234, SEL.userCode, 0x23_74d7]);
    machine.run('iret', 32);
    expect(machine.state.eflags).toBe(0x21_46d7);
    expect(at(machine)).toEqual([SEL.userCode, 0x1234, 3]);
  });

  it('in ring 3 with IOPL 3 changes IF', () => {
    const machine = new Machine().user();
    machine.state.eflags = 0x3202;
    machine.put(AT.userStack, [0x1234, SEL.userCode, 2]);
    machine.run('iret', 32);
    expect(machine.state.eflags).toBe(0x3002);
  });

  it('from ring 0 enters V86 mode', () => {
    const machine = new Machine().protect();
    machine.put(AT.kernelStack - 0x200, [0x1234, 0x2000, 0x2_3202, 0xfffe, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000]);
    machine.run('iret', 32);
    expect(at(machine)).toEqual([0x2000, 0x1234, 3]);
    const { state } = machine;
    expect([SS, ES, DS, FS, GS].map((s) => state.segBase(s))).toEqual([
      0x3_0000, 0x4_0000, 0x5_0000, 0x6_0000, 0x7_0000,
    ]);
    expect([state.gpr(ESP), state.eflags, state.segAccess(CS), state.flat]).toEqual([0xfffe, 0x2_3202, 0xf3, 0]);
  });

  it('to V86 mode refuses an EIP above 64 KiB', () => {
    const machine = new Machine().protect();
    machine.put(AT.kernelStack - 0x200, [0x1_0000, 0x2000, 0x2_3202, 0, 0, 0, 0, 0, 0]);
    expect(machine.fault('iret', 32)).toEqual([13, 0]);
    expect(machine.state.eflags).toBe(2);
  });

  it('in V86 mode needs IOPL 3 and keeps IOPL and VM', () => {
    const machine = new Machine().v86(3);
    machine.put(machine.state.segBase(SS) + 0x1000, [0x1234, 0x2000, 0x2]);
    machine.run('iret', 32);
    expect(at(machine)).toEqual([0x2000, 0x1234, 3]);
    expect(machine.state.eflags).toBe(0x2_3002);
    expect(new Machine().v86(2).fault('iret', 16)).toEqual([13, 0]);
  });

  it('sets RF from a 32-bit image', () => {
    const machine = new Machine().protect();
    machine.put(AT.kernelStack - 0x200, [0x1234, SEL.code, 0x1_0002]);
    machine.run('iret', 32);
    expect(machine.state.eflags & FLAG.RF).toBe(FLAG.RF);
  });
});

describe('SYSENTER and SYSEXIT', () => {
  it('switch between rings without reading descriptors', () => {
    const machine = new Machine().user();
    const { state } = machine;
    state.eflags = 0x3202;
    state.sysenterCs = SEL.code;
    state.sysenterEsp = 0xc000_0000;
    state.sysenterEip = 0xc010_0000;
    state.gdtrLimit = 0;
    machine.run('sysenter');
    expect(at(machine)).toEqual([SEL.code, 0xc010_0000, 0]);
    expect([state.segSelector(SS), state.gpr(ESP), state.eflags, state.flat]).toEqual([
      SEL.data,
      0xc000_0000,
      0x3002,
      1,
    ]);
    state.setGpr(1, AT.userStack);
    state.setGpr(2, 0x0804_8000);
    machine.run('sysexit');
    expect(at(machine)).toEqual([SEL.userCode, 0x0804_8000, 3]);
    expect([state.segSelector(SS), state.gpr(ESP), state.segAccess(CS), state.segAccess(SS)]).toEqual([
      SEL.userData,
      AT.userStack,
      0xc0fb,
      0xc0f3,
    ]);
    expect([state.flat, state.tlbRead]).toEqual([1, 24]);
  });

  it('need IA32_SYSENTER_CS and protected mode', () => {
    expect(new Machine().protect().fault('sysenter')).toEqual([13, 0]);
    const machine = new Machine().real();
    machine.state.sysenterCs = 8;
    expect(machine.fault('sysenter')).toEqual([13, 0]);
    expect(machine.fault('sysexit')).toEqual([13, 0]);
  });
});
