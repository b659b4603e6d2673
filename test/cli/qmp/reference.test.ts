import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { qmpReference } from '../../../src/cli/qmp/qmp-reference.js';

it('docs/qmp.md is what the tables of commands and events say', async () => {
  const file = new URL('../../../docs/qmp.md', import.meta.url);
  await expect(qmpReference()).toMatchFileSnapshot(fileURLToPath(file));
});
