import { createHashing } from '../../src/host/hashing.js';
import type { Action } from '../../src/policy/actions.js';
import type { PolicyRequest } from '../../src/policy/decision.js';
import { Policy } from '../../src/policy/policy.js';
import type { PolicyDocument, Rule } from '../../src/policy/policy-document.js';
import { parsePrincipal, type Principal } from '../../src/policy/principal.js';

export const hashing = createHashing();
export const CODE = 'c'.repeat(64);
export const TOKEN = 'd'.repeat(64);

/** A policy of these rules; what a rule leaves out permits guests everything. */
export function policyOf(rules: Partial<Rule>[], rest: Partial<PolicyDocument> = {}): Policy {
  const filled = rules.map((rule, index) => ({
    id: `rule-${index}`,
    effect: 'permit',
    principals: [{ guest: true }],
    actions: ['*'],
    ...rule,
  }));
  return Policy.parse(JSON.stringify({ version: 1, rules: filled, ...rest }), 'test.json');
}

export function principal(text: string): Principal {
  const found = parsePrincipal(text);
  if (found === null) throw new Error(`no principal: ${text}`);
  return found;
}

export function request(who: string, action: Action, rest: Partial<PolicyRequest> = {}): PolicyRequest {
  return { principal: principal(who), action, tick: 0, ...rest };
}
