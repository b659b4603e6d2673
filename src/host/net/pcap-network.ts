import type { NetworkBackend, PcapNetworkOptions } from '../../harness/network.js';
import { readFile } from '../binary-file.js';
import { readCapture, type CapturedFrame } from './capture.js';

/** Frames of a capture, each as long after the first look at the clock as in the capture. */
export class PcapNetwork implements NetworkBackend {
  onFrame: (frame: Uint8Array) => void = () => {};
  readonly #frames: readonly CapturedFrame[];
  #next = 0;
  #startNs: number | null = null;

  /** Throws HOST_IO, or USAGE for what is no capture. */
  constructor({ file }: PcapNetworkOptions) {
    this.#frames = readCapture(readFile(file), file);
  }

  send(): void {}

  /** Hands out what is due at guest time `ns`. */
  poll(ns: number): void {
    this.#startNs ??= ns;
    for (let frame = this.#frames[this.#next]; frame !== undefined; frame = this.#frames[this.#next]) {
      if (frame.ns > ns - this.#startNs) return;
      this.#next++;
      this.onFrame(frame.bytes);
    }
  }

  close(): void {
    this.#next = this.#frames.length;
  }
}
