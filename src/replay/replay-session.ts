import { sameBytes } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import { toHex } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import type { AskKind, GateBackend } from '../core/input-gate.js';
import type { EntryOf, LogEntry } from '../log/entries.js';
import type { Position } from '../log/chunk-store.js';
import { CACHED_BLOCKS, RecordedBlocks } from './recorded-blocks.js';
import type { EntryCursor } from '../log/entry-cursor.js';
import type { MarkType } from '../log/meta.js';
import type { ReelReader } from '../log/reel-reader.js';
import type { Machine, MachineStop } from '../machine/machine.js';
import { DigestSections } from './digests.js';
import type { Divergence } from './divergence.js';
import { DivergenceError } from './divergence.js';
import { loadState } from './state-sections.js';

export type ReplayStop =
  | { readonly kind: 'tick' }
  | { readonly kind: 'mark'; readonly mark: EntryOf<'mark'> }
  | { readonly kind: 'end'; readonly reason: string }
  | { readonly kind: 'diverged'; readonly divergence: Divergence };

/** What a label to run to may name: as for a live machine, a mark or the beginning of a phase. */
const STOPPING_MARKS: ReadonlySet<MarkType> = new Set(['mark', 'begin', 'check', 'checkpoint']);

/** Half of them: what was read may be wanted once more. */
const MAX_UNREAD_BLOCKS = CACHED_BLOCKS / 2;

/**
 * A machine that follows a recording: every input at its tick, every answer from the log. The first difference ends it;
 * nothing is guessed.
 */
export class ReplaySession implements GateBackend {
  readonly #cursor: EntryCursor;
  #lastMark: string | null = null;
  #divergence: Divergence | null = null;
  /** What ended the replay in the middle of an instruction. */
  #failure: CodedError | null = null;
  #digests = 0;
  readonly #digestSections = new DigestSections();
  #ended: string | null = null;
  readonly #blocks: RecordedBlocks;
  /** The run's standing when the recording began, encoded; null where it has none. */
  readonly startStanding: Uint8Array | null;
  /** Called at each mark as it is passed. */
  onMark: (mark: EntryOf<'mark'>) => void = () => {};
  /** Text for a mismatch of asks; the recorder of backdoor calls knows how to read them. */
  describeRequest: (kind: AskKind, request: Uint8Array) => string = (_kind, request) => toHex(request);
  /** For tests: slices are cut to this many ticks. */
  sliceTicks = Infinity;

  constructor(
    readonly machine: Machine,
    readonly reader: ReelReader,
  ) {
    this.startStanding = loadState(machine, reader, reader.snapshot);
    machine.clearDirty();
    this.#cursor = reader.cursor();
    this.#blocks = new RecordedBlocks(reader);
  }

  get tick(): Tick {
    return this.machine.tick;
  }
  get endTick(): Tick {
    return this.reader.end.tick;
  }
  /** Digests compared so far. */
  get digests(): number {
    return this.#digests;
  }
  /** Of the next entry to read. Behind all that has happened, and maybe behind decisions on a request that comes next. */
  get position(): Position {
    return this.#cursor.position;
  }
  get divergence(): Divergence | null {
    return this.#divergence;
  }
  /** Not one instruction more can follow: it diverged, or the recording made no sense. */
  get isBroken(): boolean {
    return this.#divergence !== null || this.#failure !== null;
  }
  /** Why the recording ended, once its end has been reached. */
  get ended(): string | null {
    return this.#ended;
  }

  // ---- GateBackend
  ask(kind: AskKind, request: Uint8Array): Uint8Array {
    const entry = this.#next();
    const tick = this.machine.tick;
    const actual = `${kind} at tick ${tick}: ${this.describeRequest(kind, request)}`;
    if (entry?.entry !== 'ask' || entry.kind !== kind || entry.tick !== tick || !sameBytes(entry.request, request)) {
      const expected =
        entry?.entry === 'ask'
          ? `${entry.kind} at tick ${entry.tick}: ${this.describeRequest(entry.kind, entry.request)}`
          : this.#describe(entry);
      throw new DivergenceError({ tick, what: `request (${kind})`, expected, actual, after: this.#lastMark });
    }
    this.#cursor.next();
    return entry.answer;
  }

  output(): void {}

  block(image: string, index: number): Uint8Array {
    while (!this.#blocks.has(image, index)) {
      const entry = this.#next();
      if (entry?.entry !== 'block') break;
      this.#pass(entry);
    }
    const block = this.#blocks.read(image, index);
    if (block !== null) return block;
    const { tick } = this.machine;
    throw new DivergenceError({
      tick,
      what: 'disk reads',
      expected: this.#describe(this.#cursor.peek()),
      actual: `block ${index} of image ${image.slice(0, 16)} read at tick ${tick}`,
      after: this.#lastMark,
    });
  }

  #describe(entry: LogEntry | undefined): string {
    return entry === undefined ? 'nothing' : `${entry.entry} at tick ${entry.tick}`;
  }

  /**
   * The next entry that concerns replay; what is there for export only is passed over. So are blocks, unless so many wait
   * to be read that the first of them would be forgotten.
   */
  #next(): LogEntry | undefined {
    for (;;) {
      const entry = this.#cursor.peek();
      switch (entry?.entry) {
        case 'output':
        case 'audit':
          this.#cursor.next();
          continue;
        case 'block':
          if (this.#blocks.unread >= MAX_UNREAD_BLOCKS) return entry;
          this.#pass(entry);
          continue;
        default:
          return entry;
      }
    }
  }

  #pass(block: EntryOf<'block'>): void {
    this.#blocks.add(block, this.#cursor.position);
    this.#cursor.next();
  }

  /** Runs to `until`, to the mark labelled `mark`, to the end or to a divergence, whichever is first. */
  run(until: Tick = Infinity, mark: string | null = null): ReplayStop {
    if (this.#failure !== null) throw this.#failure;
    // Who went live and was refused may have left another there.
    this.machine.gate.attach(this);
    try {
      return this.#run(until, mark);
    } catch (e) {
      if (e instanceof DivergenceError) return this.#diverged(e.divergence);
      if (e instanceof CodedError) this.#failure = e;
      throw e;
    }
  }

  #diverged(divergence: Divergence): ReplayStop {
    this.#divergence = divergence;
    return { kind: 'diverged', divergence };
  }

  #run(until: Tick, wanted: string | null): ReplayStop {
    if (this.#divergence !== null) return { kind: 'diverged', divergence: this.#divergence };
    for (;;) {
      const entry = this.#next();
      if (entry === undefined || this.#ended !== null) return { kind: 'end', reason: this.#ended ?? 'end' };
      const { machine } = this;
      if (machine.tick >= until && !(entry.tick <= machine.tick && entry.entry !== 'ask' && entry.entry !== 'input')) {
        return { kind: 'tick' };
      }
      // The call that an ask answers is made by the instruction at its tick.
      const due = entry.entry === 'ask' ? entry.tick + 1 : entry.tick;
      if (machine.tick < due) {
        const target = Math.min(due, until, machine.tick + this.sliceTicks);
        const stop = machine.run(target);
        if (stop !== null && machine.tick < target && !this.#isPast(entry)) return this.#stoppedEarly(entry, stop);
        continue;
      }
      const stop = this.#apply(entry, wanted);
      if (stop !== null) return stop;
    }
  }

  #isPast(entry: LogEntry): boolean {
    return this.#cursor.peek() !== entry;
  }

  #stoppedEarly(entry: LogEntry, stop: MachineStop): ReplayStop {
    const { tick } = this.machine;
    return this.#diverged({
      tick,
      what: 'course of events',
      expected: this.#describe(entry),
      actual: `machine stopped: ${stop.kind}`,
      after: this.#lastMark,
    });
  }

  #apply(entry: LogEntry, wanted: string | null): ReplayStop | null {
    const { machine } = this;
    switch (entry.entry) {
      case 'ask':
        return this.#diverged({
          tick: entry.tick,
          what: `request (${entry.kind})`,
          expected: this.describeRequest(entry.kind, entry.request),
          actual: 'no request',
          after: this.#lastMark,
        });
      case 'input':
        this.#cursor.next();
        if (!machine.gate.takes(entry.kind)) {
          throw new CodedError(
            'MISMATCH',
            `the recording has an input "${entry.kind}", for which this machine has no device`,
            {
              where: `tick ${entry.tick}`,
            },
          );
        }
        machine.admit(entry.kind, entry.payload);
        return null;
      case 'digest': {
        this.#cursor.next();
        if (entry.tick !== machine.tick) {
          return this.#diverged({
            tick: machine.tick,
            what: 'course of events',
            expected: `digest at tick ${entry.tick}`,
            actual: `tick ${machine.tick}`,
            after: this.#lastMark,
          });
        }
        this.#digests++;
        const difference = this.#digestSections.compare(entry, machine.digest());
        return difference === null
          ? null
          : this.#diverged({ tick: machine.tick, ...difference, after: this.#lastMark });
      }
      case 'mark':
        this.#cursor.next();
        if (entry.type !== 'log') this.#lastMark = entry.label;
        this.onMark(entry);
        return entry.label === wanted && STOPPING_MARKS.has(entry.type) ? { kind: 'mark', mark: entry } : null;
      case 'end':
        this.#ended = entry.reason;
        return { kind: 'end', reason: entry.reason };
      case 'block':
        this.#pass(entry);
        return null;
      default:
        this.#cursor.next();
        return null;
    }
  }
}
