import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from '../../schemas/generate.js';
import { ACTION_NAMES, ACTIONS, actionBit, actionsOf, ALL_ACTIONS, GUEST_ACTIONS } from '../../src/policy/actions.js';
import { POLICY_SCHEMA } from '../../src/policy/policy-schema.js';
import { POLICY_TABLE_SCHEMA } from '../../src/policy/policy-table-schema.js';

const root = new URL('../../', import.meta.url);

describe('what is derived from the schemas', () => {
  it('is up to date (else: npx tsx schemas/generate.ts)', async () => {
    for (const [file, text] of await generatedFiles())
      expect(readFileSync(new URL(file, root), 'utf8'), file).toBe(text);
  });

  it('gives both ends of every range, as messages do', () => {
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      expect('minimum' in value).toBe('maximum' in value);
      if ('pattern' in value && typeof value.pattern === 'string') expect(value).toHaveProperty('description');
      Object.values(value).forEach(visit);
    };
    visit(POLICY_SCHEMA);
    visit(POLICY_TABLE_SCHEMA);
  });
});

describe('the table of actions', () => {
  it('is the one that the schemas allow', () => {
    expect(POLICY_SCHEMA.$defs.action.enum).toEqual(ACTION_NAMES);
    expect(POLICY_SCHEMA.$defs.rule.properties.actions.items.enum).toEqual(['*', ...ACTION_NAMES]);
    expect(POLICY_TABLE_SCHEMA.properties.cases.items.properties.action.enum).toEqual(ACTION_NAMES);
  });

  it('gives each action its own bit, in order', () => {
    expect(ACTION_NAMES.map(actionBit)).toEqual(ACTION_NAMES.map((_name, index) => 2 ** index));
    expect(actionsOf(ALL_ACTIONS)).toEqual(ACTION_NAMES);
    expect(actionsOf(GUEST_ACTIONS)).toEqual(ACTION_NAMES.filter((name) => !ACTIONS[name].hostOnly));
  });

  it('has the order of the bits that the backdoor tells guests', async () => {
    const file = new URL('src/devices/backdoor/protocol.ts', root);
    expect(existsSync(file)).toBe(true);
    const { ACTION_ORDER } = await import('../../src/devices/backdoor/protocol.js');
    expect(ACTION_ORDER).toEqual(actionsOf(GUEST_ACTIONS));
  });
});
