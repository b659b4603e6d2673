import { assert } from '../../base/assert.js';
import { ECX, ESP, EXCEPTION, FLAG, SS, STATE, gprSlot } from '../../isa/cpu-state.js';
import { hostFunction } from '../../isa/ir/body.js';
import type { Expr, I32, I32Like, I64, V128, ValType } from '../../isa/ir/expr.js';
import { call, i32, i64, v128 } from '../../isa/ir/expr.js';
import type { FlagSemantics, Operand, SegmentRef, Semantics, SystemRoutine, Width } from '../../isa/semantics.js';
import { SYSTEM_ROUTINES } from '../../isa/semantics.js';
import type { Form } from '../decode/form.js';
import type { AccessBytes } from '../memory/access.js';
import { checkCodeLimit, faulted, probeSegmentWrite, raiseFault, readSegment, writeSegment } from '../memory/access.js';
import { CellFlags } from './flags.js';
import type { FormOperand } from './operand.js';
import { formOperands, formWidth } from './operand.js';
import { cut, loadSlot, RecordContext, storeSlot } from './record-context.js';

/** What a generic handler or a region returns. */
export const STATUS = {
  /** Go on with the next record. */
  NEXT: 0,
  /** EIP and everything cached must be taken from the state. */
  RESYNC: 1,
  /** A fault is pending. */
  FAULT: 2,
  /** Regions only: the interpreter must run the instruction at EIP. */
  STEP: 3,
} as const;

/** system(routine number, five arguments): runs a routine of cpu/system, delivering what it raises. */
export const systemCall = hostFunction('system', ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], null);
/** portIn(bytes, port): 0 with a fault pending when the I/O permission check fails. */
export const portIn = hostFunction('portIn', ['i32', 'i32'], 'i32');
/** checkPort(bytes, port): raises #GP(0) when the port is not permitted. */
export const checkPort = hostFunction('checkPort', ['i32', 'i32'], null);
/** portOut(bytes, port, value) */
export const portOut = hostFunction('portOut', ['i32', 'i32', 'i32'], null);

export const SYSTEM_NUMBERS = Object.keys(SYSTEM_ROUTINES) as SystemRoutine[];

const bytesOf = (width: number): AccessBytes => (width / 8) as AccessBytes;

/**
 * Semantics for the interpreter with no assumptions: any mode, any segment. Operands come from the op record. Each
 * form becomes one function (record) -> STATUS.
 */
export class GenericContext extends RecordContext implements Semantics {
  operandSize: 16 | 32 = 32;
  readonly flags: FlagSemantics;
  readonly conditionCode = -1;
  protected form!: Form;
  /** The semantics seen so far run a system routine, after which the interpreter looks up EIP anew. */
  runsSystem = false;
  /** It does so on every path. */
  alwaysSystem = false;
  #conditional = 0;

  constructor(params: readonly ValType[]) {
    super(params);
    this.flags = new CellFlags(
      this,
      () => this.knownCondition(),
      () => i32.and(this.field8('condition'), 15),
    );
  }

  /** The condition when the form has one opcode only. */
  protected knownCondition(): number | null {
    const { opcodes } = this.form.encoding;
    return opcodes.length === 1 ? opcodes[0] & 15 : null;
  }

  /** Emits the whole handler of `form`. */
  emitForm(form: Form): void {
    this.form = form;
    this.operandSize = form.operandSize;
    const { options, semantics } = form.encoding.instruction;
    const operands = formOperands(form);
    const width = formWidth(form);
    this.#preconditions();
    this.runsSystem = this.alwaysSystem = false;
    if (options.string !== undefined) this.#repeated(options.string, () => semantics(this, operands, width));
    else {
      semantics(this, operands, width);
      this.next();
    }
  }

  #preconditions(): void {
    const { options } = this.form.encoding.instruction;
    if (options.protectedOnly) this.raiseIf(i32.eqz(this.protectedMode()), EXCEPTION.UD);
    this.checkUnit(this.form);
    if (options.privileged) this.raiseIf(i32.ne(this.cpl(), 0), EXCEPTION.GP, 0);
    if (options.fpuWait) this.if(i32.and(i32.load(STATE.fsw), 0x80), () => this.system('fpuError'));
  }

  /** CR0 and CR4 allow the unit that the instruction runs on. */
  protected checkUnit(form: Form): void {
    const cr0 = i32.load(STATE.cr0);
    switch (form.encoding.instruction.options.unit) {
      case 'x87':
        this.raiseIf(i32.ne(i32.and(cr0, 0xc), 0), EXCEPTION.NM);
        break;
      case 'wait':
        this.raiseIf(i32.eq(i32.and(cr0, 0xa), 0xa), EXCEPTION.NM);
        break;
      case 'mmx':
        this.raiseIf(i32.ne(i32.and(cr0, 4), 0), EXCEPTION.UD);
        this.raiseIf(i32.ne(i32.and(cr0, 8), 0), EXCEPTION.NM);
        break;
      case 'sse':
        this.raiseIf(i32.or(i32.and(cr0, 4), i32.eqz(i32.and(i32.load(STATE.cr4), 0x200))), EXCEPTION.UD);
        this.raiseIf(i32.ne(i32.and(cr0, 8), 0), EXCEPTION.NM);
        break;
    }
  }

  /** REP: every iteration is a tick and an instruction boundary (SDM 2, REP; DESIGN 4). */
  #repeated(kind: 'plain' | 'compare', iteration: () => void): void {
    const repeat = this.let(i32.shr_u(this.field8('condition'), 4));
    this.if(
      repeat,
      () => {
        this.loop((again) => {
          const count = this.let(this.addressReg(ECX));
          this.if(i32.eqz(count), () => this.next());
          iteration();
          this.setAddressReg(ECX, i32.sub(count, 1));
          this.if(i32.eq(count, 1), () => this.next());
          if (kind === 'compare') {
            // F2 goes on while ZF = 0, F3 while ZF = 1.
            this.if(i32.ne(this.flags.get('zf'), i32.eq(repeat, 2)), () => this.next());
          }
          const left = this.let(i32.load(STATE.budget));
          this.if(left, () => {
            this.store(STATE.budget, i32.sub(left, 1));
            this.br(again);
          });
          // Whoever looks in between, or comes in with an interrupt, sees RF set (SDM 3, 17.3.1.1).
          this.store(STATE.eflagsRest, i32.or(i32.load(STATE.eflagsRest), FLAG.RF));
          this.store(STATE.eip, i32.load(STATE.instructionEip));
          this.resync();
        });
      },
      () => {
        iteration();
        this.next();
      },
    );
  }

  override if(cond: I32, then: () => void, otherwise?: () => void): void {
    this.#conditional++;
    super.if(cond, then, otherwise);
    this.#conditional--;
  }

  // ---- ways out
  protected next(): void {
    // The budget may have been used up by iterations; the record that follows is unaffected by that.
    if (this.form.encoding.instruction.options.string !== undefined) {
      this.store(STATE.eip, i32.load(STATE.nextEip));
      this.resync();
    } else this.return(i32.const(STATUS.NEXT));
  }
  protected resync(): void {
    this.return(i32.const(STATUS.RESYNC));
  }
  protected fault(): void {
    this.return(i32.const(STATUS.FAULT));
  }
  protected checkFault(): void {
    this.if(faulted(), () => this.fault());
  }

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
  // ---- control flow
  nextEip(): I32 {
    return i32.load(STATE.nextEip);
  }
  instructionEip(): I32 {
    return i32.load(STATE.instructionEip);
  }
  checkTarget(target: I32): void {
    this.do(checkCodeLimit, target);
    this.checkFault();
  }
  jump(target: I32): void {
    const t = this.let(target);
    this.checkTarget(t);
    this.store(STATE.eip, t);
    this.resync();
  }
  jumpIf(cond: I32, target: I32): void {
    this.if(cond, () => this.jump(target));
  }

  // ---- exceptions, privilege
  raise(vector: number, errorCode: I32Like = 0): void {
    this.do(raiseFault, vector, errorCode);
    this.fault();
  }
  raiseIf(cond: I32, vector: number, errorCode: I32Like = 0): void {
    this.if(cond, () => this.raise(vector, errorCode));
  }
  cpl(): I32 {
    return i32.load(STATE.cpl);
  }
  protectedMode(): I32 {
    return i32.and(i32.and(i32.load(STATE.cr0), 1), i32.eqz(i32.and(i32.load(STATE.eflagsRest), FLAG.VM)));
  }
  v86Mode(): I32 {
    return i32.ne(i32.and(i32.load(STATE.eflagsRest), FLAG.VM), 0);
  }

  // ---- the rest of the machine
  tick(): I64 {
    return i64.sub(i64.sub(i64.load(STATE.sliceEnd), i64.load32_u(STATE.budget)), 1);
  }
  checkPort(width: Width, port: I32): void {
    this.do(checkPort, width / 8, port);
    this.checkFault();
  }
  portIn(width: Width, port: I32): I32 {
    const value = this.let(call(portIn, width / 8, port));
    this.checkFault();
    return value;
  }
  portOut(width: Width, port: I32, value: I32): void {
    this.do(portOut, width / 8, port, value);
    this.checkFault();
  }
  system(name: SystemRoutine, ...args: I32Like[]): void {
    assert(args.length === SYSTEM_ROUTINES[name], `${name}: ${args.length} arguments`);
    this.runsSystem = true;
    if (this.#conditional === 0) this.alwaysSystem = true;
    const five = [0, 1, 2, 3, 4].map((i) => args[i] ?? 0);
    this.do(systemCall, SYSTEM_NUMBERS.indexOf(name), ...five);
    this.resync();
  }
}

/** Stands for "the segment named in the record". */
const DATA_SEGMENT = { kind: 'memory', width: 0 } as const satisfies Operand;
