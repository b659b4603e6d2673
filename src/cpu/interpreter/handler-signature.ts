import type { SemanticsFn } from '../../isa/semantics.js';
import type { Form } from '../decode/form.js';
import { formOperands } from './operand.js';

/**
 * Finds forms that have the same handler: encodings that differ only in how the decoder fills the op record, and
 * operand sizes that nothing in the form depends on.
 */
export class HandlerSignatures {
  readonly #semantics = new Map<SemanticsFn, number>();

  of(form: Form): string {
    const { instruction, operands } = form.encoding;
    let semantics = this.#semantics.get(instruction.semantics);
    if (semantics === undefined) this.#semantics.set(instruction.semantics, (semantics = this.#semantics.size));
    const places = formOperands(form).map((o) => {
      const place = o.spec.source === 'fixed' ? `fixed${o.spec.fixed}` : o.spec.source;
      return `${o.kind}.${o.spec.file}.${o.width}.${place}.${o.immediateField}`;
    });
    const shown = operands.some((o) => o.width[0] !== o.width[1] || o.memoryWidth[0] !== o.memoryWidth[1]);
    // Where all operands are bytes, words or registers of fixed size the operand size can still matter (far
    // transfers, descriptor tables, stack): only plain byte operations are known not to depend on it.
    const plain =
      operands.length > 0 && operands.every((o) => o.file === 'xmm' || o.file === 'mmx' || o.width[0] === 8);
    // Of the x87 only FLDENV and its kin depend on it, which have an operand without a width.
    const x87 = instruction.options.unit === 'x87' && operands.every((o) => o.width[0] !== 0);
    const free = !shown && (plain || x87);
    const condition = instruction.pattern.includes('+cc') ? 'cc' : '';
    const size = free ? 0 : form.operandSize;
    return [semantics, size, condition, places.join(' '), JSON.stringify(instruction.options)].join('|');
  }
}
