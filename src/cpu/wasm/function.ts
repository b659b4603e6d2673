import { assert } from '../../base/assert.js';
import type { Body, Label, Stmt } from '../../isa/ir/body.js';
import type { Callable, Expr, ValType } from '../../isa/ir/expr.js';
import { f32, f64, i32, i64, v128 } from '../../isa/ir/expr.js';
import type { WasmBytes } from './binary.js';
import { WasmBytes as Bytes } from './binary.js';
import { MEMORY_OPS, PLAIN_OPS, SATURATING_OPS, SIMD_LANE_OPS, SIMD_MEMORY_OPS, SIMD_OPS } from './opcodes.js';

export const VALTYPE_CODE: Readonly<Record<ValType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

const ZERO: Readonly<Record<ValType, Expr>> = {
  i32: i32.const(0),
  i64: i64.const(0n),
  f32: f32.const(0),
  f64: f64.const(0),
  v128: v128.const(new Array<number>(16).fill(0)),
};

/** Encodes one Body as the contents of a code-section entry. */
export class FunctionEncoder {
  readonly #out = new Bytes();
  readonly #labels: Label[] = [];
  readonly #float = new DataView(new ArrayBuffer(8));

  constructor(
    private readonly body: Body,
    private readonly functionIndex: (callee: Callable) => number,
    private readonly tableType: (params: readonly ValType[], result: ValType | null) => number,
  ) {}

  encode(result: ValType | null): Uint8Array {
    const { locals, parameterCount } = this.body;
    const runs: [number, ValType][] = [];
    for (const type of locals.slice(parameterCount)) {
      const last = runs[runs.length - 1];
      if (last !== undefined && last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    const out = this.#out;
    out.unsigned(runs.length);
    for (const [count, type] of runs) {
      out.unsigned(count);
      out.u8(VALTYPE_CODE[type]);
    }
    this.#block(this.body.statements);
    // Control never falls off a function with a result: its statements end in return.
    if (result !== null) out.u8(0x00);
    out.u8(0x0b);
    return out.finish();
  }

  #block(statements: readonly Stmt[]): void {
    for (const s of statements) this.#statement(s);
  }

  #depth(label: Label): number {
    const at = this.#labels.lastIndexOf(label);
    assert(at >= 0, 'branch to a label that is not open');
    return this.#labels.length - 1 - at;
  }

  #statement(s: Stmt): void {
    const out = this.#out;
    switch (s.kind) {
      case 'set':
        this.#expr(s.value);
        out.u8(0x21);
        out.unsigned(s.local.imm as number);
        return;
      case 'store':
        this.#expr(s.address);
        this.#expr(s.value);
        this.#memory(s.op, s.offset);
        return;
      case 'call':
        for (const a of s.args) this.#expr(a);
        this.#call(s.callee);
        if (s.callee.result !== null) out.u8(0x1a);
        return;
      case 'if':
        this.#expr(s.cond);
        out.raw([0x04, 0x40]);
        this.#labels.push({ kind: 'block' });
        this.#block(s.then);
        if (s.else.length > 0) {
          out.u8(0x05);
          this.#block(s.else);
        }
        this.#labels.pop();
        out.u8(0x0b);
        return;
      case 'block':
      case 'loop':
        out.raw([s.kind === 'block' ? 0x02 : 0x03, 0x40]);
        this.#labels.push(s.label);
        this.#block(s.body);
        this.#labels.pop();
        out.u8(0x0b);
        return;
      case 'br':
        if (s.cond !== null) this.#expr(s.cond);
        out.u8(s.cond === null ? 0x0c : 0x0d);
        out.unsigned(this.#depth(s.label));
        return;
      case 'brTable':
        this.#expr(s.index);
        out.u8(0x0e);
        out.unsigned(s.labels.length);
        for (const label of s.labels) out.unsigned(this.#depth(label));
        out.unsigned(this.#depth(s.fallback));
        return;
      case 'return':
        if (s.value !== null) this.#expr(s.value);
        out.u8(0x0f);
        return;
      case 'unreachable':
        out.u8(0x00);
        return;
      case 'forget':
        this.#forget(s.keep.map(({ imm }) => imm as number));
        return;
      case 'memoryCopy':
        this.#expr(s.to);
        this.#expr(s.from);
        this.#expr(s.count);
        out.raw([0xfc, 0x0a, 0x00, 0x00]);
        return;
      case 'memoryFill':
        this.#expr(s.to);
        this.#expr(s.value);
        this.#expr(s.count);
        out.raw([0xfc, 0x0b, 0x00]);
        return;
    }
  }

  #memory(op: string, offset: number): void {
    const out = this.#out;
    if (op in MEMORY_OPS) out.u8(MEMORY_OPS[op]);
    else {
      out.u8(0xfd);
      out.unsigned(SIMD_MEMORY_OPS[op]);
    }
    // Guest addresses are arbitrary: promise no alignment.
    out.u8(0);
    out.unsigned(offset);
  }

  #call(callee: Callable): void {
    if (callee.name === 'call_indirect') {
      // The table slot is the last argument.
      this.#out.u8(0x11);
      this.#out.unsigned(this.tableType(callee.params.slice(0, -1), callee.result));
      this.#out.unsigned(0);
      return;
    }
    this.#out.u8(0x10);
    this.#out.unsigned(this.functionIndex(callee));
  }

  #expr(e: Expr): void {
    const out = this.#out;
    switch (e.op) {
      case 'const':
        this.#constant(e);
        return;
      case 'local':
        out.u8(0x20);
        out.unsigned(e.imm as number);
        return;
    }
    for (const a of e.args) this.#expr(a);
    if (e.op === 'call') this.#call(e.callee!);
    else if (e.op in PLAIN_OPS) out.u8(PLAIN_OPS[e.op]);
    else if (e.op in MEMORY_OPS || e.op in SIMD_MEMORY_OPS) this.#memory(e.op, e.imm as number);
    else if (e.op in SATURATING_OPS) out.raw([0xfc, SATURATING_OPS[e.op]]);
    else if (e.op === 'i8x16.shuffle') {
      out.raw([0xfd, 0x0d]);
      out.raw(e.bytes!);
    } else {
      out.u8(0xfd);
      if (e.op in SIMD_LANE_OPS) {
        out.unsigned(SIMD_LANE_OPS[e.op]);
        out.u8(e.imm as number);
      } else {
        const code = SIMD_OPS[e.op];
        assert(code !== undefined, `no WebAssembly instruction ${e.op}`);
        out.unsigned(code);
      }
    }
  }

  /** Sets all other locals to zero, which costs nothing where nobody reads them. */
  #forget(keep: readonly number[]): void {
    const { locals, parameterCount } = this.body;
    for (let local = parameterCount; local < locals.length; local++) {
      if (keep.includes(local)) continue;
      this.#expr(ZERO[locals[local]]);
      this.#out.u8(0x21);
      this.#out.unsigned(local);
    }
  }

  #constant(e: Expr): void {
    const out = this.#out;
    switch (e.type) {
      case 'i32':
        out.u8(0x41);
        out.signed(e.imm as number);
        return;
      case 'i64':
        out.u8(0x42);
        out.signed64(e.imm as bigint);
        return;
      case 'f32':
        this.#float.setFloat32(0, e.imm as number, true);
        out.u8(0x43);
        out.raw(new Uint8Array(this.#float.buffer, 0, 4));
        return;
      case 'f64':
        this.#float.setFloat64(0, e.imm as number, true);
        out.u8(0x44);
        out.raw(new Uint8Array(this.#float.buffer, 0, 8));
        return;
      case 'v128':
        out.raw([0xfd, 0x0c]);
        out.raw(e.bytes!);
        return;
    }
  }
}

export type { WasmBytes };
