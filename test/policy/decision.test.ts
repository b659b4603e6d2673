import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTION_NAMES, actionsOf, type Action } from '../../src/policy/actions.js';
import { PolicyCounters } from '../../src/policy/counters.js';
import { BUILT_IN_RULES, decide, explain, type Decision, type PolicyRequest } from '../../src/policy/decision.js';
import { defaultPolicy } from '../../src/policy/default-policy.js';
import { permittedActions, remainingBytes } from '../../src/policy/permissions.js';
import type { Policy } from '../../src/policy/policy.js';
import type { Limits } from '../../src/policy/policy-document.js';
import { CODE, policyOf, principal, request, TOKEN } from './samples.js';

const fresh = (policy: Policy, asked: PolicyRequest): Decision => decide(policy, asked, new PolicyCounters());
const verdict = ({ status, ruleId }: Decision): string => `${status} by ${ruleId}`;

/** The policy that the design gives as its example. */
const EXAMPLE = policyOf([
  {
    id: 'agent-records',
    principals: [{ ring: 0 }, { ring: 3, codeSha256: [CODE] }],
    actions: ['start', 'stop', 'mark', 'log'],
    when: { name: '^[a-z0-9-]{1,64}$' },
    limits: {
      maxTicks: 5e10,
      maxBytes: 536870912,
      maxRecordings: 20,
      perGigatick: { mark: 10000 },
      cooldownTicks: 1e6,
    },
  },
  { id: 'evidence-stays', effect: 'forbid', actions: ['stop'], when: { startedBy: 'host:ids' } },
  { id: 'operators', principals: [{ host: 'user' }, { host: 'ids' }], actions: ['*'] },
]);

describe('a decision', () => {
  it.each<[string, Action, Partial<PolicyRequest>, string]>([
    ['guest:ring0', 'start', { name: 'boot-1' }, 'OK by agent-records'],
    ['guest:ring0', 'start', { name: 'Boot 1' }, 'DENIED by default'],
    ['guest:ring0', 'start', {}, 'DENIED by default'],
    ['guest:ring0', 'start', { name: 'x'.repeat(257) }, 'TOO_LONG by default'],
    ['guest:ring1', 'start', { name: 'boot-1' }, 'DENIED by default'],
    ['guest:ring3', 'start', { name: 'boot-1' }, 'DENIED by default'],
    [`guest:ring3,code=${CODE}`, 'start', { name: 'boot-1' }, 'OK by agent-records'],
    [`guest:ring3,code=${TOKEN}`, 'start', { name: 'boot-1' }, 'DENIED by default'],
    [`guest:ring3,token=${CODE}`, 'start', { name: 'boot-1' }, 'DENIED by default'],
    ['guest:ring0', 'log', { bytes: 100 }, 'OK by agent-records'],
    ['guest:ring0', 'put', {}, 'DENIED by default'],
    ['guest:ring0', 'stop', {}, 'OK by agent-records'],
    ['guest:ring0', 'stop', { name: 'boot-1', startedBy: 'guest:ring0' }, 'OK by agent-records'],
    ['guest:ring0', 'stop', { name: 'boot-1', startedBy: 'host:ids' }, 'DENIED by evidence-stays'],
    ['guest:ring1', 'stop', { name: 'boot-1', startedBy: 'host:ids' }, 'DENIED by evidence-stays'],
    ['host:ids', 'stop', { startedBy: 'host:user' }, 'OK by host-always-stops'],
    ['host:api', 'stop', { startedBy: 'host:ids' }, 'OK by host-always-stops'],
    ['host:ids', 'export', {}, 'OK by operators'],
    ['host:user', 'goLive', {}, 'OK by operators'],
    ['host:api', 'start', { name: 'x' }, 'DENIED by default'],
    ['guest:ring0', 'goLive', {}, 'DENIED by default'],
  ])('of the example for %s %s %o is %s', (who, action, rest, expected) => {
    expect(verdict(fresh(EXAMPLE, request(who, action, rest)))).toBe(expected);
  });

  it('is a refusal by default where there are no rules', () => {
    const policy = policyOf([]);
    for (const who of ['guest:ring0', 'guest:ring3', 'host:user', 'host:ids', 'host:api']) {
      for (const action of ACTION_NAMES) {
        const hostStops = action === 'stop' && who.startsWith('host');
        const expected = hostStops ? 'OK by host-always-stops' : 'DENIED by default';
        expect(verdict(fresh(policy, request(who, action)))).toBe(expected);
      }
    }
  });

  it('lets a forbid override every permit, wherever it stands', () => {
    const forbid = { id: 'no', effect: 'forbid', actions: ['start'] } as const;
    const permits = [{ id: 'a' }, { id: 'b', actions: ['start'] as ['start'] }];
    const asked = request('guest:ring0', 'start', { name: 'x' });
    expect(verdict(fresh(policyOf(permits), asked))).toBe('OK by a');
    for (const at of [0, 1, 2]) {
      const rules = [...permits.slice(0, at), forbid, ...permits.slice(at)] as Parameters<typeof policyOf>[0];
      expect(verdict(fresh(policyOf(rules), asked))).toBe('DENIED by no');
    }
  });

  it('gives guests none of the host actions, even by "*"', () => {
    const policy = policyOf([{ principals: [{ guest: true }, { host: true }] }]);
    for (const action of ['replay', 'goLive', 'export', 'control'] as const) {
      expect(verdict(fresh(policy, request('guest:ring0', action)))).toBe('DENIED by default');
      expect(verdict(fresh(policy, request('host:ids', action)))).toBe('OK by rule-0');
    }
  });

  it('goes on to the next permit when the limits of one leave no room, and else names the first', () => {
    const asked = request('guest:ring0', 'start', { name: 'long' });
    const narrow = { id: 'narrow', limits: { maxNameBytes: 3 } };
    expect(verdict(fresh(policyOf([narrow, { id: 'wide' }]), asked))).toBe('OK by wide');
    expect(verdict(fresh(policyOf([narrow, { id: 'other', limits: { maxNameBytes: 2 } }]), asked))).toBe(
      'TOO_LONG by narrow',
    );
  });

  it.each<[object, string, boolean]>([
    [{ guest: true }, 'guest:ring2', true],
    [{ guest: true }, 'host:user', false],
    [{ host: true }, 'host:api', true],
    [{ host: true }, 'guest:ring0', false],
    [{ host: 'ids' }, 'host:user', false],
    [{ ring: [1, 3] }, 'guest:ring3', true],
    [{ ring: [1, 3] }, 'guest:ring2', false],
    [{ cr3: '0x1000' }, 'guest:ring0,cr3=4096', true],
    [{ cr3: '0x1000' }, 'guest:ring0,cr3=0x2000', false],
    [{ eip: { from: '0x8000', to: 0x8fff } }, 'guest:ring0,eip=0x8000', true],
    [{ eip: { from: '0x8000', to: 0x8fff } }, 'guest:ring0,eip=0x8fff', true],
    [{ eip: { from: '0x8000', to: 0x8fff } }, 'guest:ring0,eip=0x9000', false],
    [{ codeSha256: CODE }, `guest:ring3,code=${CODE}`, true],
    [{ codeSha256: [TOKEN, CODE] }, `guest:ring3,code=${CODE}`, true],
    [{ codeSha256: CODE }, 'guest:ring3', false],
    [{ tokenSha256: TOKEN }, `guest:ring3,token=${TOKEN}`, true],
    [{ tokenSha256: TOKEN }, `guest:ring3,code=${TOKEN}`, false],
    [{ token: 'ci' }, `guest:ring3,token=${TOKEN}`, true],
    [{ token: 'ci' }, `guest:ring3,token=${CODE}`, false],
    [{ ring: 3, codeSha256: CODE }, `guest:ring0,code=${CODE}`, false],
  ])('takes %o for %s: %s', (pattern, who, fits) => {
    const policy = policyOf([{ principals: [pattern] }], { tokens: { ci: TOKEN } });
    expect(fresh(policy, request(who, 'status')).allow).toBe(fits);
  });

  it.each<[object, Partial<PolicyRequest>, boolean]>([
    [{ startedBy: 'guest' }, { startedBy: 'guest:ring3' }, true],
    [{ startedBy: 'guest' }, { startedBy: 'host:user' }, false],
    [{ startedBy: 'guest:ring0' }, { startedBy: 'guest:ring3' }, false],
    [{ startedBy: ['host:ids', 'guest:ring3'] }, { startedBy: 'guest:ring3' }, true],
    [{ startedBy: 'host' }, {}, false],
    [{ recording: true }, { startedBy: 'host:user' }, true],
    [{ recording: true }, {}, false],
    [{ recording: false }, {}, true],
    [{ tick: { from: 10, to: 20 } }, { tick: 9 }, false],
    [{ tick: { from: 10, to: 20 } }, { tick: 10 }, true],
    [{ tick: { from: 10, to: 20 } }, { tick: 20 }, true],
    [{ tick: { to: 20 } }, { tick: 21 }, false],
    [{ tick: { from: 20, to: 20 } }, { tick: 20 }, true],
    [{ test: '^net/' }, { test: 'net/ping' }, true],
    [{ test: '^net/' }, { test: 'disk/read' }, false],
    [{ test: '^net/' }, {}, false],
    [{ name: '^a' }, { name: 'ab' }, true],
    [{ name: '^a' }, { name: 'b' }, false],
    [{ name: '^a' }, {}, false],
  ])('holds %o against %o: %s', (when, rest, holds) => {
    const asked = request('guest:ring0', 'mark', rest);
    expect(fresh(policyOf([{ when }]), asked).allow).toBe(holds);
    // The same condition forbids exactly where it would permit.
    const forbidding = policyOf([{ id: 'yes' }, { id: 'no', effect: 'forbid', when }]);
    expect(fresh(forbidding, asked).allow).toBe(!holds);
  });

  it('ignores a name condition for what has no name: a permit covers it, a forbid does not', () => {
    const when = { name: '^secret$' };
    expect(fresh(policyOf([{ when }]), request('guest:ring0', 'status')).allow).toBe(true);
    const forbidding = policyOf([{ id: 'yes' }, { id: 'no', effect: 'forbid', when }]);
    expect(fresh(forbidding, request('guest:ring0', 'status')).allow).toBe(true);
    expect(fresh(forbidding, request('guest:ring0', 'start', { name: 'secret' })).allow).toBe(false);
    expect(fresh(forbidding, request('guest:ring0', 'stop', { name: 'secret' })).allow).toBe(false);
  });

  it('measures names in bytes before any pattern sees them', () => {
    const policy = policyOf([{ when: { name: '^é+$' } }], { recordings: { maxNameBytes: 64 } });
    const name = (count: number) => request('guest:ring0', 'mark', { name: 'é'.repeat(count) });
    expect(verdict(fresh(policy, name(32)))).toBe('OK by rule-0');
    expect(verdict(fresh(policy, name(33)))).toBe('TOO_LONG by default');
  });

  it('explains how each rule took the request', () => {
    const asked = request('guest:ring0', 'start', { name: 'NO', tick: 5 });
    const { decision, steps } = explain(EXAMPLE, asked, new PolicyCounters());
    expect(decision.reason).toBe('no rule permits guest:ring0 to start recordings in this way');
    expect(steps).toEqual([
      { ruleId: 'evidence-stays', effect: 'forbid', misfit: 'actions', note: 'is for other actions' },
      { ruleId: 'agent-records', effect: 'permit', misfit: 'when.name', note: 'its condition when.name does not hold' },
      { ruleId: 'operators', effect: 'permit', misfit: 'principals', note: 'is for other callers' },
    ]);
  });
});

/** A run in which requests come one after the other and are counted. */
class Run {
  readonly counters = new PolicyCounters();
  #number = 0;
  constructor(readonly policy: Policy) {}

  ask(action: Action, tick: number, rest: Partial<PolicyRequest> = {}): string {
    const asked = request('guest:ring0', action, { tick, ...rest });
    const decision = decide(this.policy, asked, this.counters);
    this.counters.note(asked, decision);
    if (decision.allow && action === 'start') this.counters.recordingStarted(++this.#number, decision.ruleId, tick);
    return decision.status;
  }
  end(number: number, tick: number): void {
    this.counters.recordingEnded(number, tick);
  }
}

const limited = (limits: Limits): Run => new Run(policyOf([{ limits }]));
const G = 1_000_000_000;

describe('a limit', () => {
  it('of maxTicks gives the tick at which a recording ends', () => {
    const policy = policyOf([{ limits: { maxTicks: 100 } }]);
    expect(fresh(policy, request('guest:ring0', 'start', { tick: 7 })).grant).toEqual({ endTick: 107, maxBytes: null });
    expect(fresh(policy, request('guest:ring0', 'mark')).grant).toBeNull();
    const last = Number.MAX_SAFE_INTEGER;
    expect(fresh(policy, request('guest:ring0', 'start', { tick: last })).grant?.endTick).toBe(last);
  });

  it('of maxBytes counts names, texts and what recordings grow to, and gives a start the rest', () => {
    const run = limited({ maxBytes: 100 });
    expect(run.ask('log', 0, { bytes: 60 })).toBe('OK');
    expect(run.ask('mark', 0, { name: 'x'.repeat(41) })).toBe('QUOTA');
    expect(run.ask('log', 0, { bytes: 41 })).toBe('QUOTA');
    const start = request('guest:ring0', 'start', { name: 'abcd' });
    expect(decide(run.policy, start, run.counters).grant).toEqual({ endTick: null, maxBytes: 36 });
    expect(run.ask('start', 0, { name: 'abcd' })).toBe('OK');
    run.counters.recordingGrew(1, 36);
    expect(run.ask('log', 0, { bytes: 1 })).toBe('QUOTA');
    expect(limited({ maxBytes: 100 }).ask('log', 0, { bytes: 100 })).toBe('OK');
    // What stores nothing is not refused.
    expect(run.ask('status', 0)).toBe('OK');
    expect(remainingBytes(run.policy, principal('guest:ring0'), run.counters)).toBe(0);
  });

  it('of maxRecordings counts starts of the whole run', () => {
    const run = limited({ maxRecordings: 2 });
    expect(run.ask('start', 0)).toBe('OK');
    run.end(1, 5);
    expect(run.ask('start', 10)).toBe('OK');
    run.end(2, 15);
    expect(run.ask('start', 10 * G)).toBe('QUOTA');
  });

  it('of maxRecordings does not count a start that came to nothing', () => {
    const policy = policyOf([{ limits: { maxRecordings: 1 } }]);
    const counters = new PolicyCounters();
    const asked = request('guest:ring0', 'start');
    counters.note(asked, decide(policy, asked, counters));
    expect(decide(policy, asked, counters).allow).toBe(true);
  });

  it('of maxConcurrent counts what is running', () => {
    const run = limited({ maxConcurrent: 1 });
    expect(run.ask('start', 0)).toBe('OK');
    expect(run.ask('start', 1)).toBe('QUOTA');
    run.end(1, 2);
    expect(run.ask('start', 2)).toBe('OK');
  });

  it('of cooldownTicks counts from the end of a recording', () => {
    const run = limited({ cooldownTicks: 1000 });
    expect(run.ask('start', 0)).toBe('OK');
    run.end(1, 500);
    expect(run.ask('start', 1499)).toBe('RATE');
    expect(run.ask('mark', 1499)).toBe('OK');
    expect(run.ask('start', 1500)).toBe('OK');
  });

  it('of perGigatick lets as many through at once, and gives them back evenly', () => {
    const run = limited({ perGigatick: { mark: 4 } });
    expect([0, 0, 1, 2, 3].map((tick) => run.ask('mark', tick))).toEqual(['OK', 'OK', 'OK', 'OK', 'RATE']);
    expect(run.ask('log', 3)).toBe('OK');
    expect(run.ask('mark', G / 4 - 1)).toBe('RATE');
    expect(run.ask('mark', G / 4)).toBe('OK');
    expect(run.ask('mark', G / 4)).toBe('RATE');
    expect([0, 0, 0, 0, 0].map(() => run.ask('mark', 5 * G))).toEqual(['OK', 'OK', 'OK', 'OK', 'RATE']);
  });

  it('of perGigatick saves nothing up while nobody asks', () => {
    const run = limited({ perGigatick: { mark: 4 } });
    expect(run.ask('mark', 0)).toBe('OK');
    expect([0, 0, 0, 0, 0].map(() => run.ask('mark', 5 * G))).toEqual(['OK', 'OK', 'OK', 'OK', 'RATE']);
  });

  it('of perGigatick is exact where the rate does not divide a gigatick', () => {
    const run = limited({ perGigatick: { mark: 3 } });
    for (let n = 0; n < 3; n++) expect(run.ask('mark', 0)).toBe('OK');
    expect(run.ask('mark', 333_333_333)).toBe('RATE');
    expect(run.ask('mark', 333_333_334)).toBe('OK');
  });

  it('of perGigatick says exactly how long to wait', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.array(fc.nat(2 * G), { maxLength: 40 }), (rate, gaps) => {
        const run = limited({ perGigatick: { mark: rate } });
        let tick = 0;
        for (const gap of gaps) {
          tick += Math.floor(gap / rate);
          run.ask('mark', tick);
          const wait = run.counters.rateWait('rule-0', 'mark', rate, tick);
          if (wait === 0) continue;
          expect(run.counters.rateWait('rule-0', 'mark', rate, tick + wait - 1)).toBeGreaterThan(0);
          expect(run.counters.rateWait('rule-0', 'mark', rate, tick + wait)).toBe(0);
        }
      }),
    );
  });

  const gap = fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, fc.nat(G / 10), fc.nat(2 * G));
  it('of perGigatick never lets more through than a full bucket and what flowed in', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(gap, { maxLength: 200 }), (rate, gaps) => {
        const run = limited({ perGigatick: { mark: rate } });
        const granted: number[] = [];
        let tick = 0;
        for (const gap of gaps) {
          tick += gap;
          if (run.ask('mark', tick) === 'OK') granted.push(tick);
        }
        for (const [first, from] of granted.entries()) {
          for (const [last, to] of granted.entries()) {
            if (last >= first) expect(last - first + 1).toBeLessThanOrEqual(rate + ((to - from) * rate) / G);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it.each<[Limits, Action, Partial<PolicyRequest>, string]>([
    [{ maxNameBytes: 4 }, 'start', { name: 'abcd' }, 'OK'],
    [{ maxNameBytes: 4 }, 'start', { name: 'abcde' }, 'TOO_LONG'],
    [{ maxNameBytes: 4 }, 'mark', { name: 'ééé' }, 'TOO_LONG'],
    [{ maxTextBytes: 10 }, 'log', { bytes: 10 }, 'OK'],
    [{ maxTextBytes: 10 }, 'log', { bytes: 11 }, 'TOO_LONG'],
    [{ maxTextBytes: 10 }, 'put', { bytes: 11 }, 'TOO_LONG'],
  ])('of %o answers %s %o with %s', (limits, action, rest, status) => {
    expect(limited(limits).ask(action, 0, rest)).toBe(status);
  });

  it('is not used up by refused requests', () => {
    const run = new Run(policyOf([{ when: { name: '^ok$' }, limits: { maxBytes: 10, perGigatick: { mark: 1 } } }]));
    for (let n = 0; n < 100; n++) expect(run.ask('mark', n, { name: 'bad' })).toBe('DENIED');
    expect(run.ask('mark', 100, { name: 'ok' })).toBe('OK');
  });

  it('of one rule is shared by all its callers and by no other rule', () => {
    const policy = policyOf([
      { id: 'a', principals: [{ ring: [0, 3] }], limits: { perGigatick: { mark: 1 } } },
      { id: 'b', principals: [{ ring: 1 }], limits: { perGigatick: { mark: 1 } } },
    ]);
    const counters = new PolicyCounters();
    const ask = (who: string): string => {
      const asked = request(who, 'mark');
      const decision = decide(policy, asked, counters);
      counters.note(asked, decision);
      return verdict(decision);
    };
    expect(ask('guest:ring0')).toBe('OK by a');
    expect(ask('guest:ring3')).toBe('RATE by a');
    expect(ask('guest:ring1')).toBe('OK by b');
  });
});

describe('what a caller may do', () => {
  const may = (policy: Policy, who: string, startedBy?: string): string =>
    actionsOf(permittedActions(policy, principal(who), { tick: 0, startedBy })).join(' ');

  it('follows from the rules, for some name', () => {
    expect(may(EXAMPLE, 'guest:ring0')).toBe('start stop mark log');
    expect(may(EXAMPLE, 'guest:ring0', 'host:ids')).toBe('start mark log');
    expect(may(EXAMPLE, 'guest:ring3')).toBe('');
    expect(may(EXAMPLE, 'host:api')).toBe('stop');
    expect(may(EXAMPLE, 'host:user')).toBe(ACTION_NAMES.join(' '));
  });

  it('loses nothing to a forbid that goes by names, but does to one that does not', () => {
    const forbid = { id: 'no', effect: 'forbid', actions: ['start'] } as const;
    const named = policyOf([{ actions: ['start'] }, { ...forbid, actions: ['start'], when: { name: '^x' } }]);
    expect(may(named, 'guest:ring0')).toBe('start');
    expect(may(policyOf([{ actions: ['start'] }, { ...forbid, actions: ['start'] }]), 'guest:ring0')).toBe('');
  });

  it('of the default policy is safe for ring 3 and enough for ring 0', () => {
    expect(may(defaultPolicy(), 'guest:ring3')).toBe('start stop mark log check checkpoint status');
    expect(may(defaultPolicy(), 'guest:ring0')).toBe('start stop mark log check put get checkpoint exit status');
    expect(may(defaultPolicy(), 'host:user')).toBe(ACTION_NAMES.join(' '));
  });

  it('agrees with the decisions', () => {
    const who = fc.constantFrom('guest:ring0', 'guest:ring3', `guest:ring3,code=${CODE}`, 'host:user', 'host:api');
    const by = fc.option(fc.constantFrom('host:ids', 'guest:ring0'), { nil: undefined });
    fc.assert(
      fc.property(who, by, fc.constantFrom(...ACTION_NAMES), (caller, startedBy, action) => {
        for (const policy of [EXAMPLE, defaultPolicy()]) {
          const mask = permittedActions(policy, principal(caller), { tick: 0, startedBy });
          const decision = fresh(policy, request(caller, action, { name: 'x', startedBy }));
          expect(actionsOf(mask).includes(action)).toBe(decision.allow);
        }
      }),
    );
  });

  it('leaves the bytes of the roomiest rule', () => {
    const policy = policyOf([
      { id: 'small', limits: { maxBytes: 10 } },
      { id: 'big', limits: { maxBytes: 1000 } },
    ]);
    expect(remainingBytes(policy, principal('guest:ring0'), new PolicyCounters())).toBe(1000);
    expect(remainingBytes(policy, principal('host:user'), new PolicyCounters())).toBe(0);
    expect(remainingBytes(policyOf([{}]), principal('guest:ring0'), new PolicyCounters())).toBeNull();
  });
});

describe('the built-in rules', () => {
  it('cannot be taken by a document', () => {
    for (const id of Object.values(BUILT_IN_RULES))
      expect(() => policyOf([{ id }])).toThrow('stands for a built-in rule');
  });
});
