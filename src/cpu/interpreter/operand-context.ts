import { ESP, EXCEPTION, SS, STATE, gprSlot } from '../../isa/cpu-state.js';
import type { Expr, I32, I32Like, I64, V128 } from '../../isa/ir/expr.js';
import { call, i32, i64, v128 } from '../../isa/ir/expr.js';
import type { Operand, SegmentRef, Width } from '../../isa/semantics.js';
import type { AccessBytes } from '../memory/access.js';
import { probeSegmentWrite, readSegment, writeSegment } from '../memory/access.js';
import { quickLoadSegment } from '../memory/segment.js';
import type { FormOperand } from './operand.js';
import { cut, loadSlot, RecordContext, storeSlot } from './record-context.js';

const bytesOf = (width: number): AccessBytes => (width / 8) as AccessBytes;

/** Stands for "the segment named in the record". */
const DATA_SEGMENT = { kind: 'memory', width: 0 } as const satisfies Operand;

/** Where the semantics' operands, guest memory and the stack are, with no assumption about mode or segments. */
export abstract class OperandContext extends RecordContext {
  operandSize: 16 | 32 = 32;

  protected abstract checkFault(): void;
  abstract raiseIf(cond: I32, vector: number, errorCode?: I32Like): void;

  // ---- operands
  read(op: Operand): I32 {
    const o = op as FormOperand;
    switch (o.kind) {
      case 'memory':
        return this.readMemory(this.segmentOf(o), this.effectiveAddress(o), bytesOf(o.width)) as I32;
      case 'gpr':
        return loadSlot(this.slot(o), o.width);
      case 'immediate':
        if (o.spec.source === 'fixed') return i32.const(o.spec.fixed);
        return cut(this.field32(o.immediateField === 2 ? 'immediate2' : 'immediate'), o.width);
      case 'relative':
        return cut(
          i32.add(i32.sub(i32.load(STATE.instructionEip), this.field16('offset')), this.field32('immediate')),
          this.operandSize,
        );
      case 'farPointer':
        return this.field32('immediate');
      case 'segment':
        return i32.load(i32.shl(this.index(o), 2), STATE.segSelector);
      case 'mmx':
      case 'xmm':
        return i32.load(this.slot(o));
      default:
        return this.index(o);
    }
  }

  write(op: Operand, value: I32): void {
    const o = op as FormOperand;
    if (o.kind === 'memory') this.writeMemory(this.segmentOf(o), this.effectiveAddress(o), bytesOf(o.width), value);
    else storeSlot(this, this.slot(o), o.width, value);
  }

  update(op: Operand, f: (old: I32) => I32): void {
    const o = op as FormOperand;
    if (o.kind === 'memory') {
      this.updateMemory(o, this.let(this.effectiveAddress(o)), o.width as Width, f);
      return;
    }
    const slot = this.let(this.slot(o));
    storeSlot(this, slot, o.width, f(this.let(loadSlot(slot, o.width))));
  }

  read64(op: Operand): I64 {
    const o = op as FormOperand;
    if (o.kind === 'memory') return this.readMemory(this.segmentOf(o), this.effectiveAddress(o), 8) as I64;
    return i64.load(this.slot(o));
  }

  write64(op: Operand, value: I64): void {
    const o = op as FormOperand;
    if (o.kind === 'memory') this.writeMemory(this.segmentOf(o), this.effectiveAddress(o), 8, value);
    else this.store64(this.slot(o), value);
  }

  #checkAlignment(o: FormOperand, aligned: boolean | undefined): void {
    if (aligned) this.raiseIf(i32.and(this.linearAddress(o), 15), EXCEPTION.GP, 0);
  }

  read128(op: Operand, aligned?: boolean): V128 {
    const o = op as FormOperand;
    if (o.kind !== 'memory') return v128.load(this.slot(o));
    this.#checkAlignment(o, aligned);
    return this.readMemory(this.segmentOf(o), this.effectiveAddress(o), 16) as V128;
  }

  write128(op: Operand, value: V128, aligned?: boolean): void {
    const o = op as FormOperand;
    if (o.kind !== 'memory') {
      this.storeV128(this.slot(o), value);
      return;
    }
    const pinned = this.let(value);
    this.#checkAlignment(o, aligned);
    this.writeMemory(this.segmentOf(o), this.effectiveAddress(o), 16, pinned);
  }

  effectiveAddress(op: Operand): I32 {
    const o = op as FormOperand;
    if (o.spec.source === 'offset') return this.field32('displacement');
    const sum = i32.add(
      i32.add(i32.load(this.field16('rm')), i32.shl(i32.load(this.field16('index')), this.field8('scale'))),
      this.field32('displacement'),
    );
    return this.let(i32.and(sum, this.field32('addressMask')));
  }

  linearAddress(op: Operand): I32 {
    const segment = i32.shl(this.field8('segment'), 2);
    return i32.add(this.effectiveAddress(op), i32.load(segment, STATE.segBase));
  }

  #piece(op: Operand, offset: I32Like): I32 {
    return this.let(i32.and(i32.add(this.effectiveAddress(op), offset), this.field32('addressMask')));
  }
  loadAt(op: Operand, offset: I32Like, width: Width): I32 {
    return this.readMemory(this.segmentOf(op), this.#piece(op, offset), bytesOf(width)) as I32;
  }
  load64At(op: Operand, offset: I32Like): I64 {
    return this.readMemory(this.segmentOf(op), this.#piece(op, offset), 8) as I64;
  }
  storeAt(op: Operand, offset: I32Like, width: Width, value: I32): void {
    this.writeMemory(this.segmentOf(op), this.#piece(op, offset), bytesOf(width), value);
  }
  store64At(op: Operand, offset: I32Like, value: I64): void {
    this.writeMemory(this.segmentOf(op), this.#piece(op, offset), 8, value);
  }
  probeWrite(op: Operand, sizeBytes: number): void {
    this.do(probeSegmentWrite, this.segmentOf(op), this.effectiveAddress(op), sizeBytes);
    this.checkFault();
  }

  segmentSelector(op: Operand): I32 {
    return i32.load(i32.shl(this.segmentOf(op), 2), STATE.segSelector);
  }
  fpuOpcode(): I32 {
    return this.field16('reg');
  }

  // ---- guest memory
  protected segmentOf(ref: SegmentRef): I32 {
    return typeof ref === 'number' ? i32.const(ref) : this.field8('segment');
  }
  get dataSegment(): SegmentRef {
    // The decoder puts the override, or DS, into the segment field of instructions without a memory operand.
    return DATA_SEGMENT;
  }

  protected readMemory(segment: I32, offset: I32, bytes: AccessBytes): Expr {
    const value = this.let(call(readSegment[bytes] as (typeof readSegment)[4], segment, offset));
    this.checkFault();
    return value;
  }
  protected writeMemory(segment: I32, offset: I32, bytes: AccessBytes, value: Expr): void {
    this.do(writeSegment[bytes], segment, offset, value);
    this.checkFault();
  }
  loadMemory(segment: SegmentRef, offset: I32, width: Width): I32 {
    return this.readMemory(this.segmentOf(segment), offset, bytesOf(width)) as I32;
  }
  storeMemory(segment: SegmentRef, offset: I32, width: Width, value: I32): void {
    this.writeMemory(this.segmentOf(segment), offset, bytesOf(width), value);
  }
  updateMemory(segment: SegmentRef, offset: I32, width: Width, f: (old: I32) => I32): void {
    const at = this.let(offset);
    this.do(probeSegmentWrite, this.segmentOf(segment), at, width / 8);
    this.checkFault();
    const old = this.loadMemory(segment, at, width);
    this.storeMemory(segment, at, width, f(old));
  }

  quickLoadSegment(segment: I32, selector: I32): I32 {
    return this.let(call(quickLoadSegment, segment, selector));
  }

  // ---- stack
  push(width: 16 | 32, value: I32): void {
    const v = this.let(value);
    const mask = this.stackMask();
    const sp = this.let(i32.and(i32.sub(i32.load(gprSlot(ESP)), width / 8), mask));
    this.writeMemory(i32.const(SS), sp, bytesOf(width), v);
    this.masked(gprSlot(ESP), mask, sp);
  }
  pop(width: 16 | 32): I32 {
    const mask = this.stackMask();
    const sp = this.let(i32.and(i32.load(gprSlot(ESP)), mask));
    const value = this.readMemory(i32.const(SS), sp, bytesOf(width)) as I32;
    this.masked(gprSlot(ESP), mask, i32.add(sp, width / 8));
    return value;
  }
}
