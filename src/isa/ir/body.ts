import type { Callable, Expr, I32, I32Like, I64, Local, ValType, V128, F32, F64 } from './expr.js';
import { callArgs, i32, i64 } from './expr.js';

/** A branch target. */
export interface Label {
  readonly kind: 'block' | 'loop';
}

export type Stmt =
  | { readonly kind: 'set'; readonly local: Local; readonly value: Expr }
  | {
      readonly kind: 'store';
      readonly op: string;
      readonly address: I32;
      readonly value: Expr;
      readonly offset: number;
    }
  | { readonly kind: 'call'; readonly callee: Callable; readonly args: readonly Expr[] }
  | { readonly kind: 'if'; readonly cond: I32; readonly then: readonly Stmt[]; readonly else: readonly Stmt[] }
  | { readonly kind: 'block' | 'loop'; readonly label: Label; readonly body: readonly Stmt[] }
  | { readonly kind: 'br'; readonly label: Label; readonly cond: I32 | null }
  | { readonly kind: 'brTable'; readonly index: I32; readonly labels: readonly Label[]; readonly fallback: Label }
  | { readonly kind: 'return'; readonly value: Expr | null }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'forget'; readonly keep: readonly Local[] }
  | { readonly kind: 'memoryCopy'; readonly to: I32; readonly from: I32; readonly count: I32 }
  | { readonly kind: 'memoryFill'; readonly to: I32; readonly value: I32; readonly count: I32 };

/** Builds the statements and local variables of one WebAssembly function. */
export class Body {
  /** Types of all locals, parameters first. */
  readonly locals: ValType[];
  readonly parameterCount: number;
  /** The statements so far, outermost level. */
  readonly statements: Stmt[] = [];
  #current: Stmt[] = this.statements;

  constructor(params: readonly ValType[] = []) {
    this.locals = [...params];
    this.parameterCount = params.length;
  }

  param<T extends ValType>(index: number, type: T): Local<T> {
    return { type, op: 'local', args: [], imm: index, constant: true };
  }

  add(stmt: Stmt): void {
    this.#current.push(stmt);
  }

  /** Numbers of locals that ended scopes gave back, by type. */
  readonly #free: Record<ValType, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  #scope: [ValType, number][] | null = null;

  #allocate<T extends ValType>(type: T, constant: boolean): Local<T> {
    const index = this.#free[type].pop() ?? this.locals.push(type) - 1;
    this.#scope?.push([type, index]);
    return { type, op: 'local', args: [], imm: index, constant };
  }

  /** Locals made inside `build` are reused by later code; none may be referred to afterwards. */
  scoped(build: () => void): void {
    const outer = this.#scope;
    const mine: [ValType, number][] = [];
    this.#scope = mine;
    build();
    for (const [type, index] of mine) this.#free[type].push(index);
    this.#scope = outer;
  }

  /** Evaluates `value` here and names the result. Constants and constant locals are returned as they are. */
  let<T extends ValType>(value: Expr<T>): Expr<T> {
    if (value.op === 'const' || (value.op === 'local' && (value as unknown as Local).constant)) return value;
    const local = this.#allocate(value.type, true);
    this.add({ kind: 'set', local, value });
    return local;
  }

  /** A variable that can be set again. With only a type its first value is unspecified: set it before reading. */
  var<T extends ValType>(init: Expr<T> | T): Local<T> {
    if (typeof init === 'string') return this.#allocate(init, false);
    const local = this.#allocate(init.type, false);
    this.add({ kind: 'set', local, value: init });
    return local;
  }

  set<T extends ValType>(local: Local<T>, value: Expr<T>): void {
    this.add({ kind: 'set', local, value });
  }

  #nested(build: () => void): Stmt[] {
    const outer = this.#current;
    const inner: Stmt[] = [];
    this.#current = inner;
    try {
      build();
    } finally {
      this.#current = outer;
    }
    return inner;
  }

  if(cond: I32, then: () => void, otherwise?: () => void): void {
    const thenStmts = this.#nested(then);
    const elseStmts = otherwise ? this.#nested(otherwise) : [];
    this.add({ kind: 'if', cond, then: thenStmts, else: elseStmts });
  }

  /** br(label) leaves the block. */
  block(build: (label: Label) => void): void {
    const label: Label = { kind: 'block' };
    const body = this.#nested(() => build(label));
    this.add({ kind: 'block', label, body });
  }

  /** br(label) starts the next round; falling off the end leaves the loop. */
  loop(build: (label: Label) => void): void {
    const label: Label = { kind: 'loop' };
    const body = this.#nested(() => build(label));
    this.add({ kind: 'loop', label, body });
  }

  /**
   * Nothing reads from here on what is in other locals than `keep` and the parameters. At the head of a loop it says so to
   * optimising compilers, which else carry each local of the loop around it, through every branch.
   */
  forget(keep: readonly Local[]): void {
    this.add({ kind: 'forget', keep });
  }

  br(label: Label): void {
    this.add({ kind: 'br', label, cond: null });
  }

  brIf(label: Label, cond: I32): void {
    this.add({ kind: 'br', label, cond });
  }

  /** Runs `cases[index]`, or `fallback` when index is out of range. No fall-through. */
  switch(index: I32, cases: readonly (() => void)[], fallback: () => void = () => {}): void {
    const labels = cases.map((): Label => ({ kind: 'block' }));
    const end: Label = { kind: 'block' };
    const other: Label = { kind: 'block' };
    let body: Stmt[] = [{ kind: 'brTable', index, labels, fallback: other }];
    cases.forEach((build, i) => {
      body = [
        { kind: 'block', label: labels[i], body },
        ...this.#nested(build),
        { kind: 'br', label: end, cond: null },
      ];
    });
    body = [{ kind: 'block', label: other, body }, ...this.#nested(fallback)];
    this.add({ kind: 'block', label: end, body });
  }

  return(value: Expr | null = null): void {
    this.add({ kind: 'return', value });
  }

  unreachable(): void {
    this.add({ kind: 'unreachable' });
  }

  /** A call whose result, if any, is dropped. */
  do(callee: Callable, ...args: (Expr | number | bigint)[]): void {
    this.add({ kind: 'call', callee, args: callArgs(callee, args) });
  }

  // Stores into the engine's own memory (CPU state, tables). Guest memory goes through Semantics.
  store(address: I32Like, value: I32Like, offset = 0): void {
    this.#store('i32.store', address, i32.add(value, 0), offset);
  }
  store8(address: I32Like, value: I32Like, offset = 0): void {
    this.#store('i32.store8', address, i32.add(value, 0), offset);
  }
  store16(address: I32Like, value: I32Like, offset = 0): void {
    this.#store('i32.store16', address, i32.add(value, 0), offset);
  }
  store64(address: I32Like, value: I64 | bigint, offset = 0): void {
    this.#store('i64.store', address, i64.add(value, 0n), offset);
  }
  storeF32(address: I32Like, value: F32, offset = 0): void {
    this.#store('f32.store', address, value, offset);
  }
  storeF64(address: I32Like, value: F64, offset = 0): void {
    this.#store('f64.store', address, value, offset);
  }
  storeV128(address: I32Like, value: V128, offset = 0): void {
    this.#store('v128.store', address, value, offset);
  }
  #store(op: string, address: I32Like, value: Expr, offset: number): void {
    this.add({ kind: 'store', op, address: i32.add(address, 0), value, offset });
  }

  memoryCopy(to: I32, from: I32, count: I32): void {
    this.add({ kind: 'memoryCopy', to, from, count });
  }
  memoryFill(to: I32, value: I32, count: I32): void {
    this.add({ kind: 'memoryFill', to, value, count });
  }
}

/** A function built from IR. Module builders follow calls, so a routine is linked in by being called. */
export interface Routine extends Callable {
  /** Makes the Body that `build` receives; a plain Body when absent. */
  readonly createBody?: () => Body;
  readonly build: (b: Body, ...params: Local[]) => void;
}

type Params<P extends readonly ValType[]> = { [K in keyof P]: Local<P[K]> };

/** Declares a routine; `build` runs once per module that uses it. */
export function routine<const P extends readonly ValType[], R extends ValType | null>(
  name: string,
  params: P,
  result: R,
  build: (b: Body, ...params: Params<P>) => void,
): Routine & { readonly result: R } {
  return { name, params, result, build: build as Routine['build'] };
}

/** A function that the embedder imports under `name`. */
export interface HostFunction extends Callable {
  readonly host: true;
}
export function hostFunction<R extends ValType | null>(
  name: string,
  params: readonly ValType[],
  result: R,
): HostFunction & { readonly result: R } {
  return { name, params, result, host: true };
}
