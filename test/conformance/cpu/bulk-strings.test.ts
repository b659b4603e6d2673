import { describe, expect, it } from 'vitest';
import { AT, sameInAllSlicings } from './program.js';

const le32 = (value: number): string => Buffer.from(new Uint32Array([value]).buffer).toString('hex');

/** `setup` is an opcode before the REP instruction; the data area holds a pattern. */
function run(op: string, registers: { eax?: number; ecx: number; esi?: number; edi: number }) {
  return sameInAllSlicings({
    mode: 'paged',
    limitTicks: 60_000,
    code: {
      [AT.code]: `
      b8${le32(registers.eax ?? 0)}  mov eax, ...
      b9${le32(registers.ecx)}       mov ecx, ...
      be${le32(registers.esi ?? 0)}  mov esi, ...
      bf${le32(registers.edi)}       mov edi, ...
      ${op}                          the instruction
      893500600000                   mov [6000h], esi
      893d04600000                   mov [6004h], edi
      890d08600000                   mov [6008h], ecx
      f4                             hlt
    `,
    },
    prepare: (m) => {
      for (let i = 0; i < 0x4000; i += 4) m.ram32(AT.data + i, Math.imul(i + 1, 0x9e3779b1));
    },
  });
}

const MOVSB = 'f3a4';
const MOVSW = '66f3a5';
const MOVSD = 'f3a5';
const STOSB = 'f3aa';
const STOSW = '66f3ab';
const STOSD = 'f3ab';

describe('repeated string instructions', () => {
  for (const [name, op, bytes] of [
    ['MOVSB', MOVSB, 1],
    ['MOVSW', MOVSW, 2],
    ['MOVSD', MOVSD, 4],
  ] as const) {
    it(`${name} copies over pages at any alignment`, () => {
      for (const [esi, edi, ecx] of [
        [AT.data + 3, AT.data + 0x6005, 1300],
        [AT.data, AT.data + 0x8000, 1],
        [AT.data + 0xffd, AT.data + 0x7ffe, 1500],
      ]) {
        const m = run(op, { esi, edi, ecx });
        expect(m.log(3)).toEqual([esi + ecx * bytes, edi + ecx * bytes, 0]);
        const ram = m.cpu.physical.read(edi, ecx * bytes);
        expect(Buffer.compare(ram, m.cpu.physical.read(esi, ecx * bytes))).toBe(0);
      }
    });
    it(`${name} repeats what it wrote when the target begins inside the source`, () => {
      const m = run(op, { esi: AT.data, edi: AT.data + bytes, ecx: 2000 });
      const ram = m.cpu.physical.read(AT.data, 2001 * bytes);
      const expected = Array.from({ length: 2001 }, () => [...ram.subarray(0, bytes)]).flat();
      expect([...ram]).toEqual(expected);
    });
    it(`${name} copies downwards over itself`, () => {
      const m = run(op, { esi: AT.data + 8, edi: AT.data, ecx: 1100 });
      expect(m.log(3)).toEqual([AT.data + 8 + 1100 * bytes, AT.data + 1100 * bytes, 0]);
    });
    it(`${name} with DF set goes down`, () => {
      const m = run(`fd${op}`, { esi: AT.data + 0x1800, edi: AT.data + 0x5800, ecx: 1200 });
      expect(m.log(3)).toEqual([AT.data + 0x1800 - 1200 * bytes, AT.data + 0x5800 - 1200 * bytes, 0]);
    });
  }
  for (const [name, op, bytes] of [
    ['STOSB', STOSB, 1],
    ['STOSW', STOSW, 2],
    ['STOSD', STOSD, 4],
  ] as const) {
    it(`${name} fills with zeros and with patterns`, () => {
      for (const eax of [0, 0x01010101, 0x12345678]) {
        const m = run(op, { eax, edi: AT.data + 0xff1, ecx: 1200 });
        const pattern = Buffer.from(new Uint32Array([eax]).buffer).subarray(0, bytes);
        expect(
          Buffer.compare(m.cpu.physical.read(AT.data + 0xff1, 1200 * bytes), Buffer.alloc(1200 * bytes, pattern)),
        ).toBe(0);
        expect(m.log(3)).toEqual([0, AT.data + 0xff1 + 1200 * bytes, 0]);
      }
    });
  }
  it('take one tick for each iteration', () => {
    expect(run(MOVSD, { esi: AT.data, edi: AT.data + 0x8000, ecx: 1500 }).ended.tick).toBe(4 + 1500 + 3 + 1);
    expect(run(STOSB, { edi: AT.data, ecx: 1500 }).ended.tick).toBe(4 + 1500 + 3 + 1);
  });
});
