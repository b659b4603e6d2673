import type { Decoded } from '../../../src/cpu/decode/decoder.js';
import type { FormOperand } from '../../../src/cpu/interpreter/operand.js';
import { formOperands, formWidth } from '../../../src/cpu/interpreter/operand.js';
import { ESP, EXCEPTION, FLAG, SS, STATE, STATE_END, gprSlot } from '../../../src/isa/cpu-state.js';
import type { Label } from '../../../src/isa/ir/body.js';
import { Body } from '../../../src/isa/ir/body.js';
import type { Expr, I32, I32Like, I64, Local, ValType, V128 } from '../../../src/isa/ir/expr.js';
import { i32, i64 } from '../../../src/isa/ir/expr.js';
import type {
  FlagSemantics,
  Operand,
  SegmentRef,
  Semantics,
  SystemRoutine,
  Width,
} from '../../../src/isa/semantics.js';

/** A fault raised by the instruction. */
export class Fault extends Error {
  constructor(
    readonly vector: number,
    readonly errorCode: number | undefined,
    readonly address?: number,
  ) {
    super(`exception ${vector}`);
  }
}

/** The instruction has ended early: a jump was taken or a system routine ran. */
class Ended extends Error {}
class Branch extends Error {
  constructor(readonly label: Label) {
    super('branch');
  }
}

/** Guest memory as the direct execution sees it: linear bytes of user mode; throws Fault(#PF). */
export interface GuestMemory {
  read(linear: number, bytes: number): bigint;
  write(linear: number, bytes: number, value: bigint): void;
  probe(linear: number, bytes: number): void;
}

const ARITHMETIC = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;
const BIT = { cf: 0, pf: 2, af: 4, zf: 6, sf: 7, of: 11 } as const;
type FlagName = keyof typeof BIT;

/**
 * A third engine, the simplest possible: semantics are carried out while they are being described, each expression
 * evaluated where a statement consumes it. Slow, but it shares nothing with the generators of WebAssembly, so that a
 * disagreement points at one side. Protected mode, CPL 3, flat segments.
 */
export class DirectExecution extends Body implements Semantics {
  operandSize: 16 | 32 = 32;
  conditionCode = 0;
  readonly dataSegment: SegmentRef = -1;
  readonly state = new DataView(new ArrayBuffer(STATE_END));
  /** CF PF AF ZF SF OF at their places. */
  arithmeticFlags = 0;
  #decoded!: Decoded;
  #nextEip = 0;
  #values: (number | bigint)[] = [];

  constructor(private readonly memory: GuestMemory) {
    super();
  }

  // ---- one instruction
  /** Carries out `decoded` at `eip`; returns the EIP to go on at. Throws Fault. REP is not handled here. */
  execute(decoded: Decoded, eip: number): number {
    this.#decoded = decoded;
    this.#nextEip = (eip + decoded.length) >>> 0;
    this.#values = [];
    const form = decoded.form;
    if (form === null) throw new Fault(EXCEPTION.UD, undefined);
    this.operandSize = form.operandSize;
    this.conditionCode = decoded.opcode & 15;
    const { options, semantics } = form.encoding.instruction;
    if (options.privileged) throw new Fault(EXCEPTION.GP, 0);
    try {
      semantics(this, formOperands(form), formWidth(form));
    } catch (e) {
      if (!(e instanceof Ended)) throw e;
    }
    return this.#nextEip;
  }

  // ---- expressions
  evaluate(e: Expr): number | bigint {
    const arg = (n: number): number => this.evaluate(e.args[n]) as number;
    const long = (n: number): bigint => BigInt.asUintN(64, this.evaluate(e.args[n]) as bigint);
    const signed = (n: number): bigint => BigInt.asIntN(64, this.evaluate(e.args[n]) as bigint);
    const address = (): number => (arg(0) + Number(e.imm)) >>> 0;
    switch (e.op) {
      case 'const':
        return e.type === 'i64' ? BigInt.asUintN(64, e.imm as bigint) : e.imm;
      case 'local': {
        const value = this.#values[e.imm as number];
        if (value === undefined) throw new Error('a variable is read before it is set');
        return value;
      }
      case 'select':
        return arg(2) !== 0 ? this.evaluate(e.args[0]) : this.evaluate(e.args[1]);
      case 'i32.add':
        return (arg(0) + arg(1)) | 0;
      case 'i32.sub':
        return (arg(0) - arg(1)) | 0;
      case 'i32.mul':
        return Math.imul(arg(0), arg(1));
      case 'i32.div_u':
        return trapOnZero(arg(1), () => ((arg(0) >>> 0) / (arg(1) >>> 0)) | 0);
      case 'i32.rem_u':
        return trapOnZero(arg(1), () => ((arg(0) >>> 0) % (arg(1) >>> 0)) | 0);
      case 'i32.div_s': {
        if (arg(0) === -0x80000000 && arg(1) === -1) throw new Error('i32.div_s traps');
        return trapOnZero(arg(1), () => (arg(0) / arg(1)) | 0);
      }
      case 'i32.and':
        return arg(0) & arg(1);
      case 'i32.or':
        return arg(0) | arg(1);
      case 'i32.xor':
        return arg(0) ^ arg(1);
      case 'i32.shl':
        return arg(0) << arg(1);
      case 'i32.shr_s':
        return arg(0) >> arg(1);
      case 'i32.shr_u':
        return (arg(0) >>> arg(1)) | 0;
      case 'i32.rotl':
        return (arg(0) << arg(1)) | (arg(0) >>> (-arg(1) & 31) && arg(1) & 31 ? arg(0) >>> (-arg(1) & 31) : 0);
      case 'i32.rotr':
        return (arg(0) >>> arg(1)) | ((arg(1) & 31) === 0 ? 0 : arg(0) << (-arg(1) & 31));
      case 'i32.eq':
        return arg(0) === arg(1) ? 1 : 0;
      case 'i32.ne':
        return arg(0) !== arg(1) ? 1 : 0;
      case 'i32.lt_s':
        return arg(0) < arg(1) ? 1 : 0;
      case 'i32.gt_s':
        return arg(0) > arg(1) ? 1 : 0;
      case 'i32.le_s':
        return arg(0) <= arg(1) ? 1 : 0;
      case 'i32.ge_s':
        return arg(0) >= arg(1) ? 1 : 0;
      case 'i32.lt_u':
        return arg(0) >>> 0 < arg(1) >>> 0 ? 1 : 0;
      case 'i32.gt_u':
        return arg(0) >>> 0 > arg(1) >>> 0 ? 1 : 0;
      case 'i32.le_u':
        return arg(0) >>> 0 <= arg(1) >>> 0 ? 1 : 0;
      case 'i32.ge_u':
        return arg(0) >>> 0 >= arg(1) >>> 0 ? 1 : 0;
      case 'i32.eqz':
        return arg(0) === 0 ? 1 : 0;
      case 'i32.clz':
        return Math.clz32(arg(0));
      case 'i32.ctz':
        return arg(0) === 0 ? 32 : 31 - Math.clz32(arg(0) & -arg(0));
      case 'i32.extend8_s':
        return (arg(0) << 24) >> 24;
      case 'i32.extend16_s':
        return (arg(0) << 16) >> 16;
      case 'i32.wrap_i64':
        return Number(BigInt.asIntN(32, long(0)));
      case 'i64.extend_i32_s':
        return BigInt.asUintN(64, BigInt(arg(0)));
      case 'i64.extend_i32_u':
        return BigInt(arg(0) >>> 0);
      case 'i64.extend32_s':
        return BigInt.asUintN(64, BigInt.asIntN(32, long(0)));
      case 'i64.add':
        return BigInt.asUintN(64, long(0) + long(1));
      case 'i64.sub':
        return BigInt.asUintN(64, long(0) - long(1));
      case 'i64.mul':
        return BigInt.asUintN(64, long(0) * long(1));
      case 'i64.div_u':
        return long(0) / long(1);
      case 'i64.div_s': {
        const quotient = signed(0) / signed(1);
        if (quotient === 1n << 63n) throw new Error('i64.div_s traps');
        return BigInt.asUintN(64, quotient);
      }
      case 'i64.or':
        return long(0) | long(1);
      case 'i64.shl':
        return BigInt.asUintN(64, long(0) << (long(1) & 63n));
      case 'i64.shr_u':
        return long(0) >> (long(1) & 63n);
      case 'i64.eq':
        return long(0) === long(1) ? 1 : 0;
      case 'i64.ne':
        return long(0) !== long(1) ? 1 : 0;
      case 'i32.load':
        return this.state.getInt32(address(), true);
      case 'i32.load8_u':
        return this.state.getUint8(address());
      case 'i32.load16_u':
        return this.state.getUint16(address(), true);
      case 'guest.flag':
        return (this.arithmeticFlags >>> Number(e.imm)) & 1;
      default:
        throw new Error(`expression ${e.op}`);
    }
  }
  number(e: I32Like): number {
    return typeof e === 'number' ? e | 0 : (this.evaluate(e) as number);
  }
  #const<T extends ValType>(type: T, value: number | bigint): Expr<T> {
    return { type, op: 'const', args: [], imm: value };
  }

  // ---- statements
  override let<T extends ValType>(value: Expr<T>): Expr<T> {
    return this.#const(value.type, this.evaluate(value));
  }
  override var<T extends ValType>(init: Expr<T> | T): Local<T> {
    const typeOnly = typeof init === 'string';
    const index = this.#values.length;
    this.#values.push((typeOnly ? undefined : this.evaluate(init)) as number);
    return { type: typeOnly ? init : init.type, op: 'local', args: [], imm: index, constant: false };
  }
  override set<T extends ValType>(local: Local<T>, value: Expr<T>): void {
    this.#values[local.imm as number] = this.evaluate(value);
  }
  override if(cond: I32, then: () => void, otherwise?: () => void): void {
    if (this.number(cond) !== 0) then();
    else otherwise?.();
  }
  #catching(label: Label, run: () => void): boolean {
    try {
      run();
      return false;
    } catch (e) {
      if (e instanceof Branch && e.label === label) return true;
      throw e;
    }
  }
  override block(build: (label: Label) => void): void {
    const label: Label = { kind: 'block' };
    this.#catching(label, () => build(label));
  }
  override loop(build: (label: Label) => void): void {
    const label: Label = { kind: 'loop' };
    while (this.#catching(label, () => build(label)));
  }
  override br(label: Label): void {
    throw new Branch(label);
  }
  override brIf(label: Label, cond: I32): void {
    if (this.number(cond) !== 0) this.br(label);
  }
  override store(address: I32Like, value: I32Like, offset = 0): void {
    this.state.setInt32(this.number(address) + offset, this.number(value), true);
  }
  override add(): void {
    throw new Error('a statement that direct execution does not know');
  }

  // ---- registers
  #slot(width: number, number: number): number {
    return width === 8 && number >= 4 ? gprSlot(number - 4) + 1 : gprSlot(number);
  }
  reg(index: number, width: Width): I32 {
    const op = width === 8 ? i32.load8_u : width === 16 ? i32.load16_u : i32.load;
    return op(this.#slot(width, index));
  }
  setReg(index: number, width: Width, value: I32): void {
    const v = this.number(value);
    const at = this.#slot(width, index);
    if (width === 8) this.state.setUint8(at, v);
    else if (width === 16) this.state.setUint16(at, v, true);
    else this.state.setInt32(at, v, true);
  }
  #addressMask(): number {
    return this.#decoded.address32 ? -1 : 0xffff;
  }
  addressReg(index: number): I32 {
    return i32.and(this.reg(index, 32), this.#addressMask());
  }
  setAddressReg(index: number, value: I32): void {
    this.setReg(index, this.#decoded.address32 ? 32 : 16, value);
  }
  wrapAddress(offset: I32): I32 {
    return i32.and(offset, this.#addressMask());
  }

  // ---- operands
  index(op: Operand): I32 {
    const { spec } = op as FormOperand;
    const d = this.#decoded;
    if (spec.source === 'fixed') return i32.const(spec.fixed);
    if (spec.source === 'rm') return i32.const(d.modrm & 7);
    return i32.const(spec.source === 'opcode' ? d.opcode & 7 : (d.modrm >> 3) & 7);
  }
  slot(op: Operand): I32 {
    return i32.const(this.#slot(op.width, this.number(this.index(op))));
  }
  read(op: Operand): I32 {
    const o = op as FormOperand;
    const d = this.#decoded;
    switch (o.kind) {
      case 'memory':
        return this.loadMemory(o, this.effectiveAddress(o), o.width as Width);
      case 'gpr':
        return this.reg(this.number(this.index(o)), o.width as Width);
      case 'immediate': {
        const value = o.spec.source === 'fixed' ? o.spec.fixed : o.immediateField === 2 ? d.immediate2 : d.immediate;
        return i32.const(o.width === 8 ? value & 0xff : o.width === 16 ? value & 0xffff : value);
      }
      case 'relative':
        return i32.const((this.#nextEip + d.immediate) & (this.operandSize === 16 ? 0xffff : -1));
      case 'farPointer':
        return i32.const(d.immediate);
      case 'segment':
        return i32.load(STATE.segSelector + 4 * this.number(this.index(o)));
      default:
        throw new Error(`operand ${o.kind}`);
    }
  }
  farSelector(): I32 {
    return i32.const(this.#decoded.immediate2);
  }
  write(op: Operand, value: I32): void {
    if (op.kind === 'memory') this.storeMemory(op, this.effectiveAddress(op), op.width as Width, value);
    else this.setReg(this.number(this.index(op)), op.width as Width, value);
  }
  update(op: Operand, f: (old: I32) => I32): void {
    if (op.kind === 'memory') this.updateMemory(op, this.effectiveAddress(op), op.width as Width, f);
    else this.write(op, f(this.let(this.read(op))));
  }
  effectiveAddress(op: Operand): I32 {
    const d = this.#decoded;
    const of = (n: number): number => (n < 0 ? 0 : this.number(this.reg(n, 32)));
    if ((op as FormOperand).spec.source === 'offset') return i32.const(d.displacement);
    return i32.const((of(d.base) + (of(d.index) << d.scale) + d.displacement) & this.#addressMask());
  }
  linearAddress(op: Operand): I32 {
    return this.effectiveAddress(op);
  }
  #piece(op: Operand, offset: I32Like): number {
    return (this.number(this.effectiveAddress(op)) + this.number(offset)) & this.#addressMask();
  }
  loadAt(op: Operand, offset: I32Like, width: Width): I32 {
    return this.loadMemory(op, i32.const(this.#piece(op, offset)), width);
  }
  storeAt(op: Operand, offset: I32Like, width: Width, value: I32): void {
    this.storeMemory(op, i32.const(this.#piece(op, offset)), width, value);
  }
  read64(op: Operand): I64 {
    return i64.const(this.memory.read(this.number(this.effectiveAddress(op)) >>> 0, 8));
  }
  write64(op: Operand, value: I64): void {
    this.memory.write(this.number(this.effectiveAddress(op)) >>> 0, 8, this.evaluate(value) as bigint);
  }
  load64At(): I64 {
    throw new Error('not an integer access');
  }
  store64At(): void {
    throw new Error('not an integer access');
  }
  read128(): V128 {
    throw new Error('not an integer access');
  }
  write128(): void {
    throw new Error('not an integer access');
  }
  segmentSelector(): I32 {
    throw new Error('integer instructions do not ask for a selector');
  }
  fpuOpcode(): I32 {
    throw new Error('integer instructions have no x87 opcode');
  }
  probeWrite(op: Operand, sizeBytes: number): void {
    this.memory.probe(this.number(this.effectiveAddress(op)) >>> 0, sizeBytes);
  }

  // ---- memory
  loadMemory(_segment: SegmentRef, offset: I32, width: Width): I32 {
    return i32.const(Number(this.memory.read(this.number(offset) >>> 0, width / 8)));
  }
  storeMemory(_segment: SegmentRef, offset: I32, width: Width, value: I32): void {
    this.memory.write(this.number(offset) >>> 0, width / 8, BigInt(this.number(value) >>> 0));
  }
  updateMemory(segment: SegmentRef, offset: I32, width: Width, f: (old: I32) => I32): void {
    const at = i32.const(this.number(offset));
    this.memory.probe(this.number(at) >>> 0, width / 8);
    const value = this.let(f(this.let(this.loadMemory(segment, at, width))));
    this.storeMemory(segment, at, width, value);
  }
  push(width: 16 | 32, value: I32): void {
    const sp = i32.const(this.number(this.reg(ESP, 32)) - width / 8);
    this.storeMemory(SS, sp, width, value);
    this.setReg(ESP, 32, sp);
  }
  pop(width: 16 | 32): I32 {
    const sp = this.number(this.reg(ESP, 32));
    const value = this.loadMemory(SS, i32.const(sp), width);
    this.setReg(ESP, 32, i32.const(sp + width / 8));
    return value;
  }
  stackPointer(): I32 {
    return this.reg(ESP, 32);
  }
  setStackPointer(value: I32): void {
    this.setReg(ESP, 32, value);
  }

  // ---- control flow
  nextEip(): I32 {
    return i32.const(this.#nextEip);
  }
  instructionEip(): I32 {
    return i32.load(STATE.instructionEip);
  }
  tick(): I64 {
    return i64.const(0);
  }
  checkTarget(target: I32): void {
    this.number(target);
  }
  jump(target: I32): void {
    this.#nextEip = this.number(target) >>> 0;
    throw new Ended();
  }
  jumpIf(cond: I32, target: I32): void {
    if (this.number(cond) !== 0) this.jump(target);
  }
  raise(vector: number, errorCode?: I32Like): void {
    throw new Fault(vector, errorCode === undefined ? undefined : this.number(errorCode));
  }
  raiseIf(cond: I32, vector: number, errorCode?: I32Like): void {
    if (this.number(cond) !== 0) this.raise(vector, errorCode);
  }
  cpl(): I32 {
    return i32.const(3);
  }
  protectedMode(): I32 {
    return i32.const(1);
  }
  v86Mode(): I32 {
    return i32.const(0);
  }

  // ---- machine: everything is forbidden at CPL 3 with IOPL 0
  checkPort(): void {
    throw new Fault(EXCEPTION.GP, 0);
  }
  portIn(): I32 {
    throw new Fault(EXCEPTION.GP, 0);
  }
  portOut(): void {
    throw new Fault(EXCEPTION.GP, 0);
  }
  quickLoadSegment(): I32 {
    return i32.const(0);
  }
  system(name: SystemRoutine, ...args: I32Like[]): void {
    const [first, second] = args.map((a) => this.number(a));
    switch (name) {
      case 'softwareInterrupt':
        // Gates of the captured system: only 3 and 4 are open to programs.
        if (second === 0) throw new Fault(EXCEPTION.GP, first * 8 + 2);
        throw new TrapTaken(first, this.#nextEip);
      case 'popf': {
        const kept = this.state.getInt32(STATE.eflagsRest, true);
        const open = FLAG.TF | FLAG.DF | FLAG.NT | (second === 32 ? FLAG.AC | FLAG.ID : 0);
        this.state.setInt32(STATE.eflagsRest, (kept & ~open) | (first & open), true);
        this.arithmeticFlags = first & ARITHMETIC;
        throw new Ended();
      }
      case 'cli':
      case 'sti':
        throw new Fault(EXCEPTION.GP, 0);
      default:
        throw new Error(`system routine ${name}`);
    }
  }

  readonly flags: FlagSemantics = new DirectFlags(this);
}

/** A software interrupt was delivered; EIP is already behind it. */
export class TrapTaken extends Error {
  constructor(
    readonly vector: number,
    readonly eip: number,
  ) {
    super(`interrupt ${vector}`);
  }
}

function trapOnZero(divisor: number, quotient: () => number): number {
  if (divisor === 0) throw new Error('an integer division traps');
  return quotient();
}

class DirectFlags implements FlagSemantics {
  constructor(private readonly c: DirectExecution) {}

  #put(values: Partial<Record<FlagName, boolean>>): void {
    for (const [name, on] of Object.entries(values) as [FlagName, boolean][]) {
      const mask = 1 << BIT[name];
      this.c.arithmeticFlags = on ? this.c.arithmeticFlags | mask : this.c.arithmeticFlags & ~mask;
    }
  }
  #result(w: Width, r: number): void {
    const cut = w === 32 ? r : (r << (32 - w)) >> (32 - w);
    let ones = 0;
    for (let i = 0; i < 8; i++) ones += (cut >> i) & 1;
    this.#put({ zf: cut === 0, sf: cut < 0, pf: ones % 2 === 0 });
  }
  #sum(w: Width, vector: number, af: number, r: number): void {
    this.#result(w, r);
    const carry = (vector >>> (w - 1)) & 1;
    this.#put({ cf: carry === 1, of: carry !== ((vector >>> (w - 2)) & 1), af: (af & 16) !== 0 });
  }
  add(w: Width, ea: I32, eb: I32, er: I32): void {
    const [a, b, r] = [ea, eb, er].map((e) => this.c.number(e));
    this.#sum(w, (a & b) | ((a | b) & ~r), a ^ b ^ r, r);
  }
  sub(w: Width, ea: I32, eb: I32, er: I32): void {
    const [a, b, r] = [ea, eb, er].map((e) => this.c.number(e));
    this.#sum(w, (~a & b) | ((~a | b) & r), a ^ b ^ r, r);
  }
  inc(w: Width, a: I32, r: I32): void {
    const cf = this.c.arithmeticFlags & FLAG.CF;
    this.add(w, a, i32.const(1), r);
    this.#put({ cf: cf !== 0 });
  }
  dec(w: Width, a: I32, r: I32): void {
    const cf = this.c.arithmeticFlags & FLAG.CF;
    this.sub(w, a, i32.const(1), r);
    this.#put({ cf: cf !== 0 });
  }
  logic(w: Width, r: I32): void {
    this.#result(w, this.c.number(r));
    this.#put({ cf: false, of: false, af: false });
  }
  result(w: Width, r: I32): void {
    this.#result(w, this.c.number(r));
  }
  set(flags: Partial<Record<FlagName, I32Like>>): void {
    const values: Partial<Record<FlagName, boolean>> = {};
    for (const [name, value] of Object.entries(flags) as [FlagName, I32Like][]) {
      const number = this.c.number(value);
      if (number !== 0 && number !== 1) throw new Error(`flag ${name} = ${number}`);
      values[name] = number === 1;
    }
    this.#put(values);
  }
  get(flag: FlagName): I32 {
    // Evaluated late, as a load of a flag cell would be.
    return { type: 'i32', op: 'guest.flag', args: [], imm: BIT[flag] };
  }
  arithmetic(): I32 {
    return (Object.keys(BIT) as FlagName[])
      .map((name) => i32.shl(this.get(name), BIT[name]))
      .reduce((sum, bit) => i32.or(sum, bit));
  }
  load(eflags: I32, mask: number): void {
    this.c.arithmeticFlags = (this.c.arithmeticFlags & ~mask) | (this.c.number(eflags) & mask & ARITHMETIC);
  }
  condition(cc: number): I32 {
    const [cf, pf, zf, sf, of] = (['cf', 'pf', 'zf', 'sf', 'of'] as const).map((f) => this.c.number(this.get(f)));
    const met = [of, cf, zf, cf | zf, sf, pf, sf ^ of, zf | (sf ^ of)][cc >> 1];
    return i32.const(met ^ (cc & 1));
  }
}
