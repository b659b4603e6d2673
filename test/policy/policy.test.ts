import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import { ACTION_NAMES } from '../../src/policy/actions.js';
import { PolicyCounters } from '../../src/policy/counters.js';
import { BUILT_IN_RULES, decide, type PolicyRequest } from '../../src/policy/decision.js';
import { DEFAULT_POLICY_TEXT, defaultPolicy } from '../../src/policy/default-policy.js';
import { Policy } from '../../src/policy/policy.js';
import type { PolicyDocument } from '../../src/policy/policy-document.js';
import { PolicyHolder } from '../../src/policy/policy-holder.js';
import { POLICY_SCHEMA } from '../../src/policy/policy-schema.js';
import { POLICY_TEMPLATE_NAMES, templateText } from '../../src/policy/templates.js';
import { documents, type JsonSchema } from './schema-arbitrary.js';
import { CODE, hashing, policyOf, principal, TOKEN } from './samples.js';

/** A policy whose only rule stands alone on line 3. */
function withRule(rule: string): string {
  return `{ "version": 1, "rules": [\n\n${rule}\n]}`;
}
const HEAD = '"id": "a", "effect": "permit"';

function errorOf(text: string): CodedError {
  try {
    Policy.parse(text, 'p.json');
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error('the policy is valid');
}

describe('a policy text', () => {
  it.each([
    [`{ ${HEAD}, "principals": [{ "ring": 7 }], "actions": ["start"] }`, '7 }', 'is 7; allowed: 0 to 3'],
    [
      `{ ${HEAD}, "principals": [{ "rnig": 0 }], "actions": ["start"] }`,
      '"rnig"',
      'no field "rnig"; allowed: host, guest',
    ],
    [
      `{ ${HEAD}, "principals": [{ "host": "root" }], "actions": ["start"] }`,
      '"root"',
      'allowed: true, "user", "ids", "api"',
    ],
    [`{ ${HEAD}, "principals": [{}], "actions": ["start"] }`, '{}', 'is {}; allowed: at least 1 in it'],
    [`{ ${HEAD}, "principals": [], "actions": ["start"] }`, '[]', 'is []; allowed: at least 1 in it'],
    [`{ ${HEAD}, "principals": [{ "codeSha256": "AB" }], "actions": ["*"] }`, '"AB"', '"AB"; allowed: One SHA-256'],
    [
      `{ ${HEAD}, "principals": [{ "cr3": "4096" }], "actions": ["*"] }`,
      '"4096"',
      '"4096"; allowed: A number, or a string',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["begin"] }`,
      '"begin"',
      'is "begin"; allowed: "*", "start"',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["log", "log"] }`,
      '["log", "log"]',
      'allowed: each item once',
    ],
    [
      `{ "id": "../a", "effect": "permit", "principals": [{ "guest": true }], "actions": ["*"] }`,
      '"../a"',
      '"../a"; allowed: 1 to 64',
    ],
    [
      `{ "id": "a", "effect": "allow", "principals": [{ "guest": true }], "actions": ["*"] }`,
      '"allow"',
      'allowed: "permit", "forbid"',
    ],
    [`{ ${HEAD}, "actions": ["*"] }`, '{ "id"', 'rules[0] lacks the field "principals"'],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["*"], "limits": { "maxTicks": 0.5 } }`,
      '0.5',
      'is 0.5; allowed: a whole number',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["*"], "limits": { "perGigatick": { "begin": 1 } } }`,
      '"begin"',
      '"begin" is no such name',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["*"], "when": { "startedBy": "ids" } }`,
      '"ids"',
      '"ids"; allowed: One or several of host, host:user',
    ],
  ])('with %s is refused at %s: %s', (rule, offending, message) => {
    const error = errorOf(withRule(rule));
    expect(error.code).toBe('CONFIG');
    expect(error.message).toContain(message);
    expect(error.where).toBe(`p.json:3:${rule.indexOf(offending) + 1}`);
  });

  it.each([
    [`{ ${HEAD}, "principals": [{ "host": "user", "ring": 0 }], "actions": ["*"] }`, 'nobody is a host and a guest'],
    [
      `{ ${HEAD}, "principals": [{ "eip": { "from": 9, "to": "0x8" } }], "actions": ["*"] }`,
      'eip ends at 0x8, before it begins at 9',
    ],
    [
      `{ ${HEAD}, "principals": [{ "token": "ci" }], "actions": ["*"] }`,
      'there is no token "ci" in tokens; allowed: none',
    ],
    [`{ ${HEAD}, "principals": [{ "token": "constructor" }], "actions": ["*"] }`, 'there is no token "constructor"'],
    [
      `{ ${HEAD}, "principals": [{ "ring": 3 }], "actions": ["start", "replay"] }`,
      'no guest can "replay"; allowed: start',
    ],
    [
      `{ "id": "a", "effect": "forbid", "principals": [{ "host": "ids" }], "actions": ["stop"] }`,
      'hosts can always stop',
    ],
    [
      `{ "id": "a", "effect": "forbid", "principals": [{ "guest": true }], "actions": ["*"], "limits": { "maxTicks": 1 } }`,
      'a forbid has no limits',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["mark"], "limits": { "maxTicks": 1 } }`,
      'maxTicks limits starts',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["mark"], "limits": { "perGigatick": { "log": 1 } } }`,
      'this rule does not permit "log"; it permits: mark',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["*"], "when": { "name": "(" } }`,
      '"(" is not a possible pattern: "(" without ")" at character 1',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["*"], "when": { "test": "a**" } }`,
      '"a**" is not a possible pattern',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["*"], "when": { "tick": { "from": 2, "to": 1 } } }`,
      'tick ends at 1, before it begins at 2',
    ],
    [
      `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["*"], "when": { "recording": false, "startedBy": "host" } }`,
      'nobody started it',
    ],
  ])('with %s is refused: %s', (rule, message) => {
    const error = errorOf(withRule(rule));
    expect(error.code).toBe('CONFIG');
    expect(error.message).toContain(message);
    expect(error.where).toMatch(/^p\.json:3:\d+$/);
  });

  it('cannot use a rule id twice, and says where it was used first', () => {
    const rule = `{ ${HEAD}, "principals": [{ "guest": true }], "actions": ["*"] }`;
    const error = errorOf(withRule(`${rule},\n${rule}`));
    expect(error.where).toBe('p.json:4:9');
    expect(error.message).toBe('the rule id "a" is taken');
    expect(error.hint).toBe('the other rule is at p.json:3:9');
  });

  it.each([
    ['[]', 'the document is []; allowed: an object'],
    ['null', 'the document is null; allowed: an object'],
    ['{"version": 1}', 'the document lacks the field "rules"'],
    ['{"version": 2, "rules": []}', 'version is 2; allowed: 1'],
    ['{"version": 1, "rules": [], "recordings": {"onFailure": "ignore"}}', 'allowed: "continue", "stop-machine"'],
    ['{"version": 1, "rules": [], "recordings": {"maxNameBytes": 5000}}', 'is 5000; allowed: 64 to 4096'],
    ['{"version": 1, "rules": [], "tokens": {"a": "x"}}', 'tokens.a is "x"; allowed: SHA-256 as 64'],
    ['{"version": 1, "rules": []', 'this is not JSON'],
  ])('%s is refused: %s', (text, message) => expect(errorOf(text).message).toContain(message));

  it('with several mistakes is refused for the first one in the text', () => {
    const error = errorOf('{ "rules": 5,\n "audit": 6,\n "version": 2 }');
    expect(error).toMatchObject({ where: 'p.json:1:12', message: 'rules is 5; allowed: a list' });
    expect(errorOf('{ "audit": 6, "rules": 5 }').message).toContain('the document lacks the field "version"');
    expect(errorOf('{ "version": 1, "audit": 6, "rules": 5 }').message).toContain('audit is 6');
  });

  it('quotes a very long value only in part', () => {
    const error = errorOf(`{"version": "${'x'.repeat(10_000)}", "rules": []}`);
    expect(error.message.length).toBeLessThan(200);
  });

  it('gives defaults for what it does not say', () => {
    const policy = Policy.parse('{"version": 1, "rules": []}', 'p');
    expect(policy).toMatchObject({ maxNameBytes: 256, keepRecordings: null, onFailure: 'continue', auditFile: null });
  });

  it('gives what it says', () => {
    const recordings = { keep: 7, onFailure: 'stop-machine', maxNameBytes: 64 } as const;
    const policy = policyOf([], { recordings, audit: 'a.jsonl' });
    expect(policy).toMatchObject({
      maxNameBytes: 64,
      keepRecordings: 7,
      onFailure: 'stop-machine',
      auditFile: 'a.jsonl',
    });
  });

  it('that is built in is what its text says', () => {
    const parsed = Policy.parse(DEFAULT_POLICY_TEXT, 'default policy');
    expect(parsed.document).toEqual(JSON.parse(JSON.stringify(defaultPolicy().document)));
    expect(defaultPolicy().rules.map(({ id }) => id)).toEqual(parsed.rules.map(({ id }) => id));
    expect(defaultPolicy().digest(hashing)).toBe(parsed.digest(hashing));
  });

  it('is known by the SHA-256 of its very text', () => {
    const digest = defaultPolicy().digest(hashing);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(Policy.parse(`${DEFAULT_POLICY_TEXT} `, 'p').digest(hashing)).not.toBe(digest);
  });

  it('says whether ring 3 could be permitted anything', () => {
    expect(policyOf([{ principals: [{ ring: 0 }] }]).admitsRing(3)).toBe(false);
    expect(policyOf([{ principals: [{ ring: [0, 3] }] }]).admitsRing(3)).toBe(true);
    expect(policyOf([{ principals: [{ codeSha256: CODE }] }]).admitsRing(3)).toBe(true);
    expect(policyOf([{ effect: 'forbid' }]).admitsRing(3)).toBe(false);
    expect(policyOf([{ principals: [{ host: true }] }]).admitsRing(3)).toBe(false);
  });

  it('says whether it looks at code hashes, and knows tokens', () => {
    expect(policyOf([{ principals: [{ codeSha256: CODE }] }]).looksAtCode).toBe(true);
    expect(policyOf([{}]).looksAtCode).toBe(false);
    expect(policyOf([], { tokens: { ci: TOKEN } }).knowsToken(TOKEN)).toBe(true);
    expect(policyOf([{ principals: [{ tokenSha256: [TOKEN] }] }]).knowsToken(TOKEN)).toBe(true);
    expect(policyOf([{}]).knowsToken(TOKEN)).toBe(false);
  });
});

describe('a policy that is replaced', () => {
  it('stays in force when the new text is invalid', () => {
    const holder = new PolicyHolder(defaultPolicy());
    const before = holder.current;
    const invalid = '{"version": 1, "rules": [{}]}';
    const where = `new.json:1:${invalid.indexOf('{}') + 1}`;
    expect(holder.replace(invalid, 'new.json')).toMatchObject({ code: 'CONFIG', where });
    expect(holder.current).toBe(before);
    expect(holder.replace('{"version": 1, "rules": []}', 'new.json')).toBeNull();
    expect(holder.current.rules).toEqual([]);
  });
});

/** Parses, or says what is wrong: anything else is a crash. */
function parsed(text: string): Policy | CodedError {
  try {
    return Policy.parse(text, 'fuzz.json');
  } catch (error) {
    expect(error).toBeInstanceOf(CodedError);
    expect(error).toMatchObject({ code: 'CONFIG', where: expect.stringMatching(/^fuzz\.json:\d+:\d+$/) as string });
    return error as CodedError;
  }
}

/** More of everything random: `POLICY_FUZZ_SCALE=50 npx vitest run test/policy/policy.test.ts --testTimeout 1000000`. */
const SCALE = Number(process.env.POLICY_FUZZ_SCALE ?? 1);

const anyDocument = documents(POLICY_SCHEMA as unknown as JsonSchema) as fc.Arbitrary<PolicyDocument>;

const anyRequest: fc.Arbitrary<PolicyRequest> = fc.record(
  {
    principal: fc
      .constantFrom(
        'host:user',
        'host:ids',
        'host:api',
        'guest:ring0',
        'guest:ring3',
        `guest:ring1,code=${CODE}`,
        `guest:ring3,token=${TOKEN},cr3=1,eip=2`,
      )
      .map(principal),
    action: fc.constantFrom(...ACTION_NAMES),
    tick: fc.oneof(fc.nat(100), fc.maxSafeNat()),
    name: fc.oneof(fc.constantFrom('a', 'boot-1'), fc.string({ unit: 'binary', maxLength: 5000 })),
    test: fc.string({ maxLength: 10 }),
    startedBy: fc.constantFrom('host:user', 'host:ids', 'guest:ring3'),
    bytes: fc.oneof(fc.nat(1000), fc.maxSafeNat()),
  },
  { requiredKeys: ['principal', 'action', 'tick'] },
);

describe('documents made from the schema', () => {
  it('are valid, or refused for what no schema can say', () => {
    let valid = 0;
    fc.assert(
      fc.property(anyDocument, (document) => {
        const result = parsed(JSON.stringify(document));
        if (result instanceof Policy) valid++;
        else expect(result.message).not.toMatch(/^(rules|tokens|recordings|the document).* (is|lacks|has no)/);
      }),
      { numRuns: 500 * SCALE },
    );
    expect(valid).toBeGreaterThan(20);
  });

  it('make decisions that are named, repeatable and consistent', () => {
    fc.assert(
      fc.property(anyDocument, fc.array(anyRequest, { minLength: 1, maxLength: 10 }), (document, requests) => {
        const policy = parsed(JSON.stringify(document));
        if (!(policy instanceof Policy)) return;
        const names = new Set<string>([...policy.rules.map((rule) => rule.id), ...Object.values(BUILT_IN_RULES)]);
        const counters = new PolicyCounters();
        const copy = new PolicyCounters();
        for (const asked of requests) {
          const decision = decide(policy, asked, counters);
          expect(names).toContain(decision.ruleId);
          expect(decision.reason.length).toBeGreaterThan(0);
          expect(decision.status === 'OK').toBe(decision.allow);
          expect(decision.grant !== null).toBe(decision.allow && asked.action === 'start');
          // The same request with counters restored from bytes is decided alike.
          copy.load(counters.save());
          expect(decide(policy, asked, copy)).toEqual(decision);
          counters.note(asked, decision);
        }
      }),
      { numRuns: 500 * SCALE },
    );
  });

  it('never allow more when a forbid is added, nor less when a permit is', () => {
    fc.assert(
      fc.property(anyDocument, anyDocument, anyRequest, (document, other, asked) => {
        const extra = other.rules.map((rule, index) => ({ ...rule, id: `extra-${index}` }));
        const tokens = { ...document.tokens, ...other.tokens };
        const recordings = document.recordings;
        const decideWith = (added: PolicyDocument['rules']): boolean | null => {
          const rules = [...added, ...document.rules];
          const policy = parsed(JSON.stringify({ ...document, rules, tokens, recordings }));
          return policy instanceof Policy ? decide(policy, asked, new PolicyCounters()).allow : null;
        };
        const plain = decideWith([]);
        const forbidden = decideWith(extra.filter((rule) => rule.effect === 'forbid'));
        const permitted = decideWith(extra.filter((rule) => rule.effect === 'permit'));
        if (plain === null) return;
        if (forbidden !== null && !plain) expect(forbidden).toBe(false);
        if (permitted !== null && plain) expect(permitted).toBe(true);
      }),
      { numRuns: 500 * SCALE },
    );
  });
});

describe('mutated policy texts', () => {
  it('never crash the parser, and errors always have a place', () => {
    const text = fc.constantFrom(...POLICY_TEMPLATE_NAMES).map((name) => templateText(name));
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3 }),
      fc.constantFrom(
        '"',
        '{',
        '}',
        '[',
        ']',
        ',',
        '0',
        '-1',
        '1e999',
        'null',
        'true',
        '[]',
        '{}',
        '"\\ud800"',
        '__proto__',
      ),
    );
    const edit = fc.record({ at: fc.nat(), drop: fc.nat(4), insert: piece });
    fc.assert(
      fc.property(text, fc.array(edit, { minLength: 1, maxLength: 4 }), (original, edits) => {
        let mutated = original;
        for (const { at, drop, insert } of edits) {
          const offset = at % (mutated.length + 1);
          mutated = mutated.slice(0, offset) + insert + mutated.slice(offset + drop);
        }
        parsed(mutated);
      }),
      { numRuns: 2000 * SCALE },
    );
  });

  it('never crash the parser where a value is another JSON value', () => {
    fc.assert(
      fc.property(fc.constantFrom(...POLICY_TEMPLATE_NAMES), fc.nat(), fc.jsonValue(), (name, at, replacement) => {
        const document = JSON.parse(templateText(name)) as unknown;
        const places: [Record<string, unknown>, string][] = [];
        const visit = (value: unknown): void => {
          if (typeof value !== 'object' || value === null) return;
          for (const key of Object.keys(value)) {
            places.push([value as Record<string, unknown>, key]);
            visit((value as Record<string, unknown>)[key]);
          }
        };
        visit(document);
        const [holder, key] = places[at % places.length]!;
        holder[key] = replacement;
        parsed(JSON.stringify(document));
      }),
      { numRuns: 1000 * SCALE },
    );
  });
});
