import { CodedError } from '../base/errors.js';
import { CharacterSet, DOT, ESCAPED_SETS, type CodeRange } from './character-set.js';

export type PatternNode =
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly body: PatternNode; readonly min: number; readonly max: number };

const MAX_NESTING = 50;
const MAX_REPEAT = 1000;
const CONTROL: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, f: 0x0c, v: 0x0b, '0': 0 };
/** What a backslash takes its meaning from. */
const SYNTAX = '^$\\.*+?()[]{}|/';

/** Recursive descent over ECMAScript's pattern grammar with flag `u`, less what linear time does not allow. */
class PatternParser {
  readonly #characters: readonly string[];
  #at = 0;
  #nesting = 0;

  constructor(source: string) {
    this.#characters = [...source];
  }

  parse(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#characters.length) this.#refuse('")" without "("');
    return node;
  }

  #refuse(problem: string, at = this.#at): never {
    throw new CodedError('CONFIG', `${problem} at character ${at + 1}`);
  }

  #peek(offset = 0): string {
    return this.#characters[this.#at + offset] ?? '';
  }

  #take(expected: string): boolean {
    if (this.#peek() !== expected) return false;
    this.#at++;
    return true;
  }

  #choice(): PatternNode {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (!['', '|', ')'].includes(this.#peek())) parts.push(this.#term());
    return { kind: 'sequence', parts };
  }

  #term(): PatternNode {
    if (this.#take('^')) return { kind: 'start' };
    if (this.#take('$')) return { kind: 'end' };
    return this.#repeated(this.#atom());
  }

  #atom(): PatternNode {
    const start = this.#at;
    const character = this.#peek();
    if ('*+?{'.includes(character)) this.#refuse(`"${character}" repeats nothing`);
    if (']}'.includes(character)) this.#refuse(`"${character}" must be written "\\${character}"`);
    this.#at++;
    if (character === '(') return this.#group(start);
    if (character === '[') return { kind: 'set', set: this.#class(start) };
    if (character === '.') return { kind: 'set', set: DOT };
    if (character === '\\') return { kind: 'set', set: new CharacterSet(this.#escape(start, false)) };
    const point = character.codePointAt(0)!;
    return { kind: 'set', set: new CharacterSet([[point, point]]) };
  }

  #group(start: number): PatternNode {
    if (++this.#nesting > MAX_NESTING) this.#refuse('groups are nested too deep', start);
    if (this.#take('?')) {
      if (!this.#take(':')) {
        this.#refuse(
          'of the groups that begin with "(?" only "(?:" is possible: the time to match must be linear',
          start,
        );
      }
    }
    const node = this.#choice();
    if (!this.#take(')')) this.#refuse('"(" without ")"', start);
    this.#nesting--;
    return node;
  }

  #repeated(body: PatternNode): PatternNode {
    const range = this.#quantifier();
    if (range === null) return body;
    // Greedy or lazy makes no difference to whether there is a match.
    this.#take('?');
    return { kind: 'repeat', body, min: range[0], max: range[1] };
  }

  #quantifier(): readonly [number, number] | null {
    const start = this.#at;
    if (this.#take('*')) return [0, Infinity];
    if (this.#take('+')) return [1, Infinity];
    if (this.#take('?')) return [0, 1];
    if (!this.#take('{')) return null;
    const min = this.#number();
    const open = this.#take(',');
    const max = !open ? min : this.#peek() === '}' ? Infinity : this.#number();
    if (min === null || max === null || !this.#take('}'))
      this.#refuse('a count such as {2} or {2,5} is expected', start);
    if (max < min) this.#refuse('the count ends before it begins', start);
    if (Math.max(min, max === Infinity ? 0 : max) > MAX_REPEAT) this.#refuse(`a count is over ${MAX_REPEAT}`, start);
    return [min, max];
  }

  #number(): number | null {
    let digits = '';
    while (/^[0-9]$/.test(this.#peek())) digits += this.#characters[this.#at++];
    return digits === '' ? null : Number(digits);
  }

  #class(start: number): CharacterSet {
    const negated = this.#take('^');
    const ranges: CodeRange[] = [];
    while (!this.#take(']')) {
      if (this.#peek() === '') this.#refuse('"[" without "]"', start);
      const first = this.#classAtom(start);
      if (this.#peek() !== '-' || this.#peek(1) === ']' || this.#peek(1) === '') {
        ranges.push(...first);
        continue;
      }
      const dash = this.#at++;
      const last = this.#classAtom(start);
      const from = single(first);
      const to = single(last);
      if (from === null || to === null || to < from) this.#refuse('no range', dash);
      ranges.push([from, to]);
    }
    return new CharacterSet(ranges, negated);
  }

  #classAtom(start: number): readonly CodeRange[] {
    const at = this.#at;
    const character = this.#peek();
    if (character === '') this.#refuse('"[" without "]"', start);
    this.#at++;
    if (character === '\\') return this.#escape(at, true);
    const point = character.codePointAt(0)!;
    return [[point, point]];
  }

  /** After the backslash. */
  #escape(start: number, inClass: boolean): readonly CodeRange[] {
    const character = this.#peek();
    this.#at++;
    const set = Object.hasOwn(ESCAPED_SETS, character) ? ESCAPED_SETS[character] : undefined;
    if (set !== undefined) return set;
    const point = this.#escapedPoint(character, inClass);
    if (point === null) this.#refuse(`"\\${character}" is not possible here`, start);
    return [[point, point]];
  }

  #escapedPoint(character: string, inClass: boolean): number | null {
    if (character === '0' && /^[0-9]$/.test(this.#peek())) return null;
    if (Object.hasOwn(CONTROL, character)) return CONTROL[character]!;
    if (character === 'x') return this.#hex(2);
    if (character === 'u') return this.#peek() === '{' ? this.#braced() : this.#hex(4);
    if (character !== '' && (SYNTAX.includes(character) || (inClass && character === '-'))) {
      return character.codePointAt(0)!;
    }
    return null;
  }

  #hex(digits: number): number | null {
    const text = this.#characters.slice(this.#at, this.#at + digits).join('');
    if (text.length !== digits || !/^[0-9A-Fa-f]+$/.test(text)) return null;
    const value = Number.parseInt(text, 16);
    // Halves of a pair: what they mean depends on their neighbours. \u{...} says it in one.
    if (value >= 0xd800 && value <= 0xdfff) return null;
    this.#at += digits;
    return value;
  }

  #braced(): number | null {
    const close = this.#characters.indexOf('}', this.#at);
    const text = close < 0 ? '' : this.#characters.slice(this.#at + 1, close).join('');
    if (!/^[0-9A-Fa-f]{1,6}$/.test(text)) return null;
    this.#at = close + 1;
    const value = Number.parseInt(text, 16);
    return value <= 0x10ffff ? value : null;
  }
}

function single(ranges: readonly CodeRange[]): number | null {
  const [range, more] = ranges;
  return range === undefined || more !== undefined || range[0] !== range[1] ? null : range[0];
}

/** Throws CONFIG saying what is wrong and at which character. */
export function parsePattern(source: string): PatternNode {
  return new PatternParser(source).parse();
}
