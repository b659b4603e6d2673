import { ESP, SS, STATE, gprSlot } from '../../isa/cpu-state.js';
import type { Label } from '../../isa/ir/body.js';
import type { Expr, I32, I64, Local, V128 } from '../../isa/ir/expr.js';
import { call, i32 } from '../../isa/ir/expr.js';
import type { Operand, Width } from '../../isa/semantics.js';
import type { Form } from '../decode/form.js';
import type { AccessBytes } from '../memory/access.js';
import {
  ACCESS,
  faulted,
  probeLinearWrite,
  readLinear,
  tlbAddress,
  withinPage,
  writeLinear,
} from '../memory/access.js';
import { TLB_BIAS, TLB_FAST } from '../memory/layout.js';
import { GenericContext } from './generic-context.js';
import type { FormOperand } from './operand.js';
import { RECORD_BYTES } from './record.js';

/** Variables and exits of the main loop that hot handlers live in. */
export interface LoopFrame {
  readonly rec: Local<'i32'>;
  readonly budget: Local<'i32'>;
  /** EIP of the block's first byte. */
  readonly blockEip: Local<'i32'>;
  readonly eip: Local<'i32'>;
  readonly tlbRead: Local<'i32'>;
  readonly tlbWrite: Local<'i32'>;
  /** Branch record whose target is being looked up, 0 for none. */
  readonly linkFrom: Local<'i32'>;
  /** Go on with the block whose head is `rec`. */
  readonly block: Label;
  /** Fetch and run the next record. */
  readonly dispatch: Label;
  /** Look up `eip`. */
  readonly lookup: Label;
  /** Deliver the pending fault of the instruction at `rec`. */
  readonly fault: Label;
}

/**
 * Semantics inside the main loop, for 32-bit code with flat CS DS ES SS and a 32-bit stack: no segment checks, TLB
 * lookups inline, branches without leaving the loop.
 */
export class HotContext extends GenericContext {
  #frame!: LoopFrame;

  enter(frame: LoopFrame): void {
    this.#frame = frame;
    this.rec = frame.rec;
  }

  #condition: number | null = null;

  emitHot(form: Form, condition: number | null): void {
    this.#condition = condition;
    this.emitForm(form);
  }
  protected override knownCondition(): number | null {
    return this.#condition ?? super.knownCondition();
  }

  /** Forms that mean the same here as in the generic context, only faster. */
  static supports(form: Form): boolean {
    const { options } = form.encoding.instruction;
    return (
      options.string === undefined &&
      options.unit === undefined &&
      !options.privileged &&
      !options.protectedOnly &&
      !(form.operandSize === 16 && options.branch)
    );
  }

  protected override next(): void {
    this.set(this.#frame.rec, i32.add(this.#frame.rec, RECORD_BYTES));
    this.br(this.#frame.dispatch);
  }
  protected override fault(): void {
    this.br(this.#frame.fault);
  }
  protected override resync(): void {
    throw new Error(`${this.form.encoding.instruction.mnemonic} cannot be a hot form`);
  }

  /** Host code reached by a slow path sees and may change the budget. */
  #outside(access: () => void): void {
    this.store(STATE.budget, this.#frame.budget);
    access();
    this.set(this.#frame.budget, i32.load(STATE.budget));
    this.checkFault();
  }

  protected override readMemory(_segment: I32, offset: I32, bytes: AccessBytes): Expr {
    const access = ACCESS[bytes];
    const linear = this.let(offset);
    const entry = this.let(i32.load(tlbAddress(this.#frame.tlbRead, linear)));
    const value = this.var(access.type as 'i32');
    this.if(
      i32.and(i32.and(entry, TLB_FAST), withinPage(linear, bytes)),
      () => this.set(value, access.load(i32.add(linear, entry), TLB_BIAS) as I32),
      () => this.#outside(() => this.set(value, call(readLinear[bytes] as (typeof readLinear)[4], linear))),
    );
    return value;
  }

  protected override writeMemory(_segment: I32, offset: I32, bytes: AccessBytes, value: Expr): void {
    const access = ACCESS[bytes];
    const linear = this.let(offset);
    const pinned = this.let(value);
    const entry = this.let(i32.load(tlbAddress(this.#frame.tlbWrite, linear)));
    this.if(
      i32.and(i32.and(entry, TLB_FAST), withinPage(linear, bytes)),
      () => access.store(this, i32.add(linear, entry), pinned as I32 & I64 & V128, TLB_BIAS),
      () => this.#outside(() => this.do(writeLinear[bytes], linear, pinned)),
    );
  }

  override update(op: Operand, f: (old: I32) => I32): void {
    const o = op as FormOperand;
    if (o.kind !== 'memory') {
      super.update(op, f);
      return;
    }
    const bytes = (o.width / 8) as 1 | 2 | 4;
    const access = ACCESS[bytes];
    const linear = this.effectiveAddress(o);
    const entry = this.let(i32.load(tlbAddress(this.#frame.tlbWrite, linear)));
    const fast = this.let(i32.and(i32.and(entry, TLB_FAST), withinPage(linear, bytes)));
    const old = this.var('i32');
    const host = this.let(i32.add(linear, entry));
    this.if(
      fast,
      () => this.set(old, access.load(host, TLB_BIAS) as I32),
      () =>
        this.#outside(() => {
          this.do(probeLinearWrite, linear, bytes);
          this.if(i32.eqz(faulted()), () => this.set(old, call(readLinear[bytes], linear)));
        }),
    );
    const value = this.let(f(old));
    this.if(
      fast,
      () => access.store(this, host, value as I32 & I64 & V128, TLB_BIAS),
      () => this.#outside(() => this.do(writeLinear[bytes], linear, value)),
    );
  }

  override effectiveAddress(op: Operand): I32 {
    const o = op as FormOperand;
    if (o.spec.source === 'offset') return this.field32('displacement');
    return this.let(
      i32.add(
        i32.add(i32.load(this.field16('rm')), i32.shl(i32.load(this.field16('index')), this.field8('scale'))),
        this.field32('displacement'),
      ),
    );
  }
  override linearAddress(op: Operand): I32 {
    return this.effectiveAddress(op);
  }

  override push(width: 16 | 32, value: I32): void {
    const sp = this.let(i32.sub(i32.load(gprSlot(ESP)), width / 8));
    this.writeMemory(i32.const(SS), sp, (width / 8) as AccessBytes, value);
    this.store(gprSlot(ESP), sp);
  }
  override pop(width: 16 | 32): I32 {
    const sp = this.let(i32.load(gprSlot(ESP)));
    const value = this.readMemory(i32.const(SS), sp, (width / 8) as AccessBytes) as I32;
    this.store(gprSlot(ESP), i32.add(sp, width / 8));
    return value;
  }
  override stackPointer(): I32 {
    return this.let(i32.load(gprSlot(ESP)));
  }
  override setStackPointer(value: I32): void {
    this.store(gprSlot(ESP), value);
  }
  override addressReg(index: number): I32 {
    return this.let(i32.load(gprSlot(index)));
  }
  override setAddressReg(index: number, value: I32): void {
    this.store(gprSlot(index), value);
  }
  override wrapAddress(offset: I32): I32 {
    return offset;
  }

  override nextEip(): I32 {
    const { blockEip } = this.#frame;
    return this.let(i32.add(i32.add(blockEip, this.field16('offset')), this.field8('length')));
  }
  /** The CS limit is 4 GiB. */
  override checkTarget(): void {}

  override read(op: Operand): I32 {
    if (op.kind === 'relative') return this.let(i32.add(this.#frame.blockEip, this.field32('immediate')));
    return super.read(op);
  }

  override jump(target: I32): void {
    const { rec, blockEip, eip, linkFrom, block, lookup } = this.#frame;
    const direct = this.form.encoding.operands.some((o) => o.source === 'relative');
    const to = this.let(target);
    if (direct) {
      const linked = this.let(this.field32('immediate2'));
      this.if(linked, () => {
        this.set(blockEip, to);
        this.set(rec, linked);
        this.br(block);
      });
      const from = i32.add(blockEip, this.field16('offset'));
      const samePage = i32.eqz(i32.shr_u(i32.xor(from, to), 12));
      this.if(
        samePage,
        () => this.set(linkFrom, rec),
        () => this.set(linkFrom, i32.const(0)),
      );
    } else this.set(linkFrom, i32.const(0));
    this.set(eip, to);
    this.br(lookup);
  }

  override loadMemory(_segment: unknown, offset: I32, width: Width): I32 {
    return this.readMemory(i32.const(0), offset, (width / 8) as AccessBytes) as I32;
  }
}
