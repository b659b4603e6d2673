import type { Tick } from '../core/clock.js';
import { LIVE_BACKEND, type InputKind } from '../core/input-gate.js';
import type { Machine, MachineStop } from '../machine/machine.js';
import type { Recorder } from './recorder.js';

interface PendingInput {
  readonly kind: InputKind;
  readonly payload: Uint8Array;
}

/**
 * A machine whose inputs come from the world. It may be recording; the machine cannot tell. Work that needs a boundary
 * (starting and stopping a recording from inside the guest) is queued and done between instructions.
 */
export class LiveSession {
  readonly #inputs: PendingInput[] = [];
  readonly #boundaryWork: (() => void)[] = [];
  #recorder: Recorder | null = null;

  constructor(
    readonly machine: Machine,
    /** How often this run has gone live from a replay. */
    readonly epoch: number,
  ) {
    machine.gate.attach(LIVE_BACKEND);
  }

  get recorder(): Recorder | null {
    return this.#recorder;
  }
  get tick(): Tick {
    return this.machine.tick;
  }

  /** Queues an input for the next boundary. */
  send(kind: InputKind, payload: Uint8Array): void {
    this.#inputs.push({ kind, payload });
  }
  get hasInput(): boolean {
    return this.#inputs.length > 0;
  }

  /** Does `work` at the boundary behind the instruction in flight, or at once between instructions. */
  atBoundary(work: () => void): void {
    this.#boundaryWork.push(work);
    this.machine.requestBreak();
  }

  /** From this boundary on everything is kept. */
  attach(recorder: Recorder): void {
    this.#recorder = recorder;
  }
  /** The recording has ended; the machine goes on. */
  detach(): void {
    this.#recorder = null;
    this.machine.gate.attach(LIVE_BACKEND);
  }

  #boundary(): void {
    for (let work = this.#boundaryWork.shift(); work !== undefined; work = this.#boundaryWork.shift()) work();
    this.#recorder?.atBoundary();
  }

  #admitInputs(): void {
    for (let input = this.#inputs.shift(); input !== undefined; input = this.#inputs.shift()) {
      // Timers due at this tick come before inputs: admit() runs them, so log first, at the same tick.
      this.#recorder?.input(input.kind, input.payload);
      this.machine.admit(input.kind, input.payload);
    }
  }

  /** Runs at most to `until`; earlier when the machine stops or an event made it pause. Inputs queued are admitted first. */
  run(until: Tick): MachineStop | null {
    this.#boundary();
    this.#admitInputs();
    const stop = this.machine.run(Math.min(until, this.#recorder?.nextDigest ?? Infinity), true);
    this.#boundary();
    return stop;
  }
}
