import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Policy } from '../../src/policy/policy.js';
import { runPolicyTable } from '../../src/policy/policy-table.js';
import { POLICY_SCHEMA } from '../../src/policy/policy-schema.js';
import { POLICY_TEMPLATES, templateText, type PolicyTemplate } from '../../src/policy/templates.js';

const COOKBOOK = 'docs/policy-cookbook.md';
const text = readFileSync(new URL(`../../${COOKBOOK}`, import.meta.url), 'utf8');

const RECIPES: readonly [heading: string, template: PolicyTemplate][] = [
  ['Test harness', 'harness'],
  ['Forensic', 'forensic'],
  ['Locked down', 'locked-down'],
  ['Per code hash', 'per-code-hash'],
];

function blocksUnder(heading: string): string[] {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^```json\n(.*?)^```$/gms)].map((match) => match[1]!);
}

describe('the policy cookbook', () => {
  it.each(RECIPES)('shows under "%s" the template %s, which decides as its table says', (heading, template) => {
    const [policyText = '', table = '', ...rest] = blocksUnder(heading);
    expect(rest).toEqual([]);
    expect(JSON.parse(policyText)).toEqual(POLICY_TEMPLATES[template]);
    const policy = Policy.parse(policyText, COOKBOOK);
    const { cases, failures } = runPolicyTable(policy, table, COOKBOOK);
    expect(failures).toEqual([]);
    expect(cases).toBeGreaterThan(4);
    // And the table can fail: nothing is allowed without the rules.
    const nothing = Policy.parse('{"version": 1, "rules": []}', 'nothing');
    expect(runPolicyTable(nothing, table, COOKBOOK).failures.length).toBeGreaterThan(0);
  });

  it('shows no other examples', () => {
    expect([...text.matchAll(/^```json$/gm)]).toHaveLength(RECIPES.length * 2);
  });

  it('lists every limit', () => {
    for (const limit of Object.keys(POLICY_SCHEMA.$defs.limits.properties)) expect(text).toContain(`| \`${limit}\``);
  });

  it('has the agent of a per-code-hash policy filled in', () => {
    const hash = 'e'.repeat(64);
    const policy = Policy.parse(templateText('per-code-hash', hash), 'p');
    expect(policy.document.rules[0]!.principals[0]!.codeSha256).toEqual([hash]);
  });
});
