import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import { auditCommand } from '../../src/cli/commands/audit.js';
import { policyCommand } from '../../src/cli/commands/policy.js';
import { AuditLog } from '../../src/policy/audit.js';
import { DEFAULT_POLICY_TEXT, defaultPolicy } from '../../src/policy/default-policy.js';
import { Gatekeeper } from '../../src/policy/gatekeeper.js';
import { PolicyHolder } from '../../src/policy/policy-holder.js';
import { POLICY_TEMPLATE_NAMES, templateText } from '../../src/policy/templates.js';
import { hashing, request } from './samples.js';

const folder = mkdtempSync(join(tmpdir(), 'policy-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

interface Result {
  readonly out: string;
  readonly error: CodedError | null;
}

function reel(verb: 'policy' | 'audit', ...words: string[]): Result {
  let out = '';
  const write = (text: string): void => void (out += text);
  const command = verb === 'policy' ? policyCommand(write) : auditCommand(write);
  for (const part of [command, ...command.commands]) part.exitOverride().configureOutput({ writeErr: () => {} });
  try {
    command.parse(words, { from: 'user' });
    return { out, error: null };
  } catch (error) {
    if (error instanceof CodedError) return { out, error };
    throw error;
  }
}

function fits(schema: string, out: string): void {
  const text = readFileSync(new URL(`../../schemas/${schema}.schema.json`, import.meta.url), 'utf8');
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(JSON.parse(text) as object);
  expect(validate(JSON.parse(out)), JSON.stringify(validate.errors)).toBe(true);
}

const forensic = file('forensic.json', templateText('forensic'));

describe('reel policy check', () => {
  it('says that a policy is valid', () => {
    const { out, error } = reel('policy', 'check', forensic);
    expect(error).toBeNull();
    expect(out).toMatch(/forensic\.json: valid; 5 rules, of which 3 permit and 2 forbid; SHA-256 [0-9a-f]{64}\n$/);
    fits('cli-policy-check', reel('policy', 'check', forensic, '--json').out);
  });

  it('says where one is not', () => {
    const bad = file('bad.json', '{ "version": 1,\n  "rules": 5 }');
    const { out, error } = reel('policy', 'check', bad);
    expect(out).toBe('');
    expect(error).toMatchObject({ code: 'CONFIG', where: `${bad}:2:12`, message: 'rules is 5; allowed: a list' });
  });

  it('says that a file cannot be read', () => {
    expect(reel('policy', 'check', join(folder, 'none.json')).error?.code).toBe('HOST_IO');
  });
});

describe('reel policy explain', () => {
  const evidence = ['--principal', 'guest:ring3', '--action', 'stop', '--started-by', 'host:ids'];

  it('names the rule that decides, and says of the others why they do not', () => {
    const { out } = reel('policy', 'explain', forensic, ...evidence);
    expect(out).toBe(
      'deny (DENIED), decided by evidence-stays: rule evidence-stays forbids it\n' +
        '  forbid  evidence-stays  forbids it\n',
    );
    const start = reel('policy', 'explain', forensic, '--principal', 'guest:ring0', '--action', 'start', '--name', 'x');
    expect(start.out.split('\n')[0]).toBe('allow, decided by guest-raises-alarm: rule guest-raises-alarm permits it');
    expect(start.out).toContain('guest-leaves-ids-alone  its condition when.startedBy does not hold');
  });

  it('takes everything that a decision depends on', () => {
    const words = [
      '--principal',
      'guest:ring0',
      '--action',
      'start',
      '--name',
      'x',
      '--tick',
      '5e9',
      '--bytes',
      '10',
      '--json',
    ];
    const { out } = reel('policy', 'explain', 'default', ...words);
    fits('cli-policy-explain', out);
    expect(JSON.parse(out)).toMatchObject({ allow: true, grant: { endTick: 1.005e12 } });
    fits('cli-policy-explain', reel('policy', 'explain', forensic, ...evidence, '--json').out);
  });

  it.each([
    ['--principal', 'root', '--action', 'start'],
    ['--principal', 'host:user', '--action', 'begin'],
    ['--principal', 'host:user'],
    ['--principal', 'host:user', '--action', 'start', '--tick', '-1'],
    ['--principal', 'host:user', '--action', 'start', '--started-by', 'ids'],
  ])('refuses %s %s %s %s %s', (...words) => {
    expect(() => reel('policy', 'explain', forensic, ...words)).toThrow();
  });
});

describe('reel policy test', () => {
  const cases = [
    { principal: 'guest:ring0', action: 'start', name: 'a', expect: 'allow', rule: 'guest-raises-alarm' },
    { principal: 'guest:ring0', action: 'stop', expect: 'DENIED' },
  ];

  it('agrees with a table that is right', () => {
    const table = file('right.json', JSON.stringify({ cases }));
    const { out, error } = reel('policy', 'test', forensic, table);
    expect(error).toBeNull();
    expect(out).toBe('2 of 2 cases are decided as expected\n');
  });

  it('names the cases that are decided otherwise, and fails', () => {
    const wrong = [...cases, { principal: 'guest:ring3', action: 'exit', expect: 'allow' }];
    const table = file('wrong.json', `{"cases": [\n${wrong.map((item) => JSON.stringify(item)).join(',\n')}\n]}`);
    const { out, error } = reel('policy', 'test', forensic, table);
    expect(out).toContain(`${table}:4:1: guest:ring3 exit: expected allow, got DENIED by evidence-stays`);
    expect(out).toContain('2 of 3 cases are decided as expected\n');
    expect(error).toMatchObject({ code: 'CONFIG', where: forensic });
    const json = reel('policy', 'test', forensic, table, '--json').out;
    fits('cli-policy-test', json);
    expect((JSON.parse(json) as { failures: unknown[] }).failures).toHaveLength(1);
  });

  it('lets recordings of a sequence end where the policy ends them', () => {
    const limits = { maxTicks: 100, maxConcurrent: 1, cooldownTicks: 50 };
    const rule = { id: 'r', effect: 'permit', principals: [{ guest: true }], actions: ['start', 'mark'], limits };
    const marks = {
      ...rule,
      id: 'f',
      effect: 'forbid',
      actions: ['mark'],
      when: { recording: true },
      limits: undefined,
    };
    const policy = file('short.json', JSON.stringify({ version: 1, rules: [rule, marks] }));
    const at = (tick: number, action: string, expected: string) => ({
      ...{ principal: 'guest:ring0', action, name: 'n', tick, expect: expected },
    });
    const sequence = [
      at(0, 'start', 'OK'),
      at(99, 'start', 'QUOTA'),
      at(99, 'mark', 'DENIED'),
      at(100, 'mark', 'OK'),
      at(149, 'start', 'RATE'),
      at(150, 'start', 'OK'),
    ];
    const table = file('sequence.json', JSON.stringify({ sequence: true, cases: sequence }));
    expect(reel('policy', 'test', policy, table)).toMatchObject({ error: null });
    const apart = file('apart.json', JSON.stringify({ cases: sequence }));
    expect(reel('policy', 'test', policy, apart).out).toContain('3 of 6 cases');
  });

  it.each([
    ['{"cases": []}', 'at least 1 in it'],
    ['{"cases": [{"principal": "root", "action": "start", "expect": "allow"}]}', '"root" is not a principal'],
    ['{"cases": [{"principal": "host:user", "action": "start", "expect": "yes"}]}', 'allowed: "allow", "deny", "OK"'],
  ])('refuses the table %s', (text, message) => {
    const { error } = reel('policy', 'test', forensic, file('table.json', text));
    expect(error?.code).toBe('CONFIG');
    expect(error?.message).toContain(message);
  });
});

describe('reel policy init', () => {
  it.each(POLICY_TEMPLATE_NAMES)('writes the template %s, which is a valid policy', (template) => {
    const { out } = reel('policy', 'init', '--template', template);
    expect(reel('policy', 'check', file(`${template}.json`, out)).error).toBeNull();
  });

  it('writes the built-in policy unless told otherwise', () => {
    expect(reel('policy', 'init').out).toBe(DEFAULT_POLICY_TEXT);
  });

  it('writes to a file, but not over one', () => {
    const path = join(folder, 'new.json');
    const hash = '1'.repeat(64);
    const words = ['init', '--template', 'per-code-hash', '--code', hash, '-o', path];
    expect(reel('policy', ...words)).toEqual({ out: '', error: null });
    expect(readFileSync(path, 'utf8')).toBe(templateText('per-code-hash', hash));
    expect(reel('policy', ...words).error).toMatchObject({ code: 'HOST_IO', where: path });
  });

  it.each([
    ['--template', 'none'],
    ['--code', 'xyz'],
  ])('refuses %s %s', (...words) => expect(() => reel('policy', 'init', ...words)).toThrow());
});

describe('reel audit verify', () => {
  const lines: string[] = [];
  const audit = new AuditLog({ run: 'r', hashing, sink: (line) => void lines.push(line) });
  const holder = new PolicyHolder(defaultPolicy());
  const gatekeeper = new Gatekeeper({ holder, audit, hashing, wallTime: () => '' });
  for (let tick = 0; tick < 4; tick++) gatekeeper.ask(request('host:user', 'mark', { name: 'm', tick }));
  const good = file('audit.jsonl', `${lines.join('\n')}\n`);
  const broken = file('broken.jsonl', `${lines.join('\n').replace('"tick":2', '"tick":3')}\n`);

  it('says that a log is intact', () => {
    const { out, error } = reel('audit', 'verify', good);
    expect(error).toBeNull();
    expect(out).toContain(`intact; entries: 4, runs: 1, last hash: ${audit.lastHash}\n`);
    fits('cli-audit-verify', reel('audit', 'verify', good, '--json').out);
  });

  it('names the first broken line', () => {
    const { out, error } = reel('audit', 'verify', broken);
    expect(out).toBe('');
    expect(error).toMatchObject({ code: 'DAMAGED', where: `${broken}:3`, hint: 'the 2 entries before it are intact' });
    fits('cli-audit-verify', reel('audit', 'verify', broken, '--json').out);
  });

  it('finds a cut-off end by the last hash', () => {
    const cut = file('cut.jsonl', `${lines.slice(0, 2).join('\n')}\n`);
    expect(reel('audit', 'verify', good, '--last-hash', audit.lastHash).error).toBeNull();
    expect(reel('audit', 'verify', cut).error).toBeNull();
    expect(reel('audit', 'verify', cut, '--last-hash', audit.lastHash).error?.code).toBe('DAMAGED');
    expect(() => reel('audit', 'verify', cut, '--last-hash', 'x')).toThrow();
  });
});
