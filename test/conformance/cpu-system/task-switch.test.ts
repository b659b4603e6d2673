import { beforeEach, describe, expect, it } from 'vitest';
import { CS, DS, EAX, EBX, EDI, ES, ESP, FLAG, FS, GS, LDTR, SS, TR } from '../../../src/isa/cpu-state.js';
import { AT, Machine, SEL, descriptor, gate } from './fixture.js';

interface Task {
  eip?: number;
  eflags?: number;
  cr3?: number;
  ldt?: number;
  trap?: number;
  segments?: number[];
}

/** Fills the other TSS (32 bits): registers 100h..107h, ring 0 segments. */
function prepare(machine: Machine, task: Task = {}): void {
  const segments = task.segments ?? [SEL.data, SEL.code, SEL.data, SEL.data, 0, SEL.userData];
  machine.put(AT.otherTss, [0xffff]);
  machine.put(AT.otherTss + 28, [task.cr3 ?? 0, task.eip ?? 0x4444, task.eflags ?? 0x202]);
  machine.put(AT.otherTss + 40, [0x100, 0x101, 0x102, 0x103, 0x6000, 0x105, 0x106, 0x107]);
  machine.put(AT.otherTss + 72, segments);
  machine.put(AT.otherTss + 96, [task.ldt ?? 0, task.trap ?? 0]);
}

let machine: Machine;
beforeEach(() => {
  machine = new Machine().protect();
  prepare(machine);
});

const at = ({ state }: Machine): number[] => [state.segSelector(CS), state.eip, state.cpl];

describe('JMP to a TSS', () => {
  it('saves the old task and loads the new one', () => {
    const { state } = machine;
    state.setGpr(EAX, 0x1111);
    state.setGpr(EDI, 0x7777);
    state.eflags = 0x46;
    machine.run('farJump', SEL.otherTss, 0xffff_ffff, 32);
    expect(at(machine)).toEqual([SEL.code, 0x4444, 0]);
    expect([state.gpr(EAX), state.gpr(EBX), state.gpr(ESP), state.gpr(EDI)]).toEqual([0x100, 0x103, 0x6000, 0x107]);
    expect([ES, SS, DS, FS, GS].map((s) => state.segSelector(s))).toEqual([
      SEL.data,
      SEL.data,
      SEL.data,
      0,
      SEL.userData,
    ]);
    expect(state.eflags).toBe(0x202);
    expect(state.cr0 & 8).toBe(8);
    expect([state.segSelector(TR), state.segBase(TR), state.segAccess(TR)]).toEqual([SEL.otherTss, AT.otherTss, 0x8b]);
    expect([machine.get32(AT.tss + 32), machine.get32(AT.tss + 36)]).toEqual([0x102, 0x46]);
    expect([machine.get32(AT.tss + 40), machine.get32(AT.tss + 68)]).toEqual([0x1111, 0x7777]);
    expect([machine.get32(AT.tss + 76), machine.get32(AT.tss + 80)]).toEqual([SEL.code, SEL.data]);
  });

  it('moves the busy bit and sets neither NT nor the back link', () => {
    machine.run('farJump', SEL.otherTss, 0, 32);
    expect([machine.gdtAccess(SEL.tss), machine.gdtAccess(SEL.otherTss)]).toEqual([0x89, 0x8b]);
    expect(machine.get32(AT.otherTss)).toBe(0xffff);
    expect(machine.state.eflags & FLAG.NT).toBe(0);
  });

  it('works through a task gate, in the LDT too', () => {
    machine.put(AT.ldt, gate(SEL.otherTss, 0, 0xe5));
    machine.run('lldt', SEL.ldt);
    machine.run('farJump', 4, 0, 32);
    expect(at(machine)).toEqual([SEL.code, 0x4444, 0]);
  });

  it.each<[string, number, number, number]>([
    ['a busy TSS', SEL.tss, 13, SEL.tss],
    ['an absent TSS', SEL.a, 11, SEL.a],
    ['a TSS that is too small', SEL.b, 10, SEL.b],
    ['a task gate to a code segment', SEL.absent, 13, SEL.code],
    ['a task gate to an LDT selector', SEL.readOnly, 13, SEL.otherTss | 4],
  ])('refuses %s before anything changes', (_, selector, vector, error) => {
    machine.setGdt(SEL.a, descriptor(AT.otherTss, 0x67, 0x0009));
    machine.setGdt(SEL.b, descriptor(AT.otherTss, 0x66, 0x0089));
    machine.setGdt(SEL.absent, gate(SEL.code, 0, 0x85));
    machine.setGdt(SEL.readOnly, gate(SEL.otherTss | 4, 0, 0x85));
    expect(machine.fault('farJump', selector, 0, 32)).toEqual([vector, error]);
    expect([machine.state.segSelector(TR), machine.gdtAccess(SEL.tss)]).toEqual([SEL.tss, 0x8b]);
  });

  it('from ring 3 needs a descriptor of DPL 3', () => {
    machine.user();
    expect(machine.fault('farJump', SEL.otherTss, 0, 32)).toEqual([13, SEL.otherTss]);
  });
});

describe('CALL and IRET between tasks', () => {
  it('nest and come back', () => {
    machine.state.setGpr(EAX, 0xaaaa);
    machine.run('farCall', SEL.otherTss, 0, 32);
    expect([machine.get16(AT.otherTss), machine.state.eflags & FLAG.NT]).toEqual([SEL.tss, FLAG.NT]);
    expect([machine.gdtAccess(SEL.tss), machine.gdtAccess(SEL.otherTss)]).toEqual([0x8b, 0x8b]);
    machine.state.setGpr(EBX, 0xbbbb);
    machine.run('iret', 32);
    expect(at(machine)).toEqual([SEL.code, 0x102, 0]);
    expect([machine.state.gpr(EAX), machine.state.eflags]).toEqual([0xaaaa, 2]);
    expect([machine.gdtAccess(SEL.tss), machine.gdtAccess(SEL.otherTss)]).toEqual([0x8b, 0x89]);
    // The saved flags of the task that ended have NT clear.
    expect([machine.get32(AT.otherTss + 36), machine.get32(AT.otherTss + 52)]).toEqual([0x202, 0xbbbb]);
  });

  it.each<[string, number, number, number]>([
    ['an available TSS', SEL.otherTss, 10, SEL.otherTss],
    ['a local selector', SEL.otherTss | 4, 10, SEL.otherTss | 4],
    ['beyond the GDT', 0x80, 10, 0x80],
    ['an absent TSS', SEL.a, 11, SEL.a],
  ])('IRET refuses a back link to %s', (_, link, vector, error) => {
    machine.setGdt(SEL.a, descriptor(AT.otherTss, 0x67, 0x000b));
    machine.put(AT.tss, [link]);
    machine.state.eflags = 0x4002;
    expect(machine.fault('iret', 32)).toEqual([vector, error]);
  });
});

describe('what a switch brings along', () => {
  it('CR3 with paging on, and not with paging off', () => {
    prepare(machine, { cr3: 0x6_0000 });
    machine.run('farJump', SEL.otherTss, 0, 32);
    expect([machine.state.cr3, machine.tlb]).toEqual([0, []]);
    const paged = new Machine().protect();
    prepare(paged, { cr3: 0x7_0000 });
    paged.put(0x6_0000, [0x6_1007]);
    paged.put(0x7_0000, [0x6_1007]);
    for (let i = 0; i < 256; i++) paged.put(0x6_1000 + 4 * i, [(i << 12) | 7]);
    paged.state.cr3 = 0x6_0000;
    paged.state.cr0 = (paged.state.cr0 | 0x8000_0000) >>> 0;
    paged.run('farJump', SEL.otherTss, 0, 32);
    expect([paged.state.cr3, paged.tlb]).toEqual([0x7_0000, ['60000 to 70000']]);
  });

  it('the LDT, before the segments that need it', () => {
    machine.put(AT.ldt + 8, descriptor(0x1234, 0xff, 0x0093));
    prepare(machine, { ldt: SEL.ldt, segments: [0x0c, SEL.code, SEL.data, SEL.data, 0, 0] });
    machine.run('farJump', SEL.otherTss, 0, 32);
    expect([machine.state.segBase(LDTR), machine.state.segBase(ES)]).toEqual([AT.ldt, 0x1234]);
  });

  it('ring 3', () => {
    const three = [SEL.userData, SEL.userCode, SEL.userData, SEL.userData, 0, 0];
    prepare(machine, { segments: three, eflags: 0x3202 });
    machine.run('farJump', SEL.otherTss, 0, 32);
    expect(at(machine)).toEqual([SEL.userCode, 0x4444, 3]);
    expect(machine.state.tlbRead).toBe(24);
  });

  it('V86 mode', () => {
    prepare(machine, { segments: [0x10, 0x20, 0x30, 0x40, 0x50, 0x60], eflags: 0x2_0202 });
    machine.run('farJump', SEL.otherTss, 0, 32);
    expect(at(machine)).toEqual([0x20, 0x4444, 3]);
    expect([machine.state.segBase(SS), machine.state.segAccess(GS)]).toEqual([0x300, 0xf3]);
  });

  it('a debug trap for the T bit, and no local breakpoints', () => {
    prepare(machine, { trap: 1 });
    machine.state.setDr(7, 0x7ff);
    machine.run('farJump', SEL.otherTss, 0, 32);
    expect([machine.state.pendingDebug, machine.state.dr(7)]).toEqual([0x8000, 0x6aa]);
  });
});

describe('16-bit TSS', () => {
  it('has words, four segments and no CR3', () => {
    machine.setGdt(SEL.otherTss, descriptor(AT.otherTss, 0x2b, 0x0081));
    const words = [
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0x4444,
      0x202,
      1,
      2,
      3,
      4,
      0x6000,
      6,
      7,
      8,
      SEL.data,
      SEL.code,
      SEL.data,
      SEL.data,
      0,
    ];
    words.forEach((w, i) => machine.ram.view.setUint16(AT.otherTss + 2 * i, w, true));
    machine.run('farJump', SEL.otherTss, 0, 32);
    expect(at(machine)).toEqual([SEL.code, 0x4444, 0]);
    const { state } = machine;
    expect([state.gpr(EAX) & 0xffff, state.gpr(ESP) & 0xffff, state.eflags]).toEqual([1, 0x6000, 0x202]);
    expect([state.segSelector(FS), state.segSelector(GS), state.segAccess(TR)]).toEqual([0, 0, 0x83]);
    // And back: the old 32-bit task is available again.
    machine.run('farJump', SEL.tss, 0, 32);
    expect(state.eip).toBe(0x102);
    expect(machine.get16(AT.otherTss + 14)).toBe(0x102);
    expect(machine.gdtAccess(SEL.otherTss)).toBe(0x81);
  });
});

describe('faults in the new task', () => {
  it.each<[string, Task, number, number]>([
    ['CS null', { segments: [0, 0, SEL.data, 0, 0, 0] }, 10, 0],
    ['CS data', { segments: [0, SEL.data, SEL.data, 0, 0, 0] }, 10, SEL.data],
    ['CS absent', { segments: [0, SEL.a, SEL.data, 0, 0, 0] }, 11, SEL.a],
    ['SS null', { segments: [0, SEL.code, 0, 0, 0, 0] }, 10, 0],
    ['SS of another ring', { segments: [0, SEL.code, SEL.userData, 0, 0, 0] }, 10, SEL.userData & ~3],
    ['SS absent', { segments: [0, SEL.code, SEL.absent, 0, 0, 0] }, 12, SEL.absent],
    ['DS a TSS', { segments: [0, SEL.code, SEL.data, SEL.tss, 0, 0] }, 10, SEL.tss],
    ['ES absent', { segments: [SEL.absent, SEL.code, SEL.data, 0, 0, 0] }, 11, SEL.absent],
    ['GS beyond the GDT', { segments: [0, SEL.code, SEL.data, 0, 0, 0x90] }, 10, 0x90],
    ['an LDT that is none', { ldt: SEL.data }, 10, SEL.data],
    ['EIP beyond the limit', { eip: 0x1_0000, segments: [0, SEL.code16, SEL.data, 0, 0, 0] }, 13, 0],
  ])('%s', (_, task, vector, error) => {
    machine.setGdt(SEL.a, descriptor(0, 0xffff, 0x401a));
    prepare(machine, task);
    expect(machine.fault('farJump', SEL.otherTss, 0, 32)).toEqual([vector, error]);
    // They belong to the new task's first instruction.
    const { state } = machine;
    expect([state.segSelector(TR), state.instructionEip]).toEqual([SEL.otherTss, task.eip ?? 0x4444]);
  });

  it('are delivered there', () => {
    prepare(machine, { segments: [SEL.absent, SEL.code, SEL.data, 0, 0, 0] });
    machine.state.instructionEip = 0x100;
    machine.state.nextEip = 0x102;
    expect(machine.system.invoke('farJump', SEL.otherTss, 0, 32)).toBe('delivered');
    expect(machine.state.eip).toBe(0x5_0000 + 11);
    expect(machine.stack(3)).toEqual([SEL.absent, 0x4444, SEL.code]);
    expect(machine.state.gpr(ESP)).toBe(0x6000 - 16);
  });

  it('shut down when the new task has no stack', () => {
    prepare(machine, { segments: [0, SEL.code, 0, 0, 0, 0] });
    expect(machine.system.invoke('farJump', SEL.otherTss, 0, 32)).toBe('shutdown');
  });
});

describe('task gates in the IDT', () => {
  it('switch, nest and push the error code on the new stack', () => {
    machine.setIdt(8, gate(SEL.otherTss, 0, 0x85));
    machine.setIdt(13, [0, 0]);
    expect(machine.system.deliver({ vector: 13, errorCode: 0, kind: 'fault' })).toBe('delivered');
    expect(at(machine)).toEqual([SEL.code, 0x4444, 0]);
    expect([machine.stack(1), machine.state.gpr(ESP)]).toEqual([[0], 0x5ffc]);
    expect([machine.get32(AT.tss + 32), machine.get32(AT.tss + 36)]).toEqual([0x100, 0x1_0002]);
    expect(machine.get16(AT.otherTss)).toBe(SEL.tss);
    machine.state.setGpr(ESP, 0x6000);
    machine.run('iret', 32);
    expect(machine.state.eip).toBe(0x100);
  });

  it('push nothing for an interrupt', () => {
    machine.setIdt(0x20, gate(SEL.otherTss, 0, 0x85));
    machine.system.deliver({ vector: 0x20, errorCode: null, kind: 'interrupt' });
    expect(machine.state.gpr(ESP)).toBe(0x6000);
  });

  it('with a busy TSS are #GP with EXT', () => {
    machine.setIdt(0x20, gate(SEL.tss, 0, 0x85));
    machine.system.deliver({ vector: 0x20, errorCode: null, kind: 'interrupt' });
    expect([machine.state.eip, machine.stack(1)[0]]).toEqual([0x5_000d, SEL.tss | 1]);
  });

  it('after the commit point, faults of #DF shut down', () => {
    prepare(machine, { segments: [0, SEL.code, SEL.absent, 0, 0, 0] });
    machine.setIdt(8, gate(SEL.otherTss, 0, 0x85));
    expect(machine.system.deliver({ vector: 8, errorCode: 0, kind: 'fault' })).toBe('shutdown');
  });
});
