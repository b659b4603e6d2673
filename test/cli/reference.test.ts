import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { VERBS } from '../../src/cli/declarations.js';
import { cliReference } from '../../src/cli/reference.js';

const root = new URL('../../', import.meta.url);

it('docs/cli.md is what the declarations say', async () => {
  await expect(cliReference()).toMatchFileSnapshot(fileURLToPath(new URL('docs/cli.md', root)));
});

it('every schema that a verb names exists and is valid JSON', () => {
  for (const verb of VERBS) {
    if (!('jsonSchema' in verb)) continue;
    expect(JSON.parse(readFileSync(new URL(verb.jsonSchema, root), 'utf8'))).toHaveProperty('$schema');
  }
});

it('no verb declares an option twice, under whatever dash', () => {
  for (const { name, options } of VERBS) {
    const names = options.flatMap((option) => [option.name, ...('short' in option ? [option.short] : [])]);
    expect(new Set(names).size, name).toBe(names.length);
  }
});
