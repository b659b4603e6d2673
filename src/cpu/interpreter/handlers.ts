import { EXCEPTION } from '../../isa/cpu-state.js';
import type { Routine } from '../../isa/ir/body.js';
import { routine } from '../../isa/ir/body.js';
import { i32 } from '../../isa/ir/expr.js';
import { raiseFault } from '../memory/access.js';
import type { Form } from '../decode/form.js';
import type { BuiltModule } from '../wasm/module.js';
import { buildModule } from '../wasm/module.js';
import type { HandlerIndex } from './block-cache.js';
import { GenericContext, STATUS } from './generic-context.js';
import { HotContext } from './hot-context.js';
import { HandlerSignatures } from './handler-signature.js';
import { isHotForm } from './hot-forms.js';
import type { HotCase } from './main-loop.js';
import { callHandler, mainLoop } from './main-loop.js';
import { SPECIAL, SPECIAL_COUNT } from './record.js';

/** Slots of the function table for compiled regions, behind those of the handlers. */
export const REGION_SLOTS = 8192;

export interface InterpreterCode {
  readonly module: BuiltModule;
  /** Cases of the main loop besides the specials. */
  readonly hotCount: number;
  readonly handlers: readonly HandlerIndex[];
  readonly undefinedOpcode: HandlerIndex;
  readonly tooLong: HandlerIndex;
  /** A form for each slot of the function table; all forms of a slot mean the same. */
  readonly formOfSlot: readonly (Form | null)[];
  /** By slot: a system routine ends the instruction, always. */
  readonly leavesOfSlot: readonly boolean[];
}

function raising(name: string, vector: number): Routine {
  return routine(name, ['i32'], 'i32', (b) => {
    b.do(raiseFault, vector, 0);
    b.return(i32.const(STATUS.FAULT));
  });
}

/** Generates the interpreter: the main loop with the hot forms inside and one function per distinct form in the table. */
export function generateInterpreter(forms: readonly Form[]): InterpreterCode {
  const table: Routine[] = [raising('undefinedOpcode', EXCEPTION.UD), raising('tooLong', EXCEPTION.GP)];
  const signatures = new HandlerSignatures();
  const slots = new Map<string, number>();
  const ends: boolean[] = [true, true];
  const leaves: boolean[] = [true, true];
  const formOfSlot: (Form | null)[] = [null, null];
  const leavesOfSlot: boolean[] = [true, true];
  const generic = forms.map((form) => {
    const signature = signatures.of(form);
    const known = slots.get(signature);
    if (known !== undefined) return known;
    const slot = table.length;
    slots.set(signature, slot);
    formOfSlot.push(form);
    const { branch, string } = form.encoding.instruction.options;
    ends.push(branch !== undefined || string !== undefined);
    leaves.push(ends[slot]);
    leavesOfSlot.push(false);
    const handler = genericHandler(form, (always) => {
      ends[slot] = true;
      leavesOfSlot[slot] = always;
      leaves[slot] ||= always;
    });
    table.push(handler);
    return slot;
  });
  const hotCases: HotCase[] = [];
  const hotBySignature = new Map<string, number>();
  const hot = forms.map((form) => {
    if (!isHotForm(form) || !HotContext.supports(form)) return SPECIAL.GENERIC;
    const signature = signatures.of(form);
    const known = hotBySignature.get(signature);
    if (known !== undefined) return known;
    const first = SPECIAL_COUNT + hotCases.length;
    hotBySignature.set(signature, first);
    if (perCondition(form)) for (let cc = 0; cc < 16; cc++) hotCases.push({ form, condition: cc });
    else hotCases.push({ form, condition: null });
    return first;
  });
  const module = buildModule({
    exports: [mainLoop(hotCases), callHandler],
    table,
    spareSlots: REGION_SLOTS,
    exportCallees: true,
  });
  return {
    module,
    formOfSlot,
    leavesOfSlot,
    hotCount: hotCases.length,
    handlers: forms.map((f) => ({
      hot: hot[f.id],
      perCondition: hot[f.id] !== SPECIAL.GENERIC && perCondition(f),
      generic: generic[f.id],
      ends: ends[generic[f.id]],
      leaves: leaves[generic[f.id]],
    })),
    undefinedOpcode: { hot: SPECIAL.GENERIC, perCondition: false, generic: 0, ends: true, leaves: true },
    tooLong: { hot: SPECIAL.GENERIC, perCondition: false, generic: 1, ends: true, leaves: true },
  };
}

/** The condition is part of the opcode: hot forms get one case per condition. */
function perCondition(form: Form): boolean {
  return form.encoding.instruction.pattern.endsWith('+cc') || form.encoding.instruction.pattern.includes('+cc ');
}

function genericHandler(form: Form, onSystem: (always: boolean) => void): Routine {
  const { mnemonic, pattern } = form.encoding.instruction;
  return {
    name: `${mnemonic} ${pattern} ${form.operandSize}${form.memory ? ' memory' : ''}`,
    params: ['i32'],
    result: 'i32',
    createBody: () => new GenericContext(['i32']),
    build: (body) => {
      const context = body as GenericContext;
      context.emitForm(form);
      if (context.runsSystem) onSystem(context.alwaysSystem);
    },
  };
}
