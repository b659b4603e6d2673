import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { median, summarize } from '../statistics.js';

describe('the statistics', () => {
  it('take the middle value as median, whatever the order', () => {
    assert.equal(median([5]), 5);
    assert.equal(median([9, 1, 5]), 5);
    // As text, 10 sorts before 9.
    assert.equal(median([10, 9, 100]), 10);
  });

  it('take the mean of the middle two of an even number', () => {
    assert.equal(median([4, 1, 3, 2]), 2.5);
  });

  it('leave their input as it was', () => {
    const values = [3, 1, 2];
    median(values);
    assert.deepEqual(values, [3, 1, 2]);
  });

  it('have nothing to say about no values', () => {
    assert.equal(summarize([]), null);
    assert.throws(() => median([]), RangeError);
  });

  it('give the extremes beside the median', () => {
    assert.deepEqual(summarize([2, 8, 4]), { median: 4, min: 2, max: 8, count: 3 });
  });
});
