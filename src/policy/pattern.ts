import { utf8Encode } from '../base/platform.js';
import { compilePattern, type PatternProgram } from './pattern-program.js';

/**
 * The patterns of a policy. The host writes them, the hostile guest chooses what they are matched against, and an
 * ordinary pattern such as `^([a-z]+-?)+$` keeps a backtracking engine busy for years over 40 unfortunate characters.
 * So they are matched here in time proportional to the length of the text, whatever the pattern: by following all
 * alternatives at once. The price is that there are no back references and no looking ahead or behind, which no
 * linear-time method has. What is accepted means the same as in a JavaScript RegExp with flag `u`, and it does not
 * depend on the version of Unicode that the host's engine knows.
 */
export class Pattern {
  readonly #program: PatternProgram;

  /** Throws CONFIG saying what is wrong with `source`, without a place. */
  constructor(readonly source: string) {
    this.#program = compilePattern(source);
  }

  /** Whether some part of `text` matches, as RegExp.test. */
  test(text: string): boolean {
    const { ops, count } = this.#program;
    const points = [...text].map((character) => character.codePointAt(0)!);
    let current = new Uint32Array(count);
    let next = new Uint32Array(count);
    /** Position + 1 at which each operation was last added. */
    const seen = new Float64Array(count);
    const pending: number[] = [];
    let matched = false;

    const add = (list: Uint32Array, length: number, start: number, position: number): number => {
      pending.push(start);
      while (pending.length > 0) {
        const at = pending.pop()!;
        if (seen[at] === position + 1) continue;
        seen[at] = position + 1;
        const op = ops[at]!;
        if (op.op === 'match') matched = true;
        else if (op.op === 'jump') pending.push(op.to);
        else if (op.op === 'fork') pending.push(op.other, op.to);
        else if (op.op === 'set') list[length++] = at;
        else if (position === (op.op === 'start' ? 0 : points.length)) pending.push(at + 1);
      }
      return length;
    };

    let length = add(current, 0, 0, 0);
    for (let position = 0; position < points.length && !matched; position++) {
      const point = points[position]!;
      let nextLength = 0;
      for (let i = 0; i < length; i++) {
        const op = ops[current[i]!]!;
        if (op.op === 'set' && op.set.has(point)) nextLength = add(next, nextLength, current[i]! + 1, position + 1);
      }
      // A match may begin anywhere.
      nextLength = add(next, nextLength, 0, position + 1);
      [current, next] = [next, current];
      length = nextLength;
    }
    return matched;
  }
}

/** Length of `text` in bytes of UTF-8. */
export function utf8Length(text: string): number {
  return utf8Encode(text).length;
}
