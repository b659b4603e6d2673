import type { Instruction } from '../isa/instruction.js';
import { Decoder } from './decode/decoder.js';
import { OpcodeMap } from './decode/opcode-map.js';
import { generateInterpreter } from './interpreter/handlers.js';
import { engineCode, loadInterpreter, type EngineCode } from './interpreter/stored-interpreter.js';
import { FormSupport } from './region/form-support.js';
import type { RegionCode, RegionCompiler } from './region/region-compiler.js';
import { immediateCompiler } from './region/region-compiler.js';

export interface CpuCodeOptions {
  /** Makes what compiles while the guest runs, if there is such a thing. */
  readonly createBackground?: (immediate: RegionCompiler) => RegionCompiler;
  /** The interpreter for this table and these features, generated before: see stored-interpreter.ts. */
  readonly storedInterpreter?: Uint8Array | null;
}

/**
 * Everything generated from the instruction table for one set of CPUID features: decoder tables, the
 * interpreter and what compiles regions. Machines share it.
 */
export class CpuCode {
  readonly opcodes: OpcodeMap;
  readonly interpreter: EngineCode;
  /** Compiles while the guest waits. */
  readonly immediate: RegionCompiler;
  /** Compiles in whatever way keeps the guest running. */
  readonly background: RegionCompiler;
  #regionCode: RegionCode | null = null;
  #module: WebAssembly.Module | null = null;

  constructor(table: readonly Instruction[], features: ReadonlySet<string>, options: CpuCodeOptions = {}) {
    this.opcodes = new OpcodeMap(table, features);
    const { storedInterpreter = null, createBackground } = options;
    const loaded = storedInterpreter === null ? null : loadInterpreter(storedInterpreter, this.opcodes.forms);
    this.interpreter = loaded ?? engineCode(generateInterpreter(this.opcodes.forms));
    this.immediate = immediateCompiler(() => this.regionCode);
    this.background = createBackground?.(this.immediate) ?? this.immediate;
  }

  /** What compiles regions. */
  get regionCode(): RegionCode {
    const { formOfSlot, leavesOfSlot, exported } = this.interpreter;
    return (this.#regionCode ??= {
      formOfSlot,
      leavesOfSlot,
      exported: new Set(exported),
      support: new FormSupport(),
    });
  }

  /** The interpreter, compiled when it is first wanted. */
  get module(): WebAssembly.Module {
    return (this.#module ??= new WebAssembly.Module(this.interpreter.bytes));
  }

  decoder(): Decoder {
    return new Decoder(this.opcodes);
  }
}
