import type { LiveOptions, MachineOptions } from '../harness/launch.js';
import type { StopReason, Until } from '../harness/guest-machine.js';
import type { ReplayProgress, Verification } from '../harness/recording.js';
import type { Profile } from '../harness/profile.js';
import type { QmpMachine } from '../harness/qmp/machine-target.js';
import type { QmpReplay } from '../harness/qmp/replay-target.js';
import type { MemoryRange } from '../harness/physical-memory.js';
import type { Mark } from '../log/meta.js';
import type { ReelReader } from '../log/reel-reader.js';
import type { DriveId } from '../machine/drives.js';

/** A live machine, as far as the command line drives it. */
export interface LiveMachine extends QmpMachine {
  run(options?: { readonly until?: Until; readonly signal?: AbortSignal }): Promise<StopReason>;
  typeSerial(text: string | Uint8Array, port?: number): void;
  typeKeys(text: string): void;
  screenText(): string;
  registers(): Record<string, number>;
  onSerial(listener: (bytes: Uint8Array, port: number) => void): () => void;
  onParallel(listener: (bytes: Uint8Array) => void): () => void;
  startProfile(): Profile;
  close(): Promise<void>;
}

export interface FollowedReplay extends QmpReplay {
  screenText(): string;
  registers(): Record<string, number>;
  memoryRanges(): MemoryRange[];
  memoryContents(range: MemoryRange): Generator<Uint8Array>;
  /** What a drive's medium holds. */
  diskContents(drive: DriveId, image?: string): Iterable<Uint8Array>;
  onSerial(listener: (bytes: Uint8Array, port: number) => void): () => void;
  onParallel(listener: (bytes: Uint8Array) => void): () => void;
  onMark(listener: (mark: Mark, tick: number) => void): void;
  goLive(options?: LiveOptions): Promise<LiveMachine>;
  startProfile(): Profile;
}

export interface OpenRecording {
  readonly file: string;
  readonly reader: ReelReader;
  verify(progress?: ReplayProgress): Promise<Verification>;
  replay(): Promise<FollowedReplay>;
  close(): Promise<void>;
}

/** The part of the public library that runs and replays machines. */
export interface Library {
  createMachine(options: MachineOptions): Promise<LiveMachine>;
  openRecording(file: string): Promise<OpenRecording>;
}
