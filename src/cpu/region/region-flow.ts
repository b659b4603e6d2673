import { STATE, gprSlot } from '../../isa/cpu-state.js';
import type { Label } from '../../isa/ir/body.js';
import type { I32, Local } from '../../isa/ir/expr.js';
import { call, i32, isConst } from '../../isa/ir/expr.js';
import type { SystemRoutine } from '../../isa/semantics.js';
import type { Form } from '../decode/form.js';
import { GenericContext, STATUS } from '../interpreter/generic-context.js';
import { callHandler } from '../interpreter/main-loop.js';
import { NotCompilable } from '../interpreter/not-compilable.js';
import { RECORD } from '../interpreter/record.js';
import { faulted } from '../memory/access.js';
import type { FlagKind } from './lazy-flags.js';
import { DYNAMIC, LazyFlags, sameKind } from './lazy-flags.js';
import type { JobInstruction } from './region-job.js';

/** How a block's last instruction goes on. */
export type Outcome =
  | { readonly kind: 'next' }
  | { readonly kind: 'jump'; readonly target: I32 }
  | { readonly kind: 'conditional'; readonly condition: I32; readonly target: I32 };

/**
 * The ways into, through and out of a region in 32-bit code with flat CS DS ES SS: ticks, registers and flags in
 * variables, leaving ahead of an instruction, calling its handler.
 */
export abstract class RegionFlow extends GenericContext {
  override readonly flags: LazyFlags;
  readonly gpr: readonly Local<'i32'>[];
  readonly budget: Local<'i32'>;
  /** Where execution goes on outside. */
  readonly eip: Local<'i32'>;
  /** Ticks to give back on leaving. */
  readonly refund: Local<'i32'>;
  outcome: Outcome = { kind: 'next' };
  protected instruction!: JobInstruction;
  /** Instructions of the block from this one on. */
  protected left = 0;
  #depth = 0;
  #exitSet = false;
  /** Registers or flags changed: the instruction can no longer be begun anew. */
  protected changed = false;
  #unitsChecked = new Set<string>();
  #step!: Label;
  #next!: Label;

  constructor(protected readonly records: DataView) {
    super(['i32']);
    this.flags = new LazyFlags(
      this,
      () => this.records.getUint8(this.instruction.at + RECORD.condition) & 15,
      () => (this.changed = true),
    );
    this.gpr = Array.from({ length: 8 }, () => this.var('i32'));
    this.budget = this.var('i32');
    this.eip = this.var('i32');
    this.refund = this.var('i32');
  }

  /** Where exits go: to the interpreter for one instruction, or to wherever EIP says. */
  setExits(step: Label, next: Label): void {
    this.#step = step;
    this.#next = next;
  }

  loadRegisters(): void {
    this.gpr.forEach((local, i) => this.set(local, i32.load(gprSlot(i))));
    this.flags.loadCells();
  }
  storeRegisters(): void {
    this.gpr.forEach((local, i) => this.store(gprSlot(i), local));
    this.flags.storeCells();
  }

  beginBlock(flags: FlagKind): void {
    this.flags.kind = flags;
    this.#unitsChecked = new Set();
  }

  /** Takes the block's ticks, or leaves ahead of it when they are not there. */
  takeTicks(eip: number, count: number): void {
    this.set(this.eip, i32.const(eip));
    this.set(this.refund, i32.const(0));
    this.brIf(this.#step, i32.lt_s(this.budget, count));
    this.set(this.budget, i32.sub(this.budget, count));
  }

  /** Emits an instruction in place. `left` counts it and the instructions of its block behind it. */
  emitInstruction(instruction: JobInstruction, form: Form, left: number): void {
    this.#begin(instruction, left);
    this.emitForm(form);
  }

  #begin(instruction: JobInstruction, left: number): void {
    this.instruction = instruction;
    this.left = left;
    this.#exitSet = false;
    this.changed = false;
    this.outcome = { kind: 'next' };
  }

  /** Calls the generic handler of an instruction and goes on behind it if the machine's state allows. */
  emitCall(instruction: JobInstruction, left: number, isString: boolean): void {
    this.#begin(instruction, left);
    const behind = instruction.eip + instruction.length;
    const expected = this.let(i32.add(this.budget, left - 1));
    this.storeRegisters();
    this.store(STATE.instructionEip, instruction.eip);
    this.store(STATE.nextEip, behind);
    this.store(STATE.budget, expected);
    const slot = this.records.getUint16(instruction.at + RECORD.generic, true);
    const status = this.let(call(callHandler, i32.const(instruction.record), slot));
    // String instructions look EIP up anew, having spent ticks; nothing else that matters here can have changed.
    if (isString) {
      const stays = i32.and(i32.eq(status, STATUS.RESYNC), i32.eq(i32.load(STATE.eip), behind));
      super.if(i32.eqz(stays), () => this.return(status));
    } else super.if(status, () => this.return(status));
    this.set(this.budget, i32.sub(i32.load(STATE.budget), left - 1));
    // The slice was cut behind this instruction.
    super.if(i32.lt_s(this.budget, 0), () => {
      this.store(STATE.eip, behind);
      this.return(i32.const(STATUS.NEXT));
    });
    this.loadRegisters();
  }

  // ---- ways out
  #prepareExit(): void {
    if (this.#exitSet) return;
    this.set(this.eip, i32.const(this.instruction.eip));
    this.set(this.refund, i32.const(this.left));
    if (this.#depth === 0) this.#exitSet = true;
  }
  /** Leaves ahead of the instruction unless `ok`. */
  protected require(ok: I32): void {
    if (this.changed) throw new NotCompilable();
    if (isConst(ok) && ok.imm !== 0) return;
    this.#prepareExit();
    this.brIf(this.#step, i32.eqz(ok));
  }
  #leave(): void {
    if (this.changed) throw new NotCompilable();
    this.#prepareExit();
    this.br(this.#step);
  }
  /** Leaves the region; execution goes on at `target`. */
  exitTo(target: I32): void {
    this.set(this.eip, target);
    this.set(this.refund, i32.const(0));
    this.br(this.#next);
  }

  protected override next(): void {}
  protected override fault(): void {
    this.store(STATE.faultVector, 0);
    this.#leave();
  }
  protected override resync(): void {
    throw new NotCompilable();
  }
  protected override checkFault(): void {
    if (this.changed) throw new NotCompilable();
    super.if(faulted(), () => this.fault());
  }
  override raise(): void {
    this.#leave();
  }
  override raiseIf(cond: I32): void {
    this.require(i32.eqz(cond));
  }
  override system(_name: SystemRoutine): void {
    // On a rare path only; otherwise calling the handler is cheaper.
    if (this.#depth === 0) throw new NotCompilable();
    this.#leave();
  }
  override portIn(): I32 {
    throw new NotCompilable();
  }
  override portOut(): void {
    throw new NotCompilable();
  }
  override checkPort(): void {
    throw new NotCompilable();
  }
  protected override checkUnit(form: Form): void {
    const { unit } = form.encoding.instruction.options;
    if (unit === undefined || this.#unitsChecked.has(unit)) return;
    super.checkUnit(form);
    this.#unitsChecked.add(unit);
  }

  // ---- statements: flags that differ between two branches meet as `dynamic`
  override if(cond: I32, then: () => void, otherwise?: () => void): void {
    if (isConst(cond)) {
      if (cond.imm !== 0) then();
      else otherwise?.();
      return;
    }
    const { flags } = this;
    const before = flags.kind;
    const units = this.#unitsChecked;
    const branch = (build: () => void): FlagKind => {
      flags.kind = before;
      this.#unitsChecked = new Set(units);
      this.#depth++;
      build();
      this.#depth--;
      return flags.kind;
    };
    let first = before;
    let second = before;
    super.if(cond, () => (first = branch(then)), otherwise && (() => (second = branch(otherwise))));
    this.#unitsChecked = units;
    flags.kind = sameKind(first, second) ? first : DYNAMIC;
  }
  override block(build: (label: Label) => void): void {
    this.#nested(() => super.block(build));
  }
  override loop(build: (label: Label) => void): void {
    this.#nested(() => super.loop(build));
  }
  override switch(index: I32, cases: readonly (() => void)[], fallback?: () => void): void {
    this.#nested(() => super.switch(index, cases, fallback));
  }
  /** Inside other statements flags are cells. */
  #nested(build: () => void): void {
    this.flags.toCells();
    this.#depth++;
    build();
    this.#depth--;
    if (this.flags.kind.op !== 'cells') throw new NotCompilable();
  }

  /** Control flow of the region itself, whose flags the emitter looks after. */
  plainIf(cond: I32, then: () => void): void {
    super.if(cond, then);
  }
  plainBlock(build: (label: Label) => void): void {
    super.block(build);
  }
  plainLoop(build: (label: Label) => void): void {
    super.loop(build);
  }
}
