import { describe, expect, it } from 'vitest';
import { compiledAlone } from '../../../src/cpu/region/form-support.js';
import { forEachCallee } from '../../../src/cpu/wasm/module.js';
import { CpuCode } from '../../../src/cpu/code.js';
import { engineCode, loadInterpreter, storeInterpreter } from '../../../src/cpu/interpreter/stored-interpreter.js';
import { generateInterpreter } from '../../../src/cpu/interpreter/handlers.js';
import { createCpuCode } from '../../../src/host/cpu-model.js';
import { INSTRUCTIONS } from '../../../src/isa/table.js';

describe('a stored interpreter', () => {
  const { interpreter, opcodes } = createCpuCode();
  const stored = storeInterpreter(interpreter, opcodes.forms);

  it('comes back as it was generated', () => {
    expect(loadInterpreter(stored, opcodes.forms)).toEqual(interpreter);
    expect(engineCode(generateInterpreter(opcodes.forms)).bytes).toEqual(interpreter.bytes);
  });

  it('is not taken for another set of instructions', () => {
    const other = new CpuCode(INSTRUCTIONS, new Set(['fpu']), { storedInterpreter: stored });
    expect(other.interpreter.bytes).not.toEqual(interpreter.bytes);
    expect(other.interpreter.handlers).toHaveLength(other.opcodes.forms.length);
  });

  it('makes the same regions', () => {
    const loaded = createCpuCode({ storedInterpreter: stored });
    expect(loaded.regionCode).toEqual(createCpuCode().regionCode);
  });

  // Regions call them by name: another routine of that name would be called without a word.
  it('has every routine that a region calls, and no other under its name', () => {
    const { exported } = generateInterpreter(opcodes.forms).module;
    let calls = 0;
    for (const form of opcodes.forms) {
      const code = compiledAlone(form);
      if (code === null) continue;
      forEachCallee(code, (callee) => {
        calls++;
        if (exported.get(callee.name) !== callee) expect.fail(`${form.encoding.instruction.mnemonic}: ${callee.name}`);
      });
    }
    expect(calls).toBeGreaterThan(500);
  });
});
