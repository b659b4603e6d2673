import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import type { BlockCompressor } from '../log/block-codec.js';
import type { ImageReference, Mark, ParentReference, ReelMeta } from '../log/meta.js';
import type { ReelSink } from '../log/reel-file.js';
import type { Signer } from '../log/signature.js';
import { ReelWriter } from '../log/reel-writer.js';
import type { LiveSession } from './live-session.js';
import { DIGEST_INTERVAL_TICKS } from './digests.js';
import { Recorder } from './recorder.js';

/** A recording's file while it is written. */
export interface RecordingFile extends ReelSink {
  /** Final name. */
  readonly file: string;
  finish(): void;
  abandon(): void;
}

export interface RecordingControlOptions {
  readonly session: LiveSession;
  readonly hashing: Hashing;
  readonly compressor: BlockCompressor;
  readonly createFile: (name: string) => RecordingFile;
  /** What does not change from one recording of this machine to the next. */
  readonly description: Pick<ReelMeta, 'generator' | 'machine' | 'cpuid' | 'nsPerTick'> & {
    readonly images: readonly ImageReference[];
  };
  readonly policySha256: () => string;
  readonly randomId: () => string;
  readonly isoTime: () => string;
  /** Set when this run went live from a replay. */
  readonly parent?: ParentReference;
  readonly signer?: Signer;
  /** See DIGEST_INTERVAL_TICKS. */
  readonly digestTicks?: Tick;
  /** Numbers of recordings and phases that are taken already. */
  readonly taken?: { readonly recordings: number; readonly phases: number };
  /** The run's standing, encoded, for each snapshot; see standing.ts. */
  readonly standing?: () => Uint8Array;
  /** The file has grown by that much. */
  readonly onGrown: (recording: ActiveRecording, bytes: number) => void;
  /** A recording has ended, by whatever means. */
  readonly onEnded: (recording: ActiveRecording) => void;
  /** A write failed: the recording has ended where it was. */
  readonly onFailure: (recording: ActiveRecording, error: CodedError) => void;
}

export interface StartRequest {
  readonly name: string;
  readonly reason: string;
  /** Principal, e.g. `host:user`, `guest:ring3`. */
  readonly by: string;
  /** The policy's limits: tick at which it must end, bytes it may have; null for none. */
  readonly endTick?: Tick | null;
  readonly maxBytes?: number | null;
}

/** A recording that is being made. */
export interface ActiveRecording {
  readonly id: string;
  /** What guests know it by: 1, 2, 3... within a run. */
  readonly number: number;
  readonly name: string;
  readonly startedBy: string;
  readonly startTick: Tick;
  readonly file: string;
  readonly bytesWritten: number;
  readonly endTick: Tick | null;
  readonly maxBytes: number | null;
}

/** A recording whose file exists and that waits for its boundary. */
export interface PreparedRecording {
  /** What guests know it by: 1, 2, 3... within a run. */
  readonly number: number;
  /** Throws HOST_IO when the file cannot be written; then nothing is being recorded. */
  begin(): ActiveRecording;
}

interface Active extends ActiveRecording {
  readonly recorder: Recorder;
  readonly sink: RecordingFile;
  /** Bytes of the file that onGrown was told of. */
  reportedBytes: number;
}

/** A recording that a limit of the policy's ended. */
export interface LimitedRecording {
  readonly recording: ActiveRecording;
  readonly reason: string;
}

/** Starts, marks, flushes and ends recordings of a live session. One at a time. Knows nothing of policy. */
export class RecordingControl {
  #active: Active | null = null;
  #count: number;
  /** A start is under way. */
  #prepared = false;
  #phases: number;

  constructor(private readonly options: RecordingControlOptions) {
    this.#count = options.taken?.recordings ?? 0;
    this.#phases = options.taken?.phases ?? 0;
  }

  get active(): ActiveRecording | null {
    return this.#active;
  }
  get recorder(): Recorder | null {
    return this.#active?.recorder ?? null;
  }
  /** Recordings and phases that have got numbers so far. */
  get taken(): { readonly recordings: number; readonly phases: number } {
    return { recordings: this.#count, phases: this.#phases };
  }

  /** Starts a recording at the present boundary. Throws STATE when one is running, HOST_IO when it cannot be written. */
  start(request: StartRequest): ActiveRecording {
    return this.prepare(request).begin();
  }

  /**
   * Does what can fail: makes the file. The recording begins when begin() is called at a boundary, which for a guest's
   * request lies behind its IN. Throws STATE or HOST_IO.
   */
  prepare(request: StartRequest): PreparedRecording {
    if (this.#active !== null || this.#prepared) {
      throw new CodedError('STATE', `the recording "${this.#active?.name ?? request.name}" is running`, {
        hint: 'stop it first',
      });
    }
    const sink = this.options.createFile(request.name);
    const number = ++this.#count;
    this.#prepared = true;
    return { number, begin: () => this.#begin(request, sink, number) };
  }

  #begin(request: StartRequest, sink: RecordingFile, number: number): ActiveRecording {
    const { session, ...options } = this.options;
    this.#prepared = false;
    const id = options.randomId();
    const startTick = session.tick;
    const writer = new ReelWriter({
      sink,
      hashing: options.hashing,
      compressor: options.compressor,
      ...(options.signer === undefined ? {} : { signer: options.signer }),
      meta: {
        ...options.description,
        recordingId: id,
        name: request.name,
        reason: request.reason,
        startedBy: request.by,
        createdAt: options.isoTime(),
        startTick,
        epoch: session.epoch,
        policySha256: options.policySha256(),
        ...(options.parent === undefined ? {} : { parent: options.parent }),
      },
    });
    const recorder = new Recorder(session.machine, writer, {
      standing: options.standing?.() ?? null,
      digestTicks: options.digestTicks ?? DIGEST_INTERVAL_TICKS,
    });
    session.attach(recorder);
    const active: Active = {
      id,
      number,
      name: request.name,
      startedBy: request.by,
      startTick,
      file: sink.file,
      recorder,
      sink,
      reportedBytes: 0,
      endTick: request.endTick ?? null,
      maxBytes: request.maxBytes ?? null,
      get bytesWritten(): number {
        return writer.bytesWritten;
      },
    };
    this.#active = active;
    // Whether the file can be written at all shows here; the snapshot follows piece by piece.
    this.#write(active, () => active.recorder.writer.work());
    return active;
  }

  /**
   * Ends the recording at the present boundary and gives the file its name. Throws STATE when there is none, HOST_IO
   * when the end could not be written; the recording has ended all the same.
   */
  stop(reason: string, by?: string): ActiveRecording {
    const active = this.#require();
    this.#write(active, () => {
      active.recorder.end(reason, by);
      active.recorder.writer.settle();
      active.sink.finish();
    });
    this.#release();
    return active;
  }

  /** A failure ends the recording, with what was written kept as it is. */
  #write(active: Active, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      active.sink.abandon();
      this.#release();
      this.options.onFailure(active, error);
      throw error;
    }
    const grown = active.bytesWritten - active.reportedBytes;
    active.reportedBytes = active.bytesWritten;
    this.options.onGrown(active, grown);
  }

  #require(): Active {
    if (this.#active === null) throw new CodedError('STATE', 'no recording is running', { hint: 'start one first' });
    return this.#active;
  }

  #release(): void {
    const active = this.#require();
    active.recorder.release();
    this.#active = null;
    this.options.session.detach();
    this.options.onEnded(active);
  }

  /** Adds the state at this boundary to the recording: replay can begin there. */
  checkpoint(): void {
    this.#active?.recorder.checkpoint();
  }

  /** Tick at which the policy ends the running recording. */
  get endTick(): Tick {
    return this.#active?.endTick ?? Infinity;
  }

  /** Ends a recording that has reached a limit of the policy's. Null when there is none, or when its end cannot be written. */
  enforceLimits(): LimitedRecording | null {
    const active = this.#active;
    if (active === null) return null;
    if (active.endTick !== null && this.options.session.tick >= active.endTick) return this.#limit('limit: ticks');
    if (active.maxBytes === null) return null;
    // What waits is not compressed yet: only the file itself tells.
    if (active.bytesWritten + active.recorder.writer.backlogBytes > active.maxBytes) this.flush();
    return this.#active !== null && active.bytesWritten > active.maxBytes ? this.#limit('limit: bytes') : null;
  }

  #limit(reason: string): LimitedRecording | null {
    try {
      return { recording: this.stop(reason), reason };
    } catch (error) {
      if (error instanceof CodedError) return null;
      throw error;
    }
  }

  /** A new number for a phase. */
  nextPhaseId(): number {
    return ++this.#phases;
  }

  /** Logs a mark for boundary `tick`. Does nothing without a recording. */
  mark(mark: Mark, tick: Tick): void {
    this.#active?.recorder.mark(mark, tick);
  }

  /** A state is being written, a piece with each work(). */
  get isEncodingState(): boolean {
    return this.#active?.recorder.writer.isEncodingState ?? false;
  }

  /** Writes the next piece of a state; next to nothing when there is none. True when another can follow. */
  work(): boolean {
    // Asked between any two slices.
    if (this.#active?.recorder.writer.hasWork !== true) return false;
    let hasWorked = false;
    this.#attempt((writer) => (hasWorked = writer.work()));
    return hasWorked && this.isEncodingState;
  }

  /**
   * Hands what has gathered to the file, unless it must wait for a state. A failure ends the recording with what was
   * written kept valid.
   */
  flush(): void {
    this.#active?.recorder.settle();
    this.#attempt((writer) => void (writer.isEncodingState ? writer.work() : writer.flush()));
  }

  #attempt(work: (writer: ReelWriter) => unknown): void {
    const active = this.#active;
    if (active === null) return;
    try {
      this.#write(active, () => work(active.recorder.writer));
    } catch (error) {
      // The listener was told.
      if (!(error instanceof CodedError)) throw error;
    }
  }

  /** The process ends without a clean end: the partial file stays for `reel recover`. */
  abandon(): void {
    this.#active?.recorder.release();
    this.#active?.sink.abandon();
    this.#active = null;
  }
}
