import type { Tick } from '../core/clock.js';
import type { ChunkStore, Position } from './chunk-store.js';
import { decodeEntry, isLogKind, type LogEntry } from './entries.js';
import { damagedAt } from './reel-source.js';

/**
 * Payload bytes that are decoded at a time. A log is written in small chunks, some each second: reading one at a time, with
 * a guest running in between, takes several times as long.
 */
const AHEAD_BYTES = 64 * 1024;

interface Placed {
  readonly entry: LogEntry;
  readonly position: Position;
}

/** Reads the log's entries in order. Several cursors may be at work over one recording. */
export class EntryCursor {
  /** Entries that have been decoded, the next one first from `#taken` on. */
  #ahead: Placed[] = [];
  #taken = 0;
  /** Where decoding goes on. */
  #position: Position;
  /** Sequence number the next entry to be decoded must have; unknown after a seek. */
  #sequence: number | undefined;

  /** `isStart`: `position` is before the first entry. */
  constructor(
    private readonly store: ChunkStore,
    position: Position,
    isStart: boolean,
  ) {
    this.#position = position;
    if (isStart) this.#sequence = 0;
  }

  /** Of the next entry, or of something that lies between it and the last one read. */
  get position(): Position {
    return this.#ahead[this.#taken]?.position ?? this.#position;
  }

  /** Goes on from a position that this or another cursor of the recording had, or that a checkpoint has. */
  seekPosition(position: Position): void {
    this.#position = position;
    this.#ahead = [];
    this.#taken = 0;
    this.#sequence = undefined;
  }

  /** Goes to the first entry at `tick` or later. */
  seek(tick: Tick): void {
    this.seekPosition({ chunk: this.store.firstChunkAt(tick), message: 0 });
    for (let entry = this.peek(); entry !== undefined && entry.tick < tick; entry = this.peek()) this.next();
  }

  /** The next entry, or undefined after `end`. Throws DAMAGED. */
  peek(): LogEntry | undefined {
    if (this.#taken === this.#ahead.length) this.#decode();
    return this.#ahead[this.#taken]?.entry;
  }

  /** Returns the next entry and moves behind it. */
  next(): LogEntry | undefined {
    const entry = this.peek();
    if (entry !== undefined) this.#taken++;
    return entry;
  }

  /** Decodes entries up to the first that is damaged: it is reported when its turn comes. */
  #decode(): void {
    this.#ahead = [];
    this.#taken = 0;
    let bytes = 0;
    while (bytes < AHEAD_BYTES && this.#position.chunk < this.store.length) {
      try {
        bytes += this.#decodeChunk(AHEAD_BYTES - bytes);
      } catch (error) {
        if (this.#ahead.length === 0) throw error;
        return;
      }
    }
  }

  /** Decodes what is left of a chunk, until there are `enough` bytes of payloads. Returns how many there are. */
  #decodeChunk(enough: number): number {
    const { chunk } = this.#position;
    const { messages } = this.store.load(chunk);
    let bytes = 0;
    for (; this.#position.message < messages.length; this.#position = { chunk, message: this.#position.message + 1 }) {
      if (bytes >= enough) return bytes;
      const { kind, suffix, tick, sequence, data } = messages[this.#position.message]!;
      if (!isLogKind(kind)) continue;
      const offset = this.store.offsetOf(chunk);
      // Also finds entries that the summary hides by not listing their chunk's channels.
      if (this.#sequence !== undefined && sequence !== this.#sequence) {
        throw damagedAt(offset, `entry ${sequence} where entry ${this.#sequence} is expected`);
      }
      this.#ahead.push({
        entry: decodeEntry(kind, suffix, tick, data, `offset ${offset}`),
        position: this.#position,
      });
      this.#sequence = sequence + 1;
      bytes += data.length;
    }
    this.#position = { chunk: this.store.nextLogChunk(chunk + 1), message: 0 };
    return bytes;
  }

  *[Symbol.iterator](): Generator<LogEntry> {
    for (let entry = this.next(); entry !== undefined; entry = this.next()) yield entry;
  }
}
