import { ESP, SS, gprSlot } from '../../isa/cpu-state.js';
import type { Label, Stmt } from '../../isa/ir/body.js';
import type { Expr, I32, I64, Local, V128 } from '../../isa/ir/expr.js';
import { i32 } from '../../isa/ir/expr.js';
import type { Operand, Width } from '../../isa/semantics.js';
import type { Form } from '../decode/form.js';
import type { AccessBytes } from '../memory/access.js';
import { ACCESS, tlbAddress, withinPage } from '../memory/access.js';
import { TLB_BIAS, TLB_FAST } from '../memory/layout.js';
import { forEachCallee } from '../wasm/module.js';
import { GenericContext } from './generic-context.js';
import { NotCompilable } from './not-compilable.js';
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
  /** Call the generic handler of `rec` instead. */
  readonly generic: Label;
}

/**
 * Semantics inside the main loop, for 32-bit code with flat CS DS ES SS and a 32-bit stack: no segment checks, TLB
 * lookups inline, branches without leaving the loop. Whatever is rare, a TLB miss, a device or a fault, is left to the
 * generic handler before anything has changed, so that the loop has no calls, which would keep its variables in memory.
 */
export class HotContext extends GenericContext {
  #frame!: LoopFrame;
  /** The machine's state has changed: the instruction can no longer be begun anew. */
  #changed = false;

  enter(frame: LoopFrame): void {
    this.#frame = frame;
    this.rec = frame.rec;
  }

  #condition: number | null = null;

  emitHot(form: Form, condition: number | null): void {
    this.#condition = condition;
    this.#changed = false;
    this.emitForm(form);
  }
  protected override knownCondition(): number | null {
    return this.#condition ?? super.knownCondition();
  }

  /** Forms that mean the same here as in the generic context, only faster. */
  static supports(form: Form): boolean {
    const { options } = form.encoding.instruction;
    const isUsual =
      options.string === undefined &&
      options.unit === undefined &&
      !options.privileged &&
      !options.protectedOnly &&
      !(form.operandSize === 16 && options.branch);
    return isUsual && HotContext.#tries(form);
  }

  static #tries(form: Form): boolean {
    const c = new HotContext(['i32']);
    const variable = (): Local<'i32'> => c.var('i32');
    const label: Label = { kind: 'block' };
    c.enter({
      ...{ rec: variable(), budget: variable(), blockEip: variable(), eip: variable() },
      ...{ tlbRead: variable(), tlbWrite: variable(), linkFrom: variable() },
      ...{ block: label, dispatch: label, lookup: label, generic: label },
    });
    try {
      c.emitHot(form, 0);
    } catch (e) {
      if (e instanceof NotCompilable) return false;
      throw e;
    }
    let calls = 0;
    forEachCallee(c, () => calls++);
    return calls === 0;
  }

  override add(stmt: Stmt): void {
    if (stmt.kind === 'store') this.#changed = true;
    super.add(stmt);
  }

  protected override next(): void {
    this.set(this.#frame.rec, i32.add(this.#frame.rec, RECORD_BYTES));
    this.br(this.#frame.dispatch);
  }
  protected override resync(): void {
    throw new NotCompilable();
  }
  protected override checkFault(): void {
    throw new NotCompilable();
  }
  override system(): void {
    throw new NotCompilable();
  }
  override raise(): void {
    this.#require(i32.const(0));
  }
  override raiseIf(cond: I32): void {
    this.#require(i32.eqz(cond));
  }

  /** Goes on only if `ok`. */
  #require(ok: I32): void {
    if (this.#changed) throw new NotCompilable();
    this.brIf(this.#frame.generic, i32.eqz(ok));
  }

  /** Host address less TLB_BIAS. */
  #translate(table: I32, linear: I32, bytes: number): I32 {
    const entry = this.let(i32.load(tlbAddress(table, linear)));
    this.#require(i32.and(i32.and(entry, TLB_FAST), withinPage(linear, bytes)));
    return this.let(i32.add(linear, entry));
  }

  protected override readMemory(_segment: I32, offset: I32, bytes: AccessBytes): Expr {
    const host = this.#translate(this.#frame.tlbRead, this.let(offset), bytes);
    return this.let(ACCESS[bytes].load(host, TLB_BIAS) as Expr);
  }

  protected override writeMemory(_segment: I32, offset: I32, bytes: AccessBytes, value: Expr): void {
    const linear = this.let(offset);
    const pinned = this.let(value);
    const host = this.#translate(this.#frame.tlbWrite, linear, bytes);
    ACCESS[bytes].store(this, host, pinned as I32 & I64 & V128, TLB_BIAS);
  }

  override update(op: Operand, f: (old: I32) => I32): void {
    const o = op as FormOperand;
    if (o.kind !== 'memory') {
      super.update(op, f);
      return;
    }
    const access = ACCESS[(o.width / 8) as 1 | 2 | 4];
    const host = this.#translate(this.#frame.tlbWrite, this.effectiveAddress(o), o.width / 8);
    const value = this.let(f(this.let(access.load(host, TLB_BIAS) as I32)));
    access.store(this, host, value as I32 & I64 & V128, TLB_BIAS);
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
