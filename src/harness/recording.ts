import { CodedError } from '../base/errors.js';
import type { Tick } from '../core/clock.js';
import type { MarkType, ReelMeta } from '../log/meta.js';
import { ReelReader } from '../log/reel-reader.js';
import { parseMachineConfig } from '../machine/config.js';
import { createPc, type Pc } from '../machine/pc.js';
import type { Divergence } from '../replay/divergence.js';
import { ReplaySession } from '../replay/replay-session.js';
import { describeAsk } from '../replay/describe-ask.js';
import { Replay } from './replay.js';
import type { HostServices } from './services.js';
import { VERDICTS } from './verdicts.js';

export interface RecordedMark {
  readonly label: string;
  readonly value: number;
  readonly tick: Tick;
  readonly type: MarkType;
}

export interface RecordedPhase {
  readonly name: string;
  readonly begin: Tick;
  /** Null when the recording ends inside the phase. */
  readonly end: Tick | null;
  readonly verdict: 'pass' | 'fail' | 'skip' | null;
}

export type Verification =
  | { readonly ok: true; readonly ticks: number; readonly digests: number }
  | { readonly ok: false; readonly divergence: Divergence };

export interface ReplayProgress {
  readonly signal?: AbortSignal;
  /** Tick reached, and the recording's last one. */
  readonly onProgress?: (tick: Tick, endTick: Tick) => void;
}

/** A recording on disk. Everything is checked as it is read. */
export class Recording {
  readonly meta: ReelMeta;
  readonly marks: readonly RecordedMark[];
  readonly phases: readonly RecordedPhase[];

  private constructor(
    readonly file: string,
    readonly reader: ReelReader,
    private readonly services: HostServices,
    private readonly release: () => void,
  ) {
    this.meta = reader.meta;
    const all = reader.marks();
    this.marks = all.map(({ label, value, tick, type }) => ({ label, value, tick, type }));
    this.phases = phasesOf(all);
  }

  /** Throws HOST_IO, DAMAGED or VERSION. */
  static async open(file: string, services: HostServices): Promise<Recording> {
    const source = services.openRecording(file);
    try {
      const reader = ReelReader.open(source, services.codec, services.hashing);
      return new Recording(file, reader, services, () => source.close());
    } catch (error) {
      source.close();
      if (error instanceof CodedError && error.where !== undefined && !error.where.includes(file)) {
        throw new CodedError(error.code, error.message, {
          where: `${file}: ${error.where}`,
          hint: error.hint,
          cause: error,
        });
      }
      throw error;
    }
  }

  get endTick(): Tick {
    return this.reader.end.tick;
  }
  /** Why the recording ended. */
  get endReason(): string {
    return this.reader.end.reason;
  }

  #session(): { pc: Pc; session: ReplaySession } {
    const { services, meta } = this;
    const config = parseMachineConfig(meta.machine, this.file);
    const pc = createPc({ config, code: services.cpuCode(), hashing: services.hashing });
    const session = new ReplaySession(pc.machine, this.reader);
    session.describeRequest = describeAsk;
    return { pc, session };
  }

  /** A machine at the recording's first tick, ready to follow it. */
  async replay(): Promise<Replay> {
    const { pc, session } = this.#session();
    return new Replay({ pc, session, services: this.services, recording: this });
  }

  /** Replays the whole and compares every digest. Throws DAMAGED when the file is. */
  async verify(progress: ReplayProgress = {}): Promise<Verification> {
    this.reader.verify();
    const replay = await this.replay();
    try {
      const stop = await replay.run(progress);
      switch (stop.kind) {
        case 'end':
          return { ok: true, ticks: replay.tick - this.meta.startTick, digests: replay.digests };
        case 'diverged':
          return { ok: false, divergence: stop.divergence };
        default:
          throw new CodedError('STATE', 'the verification was interrupted', { where: this.file });
      }
    } finally {
      await replay.close();
    }
  }

  /** Ids of the keys, out of these public ones (PEM), that signed the recording. Throws DAMAGED for a bad signature. */
  verifySignature(publicKeys: readonly string[]): string[] {
    return this.reader.verifySignature(this.services.createVerifier(publicKeys));
  }

  async close(): Promise<void> {
    this.release();
  }
}

function phasesOf(marks: ReturnType<ReelReader['marks']>): RecordedPhase[] {
  const phases: {
    name: string;
    begin: Tick;
    end: Tick | null;
    verdict: RecordedPhase['verdict'];
    id: number | undefined;
  }[] = [];
  for (const mark of marks) {
    if (mark.type === 'begin')
      phases.push({ name: mark.label, begin: mark.tick, end: null, verdict: null, id: mark.phaseId });
    else if (mark.type === 'end') {
      const open = phases.findLast((p) => p.end === null && (p.id === mark.phaseId || p.name === mark.label));
      if (open !== undefined) open.end = mark.tick;
    } else if (mark.type === 'verdict') {
      // A verdict belongs to the phase of its name, or to the innermost open one.
      const phase = phases.findLast((p) => p.name === mark.label) ?? phases.findLast((p) => p.end === null);
      if (phase !== undefined) phase.verdict = VERDICTS[mark.value] ?? null;
    }
  }
  return phases.map(({ name, begin, end, verdict }) => ({ name, begin, end, verdict }));
}
