import type { Instruction } from '../isa/instruction.js';
import { Decoder } from './decode/decoder.js';
import { OpcodeMap } from './decode/opcode-map.js';
import type { InterpreterCode } from './interpreter/handlers.js';
import { generateInterpreter } from './interpreter/handlers.js';
import { FormSupport } from './region/form-support.js';
import type { RegionCode, RegionCompiler } from './region/region-compiler.js';
import { immediateCompiler } from './region/region-compiler.js';

/**
 * Everything generated from the instruction table for one set of CPUID features: decoder tables, the
 * interpreter and what compiles regions. Machines share it.
 */
export class CpuCode {
  readonly opcodes: OpcodeMap;
  readonly interpreter: InterpreterCode;
  readonly regionCode: RegionCode;
  /** Compiles while the guest waits. */
  readonly immediate: RegionCompiler;
  /** Compiles in whatever way keeps the guest running. */
  readonly background: RegionCompiler;
  #module: WebAssembly.Module | null = null;

  constructor(
    table: readonly Instruction[],
    features: ReadonlySet<string>,
    /** Makes what compiles while the guest runs, if there is such a thing. */
    createBackground?: (immediate: RegionCompiler) => RegionCompiler,
  ) {
    this.opcodes = new OpcodeMap(table, features);
    this.interpreter = generateInterpreter(this.opcodes.forms);
    const { formOfSlot, leavesOfSlot, module } = this.interpreter;
    this.regionCode = { formOfSlot, leavesOfSlot, exported: module.exported, support: new FormSupport() };
    this.immediate = immediateCompiler(this.regionCode);
    this.background = createBackground?.(this.immediate) ?? this.immediate;
  }

  /** The interpreter, compiled when it is first wanted. */
  get module(): WebAssembly.Module {
    return (this.#module ??= new WebAssembly.Module(this.interpreter.module.bytes));
  }

  decoder(): Decoder {
    return new Decoder(this.opcodes);
  }
}
