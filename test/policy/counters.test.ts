import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import { PolicyCounters } from '../../src/policy/counters.js';
import { decide } from '../../src/policy/decision.js';
import { policyOf, request } from './samples.js';

function used(): PolicyCounters {
  const policy = policyOf([{ limits: { perGigatick: { mark: 5, start: 2 }, maxBytes: 1000 } }]);
  const counters = new PolicyCounters();
  for (const action of ['mark', 'start', 'log'] as const) {
    const asked = request('guest:ring0', action, { name: 'n', bytes: 10, tick: 3 });
    counters.note(asked, decide(policy, asked, counters));
  }
  counters.recordingStarted(1, 'rule-0', 4);
  counters.recordingStarted(2, 'rule-0', 5);
  counters.recordingEnded(1, 9);
  return counters;
}

describe('policy counters', () => {
  it('come back from their bytes', () => {
    const counters = used();
    const copy = new PolicyCounters();
    copy.load(counters.save());
    expect(copy.state).toEqual(counters.state);
    expect(copy.save()).toEqual(counters.save());
    expect(copy.bytes('rule-0')).toBe(33);
    expect(copy.recordings('rule-0')).toBe(2);
    expect(copy.running('rule-0')).toBe(1);
    expect(copy.endedAt('rule-0')).toBe(9);
  });

  it('are plain JSON as well', () => {
    const { state } = used();
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });

  it('refuse damaged bytes and stay as they were', () => {
    const bytes = used().save();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        const counters = used();
        const before = JSON.stringify(counters.state);
        expect(() => counters.load(bytes.subarray(0, length))).toThrow(CodedError);
        expect(JSON.stringify(counters.state)).toBe(before);
      }),
    );
  });

  it('ignore recordings that no rule started', () => {
    const counters = new PolicyCounters();
    counters.recordingEnded(7, 1);
    counters.recordingGrew(7, 100);
    expect(counters.state).toEqual({ rules: [], running: [] });
  });

  it('stay safe integers whatever is handed over', () => {
    const policy = policyOf([{}]);
    const counters = new PolicyCounters();
    for (let n = 0; n < 3; n++) {
      const asked = request('guest:ring0', 'put', { bytes: Number.MAX_SAFE_INTEGER });
      counters.note(asked, decide(policy, asked, counters));
    }
    expect(counters.bytes('rule-0')).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => counters.save()).not.toThrow();
  });
});
