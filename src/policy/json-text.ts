import { CodedError } from '../base/errors.js';

const MAX_NESTING = 100;

/** One step of an RFC 6901 pointer. */
export function pointerStep(key: string | number): string {
  return '/' + String(key).replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A JSON text that knows where each of its values stands. */
export class JsonText {
  readonly value: unknown;
  /** Offset of each value by its pointer. */
  readonly #values: ReadonlyMap<string, number>;
  /** Offset of each member's key by the member's pointer. */
  readonly #keys: ReadonlyMap<string, number>;

  /** Throws CONFIG with line and column for what is not JSON, and for a field that occurs twice in one object. */
  constructor(
    readonly text: string,
    readonly source: string,
  ) {
    const scan = new Scan(text, source);
    scan.document();
    this.#values = scan.values;
    this.#keys = scan.keys;
    this.value = JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text) as unknown;
  }

  offset(pointer: string): number {
    return this.#values.get(pointer) ?? 0;
  }
  keyOffset(pointer: string): number {
    return this.#keys.get(pointer) ?? this.offset(pointer);
  }

  /** `source:line:column` of an offset. */
  where(offset: number): string {
    return placeOf(this.text, this.source, offset);
  }
}

const BYTE_ORDER_MARK = '\ufeff';

function placeOf(text: string, source: string, offset: number): string {
  const before = text.slice(0, offset).split(/\r\n|\n|\r/);
  return `${source}:${before.length}:${before.at(-1)!.length + 1}`;
}

/** A strict scanner that remembers offsets. */
class Scan {
  readonly values = new Map<string, number>();
  readonly keys = new Map<string, number>();
  #at: number;
  #nesting = 0;
  readonly #number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

  constructor(
    readonly text: string,
    readonly source: string,
  ) {
    // Some editors put a mark in front that JSON.parse refuses.
    this.#at = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
  }

  document(): void {
    this.#value('');
    this.#space();
    if (this.#at < this.text.length) this.#refuse('nothing may follow the value');
  }

  #refuse(expected: string, at = this.#at): never {
    const found = at < this.text.length ? JSON.stringify(String.fromCodePoint(this.text.codePointAt(at)!)) : 'the end';
    throw new CodedError('CONFIG', `this is not JSON: ${expected}, found ${found}`, {
      where: placeOf(this.text, this.source, at),
    });
  }

  #space(): void {
    while (' \t\n\r'.includes(this.text[this.#at] ?? 'x')) this.#at++;
  }

  #take(character: string): boolean {
    if (this.text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #value(pointer: string): void {
    this.#space();
    this.values.set(pointer, this.#at);
    const character = this.text[this.#at];
    if (character === '{') this.#nested(() => this.#object(pointer));
    else if (character === '[') this.#nested(() => this.#array(pointer));
    else if (character === '"') this.#string();
    else this.#scalar();
  }

  #nested(scan: () => void): void {
    if (++this.#nesting > MAX_NESTING) this.#refuse('values are nested too deep');
    this.#at++;
    scan();
    this.#nesting--;
  }

  #object(pointer: string): void {
    this.#space();
    if (this.#take('}')) return;
    do {
      this.#space();
      const start = this.#at;
      if (this.text[start] !== '"') this.#refuse('a field name in double quotes is expected');
      const key = this.#string();
      const member = pointer + pointerStep(key);
      // JSON.parse would silently take the last one: of two "effect" fields, say.
      if (this.keys.has(member)) {
        throw new CodedError('CONFIG', `the field ${JSON.stringify(key)} occurs twice`, {
          where: placeOf(this.text, this.source, start),
        });
      }
      this.keys.set(member, start);
      this.#space();
      if (!this.#take(':')) this.#refuse('":" is expected');
      this.#value(member);
      this.#space();
    } while (this.#take(','));
    if (!this.#take('}')) this.#refuse('"," or "}" is expected');
  }

  #array(pointer: string): void {
    this.#space();
    if (this.#take(']')) return;
    let index = 0;
    do {
      this.#value(pointer + pointerStep(index++));
      this.#space();
    } while (this.#take(','));
    if (!this.#take(']')) this.#refuse('"," or "]" is expected');
  }

  #string(): string {
    const start = this.#at++;
    for (;;) {
      const character = this.text[this.#at];
      if (character === undefined) this.#refuse('a string is not closed', start);
      if (character < ' ') this.#refuse('a string cannot hold control characters');
      if (character === '"') break;
      if (character === '\\') this.#escape();
      this.#at++;
    }
    this.#at++;
    return JSON.parse(this.text.slice(start, this.#at)) as string;
  }

  /** Leaves #at on the last character of the escape. */
  #escape(): void {
    const kind = this.text[this.#at + 1] ?? '';
    const unicode = kind === 'u' && /^[0-9A-Fa-f]{4}$/.test(this.text.slice(this.#at + 2, this.#at + 6));
    if (!unicode && (kind === '' || !'"\\/bfnrt'.includes(kind))) this.#refuse('there is no such escape');
    this.#at += unicode ? 5 : 1;
  }

  #scalar(): void {
    for (const word of ['true', 'false', 'null']) {
      if (!this.text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return;
    }
    this.#number.lastIndex = this.#at;
    const number = this.#number.exec(this.text);
    if (number === null) this.#refuse('a value is expected');
    this.#at += number[0].length;
  }
}
