import type { Operand } from '../../isa/semantics.js';
import type { Form } from '../decode/form.js';
import type { OperandSpec } from '../decode/operand-notation.js';

/** An operand of one form: what its spec says once the operand size and register/memory form are fixed. */
export interface FormOperand extends Operand {
  readonly spec: OperandSpec;
  /** Which immediate field of the record holds it. */
  readonly immediateField: 1 | 2;
}

const KIND: Record<OperandSpec['file'], Operand['kind']> = {
  gpr: 'gpr',
  segment: 'segment',
  control: 'control',
  debug: 'debug',
  mmx: 'mmx',
  xmm: 'xmm',
  st: 'st',
  memory: 'memory',
  constant: 'immediate',
};

export function formOperands(form: Form): FormOperand[] {
  const which = form.operandSize === 32 ? 1 : 0;
  let immediates = 0;
  return form.encoding.operands.map((spec) => {
    const memory = form.memory && (spec.source === 'rm' || spec.source === 'offset');
    const hasImmediate = spec.immediateBytes[which] > 0 && spec.source !== 'farPointer';
    if (hasImmediate) immediates++;
    const kind: Operand['kind'] = memory
      ? 'memory'
      : spec.source === 'relative'
        ? 'relative'
        : spec.source === 'farPointer'
          ? 'farPointer'
          : KIND[spec.file];
    return {
      kind,
      width: memory ? spec.memoryWidth[which] : spec.width[which],
      spec,
      immediateField: hasImmediate && immediates === 2 ? 2 : 1,
    };
  });
}

/** The `w` that semantics receive: width of the first integer operand that has one, else the operand size. */
export function formWidth(form: Form): 8 | 16 | 32 {
  const which = form.operandSize === 32 ? 1 : 0;
  for (const spec of form.encoding.operands) {
    const width = spec.width[which];
    if (
      (spec.file === 'gpr' || spec.file === 'memory' || spec.file === 'constant') &&
      (width === 8 || width === 16 || width === 32)
    ) {
      return width;
    }
  }
  return form.operandSize;
}
