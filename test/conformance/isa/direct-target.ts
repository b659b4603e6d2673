import type { FinalState, Vector, VectorTarget } from '../../../src/cli/vectors/vector.js';
import { CODE_ADDRESS, INT3, SCRATCH_ADDRESS, VECTOR_PAGE_BYTES } from '../../../src/cli/vectors/vector.js';
import { Decoder } from '../../../src/cpu/decode/decoder.js';
import { OpcodeMap } from '../../../src/cpu/decode/opcode-map.js';
import { ECX, EXCEPTION, FLAG, SS, STATE, gprSlot } from '../../../src/isa/cpu-state.js';
import { INTEGER_INSTRUCTIONS } from '../../../src/isa/integer/table.js';
import type { GuestMemory } from './direct-execution.js';
import { DirectExecution, Fault, TrapTaken } from './direct-execution.js';

const ARITHMETIC = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

/** The two pages of a vector. User mode: error codes have U/S set. */
class VectorMemory implements GuestMemory {
  readonly code = new Uint8Array(VECTOR_PAGE_BYTES);
  readonly scratch = new Uint8Array(VECTOR_PAGE_BYTES);

  #byte(linear: number, write: boolean): [Uint8Array, number] {
    for (const [page, base] of [
      [this.scratch, SCRATCH_ADDRESS],
      [this.code, CODE_ADDRESS],
    ] as const) {
      const offset = linear - base;
      if (offset >= 0 && offset < VECTOR_PAGE_BYTES) return [page, offset];
    }
    throw new Fault(EXCEPTION.PF, write ? 6 : 4, linear);
  }
  read(linear: number, bytes: number): bigint {
    let value = 0n;
    for (let i = 0; i < bytes; i++) {
      const [page, offset] = this.#byte((linear + i) >>> 0, false);
      value |= BigInt(page[offset]) << BigInt(8 * i);
    }
    return value;
  }
  probe(linear: number, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.#byte((linear + i) >>> 0, true);
  }
  write(linear: number, bytes: number, value: bigint): void {
    this.probe(linear, bytes);
    for (let i = 0; i < bytes; i++) {
      const [page, offset] = this.#byte((linear + i) >>> 0, true);
      page[offset] = Number((value >> BigInt(8 * i)) & 0xffn);
    }
  }
}

/** Runs integer vectors by direct execution of the semantics. */
export class DirectTarget implements VectorTarget {
  readonly #memory = new VectorMemory();
  readonly #machine = new DirectExecution(this.#memory);
  readonly #decoder = new Decoder(new OpcodeMap(INTEGER_INSTRUCTIONS, new Set(['CX8', 'CMOV', 'SEP', 'TSC', 'MSR'])));

  load({ code, initial }: Vector): void {
    const { state } = this.#machine;
    this.#memory.code.fill(INT3);
    this.#memory.code.set(code);
    this.#memory.scratch.set(initial.memory);
    initial.r.forEach((value, i) => state.setUint32(gprSlot(i), value, true));
    state.setInt32(STATE.eflagsRest, initial.f & ~ARITHMETIC, true);
    state.setInt32(STATE.segAccess + 4 * SS, 0x4000, true);
    this.#machine.arithmeticFlags = initial.f & ARITHMETIC;
  }

  run(): FinalState {
    let eip = CODE_ADDRESS;
    try {
      while (this.#memory.read(eip, 1) !== BigInt(INT3)) eip = this.#step(eip);
    } catch (e) {
      if (e instanceof TrapTaken) return this.#end(e.eip, { e: e.vector });
      if (!(e instanceof Fault)) throw e;
      return this.#end(eip, { e: e.vector, ec: e.errorCode, cr2: e.address });
    }
    return this.#end(eip, {});
  }

  /** One instruction, with all its REP iterations. */
  #step(eip: number): number {
    const outcome = this.#decoder.decode(this.#memory.code, eip - CODE_ADDRESS, VECTOR_PAGE_BYTES, true);
    if (outcome !== 'ok') throw new Error(`decoding ended with ${outcome}`);
    const decoded = this.#decoder.result;
    const kind = decoded.form?.encoding.instruction.options.string;
    if (kind === undefined || decoded.repeat === 0) return this.#machine.execute(decoded, eip);
    const { state } = this.#machine;
    const counter = gprSlot(ECX);
    while (state.getUint32(counter, true) !== 0) {
      this.#machine.execute(decoded, eip);
      state.setUint32(counter, state.getUint32(counter, true) - 1, true);
      const zf = (this.#machine.arithmeticFlags & FLAG.ZF) !== 0;
      if (kind === 'compare' && zf !== (decoded.repeat === 0xf3)) break;
    }
    return eip + decoded.length;
  }

  #end(eip: number, exception: Pick<FinalState, 'e' | 'ec' | 'cr2'>): FinalState {
    const { state, arithmeticFlags } = this.#machine;
    return {
      r: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => state.getUint32(gprSlot(i), true)),
      f: state.getInt32(STATE.eflagsRest, true) | arithmeticFlags,
      ip: (eip - CODE_ADDRESS) >>> 0,
      ...exception,
      memory: this.#memory.scratch.slice(),
    };
  }
}
