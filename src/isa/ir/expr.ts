/**
 * Typed expression trees: the language in which instruction semantics are written. Every node is one WebAssembly
 * instruction; cpu/wasm turns trees into bytes. A tree is evaluated where a statement consumes it, each time it is
 * consumed: pin a value with Body.let() before using it twice or before changing what it reads.
 */
export type ValType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export interface Expr<T extends ValType = ValType> {
  readonly type: T;
  /** WebAssembly instruction name, or `const`, `local`, `call`. */
  readonly op: string;
  readonly args: readonly Expr[];
  /** Constant, memory offset, lane, or local number. */
  readonly imm: number | bigint;
  /** `call` only. */
  readonly callee?: Callable;
  /** v128 constants and shuffles: 16 bytes. */
  readonly bytes?: readonly number[];
}
export type I32 = Expr<'i32'>;
export type I64 = Expr<'i64'>;
export type F32 = Expr<'f32'>;
export type F64 = Expr<'f64'>;
export type V128 = Expr<'v128'>;

/** A variable of a Body. */
export interface Local<T extends ValType = ValType> extends Expr<T> {
  readonly op: 'local';
  /** Set once by let(): safe to read anywhere after. */
  readonly constant: boolean;
}

/** Something a `call` node names: a routine built from IR, or a function the host provides. */
export interface Callable {
  readonly name: string;
  readonly params: readonly ValType[];
  readonly result: ValType | null;
}

function node<T extends ValType>(type: T, op: string, args: readonly Expr[], imm: number | bigint = 0): Expr<T> {
  return { type, op, args, imm };
}

/** Numbers where an expression is expected are constants. */
export type I32Like = I32 | number;
export type I64Like = I64 | bigint | number;

export function isConst(e: Expr): boolean {
  return e.op === 'const';
}
const c32 = (v: I32Like): I32 => (typeof v === 'number' ? node('i32', 'const', [], v | 0) : v);
const c64 = (v: I64Like): I64 =>
  typeof v === 'number' || typeof v === 'bigint' ? node('i64', 'const', [], BigInt.asIntN(64, BigInt(v))) : v;

type Fold = (a: number, b: number) => number;
/** Operations that leave their first operand as it is when the second is zero. */
const IGNORES_ZERO = /^(add|sub|or|xor|shl|shr_.)$/;

// Names are made once, not with each node: a code generator makes millions of nodes, and looks their names up.
function bin32(op: string, fold?: Fold) {
  const name = `i32.${op}`;
  const ignoresZero = IGNORES_ZERO.test(op);
  const ignoresZeroBefore = /^(add|or|xor)$/.test(op);
  const ignoresOnes = op === 'and';
  return (a: I32Like, b: I32Like): I32 => {
    const x = c32(a);
    const y = c32(b);
    if (fold && isConst(x) && isConst(y)) return c32(fold(x.imm as number, y.imm as number));
    if (ignoresZero && isConst(y) && y.imm === 0) return x;
    if (ignoresZeroBefore && isConst(x) && x.imm === 0) return y;
    if (ignoresOnes && isConst(y) && y.imm === -1) return x;
    return node('i32', name, [x, y]);
  };
}
function un32(op: string) {
  const name = `i32.${op}`;
  return (a: I32Like) => node('i32', name, [c32(a)]);
}
function load32(op: string) {
  const name = `i32.${op}`;
  return (address: I32Like, offset = 0) => node('i32', name, [c32(address)], offset);
}

/** i32 instructions; `_s`/`_u` as in WebAssembly. */
export const i32 = {
  const: (value: number): I32 => c32(value),
  add: bin32('add', (a, b) => (a + b) | 0),
  sub: bin32('sub', (a, b) => (a - b) | 0),
  mul: bin32('mul', Math.imul),
  div_s: bin32('div_s'),
  div_u: bin32('div_u'),
  rem_s: bin32('rem_s'),
  rem_u: bin32('rem_u'),
  and: bin32('and', (a, b) => a & b),
  or: bin32('or', (a, b) => a | b),
  xor: bin32('xor', (a, b) => a ^ b),
  shl: bin32('shl', (a, b) => a << b),
  shr_s: bin32('shr_s', (a, b) => a >> b),
  shr_u: bin32('shr_u', (a, b) => (a >>> b) | 0),
  rotl: bin32('rotl'),
  rotr: bin32('rotr'),
  eq: bin32('eq'),
  ne: bin32('ne'),
  lt_s: bin32('lt_s'),
  lt_u: bin32('lt_u'),
  gt_s: bin32('gt_s'),
  gt_u: bin32('gt_u'),
  le_s: bin32('le_s'),
  le_u: bin32('le_u'),
  ge_s: bin32('ge_s'),
  ge_u: bin32('ge_u'),
  eqz: un32('eqz'),
  clz: un32('clz'),
  ctz: un32('ctz'),
  popcnt: un32('popcnt'),
  extend8_s: un32('extend8_s'),
  extend16_s: un32('extend16_s'),
  not: (a: I32Like): I32 => node('i32', 'i32.xor', [c32(a), c32(-1)]),
  neg: (a: I32Like): I32 => node('i32', 'i32.sub', [c32(0), c32(a)]),
  wrap: (a: I64Like): I32 => node('i32', 'i32.wrap_i64', [c64(a)]),
  reinterpret: (a: F32): I32 => node('i32', 'i32.reinterpret_f32', [a]),
  trunc_sat_f64_s: (a: F64): I32 => node('i32', 'i32.trunc_sat_f64_s', [a]),
  trunc_sat_f64_u: (a: F64): I32 => node('i32', 'i32.trunc_sat_f64_u', [a]),
  trunc_sat_f32_s: (a: F32): I32 => node('i32', 'i32.trunc_sat_f32_s', [a]),
  /** Memory of the engine itself (CPU state, tables), not of the guest. */
  load: load32('load'),
  load8_u: load32('load8_u'),
  load8_s: load32('load8_s'),
  load16_u: load32('load16_u'),
  load16_s: load32('load16_s'),
};

function bin64(op: string) {
  const name = `i64.${op}`;
  const ignoresZero = IGNORES_ZERO.test(op);
  return (a: I64Like, b: I64Like): I64 => {
    const x = c64(a);
    const y = c64(b);
    if (ignoresZero && isConst(y) && y.imm === 0n) return x;
    return node('i64', name, [x, y]);
  };
}
function un64(op: string) {
  const name = `i64.${op}`;
  return (a: I64Like) => node('i64', name, [c64(a)]);
}
function cmp64(op: string) {
  const name = `i64.${op}`;
  return (a: I64Like, b: I64Like) => node('i32', name, [c64(a), c64(b)]);
}
function load64(op: string) {
  const name = `i64.${op}`;
  return (address: I32Like, offset = 0) => node('i64', name, [c32(address)], offset);
}

export const i64 = {
  const: (value: bigint | number): I64 => c64(value),
  add: bin64('add'),
  sub: bin64('sub'),
  mul: bin64('mul'),
  div_s: bin64('div_s'),
  div_u: bin64('div_u'),
  rem_s: bin64('rem_s'),
  rem_u: bin64('rem_u'),
  and: bin64('and'),
  or: bin64('or'),
  xor: bin64('xor'),
  shl: bin64('shl'),
  shr_s: bin64('shr_s'),
  shr_u: bin64('shr_u'),
  rotl: bin64('rotl'),
  rotr: bin64('rotr'),
  eq: cmp64('eq'),
  ne: cmp64('ne'),
  lt_s: cmp64('lt_s'),
  lt_u: cmp64('lt_u'),
  gt_s: cmp64('gt_s'),
  gt_u: cmp64('gt_u'),
  le_s: cmp64('le_s'),
  le_u: cmp64('le_u'),
  ge_s: cmp64('ge_s'),
  ge_u: cmp64('ge_u'),
  eqz: (a: I64Like): I32 => node('i32', 'i64.eqz', [c64(a)]),
  clz: un64('clz'),
  ctz: un64('ctz'),
  popcnt: un64('popcnt'),
  not: (a: I64Like): I64 => node('i64', 'i64.xor', [c64(a), c64(-1n)]),
  neg: (a: I64Like): I64 => node('i64', 'i64.sub', [c64(0n), c64(a)]),
  extend_s: (a: I32Like): I64 => node('i64', 'i64.extend_i32_s', [c32(a)]),
  extend_u: (a: I32Like): I64 => node('i64', 'i64.extend_i32_u', [c32(a)]),
  extend8_s: un64('extend8_s'),
  extend16_s: un64('extend16_s'),
  extend32_s: un64('extend32_s'),
  reinterpret: (a: F64): I64 => node('i64', 'i64.reinterpret_f64', [a]),
  trunc_sat_f64_s: (a: F64): I64 => node('i64', 'i64.trunc_sat_f64_s', [a]),
  load: load64('load'),
  load8_u: load64('load8_u'),
  load16_u: load64('load16_u'),
  load16_s: load64('load16_s'),
  load32_u: load64('load32_u'),
  load32_s: load64('load32_s'),
};

function binF32(op: string) {
  const name = `f32.${op}`;
  return (a: F32, b: F32) => node('f32', name, [a, b]);
}
function unF32(op: string) {
  const name = `f32.${op}`;
  return (a: F32) => node('f32', name, [a]);
}
function cmpF32(op: string) {
  const name = `f32.${op}`;
  return (a: F32, b: F32) => node('i32', name, [a, b]);
}
export const f32 = {
  const: (value: number): F32 => node('f32', 'const', [], value),
  add: binF32('add'),
  sub: binF32('sub'),
  mul: binF32('mul'),
  div: binF32('div'),
  sqrt: unF32('sqrt'),
  abs: unF32('abs'),
  neg: unF32('neg'),
  nearest: unF32('nearest'),
  floor: unF32('floor'),
  ceil: unF32('ceil'),
  trunc: unF32('trunc'),
  eq: cmpF32('eq'),
  ne: cmpF32('ne'),
  lt: cmpF32('lt'),
  gt: cmpF32('gt'),
  le: cmpF32('le'),
  ge: cmpF32('ge'),
  demote: (a: F64): F32 => node('f32', 'f32.demote_f64', [a]),
  reinterpret: (a: I32): F32 => node('f32', 'f32.reinterpret_i32', [a]),
  convert_i32_s: (a: I32): F32 => node('f32', 'f32.convert_i32_s', [a]),
  convert_i64_s: (a: I64): F32 => node('f32', 'f32.convert_i64_s', [a]),
  load: (address: I32Like, offset = 0): F32 => node('f32', 'f32.load', [c32(address)], offset),
};

function binF64(op: string) {
  const name = `f64.${op}`;
  return (a: F64, b: F64) => node('f64', name, [a, b]);
}
function unF64(op: string) {
  const name = `f64.${op}`;
  return (a: F64) => node('f64', name, [a]);
}
function cmpF64(op: string) {
  const name = `f64.${op}`;
  return (a: F64, b: F64) => node('i32', name, [a, b]);
}
export const f64 = {
  const: (value: number): F64 => node('f64', 'const', [], value),
  add: binF64('add'),
  sub: binF64('sub'),
  mul: binF64('mul'),
  div: binF64('div'),
  sqrt: unF64('sqrt'),
  abs: unF64('abs'),
  neg: unF64('neg'),
  nearest: unF64('nearest'),
  floor: unF64('floor'),
  ceil: unF64('ceil'),
  trunc: unF64('trunc'),
  eq: cmpF64('eq'),
  ne: cmpF64('ne'),
  lt: cmpF64('lt'),
  gt: cmpF64('gt'),
  le: cmpF64('le'),
  ge: cmpF64('ge'),
  promote: (a: F32): F64 => node('f64', 'f64.promote_f32', [a]),
  reinterpret: (a: I64): F64 => node('f64', 'f64.reinterpret_i64', [a]),
  convert_i32_s: (a: I32): F64 => node('f64', 'f64.convert_i32_s', [a]),
  convert_i32_u: (a: I32): F64 => node('f64', 'f64.convert_i32_u', [a]),
  convert_i64_s: (a: I64): F64 => node('f64', 'f64.convert_i64_s', [a]),
  load: (address: I32Like, offset = 0): F64 => node('f64', 'f64.load', [c32(address)], offset),
};

/** SIMD instructions by their full WebAssembly name, e.g. simd('i8x16.add', a, b). See SIMD_OPS in cpu/wasm/opcodes. */
export function simd(op: string, ...args: Expr[]): V128 {
  return node('v128', op, args);
}
export const v128 = {
  const: (bytes: readonly number[]): V128 => ({ type: 'v128', op: 'const', args: [], imm: 0, bytes }),
  load: (address: I32Like, offset = 0): V128 => node('v128', 'v128.load', [c32(address)], offset),
  /** `lanes`: 16 byte numbers, 0-15 from a, 16-31 from b. */
  shuffle: (a: V128, b: V128, lanes: readonly number[]): V128 => ({
    type: 'v128',
    op: 'i8x16.shuffle',
    args: [a, b],
    imm: 0,
    bytes: lanes,
  }),
  splat: (shape: 'i8x16' | 'i16x8' | 'i32x4' | 'i64x2' | 'f32x4' | 'f64x2', value: Expr): V128 =>
    node('v128', `${shape}.splat`, [value]),
  /** op such as 'i32x4.extract_lane', 'i16x8.extract_lane_u', 'f64x2.extract_lane'. */
  extract: <T extends 'i32' | 'i64' | 'f32' | 'f64'>(type: T, op: string, a: V128, lane: number): Expr<T> =>
    node(type, op, [a], lane),
  /** op such as 'i32x4.replace_lane'. */
  replace: (op: string, a: V128, lane: number, value: Expr): V128 => node('v128', op, [a, value], lane),
  /** v128 -> i32: 'v128.any_true', 'i8x16.all_true', 'i8x16.bitmask', ... */
  test: (op: string, a: V128): I32 => node('i32', op, [a]),
};

/** cond != 0 ? a : b; both are evaluated. */
export function select<T extends ValType>(cond: I32, a: Expr<T>, b: Expr<T>): Expr<T> {
  return node(a.type, 'select', [a, b, cond]);
}

/** A call with a result. Calls without one are statements: Body.do(). */
export function call<T extends ValType>(
  callee: Callable & { result: T },
  ...args: (Expr | number | bigint)[]
): Expr<T> {
  return { type: callee.result, op: 'call', args: callArgs(callee, args), imm: 0, callee };
}

export function callArgs(callee: Callable, args: (Expr | number | bigint)[]): Expr[] {
  if (args.length !== callee.params.length) throw new Error(`${callee.name}: ${args.length} arguments`);
  return args.map((a, i) => {
    const e =
      typeof a === 'number' || typeof a === 'bigint' ? (callee.params[i] === 'i64' ? c64(a) : c32(Number(a))) : a;
    if (e.type !== callee.params[i]) throw new Error(`${callee.name}: argument ${i} is ${e.type}`);
    return e;
  });
}
