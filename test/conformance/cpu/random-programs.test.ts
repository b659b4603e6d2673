import { describe, expect, it } from 'vitest';
import { TestMachine, execute, executeByTurns, xorshift } from './program.js';
import { randomProgram } from './random-programs.js';

const PROGRAMS = Number(process.env.RANDOM_PROGRAMS ?? 25);
const FIRST = Number(process.env.RANDOM_PROGRAMS_FROM ?? 1);
/** From "each block by itself" to regions of whole functions and nested loops. */
const HOT_RUNS = [1, 3, 9];

describe('random programs with loops, calls, faults and code that changes', () => {
  it('do the same interpreted and compiled, however they are cut', { timeout: 3_600_000 }, () => {
    const interpreter = new TestMachine('interpreter');
    const compiled = HOT_RUNS.map((hotRuns) => ({ hotRuns, machine: new TestMachine('regions', hotRuns) }));
    let ticks = 0;
    for (let seed = FIRST; seed < FIRST + PROGRAMS; seed++) {
      const program = randomProgram(seed);
      const whole = execute(interpreter, program, null);
      ticks += whole.tick;
      for (const { hotRuns, machine } of compiled) {
        expect(execute(machine, program, null), `seed ${seed}, ${hotRuns} runs`).toEqual(whole);
        const draw = xorshift(seed + hotRuns);
        const cut = execute(machine, program, {
          name: 'cut',
          next: () => 1 + (draw() % 40),
          atCut: (m) => {
            const what = draw() % 16;
            if (what === 0) m.cpu.memory.tlb.flushAll();
            if (what !== 1) return;
            m.cpu.settle();
            m.cpu.restored();
          },
        });
        expect(cut, `seed ${seed}, ${hotRuns} runs, cut`).toEqual(whole);
      }
      const turns = xorshift(seed);
      const all = [interpreter, ...compiled.map(({ machine }) => machine)];
      expect(executeByTurns(all, program, turns), `seed ${seed}, by turns`).toEqual(whole);
    }
    // Most of them get somewhere.
    expect(ticks / PROGRAMS).toBeGreaterThan(500);
  });
});
