import type { Form } from '../decode/form.js';
import { RECORD_BYTES } from '../interpreter/record.js';
import { RegionContext } from './region-context.js';
import { NotCompilable } from '../interpreter/not-compilable.js';

/** More guest accesses than this are better left to the handler: FSAVE and its kin. */
const MAX_ACCESSES = 4;

/** Which forms compile in place, found out by trying. */
export class FormSupport {
  readonly #known = new Map<Form, boolean>();

  inPlace(form: Form): boolean {
    let answer = this.#known.get(form);
    if (answer === undefined) this.#known.set(form, (answer = this.#try(form)));
    return answer;
  }

  #try(form: Form): boolean {
    const { string, branch } = form.encoding.instruction.options;
    // 16-bit code offsets are rare enough to be left alone.
    if (string !== undefined || (branch !== undefined && form.operandSize === 16)) return false;
    const code = compiledAlone(form);
    return code !== null && code.accesses <= MAX_ACCESSES;
  }
}

/** What a region has for an instruction of that form; null where it cannot be compiled in place. */
export function compiledAlone(form: Form): RegionContext | null {
  // An op record of zeros: the registers it names do not matter.
  const context = new RegionContext(new DataView(new ArrayBuffer(RECORD_BYTES)), { user: false });
  context.setExits({ kind: 'block' }, { kind: 'block' });
  const target = form.encoding.operands.some((o) => o.source === 'relative') ? 0 : null;
  try {
    context.emitInstruction({ record: 0, at: 0, eip: 0, length: 1, form, target }, form, 1);
  } catch (e) {
    if (e instanceof NotCompilable) return null;
    throw e;
  }
  return context;
}
