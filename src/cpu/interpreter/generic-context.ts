import { assert } from '../../base/assert.js';
import { ECX, EXCEPTION, FLAG, STATE, gprSlot } from '../../isa/cpu-state.js';
import type { Label } from '../../isa/ir/body.js';
import { hostFunction } from '../../isa/ir/body.js';
import type { I32, I32Like, I64, ValType } from '../../isa/ir/expr.js';
import { call, i32, i64, select } from '../../isa/ir/expr.js';
import type { FlagSemantics, Semantics, SystemRoutine, Width } from '../../isa/semantics.js';
import { SYSTEM_ROUTINES } from '../../isa/semantics.js';
import type { Form } from '../decode/form.js';
import { checkCodeLimit, faulted, raiseFault } from '../memory/access.js';
import { bulkIterations } from './bulk-string.js';
import { CellFlags } from './flags.js';
import { STEADY } from '../system/steady-port.js';
import { formOperands, formWidth } from './operand.js';
import { OperandContext } from './operand-context.js';
import { QUICK_TRANSFERS } from './real-transfer.js';

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

/**
 * Semantics for the interpreter with no assumptions: any mode, any segment. Operands come from the op record. Each
 * form becomes one function (record) -> STATUS.
 */
export class GenericContext extends OperandContext implements Semantics {
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
          this.#bulk(again);
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
          this.#pauseRepeating();
        });
      },
      () => {
        iteration();
        this.next();
      },
    );
  }

  #bulk(again: Label): void {
    const { bulk } = this.form.encoding.instruction.options;
    if (bulk === undefined) return;
    const bytes = bulk.element === 'byte' ? 1 : ((this.operandSize / 8) as 2 | 4);
    const fields = { segment: this.field8('segment'), addressMask: this.field32('addressMask') };
    bulkIterations(this, { operation: bulk.operation, bytes }, fields, (iterations) => {
      const left = this.let(i32.sub(i32.load(gprSlot(ECX)), iterations));
      this.store(gprSlot(ECX), left);
      const ticks = this.let(i32.sub(i32.load(STATE.budget), i32.sub(iterations, 1)));
      this.store(STATE.budget, ticks);
      this.if(i32.eqz(left), () => this.next());
      this.if(ticks, () => {
        this.store(STATE.budget, i32.sub(ticks, 1));
        this.br(again);
      });
      this.#pauseRepeating();
    });
  }

  /** The slice is over between two iterations. Whoever looks, or comes in with an interrupt, sees RF set (SDM 3, 17.3.1.1). */
  #pauseRepeating(): void {
    this.store(STATE.eflagsRest, i32.or(i32.load(STATE.eflagsRest), FLAG.RF));
    this.store(STATE.eip, i32.load(STATE.instructionEip));
    this.resync();
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
    const read = (): I32 => {
      const answer = this.let(call(portIn, width / 8, port));
      this.checkFault();
      return answer;
    };
    if (width !== 8) return read();
    // Ring 0 and real mode need no permission.
    const isKnown = i32.eq(i32.load(STATE.steadyPort), i32.or(i32.and(port, 0xffff), STEADY));
    const isSteady = i64.lt_u(this.tick(), i64.load(STATE.steadyUntil));
    const value = this.var('i32');
    this.if(
      i32.and(i32.and(isKnown, isSteady), i32.eqz(this.cpl())),
      () => {
        this.#skipRounds();
        this.set(value, i32.load(STATE.steadyValue));
      },
      () => this.set(value, read()),
    );
    return value;
  }
  /** A polling loop that comes back to its IN with the same answer: all rounds that would get it again are taken at once. */
  #skipRounds(): void {
    const round = this.let(this.field32('immediate2'));
    this.if(round, () => {
      const length = this.let(i64.extend_u(round));
      const now = this.let(this.tick());
      const isAgain = i32.and(i32.eq(i32.load(STATE.pollRecord), this.rec), i64.eq(i64.load(STATE.pollTick), now));
      this.if(isAgain, () => {
        const steady = this.let(i64.sub(i64.sub(i64.load(STATE.steadyUntil), now), 1));
        const left = this.let(i64.load32_u(STATE.budget));
        const most = select(i64.lt_u(steady, left), steady, left);
        const ticks = i64.mul(i64.div_u(most, length), length);
        this.store(STATE.budget, i32.sub(i32.load(STATE.budget), i32.wrap(ticks)));
      });
      this.store(STATE.pollRecord, this.rec);
      this.store64(STATE.pollTick, i64.add(this.tick(), length));
    });
  }
  portOut(width: Width, port: I32, value: I32): void {
    this.do(portOut, width / 8, port, value);
    this.checkFault();
  }
  system(name: SystemRoutine, ...args: I32Like[]): void {
    assert(args.length === SYSTEM_ROUTINES[name], `${name}: ${args.length} arguments`);
    this.runsSystem = true;
    if (this.#conditional === 0) this.alwaysSystem = true;
    const quick = QUICK_TRANSFERS[name];
    if (quick !== undefined) this.if(quick(...args), () => this.resync());
    const five = [0, 1, 2, 3, 4].map((i) => args[i] ?? 0);
    this.do(systemCall, SYSTEM_NUMBERS.indexOf(name), ...five);
    this.resync();
  }
}
