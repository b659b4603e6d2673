import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.js';
import { CS, DS, EAX, ECX, EDX, ES, ESP, FLAG, SS, STATE, TR } from '../../../src/isa/cpu-state.js';
import { CpuStateView, EFLAGS_MASK } from '../../../src/cpu/state/cpu-state-view.js';
import { DEFAULT_CPUID, cpuidSignature } from '../../../src/cpu/system/cpuid.js';
import { Machine, TABLES } from './fixture.js';

const makeView = (): CpuStateView => new CpuStateView(new ArrayBuffer(65536), TABLES);

describe('EFLAGS', () => {
  it('holds any combination of the bits that exist and drops the others', () => {
    const state = makeView();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (value) => {
        state.eflags = value;
        expect(state.eflags).toBe(((value & EFLAGS_MASK) | 2) >>> 0);
      }),
    );
  });

  it.each([
    ['ZF from a zero result cell', 'flagZ', 0, FLAG.ZF],
    ['SF and PF from the sign result cell', 'flagS', 0x8000_0003, FLAG.SF | FLAG.PF],
    ['CF and no OF from carries out of both top bits', 'flagC', 0xc000_0000, FLAG.CF],
    ['OF from a carry into the sign only', 'flagC', 0x4000_0000, FLAG.OF],
    ['CF and OF from a carry out only', 'flagC', 0x8000_0000, FLAG.CF | FLAG.OF],
    ['AF from bit 4', 'flagA', 0xffff_ffff, FLAG.AF],
  ] as const)('reads %s', (_, cell, value, expected) => {
    const state = makeView();
    state.eflags = 0;
    state[cell] = value;
    expect(state.eflags).toBe(expected | 2);
  });
});

describe('reset', () => {
  it('gives the power-on registers', () => {
    const { state } = new Machine();
    expect([state.eip, state.segSelector(CS), state.segBase(CS), state.segLimit(CS)]).toEqual([
      0xfff0, 0xf000, 0xffff_0000, 0xffff,
    ]);
    expect([state.cr0, state.cr4, state.eflags, state.cpl]).toEqual([0x6000_0010, 0, 2, 0]);
    expect([state.dr(6), state.dr(7)]).toEqual([0xffff_0ff0, 0x400]);
    expect([state.fcw, state.fsw, state.ftag, state.mxcsr]).toEqual([0x40, 0, 0xff, 0x1f80]);
    expect(state.gpr(EDX)).toBe(cpuidSignature(DEFAULT_CPUID));
    expect([state.idtrBase, state.idtrLimit, state.gdtrLimit]).toEqual([0, 0xffff, 0xffff]);
    expect([state.segAccess(TR), state.segLimit(TR)]).toEqual([0x8b, 0xffff]);
    expect(state.flat).toBe(0);
  });

  it('starts the time-stamp counter at zero', () => {
    const machine = new Machine();
    machine.clock.now = 5_000_000_000;
    machine.system.reset();
    machine.clock.now += 7;
    machine.state.setGpr(ECX, 0x10);
    machine.run('rdmsr');
    expect([machine.state.gpr(EAX), machine.state.gpr(EDX)]).toEqual([7, 0]);
  });

  it('leaves the slice budget alone', () => {
    const { state } = new Machine();
    state.budget = 99;
    state.reset();
    expect(state.budget).toBe(99);
  });
});

describe('save and restore', () => {
  it('gives equal bytes for flags that are equal but were computed differently', () => {
    const bytes = [0x1234_5678, 0x7fff_ff00].map((result) => {
      const state = makeView();
      state.eflags = 0;
      state.flagZ = result;
      state.flagA = result & ~FLAG.AF;
      const out = new ByteWriter();
      state.save(out);
      return out.finish();
    });
    expect(bytes[0]).toEqual(bytes[1]);
  });

  it('ignores engine cells and the padding of x87 registers', () => {
    const save = (state: CpuStateView): Uint8Array => {
      const out = new ByteWriter();
      state.save(out);
      return out.finish();
    };
    const state = makeView();
    const before = save(state);
    state.budget = 1;
    state.faultVector = 1;
    state.bytes[STATE.fpr + 10] = 0xff;
    state.bytes[STATE.scratch] = 1;
    expect(save(state)).toEqual(before);
    state.bytes[STATE.fpr + 9] = 0x7f;
    expect(save(state)).not.toEqual(before);
  });

  it('brings everything back and recomputes the mode cache', () => {
    const { state } = new Machine().user();
    state.eflags = 0x24_0ad7;
    state.set64('pdpte', 0x1_2345_6001n, 3);
    state.set64('mtrr', 0xffn, 31);
    state.bytes.fill(0xa5, STATE.xmm, STATE.xmm + 128);
    const out = new ByteWriter();
    state.save(out);
    const copy = makeView();
    const input = new ByteReader(out.finish());
    copy.restore(input);
    input.end();
    const again = new ByteWriter();
    copy.save(again);
    expect(again.finish()).toEqual(out.finish());
    expect(copy.eflags).toBe(0x24_0ad7);
    expect([copy.flat, copy.tlbRead, copy.tlbWrite]).toEqual([1, TABLES.tlbReadUser, TABLES.tlbWriteUser]);
  });
});

describe('mode cache', () => {
  it('is flat for 4 GiB segments in 32-bit protected mode', () => {
    const { state } = new Machine().protect();
    expect([state.flat, state.tlbRead, state.tlbWrite]).toEqual([
      1,
      TABLES.tlbReadSupervisor,
      TABLES.tlbWriteSupervisor,
    ]);
  });

  it.each<[string, (s: CpuStateView) => void]>([
    ['real mode', (s) => (s.cr0 &= ~1)],
    ['V86 mode', (s) => (s.eflagsRest |= FLAG.VM)],
    ['16-bit code', (s) => s.setSegment(CS, 8, 0, 0xffff_ffff, 0x809b)],
    ['execute-only code', (s) => s.setSegment(CS, 8, 0, 0xffff_ffff, 0xc099)],
    ['a code base', (s) => s.setSegment(CS, 8, 16, 0xffff_ffff, 0xc09b)],
    ['a stack limit', (s) => s.setSegment(SS, 16, 0, 0xffff, 0x4093)],
    ['a 16-bit stack', (s) => s.setSegment(SS, 16, 0, 0xffff_ffff, 0x8093)],
    ['an expand-down stack', (s) => s.setSegment(SS, 16, 0, 0xffff_ffff, 0xc097)],
    ['a null DS', (s) => s.setSegment(DS, 0, 0, 0xffff_ffff, 0x1_c093)],
    ['a read-only ES', (s) => s.setSegment(ES, 16, 0, 0xffff_ffff, 0xc091)],
    ['code in DS', (s) => s.setSegment(DS, 16, 0, 0xffff_ffff, 0xc09b)],
  ])('is not flat with %s', (_, change) => {
    const { state } = new Machine().protect();
    change(state);
    state.updateModeCache();
    expect(state.flat).toBe(0);
  });

  it('knows the width of the stack pointer', () => {
    const { state } = new Machine().protect();
    expect(state.stackMask).toBe(0xffff_ffff);
    state.setSegment(SS, 16, 0, 0xffff, 0x93);
    expect(state.stackMask).toBe(0xffff);
    state.setGpr(ESP, 0x1234_5678);
    state.setGpr16(ESP, 0xffff_0001);
    expect(state.gpr(ESP)).toBe(0x1234_0001);
  });
});
