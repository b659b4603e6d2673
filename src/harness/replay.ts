import { CodedError } from '../base/errors.js';
import { toHex } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import type { Mark } from '../log/meta.js';
import type { Pc } from '../machine/pc.js';
import type { Divergence } from '../replay/divergence.js';
import type { ReplaySession, ReplayStop } from '../replay/replay-session.js';
import { standingAt } from '../replay/standing.js';
import type { DriveId } from '../machine/drives.js';
import { SerialConsole } from './console.js';
import { diskContents } from './disk-contents.js';
import { driveContents, type DriveContents } from './drive-contents.js';
import type { ImageSource } from './drives.js';
import type { ProfileOptions } from './profile.js';
import { Profile } from './profile.js';
import { inFile } from './in-file.js';
import type { GuestMachine } from './guest-machine.js';
import { readLinearMemory, registersOf } from './inspect.js';
import type { LiveOptions } from './launch.js';
import { openNetworks } from './network-links.js';
import { memoryContents, memoryRanges, type MemoryRange } from './physical-memory.js';
import { pictureOf, type PictureFormat } from './picture.js';
import { launch } from './launch.js';
import type { Recording, ReplayProgress } from './recording.js';
import type { HostServices } from './services.js';

export type ReplayResult =
  | { readonly kind: 'matched'; readonly what: 'mark' | 'ticks' }
  | { readonly kind: 'end'; readonly reason: string }
  | { readonly kind: 'diverged'; readonly divergence: Divergence }
  | { readonly kind: 'interrupted' };

export interface ReplayOptions extends ReplayProgress {
  /** Stops at the first mark of that label, or at an absolute tick. */
  readonly until?: { readonly mark?: string; readonly ticks?: Tick };
}

export interface ReplayParts {
  readonly pc: Pc;
  readonly session: ReplaySession;
  readonly services: HostServices;
  readonly recording: Recording;
}

/** Wall time between turns of the event loop, milliseconds. */
const YIELD_MS = 100;
/** Ticks of the first turn, and of the shortest. */
const LEAST_TICKS = 5_000_000;
const MOST_TICKS = 1e9;

/** A machine that follows a recording. It can be left at any point: goLive(). */
export class Replay {
  readonly #parts: ReplayParts;
  readonly #console: SerialConsole;
  #gone = false;
  #profile: Profile | null = null;

  constructor(parts: ReplayParts) {
    this.#parts = parts;
    this.#console = new SerialConsole(parts.pc);
  }

  get tick(): Tick {
    return this.#parts.session.tick;
  }
  get endTick(): Tick {
    return this.#parts.session.endTick;
  }
  /** Digests compared so far. */
  get digests(): number {
    return this.#parts.session.digests;
  }
  get serialText(): string {
    return this.#console.text;
  }
  screenText(): string {
    return this.#parts.pc.vga.screenText();
  }
  registers(): Record<string, number> {
    return registersOf(this.#parts.pc);
  }
  readMemory(linear: number, length: number): Uint8Array {
    return readLinearMemory(this.#parts.pc, linear, length);
  }
  /** RAM that firmware leaves to operating systems. */
  memoryRanges(): MemoryRange[] {
    return memoryRanges(this.#parts.pc);
  }
  /** The bytes of a range, in pieces that are valid until the replay goes on. */
  memoryContents(range: MemoryRange): Generator<Uint8Array> {
    return memoryContents(this.#parts.pc, range);
  }
  /** The screen as a PNG file, or another. */
  screenshot(format: PictureFormat = 'png'): Uint8Array {
    return pictureOf(this.#parts.pc, this.#parts.services, format);
  }
  drives(): DriveContents[] {
    return driveContents(this.#parts.pc, this.#parts.recording.meta.images);
  }
  /** Told of each mark that is passed. */
  onMark(listener: (mark: Mark, tick: Tick) => void): void {
    this.#parts.session.onMark = (entry) => listener(entry, entry.tick);
  }
  /** What is written to the debug consoles: port 0 is E9h, 1 is 402h, where SeaBIOS logs. */
  onDebug(listener: (bytes: Uint8Array, port: number) => void): () => void {
    return this.#parts.pc.machine.gate.tap((kind, port, bytes) => {
      if (kind === 'debugcon') listener(bytes, port);
    });
  }
  /**
   * What a drive's medium holds here, as a raw image in pieces: its base image and what the guest has written. `image` is
   * the base image, which small ones are not needed for.
   */
  diskContents(drive: DriveId, image?: ImageSource): Generator<Uint8Array> {
    return diskContents(this.#parts.pc, this.#parts.services, drive, image);
  }
  onSerial(listener: (bytes: Uint8Array, port: number) => void): () => void {
    return this.#console.listen(listener);
  }
  /** What the printer at the parallel port gets. */
  onParallel(listener: (bytes: Uint8Array) => void): () => void {
    return this.#parts.pc.machine.gate.tap((kind, _port, bytes) => {
      if (kind === 'parallel') listener(bytes);
    });
  }
  /** Samples from here on where guest time goes. */
  startProfile(options: ProfileOptions = {}): Profile {
    return (this.#profile = new Profile(this.#parts.pc, options));
  }
  /** For tests: cuts execution every n ticks. */
  set sliceTicks(ticks: number) {
    this.#parts.session.sliceTicks = ticks;
  }

  #here(): ReplaySession {
    if (this.#gone) throw new CodedError('STATE', 'this replay has gone live or is closed');
    return this.#parts.session;
  }

  /** Follows the recording to `until`, or to its end. */
  async run({ until, signal, onProgress }: ReplayOptions = {}): Promise<ReplayResult> {
    const session = this.#here();
    const { services } = this.#parts;
    const target = until?.ticks ?? Infinity;
    const least = Math.min(LEAST_TICKS, session.sliceTicks);
    let step = least;
    for (;;) {
      const begun = services.monotonicMs();
      const stop = this.#step(
        Math.min(target, session.tick + step, this.#profile?.due ?? Infinity),
        until?.mark ?? null,
      );
      this.#profile?.poll();
      const tookMs = services.monotonicMs() - begun;
      switch (stop.kind) {
        case 'mark':
          return { kind: 'matched', what: 'mark' };
        case 'end':
        case 'diverged':
          return stop;
        case 'tick':
          if (session.tick >= target) return { kind: 'matched', what: 'ticks' };
      }
      if (signal?.aborted) return { kind: 'interrupted' };
      onProgress?.(session.tick, session.endTick);
      step = Math.min(MOST_TICKS, Math.max(least, Math.round((step * YIELD_MS) / Math.max(tookMs, 1))));
      await services.pause(0);
      if (signal?.aborted) return { kind: 'interrupted' };
    }
  }

  #step(until: Tick, mark: string | null): ReplayStop {
    try {
      return this.#parts.session.run(until, mark);
    } catch (error) {
      throw inFile(this.#parts.recording.file, error);
    }
  }

  /** Drops the rest of the recording: from here on inputs come from the world. The replay is over, the machine goes on. */
  async goLive(options: LiveOptions = {}): Promise<GuestMachine> {
    const session = this.#here();
    if (session.isBroken) throw new CodedError('DIVERGED', 'a replay that diverged cannot go live');
    const { pc, services, recording } = this.#parts;
    const parent = {
      recordingId: recording.meta.recordingId,
      tick: session.tick,
      sha256: toHex(recording.reader.chainSha256),
    };
    const networks = await openNetworks(services, pc.config.networkCards.length, options.network ?? []);
    const machine = launch({
      networks,
      pc,
      services,
      options,
      epoch: recording.meta.epoch + 1,
      parent,
      images: recording.meta.images,
      standing: standingAt(session, services.hashing),
    });
    this.#gone = true;
    return machine;
  }

  async close(): Promise<void> {
    this.#gone = true;
  }
}
