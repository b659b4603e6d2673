import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cyclesAt, tickOfCycle } from '../../src/core/clock.js';

const crystals = fc.constantFrom(32_768, 1_193_182, 3_579_545, 3_146_900, 8_388_607, 14_318_180);
const periods = fc.constantFrom(1, 2, 3, 4, 7, 64, 512, 1024);

describe('cycles of a crystal', () => {
  it('are exact for every tick of a century', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), periods, crystals, (any, nsPerTick, hz) => {
        const tick = Math.floor(Math.abs(any) / 4);
        const exact = (BigInt(tick) * BigInt(nsPerTick) * BigInt(hz)) / 1_000_000_000n;
        fc.pre(exact < BigInt(Number.MAX_SAFE_INTEGER));
        expect(BigInt(cyclesAt(tick, nsPerTick, hz))).toBe(exact);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it('complete at the first tick that tickOfCycle names', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), periods, crystals, (cycles, nsPerTick, hz) => {
        const tick = tickOfCycle(cycles + 1, nsPerTick, hz);
        expect(cyclesAt(tick, nsPerTick, hz)).toBeGreaterThanOrEqual(cycles + 1);
        expect(cyclesAt(tick - 1, nsPerTick, hz)).toBeLessThan(cycles + 1);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it('are exact just before and at whole seconds', () => {
    for (const seconds of [1, 86_400, 36_000_000]) {
      const tick = seconds * 250_000_000;
      expect(cyclesAt(tick, 4, 1_193_182)).toBe(seconds * 1_193_182);
      expect(cyclesAt(tick - 1, 4, 1_193_182)).toBe(seconds * 1_193_182 - 1);
    }
  });
});
