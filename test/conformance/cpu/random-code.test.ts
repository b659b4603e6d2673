import { describe, expect, it } from 'vitest';
import { LAYOUT } from '../../../src/cpu/memory/layout.js';
import { gprSlot } from '../../../src/isa/cpu-state.js';
import type { Program } from './program.js';
import { AT, TestMachine, execute, xorshift } from './program.js';

const PROGRAMS = 300;
const LIMIT_TICKS = 400;

/** First bytes that make for longer runs than opcodes of equal probability: moves, arithmetic, pushes, short jumps, strings. */
const COMMON = [0x01, 0x03, 0x29, 0x31, 0x40, 0x48, 0x50, 0x58, 0x88, 0x89, 0x8a, 0x8b, 0xaa, 0xab, 0xa4, 0xf3, 0x66, 0x74, 0x75, 0xe2, 0xb8, 0xc6];

function randomProgram(seed: number, mode: Program['mode']): Program {
  return {
    mode,
    code: {},
    limitTicks: LIMIT_TICKS,
    prepare: (m) => {
      const draw = xorshift(seed * 2_654_435_761);
      const { u8 } = m.cpu.physical;
      for (let i = 0; i < 0x2000; i++) {
        const value = draw();
        u8[LAYOUT.ram + AT.code + i] = value & 0x300 ? COMMON[(value >>> 10) % COMMON.length] : value;
      }
      // Registers point at data, at the code itself, and at the end of their pages.
      const places = [AT.data, AT.data + 0xffe, AT.code, AT.code + 0xff8, AT.userStack];
      for (let r = 0; r < 8; r++) {
        const value = draw();
        m.cell(gprSlot(r), r === 4 ? AT.userStack : r === 1 ? value & 31 : places[value % places.length] + ((value >>> 8) & 15));
      }
      if (mode !== 'user') return;
      // Ring 3 gets its own pages only; one of them read-only, one absent.
      for (let page = 0; page < 1024; page++) m.ram32(AT.table + 4 * page, (page << 12) | 3);
      for (const page of [0x8, 0x9, 0x2f, 0x30, 0x40]) m.ram32(AT.table + 4 * page, (page << 12) | 7);
      m.ram32(AT.table + 4 * 0x41, (0x41 << 12) | 5);
      m.ram32(AT.table + 4 * 0x42, 0);
    },
  };
}

describe.each(['user', 'v86', 'paged', 'real'] as const)('random instructions in %s mode', (mode) => {
  it('never throw, end, and do the same however they are cut', () => {
    const m = new TestMachine();
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const program = randomProgram(seed, mode);
      const whole = execute(m, program, null);
      expect(whole.tick).toBeLessThanOrEqual(LIMIT_TICKS);
      expect(execute(m, program, { name: 'cut', next: () => 1 }), `seed ${seed}`).toEqual(whole);
      const draw = xorshift(seed);
      const dropped = execute(m, program, {
        name: 'dropped',
        next: () => 1 + (draw() % 7),
        atCut: () => (draw() & 1 ? m.cpu.memory.tlb.flushAll() : (m.cpu.settle(), m.cpu.restored())),
      });
      expect(dropped, `seed ${seed}, caches dropped`).toEqual(whole);
    }
  });
});
