/** An image that media begin as. Never written. */
export interface BaseImage {
  readonly sizeBytes: number;
  /** `count` bytes from `offset`, all inside; not to be changed, and there until the next call. Throws CodedError when the host fails. */
  read(offset: number, count: number): Uint8Array;
}

/** The images that the host has, by SHA-256. Wiring, not state: a replay has none. */
export class BaseImages {
  readonly #images = new Map<string, BaseImage>();

  add(sha256: string, image: BaseImage): void {
    this.#images.set(sha256, image);
  }
  get(sha256: string): BaseImage | undefined {
    return this.#images.get(sha256);
  }
}
