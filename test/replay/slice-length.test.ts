import { describe, expect, it } from 'vitest';
import { SliceLength } from '../../src/harness/slice-length.js';

/** Ticks of the slices of a host that takes `nsPerTick` over a tick. */
function lengths(slices: SliceLength, nsPerTick: number, count: number): number[] {
  return Array.from({ length: count }, () => {
    const { ticks } = slices;
    slices.took((ticks * nsPerTick) / 1e6);
    return ticks;
  });
}

describe('the length of slices', () => {
  it('is what was asked for, if anything was', () => {
    expect(lengths(new SliceLength(7), 0.1, 5)).toEqual([7, 7, 7, 7, 7]);
    expect(lengths(new SliceLength(1e9), 100, 3)).toEqual([1e9, 1e9, 1e9]);
  });

  it('follows the host, so that a slice takes milliseconds', () => {
    const slices = new SliceLength(undefined);
    // 4 million ticks take 1.2 ms, and twice as many until 9.6 ms are reached.
    expect(lengths(slices, 0.3, 6)).toEqual([4e6, 8e6, 16e6, 32e6, 32e6, 32e6]);
    // The guest came to something slow: 50 million ticks per second.
    expect(lengths(slices, 20, 5)).toEqual([32e6, 16e6, 8e6, 4e6, 4e6]);
    // And halts.
    expect(lengths(slices, 0, 7).slice(-2)).toEqual([64e6, 64e6]);
  });
});
