import type { MachineEvents } from '../harness/machine-events.js';
import type { LiveOptions, MachineOptions } from '../harness/launch.js';
import type { StopReason, Until } from '../harness/guest-machine.js';
import type { ReplayProgress, Verification } from '../harness/recording.js';
import type { Profile } from '../harness/profile.js';
import type { ReplayOptions, ReplayResult } from '../harness/replay.js';
import type { MemoryRange } from '../harness/physical-memory.js';
import type { ReelReader } from '../log/reel-reader.js';
import type { DriveId } from '../machine/drives.js';

/** A live machine, as far as the command line drives it. */
export interface LiveMachine {
  run(options?: { readonly until?: Until; readonly signal?: AbortSignal }): Promise<StopReason>;
  typeSerial(text: string | Uint8Array, port?: number): void;
  typeKeys(text: string): void;
  pressKeys(combination: string): void;
  screenText(): string;
  /** A PNG file. */
  screenshot(): Uint8Array;
  registers(): Record<string, number>;
  readonly tick: number;
  readonly recording: { readonly name: string; readonly file: string } | null;
  startRecording(options: { readonly name: string; readonly reason?: string }): Promise<string>;
  stopRecording(): Promise<string>;
  onSerial(listener: (bytes: Uint8Array, port: number) => void): () => void;
  onParallel(listener: (bytes: Uint8Array) => void): () => void;
  on<K extends keyof MachineEvents>(name: K, handler: (event: MachineEvents[K]) => void): unknown;
  startProfile(): Profile;
  close(): Promise<void>;
}

export interface FollowedReplay {
  run(options?: ReplayOptions): Promise<ReplayResult>;
  readonly tick: number;
  readonly endTick: number;
  screenText(): string;
  /** A PNG file. */
  screenshot(): Uint8Array;
  /** What a drive's medium holds. */
  registers(): Record<string, number>;
  memoryRanges(): MemoryRange[];
  memoryContents(range: MemoryRange): Generator<Uint8Array>;
  diskContents(drive: DriveId, image?: string): Iterable<Uint8Array>;
  onSerial(listener: (bytes: Uint8Array, port: number) => void): () => void;
  onParallel(listener: (bytes: Uint8Array) => void): () => void;
  goLive(options?: LiveOptions): Promise<LiveMachine>;
  startProfile(): Profile;
  close(): Promise<void>;
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
