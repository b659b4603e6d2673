import { CodedError } from '../base/errors.js';
import { parsePattern, type PatternNode } from './pattern-syntax.js';
import type { CharacterSet } from './character-set.js';

/** One operation of a nondeterministic automaton; those without a target go on to the next one. */
export type PatternOp =
  | { readonly op: 'set'; readonly set: CharacterSet }
  | { readonly op: 'fork'; to: number; other: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'start' }
  | { readonly op: 'end' }
  | { readonly op: 'match' };

export interface PatternProgram {
  readonly ops: readonly PatternOp[];
  readonly count: number;
}

/** Matching takes this many steps per character at most. */
const MAX_OPS = 5000;

/** Thompson's construction. Counted repetitions are written out. */
export function compilePattern(source: string): PatternProgram {
  const ops: PatternOp[] = [];
  let visits = 0;

  const push = <T extends PatternOp>(op: T): T => {
    ops.push(op);
    return op;
  };

  const emitLoop = (body: PatternNode): void => {
    const fork = push({ op: 'fork', to: 0, other: 0 });
    const head = ops.length - 1;
    fork.to = ops.length;
    emit(body);
    push({ op: 'jump', to: head });
    fork.other = ops.length;
  };

  const emitOptional = (body: PatternNode, times: number): void => {
    const forks = [];
    for (let n = 0; n < times; n++) {
      const fork = push({ op: 'fork', to: 0, other: 0 });
      fork.to = ops.length;
      forks.push(fork);
      emit(body);
    }
    for (const fork of forks) fork.other = ops.length;
  };

  const emit = (node: PatternNode): void => {
    // Repetitions of nothing emit nothing: what limits them is the number of visits.
    if (ops.length > MAX_OPS || ++visits > 4 * MAX_OPS) {
      throw new CodedError('CONFIG', 'repetitions make it too large');
    }
    switch (node.kind) {
      case 'set':
        push({ op: 'set', set: node.set });
        break;
      case 'start':
      case 'end':
        push({ op: node.kind });
        break;
      case 'sequence':
        for (const part of node.parts) emit(part);
        break;
      case 'choice': {
        const exits: { to: number }[] = [];
        node.parts.forEach((part, index) => {
          const last = index === node.parts.length - 1;
          const fork = last ? null : push({ op: 'fork', to: ops.length + 1, other: 0 });
          emit(part);
          if (!last) exits.push(push({ op: 'jump', to: 0 }));
          if (fork !== null) fork.other = ops.length;
        });
        for (const exit of exits) exit.to = ops.length;
        break;
      }
      case 'repeat':
        for (let n = 0; n < node.min; n++) emit(node.body);
        if (node.max === Infinity) emitLoop(node.body);
        else emitOptional(node.body, node.max - node.min);
    }
  };

  emit(parsePattern(source));
  push({ op: 'match' });
  return { ops, count: ops.length };
}
