import { assert } from '../../base/assert.js';
import type { HostFunction, Routine, Stmt } from '../../isa/ir/body.js';
import { Body } from '../../isa/ir/body.js';
import type { Callable, Expr, ValType } from '../../isa/ir/expr.js';
import { WasmBytes } from './binary.js';
import { FunctionEncoder, VALTYPE_CODE } from './function.js';

export interface ModuleOptions {
  /** Exported under their names. */
  readonly exports: readonly Routine[];
  /** Function table: placed from slot 0 on, exported as `table`. All entries share one signature. */
  readonly table?: readonly Routine[];
  /** Slots that the table has besides, for functions of other modules. */
  readonly spareSlots?: number;
  /** Also exports every routine that those above call under its name, for other modules to import. */
  readonly exportCallees?: boolean;
}

export interface BuiltModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Names of the host functions the module imports from `host`. Its memory is imported as `env.memory`. */
  readonly imports: readonly string[];
  /** What it exports, by name. */
  readonly exported: ReadonlyMap<string, Routine>;
}

function isHost(callee: Callable): callee is HostFunction {
  return (callee as Partial<HostFunction>).host === true;
}

interface ModuleParts {
  readonly types: readonly (readonly number[])[];
  readonly imports: readonly { readonly module: string; readonly name: string; readonly type: number }[];
  /** Type of each function. */
  readonly functions: readonly number[];
  readonly table: { readonly slots: number; readonly functions: readonly number[] };
  readonly exports: readonly { readonly name: string; readonly index: number }[];
  readonly code: readonly Uint8Array[];
}

/** A module that imports `env.memory` and what `parts` names. */
function assemble(parts: ModuleParts): Uint8Array<ArrayBuffer> {
  const out = new WasmBytes();
  out.raw([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  const section = (id: number, write: (s: WasmBytes) => void): void => {
    const s = new WasmBytes();
    write(s);
    out.u8(id);
    out.unsigned(s.length);
    out.raw(s.finish());
  };
  const { types, imports, functions, table, exports, code } = parts;
  section(1, (s) => {
    s.unsigned(types.length);
    for (const t of types) s.raw(t);
  });
  section(2, (s) => {
    s.unsigned(imports.length + 1);
    s.name('env');
    s.name('memory');
    s.raw([0x02, 0x00, 0x01]);
    for (const { module, name, type } of imports) {
      s.name(module);
      s.name(name);
      s.u8(0x00);
      s.unsigned(type);
    }
  });
  section(3, (s) => {
    s.unsigned(functions.length);
    for (const t of functions) s.unsigned(t);
  });
  if (table.slots > 0) {
    section(4, (s) => {
      s.raw([0x01, 0x70, 0x00]);
      s.unsigned(table.slots);
    });
  }
  section(7, (s) => {
    s.unsigned(exports.length + (table.slots > 0 ? 1 : 0));
    for (const { name, index } of exports) {
      s.name(name);
      s.u8(0x00);
      s.unsigned(index);
    }
    if (table.slots > 0) {
      s.name('table');
      s.raw([0x01, 0x00]);
    }
  });
  if (table.functions.length > 0) {
    section(9, (s) => {
      s.raw([0x01, 0x00, 0x41, 0x00, 0x0b]);
      s.unsigned(table.functions.length);
      for (const index of table.functions) s.unsigned(index);
    });
  }
  section(10, (s) => {
    s.unsigned(code.length);
    for (const c of code) {
      s.unsigned(c.length);
      s.raw(c);
    }
  });
  return out.finish();
}

/** Interned function types. */
class Types {
  readonly #keys: string[] = [];
  readonly bytes: number[][] = [];

  of(params: readonly ValType[], result: ValType | null): number {
    const key = `${params.join(',')}->${result}`;
    const present = this.#keys.indexOf(key);
    if (present >= 0) return present;
    const results = result === null ? [] : [VALTYPE_CODE[result]];
    this.bytes.push([0x60, params.length, ...params.map((p) => VALTYPE_CODE[p]), results.length, ...results]);
    return this.#keys.push(key) - 1;
  }
}

/** Assembles one WebAssembly module from routines and everything they call. */
class ModuleBuilder {
  readonly #types = new Types();
  readonly #imports: Callable[] = [];
  readonly #routines: Routine[] = [];
  readonly #bodies: Body[] = [];
  readonly #known = new Map<Callable, Body | null>();

  constructor(private readonly options: ModuleOptions) {}

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
    const { exports, table = [], spareSlots = 0, exportCallees = false } = this.options;
    for (const r of [...exports, ...table]) this.#collect(r);
    const indexes = new Map<Callable, number>();
    [...this.#imports, ...this.#routines].forEach((c, i) => indexes.set(c, i));
    const functionIndex = (callee: Callable): number => {
      const index = indexes.get(callee);
      assert(index !== undefined, `call of unknown function ${callee.name}`);
      return index;
    };
    const tableType = (p: readonly ValType[], r: ValType | null): number => this.#types.of(p, r);
    // Types are interned while encoding, so code comes first and is emitted last.
    const importTypes = this.#imports.map((f) => this.#types.of(f.params, f.result));
    const functionTypes = this.#routines.map((r) => this.#types.of(r.params, r.result));
    const code = this.#bodies.map((b, i) =>
      new FunctionEncoder(b, functionIndex, tableType).encode(this.#routines[i].result),
    );

    const exported = new Map<string, Routine>();
    const handlers = new Set(table);
    for (const r of exportCallees ? this.#routines.filter((r) => !handlers.has(r)) : exports) {
      assert(!exported.has(r.name), `two routines with the name ${r.name}`);
      exported.set(r.name, r);
    }
    const bytes = assemble({
      types: this.#types.bytes,
      imports: this.#imports.map((f, i) => ({ module: 'host', name: f.name, type: importTypes[i] })),
      functions: functionTypes,
      table: { slots: table.length === 0 ? 0 : table.length + spareSlots, functions: table.map(functionIndex) },
      exports: [...exported].map(([name, r]) => ({ name, index: functionIndex(r) })),
      code,
    });
    return { bytes, imports: this.#imports.map((f) => f.name), exported };
  }
}

/** Visits the callee of each call in a function. */
export function forEachCallee(body: Body, visit: (callee: Callable) => void): void {
  const expression = (e: Expr): void => {
    if (e.callee !== undefined) visit(e.callee);
    for (const argument of e.args) expression(argument);
  };
  const statements = (list: readonly Stmt[]): void => {
    for (const s of list) statement(s);
  };
  const statement = (s: Stmt): void => {
    switch (s.kind) {
      case 'set':
        expression(s.value);
        return;
      case 'store':
        expression(s.address);
        expression(s.value);
        return;
      case 'call':
        visit(s.callee);
        for (const argument of s.args) expression(argument);
        return;
      case 'if':
        expression(s.cond);
        statements(s.then);
        statements(s.else);
        return;
      case 'block':
      case 'loop':
        statements(s.body);
        return;
      case 'br':
        if (s.cond !== null) expression(s.cond);
        return;
      case 'brTable':
        expression(s.index);
        return;
      case 'return':
        if (s.value !== null) expression(s.value);
        return;
      case 'memoryCopy':
        for (const e of [s.to, s.from, s.count]) expression(e);
        return;
      case 'memoryFill':
        for (const e of [s.to, s.value, s.count]) expression(e);
        return;
      case 'unreachable':
      case 'forget':
    }
  };
  statements(body.statements);
}

/** WebAssembly module with the given routines; it imports `env.memory` and the host functions used. */
export function buildModule(options: ModuleOptions): BuiltModule {
  return new ModuleBuilder(options).build();
}

/**
 * Module with one routine that calls nothing but routines of another module: they are imported from `core` under their
 * names, which are among `external`. Needs no walk over the code to link it.
 */
export function buildImportingModule(routine: Routine, external: ReadonlySet<string>): Uint8Array<ArrayBuffer> {
  const body = routine.createBody?.() ?? new Body(routine.params);
  routine.build(body, ...routine.params.map((type, i) => body.param(i, type)));
  const types = new Types();
  const indexes = new Map<Callable, number>();
  const imports: { module: string; name: string; type: number }[] = [];
  const indexOf = (callee: Callable): number => {
    const known = indexes.get(callee);
    if (known !== undefined) return known;
    const { name } = callee;
    assert(external.has(name), `call of ${name}, which the other module does not export`);
    indexes.set(callee, imports.length);
    imports.push({ module: 'core', name, type: types.of(callee.params, callee.result) });
    return imports.length - 1;
  };
  const code = new FunctionEncoder(body, indexOf, (p, r) => types.of(p, r)).encode(routine.result);
  return assemble({
    types: types.bytes,
    imports,
    functions: [types.of(routine.params, routine.result)],
    table: { slots: 0, functions: [] },
    exports: [{ name: routine.name, index: imports.length }],
    code: [code],
  });
}
