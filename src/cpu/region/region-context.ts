import { assert } from '../../base/assert.js';
import { ESP, SS, STATE } from '../../isa/cpu-state.js';
import type { Expr, I32, I64, V128 } from '../../isa/ir/expr.js';
import { i32, i64, isConst } from '../../isa/ir/expr.js';
import type { Operand, SegmentRef, Width } from '../../isa/semantics.js';
import type { FormOperand } from '../interpreter/operand.js';
import { RECORD } from '../interpreter/record.js';
import { cut } from '../interpreter/record-context.js';
import type { AccessBytes } from '../memory/access.js';
import { ACCESS, withinPage } from '../memory/access.js';
import { LAYOUT, TLB_BIAS, TLB_FAST } from '../memory/layout.js';
import { NotCompilable } from '../interpreter/not-compilable.js';
import { RegionFlow } from './region-flow.js';

/** The privilege that a region is compiled for: where its TLB tables lie. */
export interface RegionMode {
  readonly user: boolean;
}

/** Data segment that is writable, expands up and is not null: SDM 3, 3.4.5.1. */
const WRITABLE_DATA_MASK = 0x1_000e;
const WRITABLE_DATA = 0x2;

/**
 * Semantics of instructions known beforehand, in 32-bit code with flat CS DS ES SS: general registers and flags live in
 * variables, guest memory is accessed through the soft TLB in place. What the TLB does not allow leaves the region
 * ahead of the instruction, so that the interpreter does it.
 */
export class RegionContext extends RegionFlow {
  readonly #tlbRead: number;
  readonly #tlbWrite: number;
  /** Bounds the emitted code of one trial. */
  accesses = 0;

  constructor(records: DataView, mode: RegionMode) {
    super(records);
    this.#tlbRead = mode.user ? LAYOUT.tlbReadUser : LAYOUT.tlbReadSupervisor;
    this.#tlbWrite = mode.user ? LAYOUT.tlbWriteUser : LAYOUT.tlbWriteSupervisor;
  }

  // ---- what the decoder found
  protected override field8(name: keyof typeof RECORD): I32 {
    return i32.const(this.records.getUint8(this.instruction.at + RECORD[name]));
  }
  protected override field16(name: keyof typeof RECORD): I32 {
    return i32.const(this.records.getUint16(this.instruction.at + RECORD[name], true));
  }
  protected override field32(name: keyof typeof RECORD): I32 {
    return i32.const(this.records.getInt32(this.instruction.at + RECORD[name], true));
  }

  // ---- registers
  #numberOf(slot: I32): number {
    assert(isConst(slot), 'register slot');
    return Math.max(0, ((slot.imm as number) - STATE.gpr) >> 3);
  }
  override reg(index: number, width: Width): I32 {
    if (width === 8) {
      const local = this.gpr[index & 3];
      return index >= 4 ? i32.and(i32.shr_u(local, 8), 0xff) : i32.and(local, 0xff);
    }
    return cut(this.gpr[index], width);
  }
  override setReg(index: number, width: Width, value: I32): void {
    this.changed = true;
    if (width === 32) {
      this.set(this.gpr[index], value);
      return;
    }
    const local = this.gpr[width === 8 ? index & 3 : index];
    const shift = width === 8 && index >= 4 ? 8 : 0;
    const mask = (width === 8 ? 0xff : 0xffff) << shift;
    this.set(local, i32.or(i32.and(local, ~mask), i32.and(i32.shl(value, shift), mask)));
  }
  /** ModRM number of a register operand; AH and its kin are 4 to 7. */
  #register(o: FormOperand): number {
    const slot = super.slot(o);
    assert(isConst(slot), 'register slot');
    const at = Math.max(0, (slot.imm as number) - STATE.gpr);
    return (at >> 3) + (at & 1 ? 4 : 0);
  }
  override slot(op: Operand): I32 {
    if (op.kind === 'gpr') throw new NotCompilable();
    return super.slot(op);
  }
  override read(op: Operand): I32 {
    const o = op as FormOperand;
    if (o.kind === 'gpr') return this.reg(this.#register(o), o.width as Width);
    if (o.kind === 'relative') {
      const target = this.instruction.target;
      assert(target !== null, 'branch without a target');
      return i32.const(target);
    }
    return super.read(op);
  }
  override write(op: Operand, value: I32): void {
    const o = op as FormOperand;
    if (o.kind === 'gpr') this.setReg(this.#register(o), o.width as Width, value);
    else super.write(op, value);
  }
  override update(op: Operand, f: (old: I32) => I32): void {
    const o = op as FormOperand;
    if (o.kind === 'memory') this.updateMemory(o, this.effectiveAddress(o), o.width as Width, f);
    else {
      const register = this.#register(o);
      this.setReg(register, o.width as Width, f(this.let(this.reg(register, o.width as Width))));
    }
  }
  override addressReg(index: number): I32 {
    return this.let(i32.and(this.gpr[index], this.field32('addressMask')));
  }
  override setAddressReg(index: number, value: I32): void {
    const mask = this.records.getInt32(this.instruction.at + RECORD.addressMask, true);
    this.setReg(index, mask === -1 ? 32 : 16, value);
  }

  // ---- addresses
  override effectiveAddress(op: Operand): I32 {
    const o = op as FormOperand;
    const displacement = this.field32('displacement');
    if (o.spec.source === 'offset') return displacement;
    const part = (field: 'rm' | 'index'): I32 => {
      const slot = this.field16(field);
      return slot.imm === STATE.zero ? i32.const(0) : this.gpr[this.#numberOf(slot)];
    };
    const sum = i32.add(i32.add(part('rm'), i32.shl(part('index'), this.field8('scale'))), displacement);
    return this.let(i32.and(sum, this.field32('addressMask')));
  }
  override linearAddress(op: Operand): I32 {
    return this.#linear(this.segmentOf(op), this.effectiveAddress(op));
  }
  #linear(segment: I32, offset: I32): I32 {
    assert(isConst(segment), 'segment number');
    const number = segment.imm as number;
    if (number < 4) return this.let(offset);
    const limit = i32.load(STATE.segLimit + 4 * number);
    const rights = i32.and(i32.load(STATE.segAccess + 4 * number), WRITABLE_DATA_MASK);
    this.require(i32.and(i32.eq(limit, -1), i32.eq(rights, WRITABLE_DATA)));
    return this.let(i32.add(offset, i32.load(STATE.segBase + 4 * number)));
  }

  // ---- guest memory
  /** Host address less TLB_BIAS. */
  #translate(table: number, segment: I32, offset: I32, bytes: number): I32 {
    this.accesses++;
    const linear = this.#linear(segment, offset);
    const entry = this.let(i32.load(i32.shl(i32.shr_u(linear, 12), 2), table));
    // Both are 0 or 1 where it counts.
    this.require(i32.and(entry, bytes === 1 ? i32.const(TLB_FAST) : withinPage(linear, bytes)));
    return this.let(i32.add(linear, entry));
  }
  protected override readMemory(segment: I32, offset: I32, bytes: AccessBytes): Expr {
    return this.let(ACCESS[bytes].load(this.#translate(this.#tlbRead, segment, offset, bytes), TLB_BIAS) as Expr);
  }
  protected override writeMemory(segment: I32, offset: I32, bytes: AccessBytes, value: Expr): void {
    const pinned = this.let(value);
    const host = this.#translate(this.#tlbWrite, segment, offset, bytes);
    ACCESS[bytes].store(this, host, pinned as I32 & I64 & V128, TLB_BIAS);
  }
  override updateMemory(segment: SegmentRef, offset: I32, width: Width, f: (old: I32) => I32): void {
    const bytes = (width / 8) as 1 | 2 | 4;
    const host = this.#translate(this.#tlbWrite, this.segmentOf(segment), offset, bytes);
    const value = this.let(f(this.let(ACCESS[bytes].load(host, TLB_BIAS))));
    ACCESS[bytes].store(this, host, value, TLB_BIAS);
  }
  override probeWrite(op: Operand, sizeBytes: number): void {
    this.#translate(this.#tlbWrite, this.segmentOf(op), this.effectiveAddress(op), sizeBytes);
  }

  // ---- stack
  override push(width: 16 | 32, value: I32): void {
    const sp = this.let(i32.sub(this.gpr[ESP], width / 8));
    this.writeMemory(i32.const(SS), sp, (width / 8) as AccessBytes, value);
    this.setReg(ESP, 32, sp);
  }
  override pop(width: 16 | 32): I32 {
    const sp = this.let(this.gpr[ESP]);
    const value = this.readMemory(i32.const(SS), sp, (width / 8) as AccessBytes) as I32;
    this.setReg(ESP, 32, i32.add(sp, width / 8));
    return value;
  }
  override stackPointer(): I32 {
    return this.let(this.gpr[ESP]);
  }
  override setStackPointer(value: I32): void {
    this.setReg(ESP, 32, value);
  }

  override tick(): I64 {
    return i64.sub(i64.load(STATE.sliceEnd), i64.extend_u(i32.add(this.budget, this.left)));
  }

  // ---- control flow
  override nextEip(): I32 {
    return i32.const(this.instruction.eip + this.instruction.length);
  }
  override instructionEip(): I32 {
    return i32.const(this.instruction.eip);
  }
  /** The CS limit is 4 GiB. */
  override checkTarget(): void {}
  override jump(target: I32): void {
    this.outcome = { kind: 'jump', target: this.let(target) };
  }
  override jumpIf(condition: I32, target: I32): void {
    this.outcome = { kind: 'conditional', condition: this.let(condition), target: this.let(target) };
  }
}
