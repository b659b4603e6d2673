import { assert } from '../base/assert.js';

/**
 * The one door for inputs. Devices and machine parts only ever see this class; whether an answer is produced, recorded
 * or read back is decided by the GateBackend a session attaches.
 */

/** Asynchronous inputs: admitted by the session between slices, at an exact tick. */
export type InputKind =
  | 'serial' // u8 port index, then bytes received
  | 'key' // PS/2 set-1/2 independent: raw keyboard bytes as the keyboard would send them
  | 'mouse' // i16 counts to the right, i16 counts upwards, i8 wheel steps towards the user, u8 buttons: 1 left, 2 right, 4 middle
  | 'frame' // u8 interface, then the frame
  | 'media' // u8 drive, then the new medium as devices/disk/medium.ts writes it, or nothing
  | 'reset' // host reset; empty
  | 'power-button' // empty
  | 'mark' // host mark: JSON {label, value}
  | 'trigger' // host command about recording that the guest can observe through STATUS: JSON
  | 'policy'; // new policy text

/** Synchronous inputs: asked for in the middle of an instruction. */
export type AskKind =
  | 'backdoor' // answer to one backdoor call
  | 'vmport'
  | 'entropy'
  | 'epoch'; // RTC start, seconds since 1970 UTC, f64

/** What leaves the machine: recorded for export and comparison, never read back. */
export type OutputKind = 'serial' | 'debugcon' | 'frame' | 'parallel';

export interface GateBackend {
  ask(kind: AskKind, request: Uint8Array, produce: () => Uint8Array): Uint8Array;
  output(kind: OutputKind, channel: number, bytes: Uint8Array): void;
  /** Block `index` of the base image `image`; see InputGate.block(). */
  block(image: string, index: number, produce: () => Uint8Array): Uint8Array;
}

/** Answers come from the world and nothing is kept. */
export const LIVE_BACKEND: GateBackend = {
  ask: (_kind, _request, produce) => produce(),
  output: () => {},
  block: (_image, _index, produce) => produce(),
};

export class InputGate {
  readonly #receivers = new Map<InputKind, (payload: Uint8Array) => void>();
  #backend: GateBackend = LIVE_BACKEND;
  /** How many have been admitted. */
  inputs = 0;
  /** Live taps on output, e.g. a terminal; several may listen. */
  readonly #taps: ((kind: OutputKind, channel: number, bytes: Uint8Array) => void)[] = [];

  /** For sessions only. */
  attach(backend: GateBackend): void {
    this.#backend = backend;
  }

  /** A device declares that it takes inputs of `kind`. */
  receive(kind: InputKind, receiver: (payload: Uint8Array) => void): void {
    assert(!this.#receivers.has(kind), `two receivers for input ${kind}`);
    this.#receivers.set(kind, receiver);
  }

  /** Whether this machine has a device for inputs of `kind`. */
  takes(kind: InputKind): boolean {
    return this.#receivers.has(kind);
  }

  /** For sessions only: delivers an input now. The machine must be between instructions. */
  admit(kind: InputKind, payload: Uint8Array): void {
    const receiver = this.#receivers.get(kind);
    assert(receiver !== undefined, `no receiver for input ${kind}`);
    this.inputs++;
    receiver(payload);
  }

  /** Live: `produce` runs and its answer is kept. Replaying: the kept answer is returned and `produce` never runs. */
  ask(kind: AskKind, request: Uint8Array, produce: () => Uint8Array): Uint8Array {
    return this.#backend.ask(kind, request, produce);
  }

  /**
   * Block `index` (BLOCK_BYTES bytes, not to be changed, and there until the next one is asked for) of the base image
   * with that SHA-256. Contents of images are no inputs: they never change. A recording contains those that its run has
   * read, so that replay needs no image; there `produce` never runs.
   */
  block(image: string, index: number, produce: () => Uint8Array): Uint8Array {
    return this.#backend.block(image, index, produce);
  }

  output(kind: OutputKind, channel: number, bytes: Uint8Array): void {
    this.#backend.output(kind, channel, bytes);
    for (const tap of this.#taps) tap(kind, channel, bytes);
  }

  tap(listener: (kind: OutputKind, channel: number, bytes: Uint8Array) => void): () => void {
    this.#taps.push(listener);
    return () => void this.#taps.splice(this.#taps.indexOf(listener), 1);
  }
}
