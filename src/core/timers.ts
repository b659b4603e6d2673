import { assert } from '../base/assert.js';
import type { ByteReader, ByteWriter } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import type { Tick } from './clock.js';

/** A named one-shot alarm. Its handler is wiring, not state: a snapshot holds (id, deadline, sequence) only. */
export class Timer {
  /** Tick at which it fires, or null. */
  deadline: Tick | null = null;
  /** Order among timers of the same tick: first armed, first fired. */
  sequence = 0;

  constructor(
    readonly id: string,
    readonly fire: (deadline: Tick) => void,
    private readonly queue: TimerQueue,
    readonly isInterruptController: boolean,
  ) {}

  /** (Re-)arms for `deadline`; a deadline in the past fires at the next boundary. */
  arm(deadline: Tick): void {
    this.queue.arm(this, deadline);
  }

  cancel(): void {
    this.queue.cancel(this);
  }
}

/** All timers of a machine. Few exist, so the next one is found by a scan. */
export class TimerQueue {
  readonly #timers = new Map<string, Timer>();
  #sequence = 1;
  #next: Tick = Infinity;
  /** How many have fired, those of interrupt controllers apart. */
  alarms = 0;
  /** Called when the earliest deadline moved closer, so that a running slice can be cut. */
  onEarlier: (deadline: Tick) => void = () => {};

  /** `isInterruptController`: the device whose timer it is; see Device. */
  define(id: string, fire: (deadline: Tick) => void, isInterruptController = false): Timer {
    assert(!this.#timers.has(id), `timer ${id} defined twice`);
    const timer = new Timer(id, fire, this, isInterruptController);
    this.#timers.set(id, timer);
    return timer;
  }

  arm(timer: Timer, deadline: Tick): void {
    assert(Number.isSafeInteger(deadline), `timer ${timer.id}: deadline ${deadline}`);
    timer.deadline = deadline;
    timer.sequence = this.#sequence++;
    this.#rescan();
    if (this.#next === deadline) this.onEarlier(deadline);
  }

  cancel(timer: Timer): void {
    timer.deadline = null;
    this.#rescan();
  }

  #rescan(): void {
    let next = Infinity;
    for (const timer of this.#timers.values()) {
      if (timer.deadline !== null && timer.deadline < next) next = timer.deadline;
    }
    this.#next = next;
  }

  /** Earliest deadline, Infinity when none is armed. */
  get next(): Tick {
    return this.#next;
  }

  /** Fires everything due at `now`, in order of (deadline, sequence); handlers may arm timers again. */
  runDue(now: Tick): void {
    while (this.#next <= now) {
      let due: Timer | undefined;
      for (const timer of this.#timers.values()) {
        if (timer.deadline === null || timer.deadline > now) continue;
        if (
          due === undefined ||
          timer.deadline < due.deadline! ||
          (timer.deadline === due.deadline && timer.sequence < due.sequence)
        ) {
          due = timer;
        }
      }
      const deadline = due!.deadline!;
      due!.deadline = null;
      this.#rescan();
      if (!due!.isInterruptController) this.alarms++;
      due!.fire(deadline);
    }
  }

  save(out: ByteWriter): void {
    const armed = [...this.#timers.values()].filter((t) => t.deadline !== null);
    armed.sort((a, b) => a.sequence - b.sequence);
    out.u32(armed.length);
    // Sequence numbers are written as ranks, so that equal states have equal bytes whatever their history.
    for (const timer of armed) out.text(timer.id).safe(timer.deadline!);
  }

  restore(input: ByteReader): void {
    for (const timer of this.#timers.values()) timer.deadline = null;
    this.#sequence = 1;
    const count = input.u32();
    for (let i = 0; i < count; i++) {
      const id = input.text();
      const timer = this.#timers.get(id);
      if (timer === undefined) {
        throw new CodedError('MISMATCH', `the snapshot has a timer "${id}" that this machine lacks`, {
          where: input.source,
        });
      }
      timer.deadline = input.safe();
      timer.sequence = this.#sequence++;
    }
    this.#rescan();
  }
}
