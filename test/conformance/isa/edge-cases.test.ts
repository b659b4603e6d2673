import { describe, expect, it } from 'vitest';
import type { FinalState } from '../../../src/cli/vectors/vector.js';
import { SCRATCH_ADDRESS, VECTOR_PAGE_BYTES, bytesOfHex, parseVector } from '../../../src/cli/vectors/vector.js';
import { EAX, EBP, EBX, ECX, EDX, ESP } from '../../../src/isa/cpu-state.js';
import { DirectTarget } from './direct-target.js';

/** Bytes at offsets of the scratch page, which is zero otherwise. */
type Contents = Readonly<Record<number, string>>;

function run(
  code: string,
  registers: Readonly<Record<number, number>>,
  contents: Contents = {},
  flags = 0x202,
): FinalState {
  const r = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => registers[i] ?? 0);
  const m = [[0, '00'.repeat(VECTOR_PAGE_BYTES)], ...Object.entries(contents).map(([at, hex]) => [Number(at), hex])];
  const line = { i: 0, b: code, r, f: flags, ms: 1, m, R: r, F: flags, ip: 0 };
  const target = new DirectTarget();
  target.load(parseVector(JSON.stringify(line), 'test'));
  return target.run();
}

function word(state: FinalState, offset: number): number {
  return new DataView(state.memory.buffer).getUint32(offset, true);
}

const PAGE = SCRATCH_ADDRESS;
const END = SCRATCH_ADDRESS + VECTOR_PAGE_BYTES;
const CF = 1;
const ZF = 0x40;

describe('stack instructions', () => {
  it('POP [ESP] addresses memory with the ESP behind the pop', () => {
    const end = run('8f0424', { [ESP]: PAGE + 64 }, { 64: '78563412' });
    expect(end.r[ESP]).toBe(PAGE + 68);
    expect(word(end, 68)).toBe(0x12345678);
  });

  it('POP to memory that faults leaves ESP alone', () => {
    const end = run('8f00', { [EAX]: END, [ESP]: PAGE + 64 });
    expect([end.e, end.ec, end.cr2]).toEqual([14, 6, END]);
    expect(end.r[ESP]).toBe(PAGE + 64);
  });

  it('POP ESP ends with the popped value, PUSH ESP pushes the value before', () => {
    expect(run('5c', { [ESP]: PAGE + 64 }, { 64: '78563412' }).r[ESP]).toBe(0x12345678);
    expect(word(run('54', { [ESP]: PAGE + 64 }), 60)).toBe(PAGE + 64);
  });

  it('ENTER copies the outer frame pointers and makes its own', () => {
    // ENTER 16, 3
    const registers = { [EBP]: PAGE + 512, [ESP]: PAGE + 256 };
    const end = run('c8100003', registers, { 508: '11111111', 504: '22222222' });
    expect([252, 248, 244, 240].map((at) => word(end, at))).toEqual([PAGE + 512, 0x11111111, 0x22222222, PAGE + 252]);
    expect(end.r[EBP]).toBe(PAGE + 252);
    expect(end.r[ESP]).toBe(PAGE + 240 - 16);
  });

  it('ENTER takes its nesting level modulo 32', () => {
    const end = run('c8000020', { [EBP]: 5, [ESP]: PAGE + 256 });
    expect([end.r[EBP], end.r[ESP]]).toEqual([PAGE + 252, PAGE + 252]);
  });

  it('ENTER probes the new stack pointer and changes no register when that faults', () => {
    const end = run('c8001000', { [EBP]: 7, [ESP]: PAGE + 256 });
    expect([end.e, end.ec, end.cr2]).toEqual([14, 6, PAGE + 252 - 0x1000]);
    expect([end.r[EBP], end.r[ESP]]).toEqual([7, PAGE + 256]);
  });

  it('LEAVE that faults changes no register', () => {
    const end = run('c9', { [EBP]: END, [ESP]: PAGE + 256 });
    expect([end.e, end.r[EBP], end.r[ESP]]).toEqual([14, END, PAGE + 256]);
  });

  it('CALL that cannot push does not jump', () => {
    const end = run('e810000000', { [ESP]: PAGE });
    expect([end.e, end.ip, end.r[ESP]]).toEqual([14, 0, PAGE]);
  });
});

describe('read-modify-write instructions', () => {
  it('CMPXCHG needs a writable destination even when the comparison fails', () => {
    const end = run('0fb108', { [EAX]: END });
    expect([end.e, end.ec]).toEqual([14, 6]);
  });

  it('XADD of a register with itself doubles it', () => {
    expect(run('0fc1c0', { [EAX]: 21 }).r[EAX]).toBe(42);
  });

  it('XADD and XCHG that fault leave the register alone', () => {
    expect(run('0fc108', { [EAX]: END, [ECX]: 9 }).r[ECX]).toBe(9);
    expect(run('8708', { [EAX]: END, [ECX]: 9 }).r[ECX]).toBe(9);
  });

  it('CMPXCHG8B across the end of the page faults before anything changes', () => {
    const end = run('0fc708', { [EAX]: END - 4, [EBX]: 1, [ECX]: 2, [EDX]: 3 });
    expect([end.e, end.ec, end.cr2]).toEqual([14, 6, END]);
    expect(end.r).toEqual([END - 4, 2, 3, 1, 0, 0, 0, 0]);
    expect(end.f).toBe(0x202);
  });

  it('a fault of the write comes before the flags change', () => {
    expect(run('0108', { [EAX]: END, [ECX]: 1 }, {}, 0x203).f).toBe(0x203);
  });

  it('LOCK on a register or on an instruction that does not write is undefined', () => {
    for (const code of ['f001c0', 'f08b00', 'f03908', 'f090']) expect(run(code, { [EAX]: PAGE }).e).toBe(6);
  });
});

describe('division', () => {
  it.each([
    ['IDIV of -2^63 by -1', 'f7f9', { [EDX]: 0x80000000, [ECX]: 0xffffffff }],
    ['IDIV of -2^31 by -1 in 64 bits', 'f7f9', { [EDX]: 0xffffffff, [EAX]: 0x80000000, [ECX]: 0xffffffff }],
    ['IDIV of -2^31 by -1 in 16-bit operands', '66f7f9', { [EDX]: 0x8000, [ECX]: 0xffff }],
    ['IDIV of -128 by -1 in 8-bit operands', 'f6f9', { [EAX]: 0xff80, [ECX]: 0xff }],
    ['DIV with a quotient of exactly 2^32', 'f7f1', { [EDX]: 1, [ECX]: 1 }],
    ['DIV by zero', 'f7f1', { [ECX]: 0 }],
    ['AAM 0', 'd400', {}],
  ])('%s raises #DE', (_name, code, registers) => {
    const end = run(code, registers);
    expect([end.e, end.ec, end.ip]).toEqual([0, undefined, 0]);
  });

  it('IDIV reaches the most negative quotient', () => {
    const end = run('f7f9', { [EDX]: 0xffffffff, [EAX]: 0x80000000, [ECX]: 1 });
    expect([end.e, end.r[EAX], end.r[EDX]]).toEqual([undefined, 0x80000000, 0]);
  });
});

describe('shifts and rotates', () => {
  it('RCL by one more than the width changes nothing', () => {
    // RCL AL, 9 and RCL AX, 17 rotate CF:operand all the way round.
    for (const code of ['c0d009', '66c1d011']) {
      const end = run(code, { [EAX]: 0x12345678 }, {}, 0x203);
      expect([end.r[EAX], end.f & CF]).toEqual([0x12345678, CF]);
    }
  });

  it('ROL by the width leaves the operand and sets CF to its lowest bit', () => {
    const end = run('c0c008', { [EAX]: 0x81 });
    expect([end.r[EAX], end.f & CF]).toEqual([0x81, CF]);
  });

  it('a count of 32 counts as none: no flag changes', () => {
    const end = run('c1e020', { [EAX]: 0x80000001 }, {}, 0xad7);
    expect([end.r[EAX], end.f]).toEqual([0x80000001, 0xad7]);
  });
});

describe('addresses', () => {
  it('XLAT with 16-bit addresses wraps at 64 KiB and then faults there', () => {
    const end = run('67d7', { [EBX]: 0x2100ffff, [EAX]: 2 });
    expect([end.e, end.cr2]).toEqual([14, 1]);
  });

  it('BT with a register bit offset reaches below the operand', () => {
    // BT [EAX], ECX with ECX = -1: the top bit of the word before.
    const end = run('0fa308', { [EAX]: PAGE + 8, [ECX]: 0xffffffff }, { 7: '80' });
    expect(end.f & CF).toBe(CF);
  });

  it('LOOP with a 16-bit address size counts CX and keeps the upper half of ECX', () => {
    const end = run('67e210', { [ECX]: 0x00010000 });
    expect([end.r[ECX], end.ip]).toEqual([0x0001ffff, 0x13]);
  });

  it('a branch with a 16-bit operand size cuts EIP to 16 bits', () => {
    // 20000013 becomes 0013, where nothing can be fetched.
    const end = run('66eb10', {});
    expect([end.e, end.cr2]).toEqual([14, 0x13]);
    expect(run('eb10', {}).ip).toBe(0x12);
  });

  it('BSF of zero keeps its destination and sets ZF', () => {
    const end = run('0fbcc1', { [EAX]: 0x1234 });
    expect([end.r[EAX], end.f & ZF]).toEqual([0x1234, ZF]);
  });
});

describe('encodings', () => {
  it.each([
    '8dc0',
    '62c0',
    'c4c0',
    'c5c0',
    'c6c8',
    'fef8',
    'fff8',
    'ffd8',
    '0f0b',
    '0fb9c0',
    '0fffc0',
    '0faa',
    '0fc7c8',
  ])('%s is undefined', (code) => {
    expect(run(code, {}).e).toBe(6);
  });

  it('0F 1F and the prefetch hints access nothing', () => {
    const codes = ['0f1f00', '0f1800', '0f0d08', '0f1900'];
    expect(codes.map((code) => run(code, { [EAX]: 4 }).e)).toEqual(codes.map(() => undefined));
    expect(bytesOfHex(codes[0])).toHaveLength(3);
  });

  it('82 is 80', () => {
    expect(run('82c005', { [EAX]: 1 }).r[EAX]).toBe(6);
  });

  it('SALC spreads CF over AL', () => {
    expect(run('d6', { [EAX]: 0x1200 }, {}, 0x203).r[EAX]).toBe(0x12ff);
  });
});
