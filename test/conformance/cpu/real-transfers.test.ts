import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../src/base/bytes.js';
import { MmioBus } from '../../../src/core/bus.js';
import type { Cpu } from '../../../src/cpu/cpu.js';
import { createBareCpu } from '../../../src/host/bare-cpu.js';
import { CS, DS, ES, ESP, FLAG, FS, GS, SS } from '../../../src/isa/cpu-state.js';
import type { SystemRoutine } from '../../../src/isa/semantics.js';

const RAM_BYTES = 0x20_0000;
const CODE_SELECTOR = 0x1234;
const CODE_BASE = CODE_SELECTOR << 4;
const CODE_OFFSET = 0x100;
/** DS:0, where far pointers in memory are. */
const POINTER_AT = 0x8000;

interface Transfer {
  readonly bytes: readonly number[];
  readonly routine: SystemRoutine;
  readonly args: readonly number[];
}

interface Case {
  readonly transfer: Transfer;
  readonly isVirtual: boolean;
  readonly eflags: number;
  readonly code: { readonly limit: number; readonly access: number };
  readonly stack: {
    readonly selector: number;
    readonly limit: number;
    readonly access: number;
    readonly pointer: number;
  };
  /** From the stack pointer up. */
  readonly stacked: readonly number[];
  readonly idtr: { readonly base: number; readonly limit: number };
  readonly vectors: Uint8Array;
  readonly nmiBlocked: number;
  readonly isInterruptPending: boolean;
}

const word = fc.nat(0xffff);
const words = (value: number): number[] => [value & 0xff, value >>> 8];
const bytes = (size: 16 | 32, offset: number): number[] =>
  size === 16 ? words(offset & 0xffff) : [...words(offset & 0xffff), ...words(offset >>> 16)];
const prefix = (size: 16 | 32): number[] => (size === 16 ? [] : [0x66]);

/** A far pointer as immediate, or in memory at DS:0. */
const farPointer = fc
  .record({
    size: fc.constantFrom<(16 | 32)[]>(16, 32),
    selector: word,
    offset: fc.oneof({ weight: 3, arbitrary: word }, fc.nat(0x2_0000)),
    isCall: fc.boolean(),
  })
  .map(({ size, selector, offset, isCall }): Transfer => {
    const operand = [...bytes(size, offset), ...words(selector)];
    return {
      bytes: [...prefix(size), isCall ? 0x9a : 0xea, ...operand],
      routine: isCall ? 'farCall' : 'farJump',
      args: [selector, offset, size],
    };
  });
const returning = fc
  .record({ size: fc.constantFrom<(16 | 32)[]>(16, 32), release: fc.option(word), isInterrupt: fc.boolean() })
  .map(({ size, release, isInterrupt }): Transfer => {
    if (isInterrupt) return { bytes: [...prefix(size), 0xcf], routine: 'iret', args: [size] };
    const code = release === null ? [0xcb] : [0xca, ...words(release)];
    return { bytes: [...prefix(size), ...code], routine: 'farReturn', args: [size, release ?? 0] };
  });
const interrupting = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.nat(255).map((n): Transfer => ({ bytes: [0xcd, n], routine: 'softwareInterrupt', args: [n, 0] })),
  },
  fc.constant<Transfer>({ bytes: [0xcc], routine: 'softwareInterrupt', args: [3, 1] }),
  fc.constant<Transfer>({ bytes: [0xf1], routine: 'softwareInterrupt', args: [1, 3] }),
);

const usually = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, ...others.map((o) => fc.constant(o)));

const stackPointer = fc.oneof(
  { weight: 4, arbitrary: word },
  fc.nat(16),
  fc.nat(16).map((n) => 0xfff0 + n),
  // Around a page's end.
  fc.nat(24).map((n) => 0x4ff4 + n),
  fc.nat(0xffff_ffff),
);

/** What is on the stack: mostly an offset, a selector and flags, in words or doublewords. */
const stacked = fc
  .tuple(fc.boolean(), word, word, fc.nat(0x3f_ffff), fc.nat(9))
  .map(([isWide, offset, selector, flags, trap]) => {
    // TF now and then.
    const image = trap === 0 ? flags : flags & ~FLAG.TF;
    const size = isWide ? 32 : 16;
    return [...bytes(size, offset), ...bytes(size, selector), ...bytes(size, image)];
  });

const one: fc.Arbitrary<Case> = fc.record({
  transfer: fc.oneof(farPointer, returning, interrupting),
  isVirtual: usually(false, true),
  eflags: fc.nat(0x3f_ffff).map((f) => f & ~(FLAG.TF | FLAG.RF | FLAG.VM)),
  code: fc.record({ limit: usually(0xffff, 0x7fff, 0xffff_ffff), access: usually(0x9b, 0x93, 0xf3, 0x1_0000) }),
  stack: fc.record({
    selector: fc.oneof({ weight: 4, arbitrary: word }, fc.constantFrom(CODE_SELECTOR, 0)),
    limit: usually(0xffff, 0x4fff, 0xffff_ffff),
    access: usually(0x93, 0x4093, 0x97, 0x4097),
    pointer: stackPointer,
  }),
  stacked,
  idtr: fc.record({ base: usually(0, 0x3002, 0x3ffd), limit: usually(0x3ff, 0x7f, 0xffff) }),
  vectors: fc.uint8Array({ minLength: 1024, maxLength: 1024 }),
  nmiBlocked: usually(0, 1),
  isInterruptPending: usually(false, true),
});

/** A machine about to run the transfer; the TLB knows nothing. Returns where the stack is. */
function prepare(cpu: Cpu, c: Case): number {
  cpu.reset();
  const { state, physical } = cpu;
  // It says at which tick the reset was, and the runs that are compared begin at different ones.
  state.set64('tscOffset', 0n);
  physical.write(c.idtr.base, c.vectors);
  state.idtrBase = c.idtr.base;
  state.idtrLimit = c.idtr.limit;
  state.nmiBlocked = c.nmiBlocked;
  cpu.setInterrupt(c.isInterruptPending);
  const access = c.isVirtual ? 0xf3 : 0x93;
  for (const s of [ES, DS, FS, GS]) state.setSegment(s, POINTER_AT >> 4, POINTER_AT, 0xffff, access);
  const { selector, limit, pointer } = c.stack;
  const isUsual = c.isVirtual && c.code.limit === 0xffff;
  state.setSegment(SS, selector, selector << 4, isUsual ? 0xffff : limit, isUsual ? 0xf3 : c.stack.access);
  state.setSegment(CS, CODE_SELECTOR, CODE_BASE, c.code.limit, isUsual ? 0xf3 : c.code.access);
  state.setGpr(ESP, pointer);
  state.eflags = c.eflags | (c.isVirtual ? FLAG.VM : 0);
  state.cr0 = c.isVirtual ? 0x11 : 0x10;
  state.cpl = c.isVirtual ? 3 : 0;
  const top = ((selector << 4) + (pointer & state.stackMask)) >>> 0;
  if (top + c.stacked.length <= RAM_BYTES) physical.write(top, Uint8Array.from(c.stacked));
  state.eip = CODE_OFFSET;
  physical.write(CODE_BASE + CODE_OFFSET, Uint8Array.from(c.transfer.bytes));
  cpu.restored();
  return top;
}

function ended(cpu: Cpu, c: Case, top: number): unknown {
  const { state, physical } = cpu;
  cpu.settle();
  const out = new ByteWriter();
  state.save(out);
  const near = (at: number): string => Buffer.from(physical.read(Math.max(0, at - 32), 64)).toString('hex');
  const base = c.stack.selector << 4;
  return {
    eip: state.eip,
    cs: [state.segSelector(CS), state.segBase(CS), state.segLimit(CS), state.segAccess(CS)],
    esp: state.gpr(ESP),
    eflags: state.eflags,
    state: Buffer.from(out.finish()).toString('hex'),
    isShutDown: cpu.shutdown,
    memory: [near(top < RAM_BYTES - 64 ? top : 0), near(base), near(base + 0x1_0000), near(CODE_BASE + CODE_OFFSET)],
    vectors: Buffer.from(physical.read(c.idtr.base, 1024)).toString('hex'),
  };
}

describe('far transfers of real and V86 mode', () => {
  it.each(['interpreter', 'regions'] as const)('do what the system routines do (%s)', (tier) => {
    const cpu = createBareCpu({ ramBytes: RAM_BYTES, mmio: new MmioBus(), tier });
    let routinesRun = 0;
    const routines = cpu.system.routines as Record<string, (...args: number[]) => void>;
    for (const name of ['farJump', 'farCall', 'farReturn', 'iret', 'softwareInterrupt']) {
      const original = routines[name];
      routines[name] = (...args) => {
        routinesRun++;
        original(...args);
      };
    }
    const quick = new Map<string, number>();
    fc.assert(
      fc.property(one, (c) => {
        let top = prepare(cpu, c);
        const { bytes: code, routine, args } = c.transfer;
        cpu.state.instructionEip = CODE_OFFSET;
        cpu.state.nextEip = CODE_OFFSET + code.length;
        cpu.system.invoke(routine, ...args);
        const expected = ended(cpu, c, top);

        top = prepare(cpu, c);
        cpu.run(cpu.now + 1);
        expect(ended(cpu, c, top), 'nothing in the TLB').toEqual(expected);

        top = prepare(cpu, c);
        for (const at of [top, (top - 16) >>> 0, top + 16]) {
          cpu.memory.mapRead(at, 1);
          cpu.memory.mapWrite(at, 1);
        }
        cpu.memory.mapRead(c.idtr.base, 1);
        const before = routinesRun;
        cpu.run(cpu.now + 1);
        expect(ended(cpu, c, top), 'all in the TLB').toEqual(expected);
        if (routinesRun === before) quick.set(routine, (quick.get(routine) ?? 0) + 1);
      }),
      { numRuns: 4000 },
    );
    for (const routine of ['farJump', 'farCall', 'farReturn', 'iret', 'softwareInterrupt']) {
      expect(quick.get(routine), routine).toBeGreaterThan(100);
    }
  });
});
