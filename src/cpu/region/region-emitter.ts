import { assert } from '../../base/assert.js';
import { STATE } from '../../isa/cpu-state.js';
import type { Label, Routine } from '../../isa/ir/body.js';
import type { I32, Local } from '../../isa/ir/expr.js';
import { i32, isConst } from '../../isa/ir/expr.js';
import { STATUS } from '../interpreter/generic-context.js';
import { LAYOUT } from '../memory/layout.js';
import type { Structure } from './control-flow.js';
import { structure } from './control-flow.js';
import type { FlagKind } from './lazy-flags.js';
import { CELLS, DYNAMIC, sameKind } from './lazy-flags.js';
import { RegionContext } from './region-context.js';
import type { FormSupport } from './form-support.js';
import type { CodePage, JobGraphBlock, JobInstruction } from './region-job.js';

export interface RegionPlan {
  readonly name: string;
  readonly blocks: readonly JobGraphBlock[];
  /** By place in `blocks`: where it may be entered. */
  readonly entries: readonly number[];
  /** Pages whose translation the caller need not have checked. */
  readonly pages: readonly CodePage[];
  readonly user: boolean;
  /** Op records of the blocks' instructions. */
  readonly records: DataView;
  readonly support: FormSupport;
}

/** Branches open at the point where code is emitted. */
interface Labels {
  readonly merges: Map<number, Label>;
  readonly loops: Map<number, Label>;
  dispatch: Label | null;
}

/**
 * The function of a region: (entry number) -> STATUS. It takes the state from memory, runs until it cannot or may not
 * go on, and puts the state back.
 */
export function regionRoutine(plan: RegionPlan): Routine {
  return {
    name: plan.name,
    params: ['i32'],
    result: 'i32',
    createBody: () => new RegionContext(plan.records, { user: plan.user }),
    build: (body, entry) => new RegionEmitter(plan, body as RegionContext).emit(entry as Local<'i32'>),
  };
}

class RegionEmitter {
  readonly #numbers = new Map<JobGraphBlock, number>();
  readonly #structure: Structure;
  readonly #labels: Labels = { merges: new Map(), loops: new Map(), dispatch: null };
  /** Kinds of flags with which forward edges reach a block. */
  readonly #kinds = new Map<number, FlagKind>();
  #dispatchIndex!: ReturnType<RegionContext['var']>;

  constructor(
    private readonly plan: RegionPlan,
    private readonly c: RegionContext,
  ) {
    plan.blocks.forEach((block, i) => this.#numbers.set(block, i));
    this.#structure = structure({
      entries: plan.entries,
      successors: plan.blocks.map((b) => b.successors.map((s) => this.#numbers.get(s)!)),
    });
  }

  emit(entry: I32): void {
    const { c } = this;
    this.#checkValid();
    c.loadRegisters();
    c.set(c.budget, i32.load(STATE.budget));
    const status = c.var(i32.const(STATUS.NEXT));
    c.plainBlock((next) => {
      c.plainBlock((step) => {
        c.setExits(step, next);
        this.#emitRoot(entry);
      });
      c.set(status, i32.const(STATUS.STEP));
    });
    c.flags.kind = DYNAMIC;
    c.storeRegisters();
    c.store(STATE.eip, c.eip);
    c.store(STATE.budget, i32.add(c.budget, c.refund));
    c.return(status);
  }

  /** The privilege and the code pages must be those of compile time. */
  #checkValid(): void {
    const { c, plan } = this;
    const table = plan.user ? LAYOUT.tlbReadUser : LAYOUT.tlbReadSupervisor;
    let differs = i32.xor(i32.load(STATE.tlbRead), table);
    for (const { page, entry } of plan.pages) {
      differs = i32.or(differs, i32.xor(i32.load(0, table + 4 * page), entry));
    }
    c.plainIf(differs, () => c.return(i32.const(STATUS.STEP)));
  }

  #emitRoot(entry: I32): void {
    const { c } = this;
    const { entries, rootChildren } = this.#structure;
    if (entries.length === 1) {
      this.#emitTree(entries[0], CELLS);
      return;
    }
    const index = (this.#dispatchIndex = c.var(entry));
    c.plainLoop((dispatch) => {
      this.#labels.dispatch = dispatch;
      const descending = [...rootChildren].reverse();
      this.#within(descending, () => {
        const labels = entries.map((e) => this.#labels.merges.get(e)!);
        c.add({ kind: 'brTable', index, labels, fallback: labels[0] });
      });
    });
  }

  /** Code of `body` inside a block for each merge node, and behind each block the node's own code. */
  #within(descending: readonly number[], body: () => void): void {
    if (descending.length === 0) {
      body();
      return;
    }
    const [node, ...rest] = descending;
    this.c.plainBlock((label) => {
      this.#labels.merges.set(node, label);
      this.#within(rest, body);
    });
    this.#labels.merges.delete(node);
    const known = this.#structure.entries.length > 1 && this.#structure.entries.includes(node);
    this.#emitTree(node, known ? DYNAMIC : (this.#kinds.get(node) ?? DYNAMIC));
  }

  #emitTree(node: number, flags: FlagKind): void {
    const { c } = this;
    const { children, isMerge, isLoopHeader } = this.#structure;
    const merges = children[node].filter((child) => isMerge[child]).reverse();
    if (!isLoopHeader[node]) {
      this.#within(merges, () => this.#emitBlock(node, flags));
      return;
    }
    c.plainLoop((label) => {
      this.#labels.loops.set(node, label);
      this.#within(merges, () => this.#emitBlock(node, DYNAMIC));
      this.#labels.loops.delete(node);
    });
  }

  #emitBlock(node: number, flags: FlagKind): void {
    const { c } = this;
    const block = this.plan.blocks[node];
    c.beginBlock(flags);
    c.takeTicks(block.eip, block.instructions.length);
    const last = block.instructions.length - 1;
    for (let i = 0; i < last; i++) c.scoped(() => this.#emitInstruction(block.instructions[i], block, i));
    c.scoped(() => {
      this.#emitInstruction(block.instructions[last], block, last);
      this.#emitEnding(node, block);
    });
  }

  #emitInstruction(instruction: JobInstruction, block: JobGraphBlock, index: number): void {
    const { c, plan } = this;
    const left = block.instructions.length - index;
    const { form } = instruction;
    if (form !== null && plan.support.inPlace(form)) c.emitInstruction(instruction, form, left);
    else c.emitCall(instruction, left, form?.encoding.instruction.options.string !== undefined);
  }

  #emitEnding(node: number, block: JobGraphBlock): void {
    const { c } = this;
    const { outcome } = c;
    switch (outcome.kind) {
      case 'next':
        this.#goTo(node, i32.const(block.behind));
        return;
      case 'conditional':
        if (isConst(outcome.condition)) {
          this.#goTo(node, outcome.condition.imm !== 0 ? outcome.target : i32.const(block.behind));
          return;
        }
        this.#goToIf(node, outcome.condition, outcome.target);
        this.#goTo(node, i32.const(block.behind));
        return;
      case 'jump':
        if (block.ending === 'return') {
          for (const site of block.successors) {
            this.#goToIf(node, i32.eq(outcome.target, site.eip), i32.const(site.eip));
          }
        }
        this.#goTo(node, outcome.target);
    }
  }

  #successor(node: number, target: I32): number | null {
    if (!isConst(target)) return null;
    const eip = (target.imm as number) >>> 0;
    const block = this.plan.blocks[node].successors.find((s) => s.eip === eip);
    return block === undefined ? null : this.#numbers.get(block)!;
  }

  #goToIf(node: number, condition: I32, target: I32): void {
    const { c } = this;
    const to = this.#successor(node, target);
    if (to !== null) {
      const label = this.#labelOf(node, to);
      if (label !== null) {
        this.#noteFlags(node, to);
        c.brIf(label, condition);
        return;
      }
    }
    const { kind } = c.flags;
    c.plainIf(condition, () => this.#goTo(node, target));
    c.flags.kind = kind;
  }

  #goTo(node: number, target: I32): void {
    const { c } = this;
    const to = this.#successor(node, target);
    if (to === null) {
      c.exitTo(target);
      return;
    }
    if (this.#structure.edge(node, to) === 'dispatch') {
      const { dispatch } = this.#labels;
      assert(dispatch !== null, 'no dispatcher');
      c.set(this.#dispatchIndex as never, i32.const(this.#structure.entries.indexOf(to)));
      c.br(dispatch);
      return;
    }
    const label = this.#labelOf(node, to);
    if (label === null) {
      this.#emitTree(to, c.flags.kind);
      return;
    }
    this.#noteFlags(node, to);
    c.br(label);
  }

  /** Where to branch to for a block whose code lies elsewhere; null for one that is emitted on the spot. */
  #labelOf(from: number, to: number): Label | null {
    const { edge, isMerge } = this.#structure;
    const kind = edge(from, to);
    if (kind === 'dispatch') return null;
    if (kind === 'back') return this.#labels.loops.get(to)!;
    return isMerge[to] ? this.#labels.merges.get(to)! : null;
  }

  #noteFlags(from: number, to: number): void {
    if (this.#structure.edge(from, to) !== 'forward') return;
    const { kind } = this.c.flags;
    const known = this.#kinds.get(to);
    this.#kinds.set(to, known === undefined || sameKind(known, kind) ? kind : DYNAMIC);
  }
}
