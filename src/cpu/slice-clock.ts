import type { Tick } from '../core/clock.js';
import { STATE } from '../isa/cpu-state.js';

/** The clock of a CPU that executes slices of ticks: the slice's end, less the instructions that are left in it. */
export class SliceClock {
  /** Tick at which the CPU returns to its owner, however many slices it makes of the way. */
  runEnd: Tick = 0;
  #end: Tick = 0;
  #isExecuting = false;

  constructor(private readonly view: DataView) {}

  get isExecuting(): boolean {
    return this.#isExecuting;
  }

  get #budget(): number {
    return this.view.getUint32(STATE.budget, true);
  }
  #set(end: Tick, budget: number): void {
    this.#end = end;
    this.view.setUint32(STATE.sliceEnd, end >>> 0, true);
    this.view.setUint32(STATE.sliceEnd + 4, Math.floor(end / 0x1_0000_0000), true);
    this.view.setUint32(STATE.budget, budget, true);
  }

  /** The tick of the instruction in flight, or of the boundary between instructions. */
  get now(): Tick {
    return this.#end - this.#budget - (this.#isExecuting ? 1 : 0);
  }

  /** Only between instructions. */
  set now(tick: Tick) {
    this.#set(tick, 0);
  }

  /** Runs `execute`, which counts the budget down, up to the tick `end`. */
  slice(end: Tick, execute: () => void): void {
    this.#set(end, end - this.now);
    this.#isExecuting = true;
    try {
      execute();
    } finally {
      // Now the boundary behind the last instruction.
      this.#isExecuting = false;
    }
  }

  /** Ends the running slice behind the instruction in flight: what comes next is looked up anew, and nobody sees it. */
  endSlice(): void {
    if (this.#isExecuting) this.#set(this.#end - this.#budget, 0);
  }

  /** Ends the running slice at `tick`, or behind the instruction in flight if that is later. */
  cutAt(tick: Tick): void {
    if (!this.#isExecuting) return;
    const end = Math.max(tick, this.now + 1);
    this.runEnd = Math.min(this.runEnd, end);
    if (end < this.#end) this.#set(end, this.#budget - (this.#end - end));
  }
}
