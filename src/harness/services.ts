import type { Hashing } from '../base/hash.js';
import type { CpuCode } from '../cpu/code.js';
import type { BlockCodec, BlockCompressor } from '../log/block-codec.js';
import type { Signer, Verifier } from '../log/signature.js';
import type { ReelSource } from '../log/reel-source.js';
import type { DiskImage, ImageFormat } from './drives.js';
import type { NetworkBackend, NetworkBackendOptions } from './network.js';
import type { Pacer } from './guest-machine.js';
import type { RecordingFile } from '../replay/recording-control.js';

/** An audit log that is only appended to. */
export interface AuditSink {
  /** Hash of the last entry that was there when it was opened. */
  readonly lastHash: string;
  append(line: string): void;
  close(): void;
}

/** A recording that nobody writes to any more. */
export interface FinishedRecording {
  readonly file: string;
  /** When the file was last changed, nanoseconds since 1970. */
  readonly changedNs: bigint;
}

/** What the harness needs of the host. Implemented in src/host/services.ts, handed in by index.ts. */
export interface HostServices {
  readonly hashing: Hashing;
  readonly codec: BlockCodec;
  readonly compressor: BlockCompressor;
  cpuCode(): CpuCode;
  /** Whole file. Throws HOST_IO naming it. */
  readFile(path: string): Uint8Array<ArrayBuffer>;
  /** A disk image, read as it is needed; its format tells the file unless it is given. Throws HOST_IO or DAMAGED naming it. */
  openImage(path: string, format?: ImageFormat): DiskImage;
  fileExists(path: string): boolean;
  /** UTF-8 text of a file. Throws HOST_IO. */
  readText(path: string): string;
  openRecording(path: string): ReelSource & { close(): void };
  createRecording(folder: string, name: string): RecordingFile;
  /** The whole recordings in `folder`, in no order; none where it cannot be listed. */
  finishedRecordings(folder: string): FinishedRecording[];
  /** Deletes one of them; false when that cannot be done. */
  removeRecording(file: string): boolean;
  /** Opens an audit log for appending. */
  openAudit(path: string): AuditSink;
  /** Ed25519, from PEM. Throws USAGE. */
  createSigner(pem: string, where?: string): Signer;
  createVerifier(pems: readonly string[]): Verifier;
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
  /** Throws HOST_IO or USAGE. */
  openNetwork(options: NetworkBackendOptions): Promise<NetworkBackend>;
  /** Boot ROM image. */
  bootRom(): Uint8Array<ArrayBuffer>;
  /** Code page 437, 256 glyphs of 16 rows. */
  videoFont(): Uint8Array<ArrayBuffer>;
  /** A PNG file of `width` x `height` pixels: red, green, blue, alpha each. */
  encodePng(width: number, height: number, rgba: Uint8Array): Uint8Array;
}
