import { assert } from '../../base/assert.js';
import type { HostFunction, Routine } from '../../isa/ir/body.js';
import { Body } from '../../isa/ir/body.js';
import type { Callable, ValType } from '../../isa/ir/expr.js';
import { WasmBytes } from './binary.js';
import { FunctionEncoder, VALTYPE_CODE } from './function.js';

export interface ModuleOptions {
  /** Exported under their names. */
  readonly exports: readonly Routine[];
  /** Function table: placed from slot 0 on, exported as `table`. All entries share one signature. */
  readonly table?: readonly Routine[];
}

export interface BuiltModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Names of the host functions the module imports from `host`. Its memory is imported as `env.memory`. */
  readonly imports: readonly string[];
}

function isHost(callee: Callable): callee is HostFunction {
  return (callee as Partial<HostFunction>).host === true;
}

/** Assembles one WebAssembly module from routines and everything they call. */
class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: number[][] = [];
  readonly #imports: HostFunction[] = [];
  readonly #routines: Routine[] = [];
  readonly #bodies: Body[] = [];
  readonly #known = new Map<Callable, Body | null>();

  constructor(private readonly options: ModuleOptions) {}

  #type(params: readonly ValType[], result: ValType | null): number {
    const key = `${params.join(',')}->${result}`;
    const present = this.#types.indexOf(key);
    if (present >= 0) return present;
    const results = result === null ? [] : [VALTYPE_CODE[result]];
    this.#typeBytes.push([0x60, params.length, ...params.map((p) => VALTYPE_CODE[p]), results.length, ...results]);
    return this.#types.push(key) - 1;
  }

  /** Builds a routine's body and, through its calls, everything below it. */
  #collect(root: Callable): void {
    const pending: Callable[] = [root];
    while (pending.length > 0) {
      const callee = pending.pop()!;
      if (this.#known.has(callee) || callee.name === 'call_indirect') continue;
      if (isHost(callee)) {
        this.#known.set(callee, null);
        this.#imports.push(callee);
        continue;
      }
      const routine = callee as Routine;
      const body = routine.createBody?.() ?? new Body(routine.params);
      this.#known.set(callee, body);
      routine.build(body, ...routine.params.map((type, i) => body.param(i, type)));
      this.#routines.push(routine);
      this.#bodies.push(body);
      forEachCallee(body, (c) => pending.push(c));
    }
  }

  build(): BuiltModule {
    const { exports, table = [] } = this.options;
    for (const r of [...exports, ...table]) this.#collect(r);
    const indexes = new Map<Callable, number>();
    [...this.#imports, ...this.#routines].forEach((c, i) => indexes.set(c, i));
    const functionIndex = (callee: Callable): number => {
      const index = indexes.get(callee);
      assert(index !== undefined, `call of unknown function ${callee.name}`);
      return index;
    };
    const tableType = (p: readonly ValType[], r: ValType | null): number => this.#type(p, r);
    // Types are interned while encoding, so code comes first and is emitted last.
    const importTypes = this.#imports.map((f) => this.#type(f.params, f.result));
    const functionTypes = this.#routines.map((r) => this.#type(r.params, r.result));
    const code = this.#bodies.map((b, i) =>
      new FunctionEncoder(b, functionIndex, tableType).encode(this.#routines[i].result),
    );

    const out = new WasmBytes();
    out.raw([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    const section = (id: number, write: (s: WasmBytes) => void): void => {
      const s = new WasmBytes();
      write(s);
      out.u8(id);
      out.unsigned(s.length);
      out.raw(s.finish());
    };
    section(1, (s) => {
      s.unsigned(this.#typeBytes.length);
      for (const t of this.#typeBytes) s.raw(t);
    });
    section(2, (s) => {
      s.unsigned(this.#imports.length + 1);
      s.name('env');
      s.name('memory');
      s.raw([0x02, 0x00, 0x01]);
      this.#imports.forEach((f, i) => {
        s.name('host');
        s.name(f.name);
        s.u8(0x00);
        s.unsigned(importTypes[i]);
      });
    });
    section(3, (s) => {
      s.unsigned(functionTypes.length);
      for (const t of functionTypes) s.unsigned(t);
    });
    if (table.length > 0) {
      section(4, (s) => {
        s.raw([0x01, 0x70, 0x00]);
        s.unsigned(table.length);
      });
    }
    section(7, (s) => {
      s.unsigned(exports.length);
      for (const r of exports) {
        s.name(r.name);
        s.u8(0x00);
        s.unsigned(functionIndex(r));
      }
    });
    if (table.length > 0) {
      section(9, (s) => {
        s.raw([0x01, 0x00, 0x41, 0x00, 0x0b]);
        s.unsigned(table.length);
        for (const r of table) s.unsigned(functionIndex(r));
      });
    }
    section(10, (s) => {
      s.unsigned(code.length);
      for (const c of code) {
        s.unsigned(c.length);
        s.raw(c);
      }
    });
    return { bytes: out.finish(), imports: this.#imports.map((f) => f.name) };
  }
}

function forEachCallee(body: Body, visit: (callee: Callable) => void): void {
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) walk(item);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const node = value as { callee?: Callable; kind?: string };
    if (node.callee !== undefined) visit(node.callee);
    for (const key of ['args', 'value', 'address', 'cond', 'then', 'else', 'body', 'index', 'to', 'from', 'count']) {
      const child = (value as Record<string, unknown>)[key];
      if (typeof child === 'object') walk(child);
    }
  };
  walk(body.statements);
}

/** WebAssembly module with the given routines; it imports `env.memory` and the host functions used. */
export function buildModule(options: ModuleOptions): BuiltModule {
  return new ModuleBuilder(options).build();
}
