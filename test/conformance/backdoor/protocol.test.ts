import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from '../../../guest-agent/generate.js';
import {
  ACTION_OF,
  ACTION_ORDER,
  COMMANDS,
  commandName,
  MAGIC,
  PORT,
  STATUS,
  STATUS_TEXT,
  type CommandName,
} from '../../../src/devices/backdoor/protocol.js';
import { ACTION_NAMES } from '../../../src/policy/actions.js';

describe('the protocol of the backdoor port', () => {
  it('keeps its port, magic, commands and statuses for ever', () => {
    expect([PORT, MAGIC]).toEqual([0x5252, 0x4c454552]);
    const names = 'HELLO START STOP MARK BEGIN END VERDICT CHECK LOG STATUS AUTH PUT GET CHECKPOINT EXIT'.split(' ');
    expect(Object.entries(COMMANDS).map(([name, { number }]) => [name, number])).toEqual(names.map((n, i) => [n, i]));
    const statuses =
      'OK NOSYS DENIED RATE QUOTA BUSY NOT_RECORDING FAULT TOO_LONG INVALID RESERVED HOST_IO NOT_OWNER'.split(' ');
    expect(Object.entries(STATUS)).toEqual(statuses.map((n, i) => [n, i]));
  });

  it('finds commands by their number', () => {
    for (const name of Object.keys(COMMANDS) as CommandName[]) expect(commandName(COMMANDS[name].number)).toBe(name);
    expect(commandName(15)).toBeUndefined();
  });

  it('gives the actions of the policy the same bits', () => {
    expect(ACTION_ORDER).toEqual(ACTION_NAMES.slice(0, ACTION_ORDER.length));
    for (const action of Object.values(ACTION_OF)) expect([...ACTION_ORDER, null]).toContain(action);
  });

  it('has a text for each status that assembler and C can hold', () => {
    for (const text of Object.values(STATUS_TEXT)) expect(text).toMatch(/^[a-z][ -&(-~]*$/);
  });

  it('is what the generated files say: run npx tsx guest-agent/generate.ts after a change', async () => {
    for (const [path, text] of await generatedFiles()) {
      const committed = readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
      expect(committed === text, path).toBe(true);
    }
  });
});
