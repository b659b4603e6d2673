/** Bytes that wait to be sent or to be acknowledged, in the pieces in which they came. */
export class SendBuffer {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** `bytes` belong to the buffer from now on. */
  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  /** Takes away the first `count` bytes, or all there are. */
  drop(count: number): void {
    let left = Math.min(count, this.#length);
    this.#length -= left;
    while (left > 0) {
      const [first] = this.#pieces;
      if (first!.length > left) {
        this.#pieces[0] = first!.subarray(left);
        return;
      }
      left -= first!.length;
      this.#pieces.shift();
    }
  }

  /** `count` bytes from `offset`, all of which must be there; not to be changed. */
  read(offset: number, count: number): Uint8Array {
    let index = 0;
    let at = offset;
    while (at >= this.#pieces[index]!.length) at -= this.#pieces[index++]!.length;
    const first = this.#pieces[index]!.subarray(at, at + count);
    if (first.length === count) return first;
    const bytes = new Uint8Array(count);
    bytes.set(first);
    for (let filled = first.length; filled < count;) {
      const next = this.#pieces[++index]!.subarray(0, count - filled);
      bytes.set(next, filled);
      filled += next.length;
    }
    return bytes;
  }

  clear(): void {
    this.drop(this.#length);
  }
}
