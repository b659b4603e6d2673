import { describe, expect, it } from 'vitest';
import { LAYOUT } from '../../../src/cpu/memory/layout.js';
import { FLAG, gprSlot } from '../../../src/isa/cpu-state.js';
import type { Program } from './program.js';
import { AT, TestMachine, execute, xorshift } from './program.js';

const PROGRAMS = 120;
const LIMIT_TICKS = 400;

/** First bytes that make for longer runs than opcodes of equal probability: moves, arithmetic, pushes, short jumps, strings. */
const COMMON = [
  0x01, 0x03, 0x29, 0x31, 0x40, 0x48, 0x50, 0x58, 0x88, 0x89, 0x8a, 0x8b, 0xaa, 0xab, 0xa4, 0xf3, 0x66, 0x74, 0x75,
  0xe2, 0xb8, 0xc6,
];

const HAS_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

/** A handler that goes on one byte further, so that programs meet many faults. */
function handler(vector: number, mode: Program['mode']): string {
  // PUSH BP; MOV BP, SP; INC WORD [BP+2]; POP BP; IRET
  if (mode === 'real') return '5589e5ff46025dcf';
  // INC DWORD [ESP]; IRETD, behind ADD ESP, 4 for an error code.
  return (HAS_ERROR_CODE.has(vector) ? '83c404' : '') + 'ff0424cf';
}

function randomProgram(seed: number, mode: Program['mode']): Program {
  return {
    mode,
    code: {},
    limitTicks: LIMIT_TICKS,
    eflags: 0x202 | (seed % 8 === 0 ? FLAG.TF : 0),
    events: Object.fromEntries(
      [seed % 50, 60 + (seed % 70), 200].map((tick) => [tick, (m) => m.cpu.setInterrupt(true)]),
    ),
    prepare: (m) => {
      const draw = xorshift(seed * 2_654_435_761);
      const { u8 } = m.cpu.physical;
      // Data, the code itself, and the ends of their pages.
      const places = [AT.data, AT.data + 0xffe, AT.code, AT.code + 0xff8, AT.userStack];
      for (let i = 0; i < 0x2000; i++) {
        const value = draw();
        u8[LAYOUT.ram + AT.code + i] = value & 0x300 ? COMMON[(value >>> 10) % COMMON.length] : value;
      }
      for (let vector = 0; vector < 256; vector++) m.bytes(AT.handlers + 16 * vector, handler(vector, mode));
      if (seed % 4 === 0) {
        for (let i = 0; i < 4; i++) m.cpu.state.setDr(i, places[draw() % places.length] + (draw() & 63));
        m.cpu.state.setDr(7, (0x400 | draw()) & ~0x2000 & ~0xd800);
      }
      // Registers point there.
      for (let r = 0; r < 8; r++) {
        const value = draw();
        m.cell(
          gprSlot(r),
          r === 4 ? AT.userStack : r === 1 ? value & 31 : places[value % places.length] + ((value >>> 8) & 15),
        );
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
