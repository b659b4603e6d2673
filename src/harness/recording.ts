import type { Tier } from '../cpu/cpu-options.js';
import { CodedError } from '../base/errors.js';
import type { Tick } from '../core/clock.js';
import type { MarkType, ReelMeta } from '../log/meta.js';
import { ReelReader } from '../log/reel-reader.js';
import { cpuidOf, parseMachineConfig } from '../machine/config.js';
import { createPc, type Pc } from '../machine/pc.js';
import type { Divergence } from '../replay/divergence.js';
import { ReplaySession } from '../replay/replay-session.js';
import { describeAsk } from '../replay/describe-ask.js';
import { inFile } from './in-file.js';
import { phasesOf, type RecordedPhase } from './phases.js';
import { Replay } from './replay.js';
import type { HostServices } from './services.js';

export type { RecordedPhase };

export interface RecordedMark {
  readonly label: string;
  readonly value: number;
  readonly tick: Tick;
  readonly type: MarkType;
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
      throw inFile(file, error);
    }
  }

  get endTick(): Tick {
    return this.reader.end.tick;
  }
  /** Why the recording ended. */
  get endReason(): string {
    return this.reader.end.reason;
  }

  #session(tier: Tier | undefined): { pc: Pc; session: ReplaySession } {
    const { services, meta } = this;
    const config = parseMachineConfig(meta.machine, this.file);
    if (meta.nsPerTick !== config.nsPerTick) {
      throw new CodedError(
        'DAMAGED',
        `a tick lasts ${meta.nsPerTick} ns in one place, ${config.nsPerTick} in another`,
        {
          where: this.file,
        },
      );
    }
    if (meta.cpuid !== JSON.stringify(cpuidOf(config))) {
      throw new CodedError('MISMATCH', 'the recording is of a CPU model that this version does not have', {
        where: this.file,
        hint: `it was written by ${this.reader.library}`,
      });
    }
    const pc = createPc({ config, code: services.cpuCode(), hashing: services.hashing, tier });
    const session = new ReplaySession(pc.machine, this.reader);
    session.describeRequest = describeAsk;
    return { pc, session };
  }

  /** A machine at the recording's first tick, ready to follow it. */
  async replay(options: { readonly tier?: Tier } = {}): Promise<Replay> {
    try {
      const { pc, session } = this.#session(options.tier);
      return new Replay({ pc, session, services: this.services, recording: this });
    } catch (error) {
      throw inFile(this.file, error);
    }
  }

  /** Replays the whole and compares every digest. Throws DAMAGED when the file is. */
  async verify(progress: ReplayProgress & { readonly tier?: Tier } = {}): Promise<Verification> {
    try {
      this.reader.verify();
    } catch (error) {
      throw inFile(this.file, error);
    }
    const replay = await this.replay(progress);
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
