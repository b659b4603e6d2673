import type { Instruction } from '../isa/instruction.js';
import { Decoder } from './decode/decoder.js';
import { OpcodeMap } from './decode/opcode-map.js';
import type { InterpreterCode } from './interpreter/handlers.js';
import { generateInterpreter } from './interpreter/handlers.js';
import { FormSupport } from './region/form-support.js';
import type { RegionCode } from './region/region-tier.js';

/**
 * Everything generated from the instruction table for one set of CPUID features: decoder tables and the compiled
 * interpreter. Immutable; machines share it.
 */
export class CpuCode {
  readonly opcodes: OpcodeMap;
  readonly interpreter: InterpreterCode;
  readonly module: WebAssembly.Module;
  readonly regionCode: RegionCode;

  constructor(table: readonly Instruction[], features: ReadonlySet<string>) {
    this.opcodes = new OpcodeMap(table, features);
    this.interpreter = generateInterpreter(this.opcodes.forms);
    const { formOfSlot, leavesOfSlot, module } = this.interpreter;
    this.regionCode = { formOfSlot, leavesOfSlot, exported: module.exported, support: new FormSupport() };
    this.module = new WebAssembly.Module(this.interpreter.module.bytes);
  }

  decoder(): Decoder {
    return new Decoder(this.opcodes);
  }
}
