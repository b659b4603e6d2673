import type { Pc } from '../machine/pc.js';

/** Characters of serial output kept for matching and reading; older ones are dropped. */
const KEPT_CHARACTERS = 16 * 1024 * 1024;
/** A pattern is looked for in at most this much of the newest text. */
const WINDOW_CHARACTERS = 8192;

/** True for patterns of characters and wildcards that never match a line feed, nor ask where the text begins. */
function isOfOneLine({ source, flags }: RegExp): boolean {
  return !/[\\[\]()^|]|\n/.test(source) && !flags.includes('s');
}

/** Serial output as text, and waiting for patterns in it. Each match is found once: the next search starts behind it. */
export class SerialConsole {
  #text = '';
  #searchFrom = 0;
  #pattern: RegExp | null = null;
  /** A match of the pattern lies within one line. */
  #isOfOneLine = false;
  #onMatch: () => void = () => {};
  readonly #listeners: ((bytes: Uint8Array, port: number) => void)[] = [];

  constructor(pc: Pc) {
    pc.machine.gate.tap((kind, port, bytes) => {
      if (kind !== 'serial') return;
      if (port === 0) this.#append(bytes);
      for (const listener of this.#listeners) listener(bytes, port);
    });
  }

  get #earliest(): number {
    return Math.max(this.#searchFrom, this.#text.length - WINDOW_CHARACTERS);
  }

  /** Everything COM1 sent, Latin-1. */
  get text(): string {
    return this.#text;
  }

  listen(listener: (bytes: Uint8Array, port: number) => void): () => void {
    this.#listeners.push(listener);
    return () => void this.#listeners.splice(this.#listeners.indexOf(listener), 1);
  }

  #append(bytes: Uint8Array): void {
    for (const byte of bytes) this.#text += String.fromCharCode(byte);
    if (this.#text.length > 2 * KEPT_CHARACTERS) {
      const dropped = this.#text.length - KEPT_CHARACTERS;
      this.#text = this.#text.slice(dropped);
      this.#searchFrom = Math.max(0, this.#searchFrom - dropped);
    }
    if (this.#pattern === null) return;
    // Earlier lines were searched when they were the last; the newest byte may end a line.
    const line = this.#isOfOneLine ? this.#text.lastIndexOf('\n', this.#text.length - 2) + 1 : 0;
    if (this.#search(this.#pattern, Math.max(line, this.#earliest))) this.#onMatch();
  }

  #search(pattern: RegExp, from: number): boolean {
    const match = pattern.exec(this.#text.slice(from));
    if (match === null) return false;
    this.#searchFrom = from + match.index + match[0].length;
    this.#pattern = null;
    return true;
  }

  /** True when `pattern` is in the text already; otherwise `onMatch` is called once it is. */
  expect(pattern: RegExp, onMatch: () => void): boolean {
    const once = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
    if (this.#search(once, this.#earliest)) return true;
    this.#pattern = once;
    this.#isOfOneLine = isOfOneLine(once);
    this.#onMatch = onMatch;
    return false;
  }

  forget(): void {
    this.#pattern = null;
  }
}
