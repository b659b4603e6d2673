import { ESP, SS, STATE, gprSlot } from '../../isa/cpu-state.js';
import { Body } from '../../isa/ir/body.js';
import type { I32, ValType } from '../../isa/ir/expr.js';
import { i32, select } from '../../isa/ir/expr.js';
import type { Operand, Width } from '../../isa/semantics.js';
import type { FormOperand } from './operand.js';
import { RECORD } from './record.js';

/** The op record's fields, and the registers that they name. */
export abstract class RecordContext extends Body {
  /** Address of the record at hand. */
  rec: I32;

  constructor(params: readonly ValType[]) {
    super(params);
    this.rec = this.param(0, 'i32');
  }

  protected field8(name: keyof typeof RECORD): I32 {
    return i32.load8_u(this.rec, RECORD[name]);
  }
  protected field16(name: keyof typeof RECORD): I32 {
    return i32.load16_u(this.rec, RECORD[name]);
  }
  protected field32(name: keyof typeof RECORD): I32 {
    return i32.load(this.rec, RECORD[name]);
  }

  slot(op: Operand): I32 {
    const { spec } = op as FormOperand;
    if (spec.source === 'fixed') return i32.const(fixedSlot(spec.file, spec.width[1], spec.fixed));
    return this.field16(spec.source === 'rm' ? 'rm' : 'reg');
  }

  index(op: Operand): I32 {
    const { spec } = op as FormOperand;
    if (spec.source === 'fixed') return i32.const(spec.fixed);
    const field = this.field16(spec.source === 'rm' ? 'rm' : 'reg');
    switch (spec.file) {
      case 'gpr':
        return i32.shr_u(i32.sub(field, STATE.gpr), 3);
      case 'mmx':
        return i32.shr_u(i32.sub(field, STATE.fpr), 4);
      case 'xmm':
        return i32.shr_u(i32.sub(field, STATE.xmm), 4);
      default:
        return field;
    }
  }

  farSelector(_op: Operand): I32 {
    return this.field32('immediate2');
  }

  // ---- registers
  reg(index: number, width: Width): I32 {
    return loadSlot(i32.const(fixedSlot('gpr', width, index)), width);
  }
  setReg(index: number, width: Width, value: I32): void {
    storeSlot(this, i32.const(fixedSlot('gpr', width, index)), width, value);
  }
  addressReg(index: number): I32 {
    return this.let(i32.and(i32.load(gprSlot(index)), this.field32('addressMask')));
  }
  setAddressReg(index: number, value: I32): void {
    this.masked(gprSlot(index), this.field32('addressMask'), value);
  }
  wrapAddress(offset: I32): I32 {
    return i32.and(offset, this.field32('addressMask'));
  }
  protected masked(slot: number, mask: I32, value: I32): void {
    const m = this.let(mask);
    const v = this.let(value);
    this.store(slot, i32.or(i32.and(v, m), i32.and(i32.load(slot), i32.not(m))));
  }

  // ---- stack pointer
  protected stackMask(): I32 {
    return this.let(select(i32.and(i32.load(STATE.segAccess + 4 * SS), 0x4000), i32.const(-1), i32.const(0xffff)));
  }
  stackPointer(): I32 {
    return this.let(i32.and(i32.load(gprSlot(ESP)), this.stackMask()));
  }
  setStackPointer(value: I32): void {
    this.masked(gprSlot(ESP), this.stackMask(), value);
  }
}

/** Byte offset of a register by its number, or the number itself for files that have no slots. */
export function fixedSlot(file: string, width: number, number: number): number {
  switch (file) {
    case 'gpr':
      return width === 8 && number >= 4 ? gprSlot(number - 4) + 1 : gprSlot(number);
    case 'mmx':
      return STATE.fpr + 16 * number;
    case 'xmm':
      return STATE.xmm + 16 * number;
    default:
      return number;
  }
}

export function cut(value: I32, width: number): I32 {
  return width === 8 ? i32.and(value, 0xff) : width === 16 ? i32.and(value, 0xffff) : value;
}
export function loadSlot(slot: I32, width: number): I32 {
  return width === 8 ? i32.load8_u(slot) : width === 16 ? i32.load16_u(slot) : i32.load(slot);
}
export function storeSlot(b: Body, slot: I32, width: number, value: I32): void {
  if (width === 8) b.store8(slot, value);
  else if (width === 16) b.store16(slot, value);
  else b.store(slot, value);
}
