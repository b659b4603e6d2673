/** Longest message, bytes. */
const MOST_BYTES = 1 << 20;
/** Deepest nesting, as in QEMU. */
const MOST_DEPTH = 1024;

const [QUOTE, BACKSLASH, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE, LINE_FEED] = [
  0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d, 0x0a,
];
const SPACE = 0x20;

/** `text` of an object or array; `wrong` what is none; `fatal` what makes going on senseless. */
export type JsonFrame = { readonly kind: 'text' | 'wrong' | 'fatal'; readonly text: string };

/**
 * Takes a stream of JSON objects apart, whatever lies between them. What cannot be the text of an object is dropped up to
 * the end of its line, and told of. Memory and work are bounded by what a message may have.
 */
export class JsonFrames {
  /** Of the message that is under way. */
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #dropping = false;

  *push(chunk: Uint8Array): Generator<JsonFrame> {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.#dropping) {
        this.#dropping = byte !== LINE_FEED;
        from = at + 1;
        continue;
      }
      if (this.#depth === 0) {
        from = at;
        if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
          this.#depth = 1;
        } else {
          from = at + 1;
          if (byte > SPACE) yield this.#drop('expecting an object', byte);
        }
        continue;
      }
      const problem = this.#step(byte);
      if (problem !== null) {
        yield this.#drop(problem, byte);
        from = at + 1;
        continue;
      }
      if (this.#depth > MOST_DEPTH) return yield { kind: 'fatal', text: 'JSON nesting depth limit exceeded' };
      if (this.#bytes + at - from >= MOST_BYTES) return yield { kind: 'fatal', text: 'JSON token size limit exceeded' };
      if (this.#depth > 0) continue;
      yield this.#finish(chunk.subarray(from, at + 1));
      from = at + 1;
    }
    if (this.#depth === 0) return;
    this.#parts.push(chunk.slice(from));
    this.#bytes += chunk.length - from;
  }

  /** Inside a message. Returns what is wrong with it. */
  #step(byte: number): string | null {
    if (this.#inString) {
      // A string left open would take in every message that follows.
      if (byte < SPACE) return 'a control character in a string';
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
    } else if (byte === QUOTE) {
      this.#inString = true;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      this.#depth++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      this.#depth--;
    }
    return null;
  }

  #reset(): void {
    this.#parts = [];
    this.#bytes = 0;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
  }

  #drop(why: string, byte: number): JsonFrame {
    this.#reset();
    this.#dropping = byte !== LINE_FEED;
    return { kind: 'wrong', text: `JSON parse error, ${why}` };
  }

  #finish(last: Uint8Array): JsonFrame {
    const bytes = Buffer.concat([...this.#parts, last]);
    this.#reset();
    try {
      return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
    } catch {
      return { kind: 'wrong', text: 'JSON parse error, not UTF-8' };
    }
  }
}
