import { ByteWriter } from '../base/bytes.js';
import type { Tick } from '../core/clock.js';
import { CS } from '../isa/cpu-state.js';
import type { GuestMemory } from './memory/guest-memory.js';
import type { CpuStateView } from './state/cpu-state-view.js';
import { ACCESS } from './system/descriptor.js';
import type { Outside } from './system/outside.js';

/** Ticks between two looks: a quarter as many after one that was worth it, and twice as many after one that was not. */
const LEAST_GAP = 50_000;
const MOST_GAP = 256 * LEAST_GAP;
/** The longest round looked for; a look takes one by one as many ticks. */
const MOST_TICKS = 1000;
/** Times that a look may compare all there is, for nothing. */
const MOST_COMPARISONS = 4;

function gprs(state: CpuStateView): number[] {
  return [0, 1, 2, 3, 4, 5, 6, 7].map((i) => state.gpr(i));
}

function areSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export interface RecurrenceParts {
  readonly isWanted: boolean;
  readonly cpu: {
    now: Tick;
    readonly state: CpuStateView;
    readonly memory: GuestMemory;
    settle(): void;
  };
  readonly outside: Outside;
  /** Executes one tick. False when the owner of the CPU, or nobody, must have a look before the next. */
  readonly step: () => boolean;
}

/**
 * Finds out that a program waits: that it came back to where it was with all registers and all memory as they were, and
 * has had nothing to do with devices or the time. It will come back forever, until something happens from outside; so
 * whole rounds can be passed over, and nobody can tell, nor can the program. Programs of the real mode wait so for the
 * BIOS to count its clock, or to have a key; those of the protected mode halt, and are not looked at.
 */
export class Recurrence {
  readonly #before = new ByteWriter(1024);
  readonly #after = new ByteWriter(1024);
  #gap = LEAST_GAP;
  #due: Tick = Infinity;
  #skippedTicks: Tick = 0;

  constructor(private readonly parts: RecurrenceParts) {}

  /** Tick of the next look. */
  get due(): Tick {
    return this.#due;
  }
  /** Ticks of a program's waiting that were not executed one by one. No state: for accounts only. */
  get skippedTicks(): Tick {
    return this.#skippedTicks;
  }

  /** The clock was set: the next look is soon. */
  restart(): void {
    this.#gap = LEAST_GAP;
    this.#schedule();
  }

  #schedule(): void {
    this.#due = this.parts.isWanted ? this.parts.cpu.now + this.#gap : Infinity;
  }

  /** Executes what may turn out to be a round, and if so passes over as many as end by `end`. */
  look(end: Tick): void {
    const { cpu, outside } = this.parts;
    const round = this.#isCandidate() ? this.#find() : 0;
    const ticks = round === 0 ? 0 : Math.floor((Math.min(end, outside.steadyUntil) - cpu.now) / round) * round;
    if (ticks > 0) {
      cpu.now += ticks;
      this.#skippedTicks += ticks;
    }
    this.#gap = ticks > LEAST_GAP ? Math.max(this.#gap / 4, LEAST_GAP) : Math.min(this.#gap * 2, MOST_GAP);
    this.#schedule();
  }

  #isCandidate(): boolean {
    return (this.parts.cpu.state.segAccess(CS) & ACCESS.BIG) === 0;
  }

  /** Executes a round and returns its ticks; 0 when what was executed is none. */
  #find(): number {
    const { cpu, outside, step } = this.parts;
    const { state, memory } = cpu;
    const { clockReads, eip } = state;
    const registers = gprs(state);
    cpu.settle();
    state.save(this.#before.clear());
    outside.forget();
    const written = memory.physical.capture();
    memory.tlb.flushWrites();
    try {
      let comparisons = 0;
      for (let ticks = 1; ticks <= MOST_TICKS; ticks++) {
        const mayGoOn = step();
        if (!mayGoOn || outside.isTouched || state.clockReads !== clockReads) return 0;
        if (state.eip !== eip || gprs(state).some((value, i) => value !== registers[i])) continue;
        cpu.settle();
        state.save(this.#after.clear());
        if (areSame(this.#before.view(), this.#after.view()) && written.isUnchanged) return ticks;
        if (++comparisons === MOST_COMPARISONS) return 0;
      }
      return 0;
    } finally {
      written.close();
    }
  }
}
