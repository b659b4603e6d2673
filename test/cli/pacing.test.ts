import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pacer } from '../../src/host/pacing.js';

function clocked(nsPerTick: number): { pacer: Pacer; at: (ms: number) => void } {
  let now = 0;
  const pacer = new Pacer({ nsPerTick, nowMs: () => now });
  return { pacer, at: (ms) => (now = ms) };
}

describe('Pacer', () => {
  it('allows as many ticks as guest time has passed on the wall clock', () => {
    const { pacer, at } = clocked(4);
    at(1000);
    pacer.start(500);
    expect(pacer.limit()).toBe(500);
    at(1001);
    expect(pacer.limit()).toBe(500 + 250_000);
    at(2000);
    expect(pacer.limit()).toBe(500 + 250_000_000);
  });

  it('lets a machine that fell behind catch up at once', () => {
    const { pacer, at } = clocked(4);
    pacer.start(0);
    at(10_000);
    expect(pacer.waitMs(2_500_000_000)).toBe(0);
    expect(pacer.waitMs(2_500_000_001)).toBeGreaterThan(0);
  });

  it('tells how long a tick is away', () => {
    const { pacer, at } = clocked(1);
    pacer.start(0);
    at(3);
    expect(pacer.waitMs(5_000_000)).toBeCloseTo(2, 9);
    expect(pacer.waitMs(0)).toBe(0);
  });

  it('forgets what the machine was behind when it is started again', () => {
    const { pacer, at } = clocked(4);
    pacer.start(0);
    at(5000);
    pacer.start(100);
    expect(pacer.limit()).toBe(100);
  });

  it('never goes back with a clock that does', () => {
    const { pacer, at } = clocked(4);
    at(100);
    pacer.start(7);
    at(50);
    expect(pacer.limit()).toBe(7);
  });

  it('has no wait for a tick within the limit, and one for every tick beyond', () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 1024 }),
      fc.integer({ min: 0, max: 10_000_000 }),
      fc.integer({ min: 0, max: 2 ** 40 }),
      (nsPerTick, elapsedMs, start) => {
        const { pacer, at } = clocked(nsPerTick);
        pacer.start(start);
        at(elapsedMs);
        const limit = pacer.limit();
        expect(limit).toBeGreaterThanOrEqual(start);
        expect(pacer.waitMs(limit)).toBeLessThan(1e-6);
        expect(pacer.waitMs(limit + 1)).toBeGreaterThan(0);
      },
    );
    fc.assert(property, { numRuns: 200 });
  });
});
