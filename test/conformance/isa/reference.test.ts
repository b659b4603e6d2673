import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { instructionReference } from '../../../src/isa/reference.js';
import { INSTRUCTIONS } from '../../../src/isa/table.js';
import { UNDEFINED_OPCODES } from '../../../src/isa/undefined-opcodes.js';

it('docs/instructions.md is what the instruction table says', async () => {
  const file = fileURLToPath(new URL('../../../docs/instructions.md', import.meta.url));
  await expect(instructionReference(INSTRUCTIONS, UNDEFINED_OPCODES)).toMatchFileSnapshot(file);
});
