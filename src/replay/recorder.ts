import type { AskKind, GateBackend, InputKind, OutputKind } from '../core/input-gate.js';
import { BLOCK_BYTES } from '../core/block.js';
import type { Tick } from '../core/clock.js';
import type { RamCapture } from '../cpu/memory/ram-capture.js';
import type { LogEntry } from '../log/entries.js';
import type { Mark } from '../log/meta.js';
import type { ReelWriter } from '../log/reel-writer.js';
import type { Digest, Machine } from '../machine/machine.js';
import { DigestSections } from './digests.js';
import { STANDING_SECTION, stateSections } from './state-sections.js';

/** Output bytes gathered into one entry. */
const OUTPUT_BYTES = 1024;
/** Digests that may wait: limits count what is in the log. */
const MOST_DIGESTS = 16;

const NOTHING = new Uint8Array(0);

function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

export interface RecorderOptions {
  /** The run's standing, encoded; null for none. */
  readonly standing: Uint8Array | null;
  /** See DIGEST_INTERVAL_TICKS. */
  readonly digestTicks: Tick;
}

/**
 * Keeps a live machine's inputs, answers and marks in a recording. Created at the boundary where the recording starts;
 * everything it logs carries the tick at which it happened.
 */
export class Recorder implements GateBackend {
  readonly startTick: Tick;
  #nextDigest: Tick;
  /** Of the machine, at the last digest. */
  #idleTicks: Tick;
  #digestWanted = false;
  readonly #digestSections = new DigestSections();
  /** Not in the log yet: with a guest running in between, one takes as long to write as several. */
  readonly #digests: Digest[] = [];
  /** RAM of the states; those that are written have closed themselves. */
  readonly #captures = new Set<RamCapture>();
  /** Blocks of base images that the recording has. */
  readonly #blocks = new Map<string, Set<number>>();
  readonly #output: { kind: OutputKind; channel: number; bytes: number[] } = { kind: 'serial', channel: 0, bytes: [] };

  constructor(
    private readonly machine: Machine,
    readonly writer: ReelWriter,
    private readonly options: RecorderOptions,
  ) {
    this.startTick = machine.tick;
    this.#nextDigest = this.startTick + this.options.digestTicks;
    this.#idleTicks = machine.idleTicks;
    const { sections, ram } = stateSections(machine);
    const { standing } = options;
    if (standing !== null) sections.push({ name: STANDING_SECTION, bytes: standing });
    this.#captures.add(ram);
    writer.appendState('snapshot', this.startTick, sections);
    machine.clearDirty();
    machine.gate.attach(this);
  }

  // ---- GateBackend
  ask(kind: AskKind, request: Uint8Array, produce: () => Uint8Array): Uint8Array {
    const tick = this.machine.tick;
    this.#flushOutput();
    const answer = produce();
    this.#append({ entry: 'ask', tick, kind, request, answer });
    return answer;
  }

  block(image: string, index: number, produce: () => Uint8Array): Uint8Array {
    const bytes = produce();
    let known = this.#blocks.get(image);
    if (known === undefined) this.#blocks.set(image, (known = new Set()));
    if (!known.has(index)) {
      known.add(index);
      this.#flushOutput();
      const kept = isZero(bytes) ? NOTHING : bytes;
      const { tick } = this.machine;
      this.#append({ entry: 'block', tick, image, offset: index * BLOCK_BYTES, bytes: kept });
    }
    return bytes;
  }

  output(kind: OutputKind, channel: number, bytes: Uint8Array): void {
    if (kind === 'frame') {
      // Each is a whole.
      this.#flushOutput();
      this.#append({ entry: 'output', tick: this.machine.tick, kind, channel, bytes });
      return;
    }
    const pending = this.#output;
    if (pending.kind !== kind || pending.channel !== channel) this.#flushOutput();
    pending.kind = kind;
    pending.channel = channel;
    for (const byte of bytes) pending.bytes.push(byte);
    if (pending.bytes.length >= OUTPUT_BYTES) this.#flushOutput();
  }

  #flushOutput(): void {
    const { kind, channel, bytes } = this.#output;
    if (bytes.length === 0) return;
    this.#append({ entry: 'output', tick: this.machine.tick, kind, channel, bytes: Uint8Array.from(bytes) });
    this.#output.bytes = [];
  }

  #append(entry: LogEntry): void {
    this.settle();
    this.writer.append(entry);
  }

  /** All that has been recorded is with the writer afterwards. */
  settle(): void {
    for (const digest of this.#digests) this.writer.append(this.#digestSections.entry(digest));
    this.#digests.length = 0;
  }

  // ---- the session's side, between instructions
  input(kind: InputKind, payload: Uint8Array): void {
    this.#flushOutput();
    this.#append({ entry: 'input', tick: this.machine.tick, kind, payload });
  }

  /** `tick` is the boundary behind the call that set the mark. A digest follows at that boundary. */
  mark(mark: Mark, tick: Tick): void {
    this.#flushOutput();
    this.#append({ entry: 'mark', tick, ...mark });
    this.#digestWanted = true;
  }

  checkpoint(): void {
    this.#flushOutput();
    this.settle();
    const { sections, ram } = stateSections(this.machine);
    this.#captures.add(ram);
    this.writer.appendState('checkpoint', this.machine.tick, sections);
  }

  audit(record: Readonly<Record<string, unknown>>): void {
    this.#flushOutput();
    this.#append({ entry: 'audit', tick: this.machine.tick, record });
  }

  /** Tick at which the next digest is due. */
  get nextDigest(): Tick {
    return this.#nextDigest;
  }

  /** At a boundary: writes the digest that is due. Idle time puts it off: nothing could have gone wrong meanwhile. */
  atBoundary(): void {
    const { tick, idleTicks } = this.machine;
    if (!this.#digestWanted) {
      if (tick < this.#nextDigest) return;
      const idle = idleTicks - this.#idleTicks;
      this.#idleTicks = idleTicks;
      if (idle > 0) {
        this.#nextDigest += idle;
        if (tick < this.#nextDigest) return;
      }
    }
    this.#flushOutput();
    this.#digestWanted = false;
    this.#nextDigest = tick + this.options.digestTicks;
    this.#idleTicks = idleTicks;
    this.#digests.push(this.machine.digest());
    if (this.#digests.length >= MOST_DIGESTS) this.settle();
  }

  /** Nothing more is written, whatever of it is there. */
  release(): void {
    for (const ram of this.#captures) ram.close();
  }

  /** Ends the recording at this boundary with a last digest; the machine goes on unrecorded. */
  end(reason: string, by?: string): void {
    this.#flushOutput();
    this.#digests.push(this.machine.digest());
    this.settle();
    this.writer.finish({ tick: this.machine.tick, reason, by });
  }
}
