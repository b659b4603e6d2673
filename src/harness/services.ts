import type { Hashing } from '../base/hash.js';
import type { CpuCode } from '../cpu/code.js';
import type { BlockCodec, BlockCompressor } from '../log/block-codec.js';
import type { ReelSource } from '../log/reel-source.js';
import type { Pacer } from './guest-machine.js';
import type { RecordingFile } from '../replay/recording-control.js';

/** What the harness needs of the host. Implemented in src/host/services.ts, handed in by index.ts. */
export interface HostServices {
  readonly hashing: Hashing;
  readonly codec: BlockCodec;
  readonly compressor: BlockCompressor;
  cpuCode(): CpuCode;
  /** Whole file. Throws HOST_IO naming it. */
  readFile(path: string): Uint8Array<ArrayBuffer>;
  /** UTF-8 text of a file. Throws HOST_IO. */
  readText(path: string): string;
  openRecording(path: string): ReelSource & { close(): void };
  createRecording(folder: string, name: string): RecordingFile;
  /** Appends one line; the folder is made if need be. */
  appendLine(path: string, line: string): void;
  readonly version: string;
  nowMs(): number;
  /** Monotonic milliseconds. */
  monotonicMs(): number;
  isoTime(): string;
  /** 128 random bits, hex. */
  randomId(): string;
  randomBytes(count: number): Uint8Array;
  /** Lets the event loop run; after `ms` milliseconds or at once. */
  pause(ms: number): Promise<void>;
  createPacer(nsPerTick: number): Pacer;
  /** Boot ROM image. */
  bootRom(): Uint8Array<ArrayBuffer>;
}
