import { DS, ES, SS, CS, FS, GS } from '../../isa/cpu-state.js';
import type { Form } from './form.js';
import type { OpcodeMap } from './opcode-map.js';

/** Longest instruction, bytes (SDM volume 2, 2.3.11). */
export const MAX_INSTRUCTION_BYTES = 15;

/** No base or no index register. */
export const NO_REGISTER = -1;

/** One instruction taken apart. Register numbers are ModRM numbers. */
export interface Decoded {
  /** null: undefined opcode (#UD), or an illegal LOCK. */
  form: Form | null;
  length: number;
  opcode: number;
  modrm: number;
  /** Effective segment of the memory operand. */
  segment: number;
  /** The override alone, -1 when there is none: string sources and XLAT use it. */
  base: number;
  index: number;
  scale: number;
  displacement: number;
  immediate: number;
  immediate2: number;
  address32: boolean;
  /** 0, F2 or F3. */
  repeat: 0 | 0xf2 | 0xf3;
}

export type DecodeOutcome = 'ok' | 'short' | 'too-long';

const MODRM16: readonly (readonly [number, number])[] = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, -1],
  [7, -1],
  [5, -1],
  [3, -1],
];

const SEGMENT_PREFIX: Record<number, number> = { 0x26: ES, 0x2e: CS, 0x36: SS, 0x3e: DS, 0x64: FS, 0x65: GS };

/** Decodes from a byte window; reuses one result object. */
export class Decoder {
  readonly result: Decoded = {
    form: null,
    length: 0,
    opcode: 0,
    modrm: 0,
    segment: DS,
    base: -1,
    index: -1,
    scale: 0,
    displacement: 0,
    immediate: 0,
    immediate2: 0,
    address32: true,
    repeat: 0,
  };
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  constructor(private readonly map: OpcodeMap) {}

  /**
   * Decodes the instruction at `bytes[start]`, reading no further than `end`. 'short': more bytes are needed.
   * 'too-long': over 15 bytes (#GP). On 'ok' the result is in `result`; its form is null for #UD.
   */
  decode(bytes: Uint8Array, start: number, end: number, code32: boolean): DecodeOutcome {
    this.#bytes = bytes;
    this.#at = start;
    const limit = start + MAX_INSTRUCTION_BYTES;
    this.#end = Math.min(end, limit);
    try {
      this.#decode(start, code32);
    } catch (e) {
      if (e !== OUT_OF_BYTES) throw e;
      return this.#end === limit ? 'too-long' : 'short';
    }
    return 'ok';
  }

  #u8(): number {
    if (this.#at >= this.#end) throw OUT_OF_BYTES;
    return this.#bytes[this.#at++];
  }
  #s8(): number {
    return (this.#u8() << 24) >> 24;
  }
  #u16(): number {
    const low = this.#u8();
    return low | (this.#u8() << 8);
  }
  #u32(): number {
    const low = this.#u16();
    return low | (this.#u16() << 16);
  }

  #decode(start: number, code32: boolean): void {
    const r = this.result;
    let override = -1;
    let operandOverride = false;
    let addressOverride = false;
    let lock = false;
    let repeat: 0 | 0xf2 | 0xf3 = 0;
    let opcode: number;
    for (;;) {
      opcode = this.#u8();
      const segment = SEGMENT_PREFIX[opcode];
      if (segment !== undefined) override = segment;
      else if (opcode === 0x66) operandOverride = true;
      else if (opcode === 0x67) addressOverride = true;
      else if (opcode === 0xf0) lock = true;
      else if (opcode === 0xf2 || opcode === 0xf3) repeat = opcode;
      else break;
    }
    let map: 0 | 1 = 0;
    if (opcode === 0x0f) {
      map = 1;
      opcode = this.#u8();
    }
    const operandSize = code32 !== operandOverride ? 32 : 16;
    r.address32 = code32 !== addressOverride;
    r.opcode = opcode;
    r.repeat = repeat;
    r.base = r.index = NO_REGISTER;
    r.scale = r.displacement = r.immediate = r.immediate2 = 0;
    r.segment = override >= 0 ? override : DS;
    r.modrm = this.map.hasModrm(map, opcode) ? this.#u8() : 0;
    const form = this.map.resolve(map, opcode, { operandSizeOverride: operandOverride, repeat }, r.modrm, operandSize);
    r.form = form;
    if (form !== null) {
      const { operands, modrm } = form.encoding;
      if (modrm !== null && r.modrm < 0xc0) {
        if (r.address32) this.#address32(override);
        else this.#address16(override);
      }
      this.#immediates(operands, operandSize);
      const { lock: lockable } = form.encoding.instruction.options;
      if (lock && !(lockable && form.memory)) r.form = null;
    }
    r.length = this.#at - start;
  }

  #address32(override: number): void {
    const r = this.result;
    const mod = r.modrm >> 6;
    const rm = r.modrm & 7;
    let base = rm;
    if (rm === 4) {
      const sib = this.#u8();
      r.scale = sib >> 6;
      base = sib & 7;
      const index = (sib >> 3) & 7;
      if (index !== 4) r.index = index;
    }
    if (base === 5 && mod === 0) {
      r.displacement = this.#u32();
    } else {
      r.base = base;
      if ((base === 4 || base === 5) && override < 0) r.segment = SS;
    }
    if (mod === 1) r.displacement = this.#s8();
    else if (mod === 2) r.displacement = this.#u32();
  }

  #address16(override: number): void {
    const r = this.result;
    const mod = r.modrm >> 6;
    const rm = r.modrm & 7;
    if (mod === 0 && rm === 6) {
      r.displacement = this.#u16();
      return;
    }
    [r.base, r.index] = MODRM16[rm];
    if (r.base === 5 && override < 0) r.segment = SS;
    if (mod === 1) r.displacement = this.#s8();
    else if (mod === 2) r.displacement = (this.#u16() << 16) >> 16;
  }

  #immediates(operands: Form['encoding']['operands'], operandSize: 16 | 32): void {
    const r = this.result;
    const which = operandSize === 32 ? 1 : 0;
    let first = true;
    for (const o of operands) {
      if (o.source === 'offset') {
        r.displacement = r.address32 ? this.#u32() : this.#u16();
        continue;
      }
      const count = o.immediateBytes[which];
      if (count === 0) continue;
      let value: number;
      if (o.source === 'farPointer') {
        r.immediate = count === 6 ? this.#u32() : this.#u16();
        r.immediate2 = this.#u16();
        continue;
      }
      if (count === 1) value = o.signExtend ? this.#s8() : this.#u8();
      else if (count === 2) value = o.signExtend ? (this.#u16() << 16) >> 16 : this.#u16();
      else value = this.#u32();
      if (first) r.immediate = value;
      else r.immediate2 = value;
      first = false;
    }
  }
}

/** Thrown and caught inside this file; not an error. */
const OUT_OF_BYTES = Symbol('out of bytes');
