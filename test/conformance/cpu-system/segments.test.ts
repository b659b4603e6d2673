import { describe, expect, it } from 'vitest';
import { CS, DS, EBX, ES, ESP, FS, GS, LDTR, SS, TR, gprSlot } from '../../../src/isa/cpu-state.js';
import { AT, Machine, SEL, descriptor, gate } from './fixture.js';

describe('loading data segments', () => {
  it('takes base, limit and rights from the descriptor and sets its accessed bit', () => {
    const machine = new Machine().protect();
    machine.setGdt(SEL.a, descriptor(0x1234_5678, 0x8_9abc, 0x8092));
    machine.run('loadSegment', FS, SEL.a);
    const { state } = machine;
    expect([state.segSelector(FS), state.segBase(FS), state.segLimit(FS), state.segAccess(FS)]).toEqual([
      SEL.a,
      0x1234_5678,
      0x89ab_cfff,
      0x8093,
    ]);
    expect(machine.gdtAccess(SEL.a)).toBe(0x93);
  });

  it('makes a register unusable with any null selector and keeps its RPL', () => {
    const machine = new Machine().user();
    machine.run('loadSegment', GS, 3);
    expect([machine.state.segSelector(GS), machine.state.segAccess(GS)]).toEqual([3, 0x1_0000]);
  });

  it('reads the LDT when the selector says so', () => {
    const machine = new Machine().protect();
    machine.put(AT.ldt + 8, descriptor(0x7777, 0x10, 0x0093));
    expect(machine.fault('loadSegment', ES, 0x0c)).toEqual([13, 0x0c]);
    machine.run('lldt', SEL.ldt);
    machine.run('loadSegment', ES, 0x0c);
    expect([machine.state.segBase(ES), machine.state.segLimit(ES)]).toEqual([0x7777, 0x10]);
    expect(machine.fault('loadSegment', ES, 0x24)).toEqual([13, 0x24]);
  });

  it.each<[string, number, number, number, number]>([
    ['ring 0 data from ring 3', DS, SEL.data | 3, 13, SEL.data],
    ['ring 0 data from ring 3 with RPL 0', DS, SEL.data, 13, SEL.data],
    ['a selector beyond the GDT', DS, 0x83, 13, 0x80],
    ['a TSS', ES, SEL.tss | 3, 13, SEL.tss],
    ['an absent segment', ES, SEL.a | 3, 11, SEL.a],
    ['execute-only code', ES, SEL.b | 3, 13, SEL.b],
    ['null into SS', SS, 0, 13, 0],
    ['SS with an RPL that is not CPL', SS, SEL.userData & ~3, 13, SEL.userData & ~3],
    ['SS with a DPL that is not CPL', SS, SEL.data | 3, 13, SEL.data],
    ['SS from code', SS, SEL.userCode, 13, SEL.userCode & ~3],
  ])('refuses %s', (_, segment, selector, vector, error) => {
    const machine = new Machine().user();
    machine.setGdt(SEL.a, descriptor(0, 0xffff, 0x0072));
    machine.setGdt(SEL.b, descriptor(0, 0xffff, 0x00f8));
    const before = machine.state.segSelector(segment);
    expect(machine.fault('loadSegment', segment, selector)).toEqual([vector, error]);
    expect(machine.state.segSelector(segment)).toBe(before);
  });

  it('refuses read-only and absent stacks', () => {
    const machine = new Machine().protect();
    expect(machine.fault('loadSegment', SS, SEL.readOnly)).toEqual([13, SEL.readOnly]);
    expect(machine.fault('loadSegment', SS, SEL.absent)).toEqual([12, SEL.absent]);
  });

  it('lets ring 3 read conforming code of ring 0', () => {
    const machine = new Machine().user();
    machine.run('loadSegment', DS, SEL.conforming | 3);
    expect(machine.state.segSelector(DS)).toBe(SEL.conforming | 3);
  });

  it('holds off interrupts and debug traps behind MOV SS and POP SS, not behind LSS', () => {
    const machine = new Machine().protect();
    machine.run('loadSegment', DS, SEL.data);
    machine.run('loadFarPointer', SS, ESP, SEL.data, 0x7000, 32);
    expect(machine.state.interruptShadow).toBe(0);
    machine.run('loadSegment', SS, SEL.data);
    expect(machine.state.interruptShadow).toBe(2);
  });

  it('leaves limit and rights alone in real mode', () => {
    const machine = new Machine().real();
    machine.state.setSegment(ES, 0, 0, 0xffff_ffff, 0xc093);
    machine.run('loadSegment', ES, 0x1234);
    const { state } = machine;
    expect([state.segBase(ES), state.segLimit(ES), state.segAccess(ES)]).toEqual([0x1_2340, 0xffff_ffff, 0xc093]);
  });

  it('makes a register usable again that protected mode left null', () => {
    const machine = new Machine().real();
    machine.state.setSegment(ES, 0, 0, 0, 0x1_0000);
    machine.run('loadSegment', ES, 0x1234);
    const { state } = machine;
    expect([state.segBase(ES), state.segLimit(ES), state.segAccess(ES)]).toEqual([0x1_2340, 0xffff, 0x93]);
  });

  it('gives 64 KiB segments in V86 mode', () => {
    const machine = new Machine().v86(3);
    machine.state.setSegment(ES, 0, 0, 5, 0x93);
    machine.run('loadSegment', ES, 0xffff);
    const { state } = machine;
    expect([state.segBase(ES), state.segLimit(ES), state.segAccess(ES)]).toEqual([0xf_fff0, 0xffff, 0xf3]);
  });
});

describe('POP sreg and far pointers', () => {
  it('moves the stack pointer by the operand size', () => {
    const machine = new Machine().protect();
    machine.put(AT.kernelStack - 0x200, [0xdead_0000 | SEL.userData]);
    machine.run('popSegment', ES, 32);
    expect([machine.state.segSelector(ES), machine.state.gpr(ESP)]).toEqual([SEL.userData, AT.kernelStack - 0x1fc]);
    machine.put(AT.kernelStack - 0x1fc, [SEL.data]);
    machine.run('popSegment', DS, 16);
    expect(machine.state.gpr(ESP)).toBe(AT.kernelStack - 0x1fa);
  });

  it('leaves the stack pointer alone when the load faults', () => {
    const machine = new Machine().protect();
    machine.put(AT.kernelStack - 0x200, [0x100]);
    expect(machine.fault('popSegment', ES, 32)).toEqual([13, 0x100]);
    expect(machine.state.gpr(ESP)).toBe(AT.kernelStack - 0x200);
  });

  it('wraps a 16-bit stack pointer by the width of the old stack', () => {
    const machine = new Machine().protect();
    machine.state.setSegment(SS, SEL.data, 0, 0xffff, 0x93);
    machine.state.setGpr(ESP, 0x1234_fffe);
    machine.put(0xfffc, [SEL.data << 16]);
    machine.run('popSegment', SS, 16);
    expect(machine.state.gpr(ESP)).toBe(0x1234_0000);
    expect(machine.state.segAccess(SS)).toBe(0xc093);
  });

  it('raises #SS beyond the limit of an expand-down stack', () => {
    const machine = new Machine().protect();
    machine.state.setSegment(SS, SEL.data, 0, 0x6fff, 0x97);
    machine.state.setGpr(ESP, 0x6fff);
    expect(machine.fault('popSegment', ES, 16)).toEqual([12, 0]);
    machine.state.setGpr(ESP, 0xffff);
    expect(machine.fault('popSegment', ES, 16)).toEqual([12, 0]);
    machine.state.setGpr(ESP, 0x7000);
    machine.put(0x7000, [SEL.data]);
    machine.run('popSegment', ES, 16);
    expect(machine.state.segSelector(ES)).toBe(SEL.data);
  });

  it('writes the register of LES only after the segment was accepted', () => {
    const machine = new Machine().protect();
    machine.state.setGpr(EBX, 0x1111_2222);
    expect(machine.fault('loadFarPointer', ES, EBX, 0x100, 0x5555_6666, 32)).toEqual([13, 0x100]);
    expect(machine.state.gpr(EBX)).toBe(0x1111_2222);
    machine.run('loadFarPointer', ES, EBX, SEL.data, 0x6666, 16);
    expect(machine.state.gpr(EBX)).toBe(0x1111_6666);
  });
});

describe('LLDT and LTR', () => {
  it('load, and LTR marks its descriptor busy', () => {
    const machine = new Machine().protect();
    machine.run('lldt', SEL.ldt);
    machine.run('ltr', SEL.otherTss);
    const { state } = machine;
    expect([state.segBase(LDTR), state.segLimit(LDTR)]).toEqual([AT.ldt, 0x1f]);
    expect([state.segBase(TR), state.segAccess(TR)]).toEqual([AT.otherTss, 0x8b]);
    expect(machine.gdtAccess(SEL.otherTss)).toBe(0x8b);
  });

  it('LLDT takes null', () => {
    const machine = new Machine().protect();
    machine.run('lldt', 0);
    expect(machine.state.segAccess(LDTR)).toBe(0x1_0000);
  });

  it.each<[string, 'lldt' | 'ltr', number, number, number]>([
    ['LLDT of a TSS', 'lldt', SEL.otherTss, 13, SEL.otherTss],
    ['LLDT from an LDT', 'lldt', SEL.ldt | 4, 13, SEL.ldt | 4],
    ['LLDT of an absent LDT', 'lldt', SEL.a, 11, SEL.a],
    ['LTR of null', 'ltr', 0, 13, 0],
    ['LTR of a busy TSS', 'ltr', SEL.tss, 13, SEL.tss],
    ['LTR of an absent TSS', 'ltr', SEL.b, 11, SEL.b],
    ['LTR beyond the GDT', 'ltr', 0x80, 13, 0x80],
  ])('refuse %s', (_, routine, selector, vector, error) => {
    const machine = new Machine().protect();
    machine.setGdt(SEL.a, descriptor(0, 0xff, 0x0002));
    machine.setGdt(SEL.b, descriptor(0, 0xff, 0x0009));
    expect(machine.fault(routine, selector)).toEqual([vector, error]);
  });
});

describe('LAR, LSL, VERR, VERW', () => {
  const SLOT = gprSlot(EBX);
  const zero = (machine: Machine): boolean => (machine.state.eflags & 0x40) !== 0;

  it('LAR gives the rights of what is visible', () => {
    const machine = new Machine().user();
    machine.run('lar', SEL.userCode, SLOT, 32);
    expect([zero(machine), machine.state.gpr(EBX)]).toEqual([true, 0xcf_fa00]);
    machine.state.setGpr(EBX, 0x1111_1111);
    machine.run('lar', SEL.userCode, SLOT, 16);
    expect(machine.state.gpr(EBX)).toBe(0x1111_fa00);
  });

  it.each([
    ['a more privileged segment', SEL.data],
    ['null', 3],
    ['a selector beyond the table', 0x83],
    ['an interrupt gate', SEL.a | 3],
  ])('LAR clears ZF and keeps the register for %s', (_, selector) => {
    const machine = new Machine().user();
    machine.setGdt(SEL.a, gate(8, 0, 0xee));
    machine.state.setGpr(EBX, 77);
    machine.run('lar', selector, SLOT, 32);
    expect([zero(machine), machine.state.gpr(EBX)]).toEqual([false, 77]);
  });

  it('LAR knows call gates, LSL does not', () => {
    const machine = new Machine().user();
    machine.setGdt(SEL.a, gate(8, 0, 0xec));
    machine.run('lar', SEL.a | 3, SLOT, 32);
    expect(zero(machine)).toBe(true);
    machine.run('lsl', SEL.a | 3, SLOT, 32);
    expect(zero(machine)).toBe(false);
  });

  it('LSL gives byte granular limits, of absent segments too', () => {
    const machine = new Machine().protect();
    machine.run('lsl', SEL.data, SLOT, 32);
    expect(machine.state.gpr(EBX)).toBe(0xffff_ffff);
    machine.run('lsl', SEL.tss, SLOT, 32);
    expect(machine.state.gpr(EBX)).toBe(0x67);
    machine.run('lsl', SEL.absent, SLOT, 16);
    expect([zero(machine), machine.state.gpr(EBX)]).toEqual([true, 0xffff]);
  });

  it('LSL ignores privilege for conforming code', () => {
    const machine = new Machine().user();
    machine.run('lsl', SEL.conforming, SLOT, 32);
    expect(zero(machine)).toBe(true);
  });

  it.each<['verr' | 'verw', number, boolean]>([
    ['verr', SEL.userData, true],
    ['verw', SEL.userData, true],
    ['verr', SEL.data, false],
    ['verr', SEL.userCode, true],
    ['verw', SEL.userCode, false],
    ['verr', SEL.conforming, true],
    ['verr', SEL.tss, false],
    ['verw', 0, false],
  ])('%s of selector %i', (routine, selector, expected) => {
    const machine = new Machine().user();
    machine.run(routine, selector);
    expect(zero(machine)).toBe(expected);
  });

  it('keep the other flags', () => {
    const machine = new Machine().user();
    machine.state.eflags = 0x8d7;
    machine.run('verw', 0);
    expect(machine.state.eflags).toBe(0x897);
    expect(machine.state.segSelector(CS)).toBe(SEL.userCode);
  });
});
