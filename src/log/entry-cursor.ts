import type { Tick } from '../core/clock.js';
import type { ChunkStore, Position } from './chunk-store.js';
import { decodeEntry, isLogKind, type LogEntry } from './entries.js';
import { damagedAt } from './reel-source.js';

/** Reads the log's entries in order. Several cursors may be at work over one recording. */
export class EntryCursor {
  #chunk: number;
  #message: number;
  #peeked: LogEntry | undefined;
  /** Sequence number the next entry must have; unknown after a seek. */
  #sequence: number | undefined;

  /** `isStart`: `position` is before the first entry. */
  constructor(
    private readonly store: ChunkStore,
    position: Position,
    isStart: boolean,
  ) {
    this.#chunk = position.chunk;
    this.#message = position.message;
    if (isStart) this.#sequence = 0;
  }

  /** Of the next entry, or of something that lies between it and the last one read. */
  get position(): Position {
    return { chunk: this.#chunk, message: this.#message };
  }

  /** Goes on from a position that this or another cursor of the recording had, or that a checkpoint has. */
  seekPosition(position: Position): void {
    this.#chunk = position.chunk;
    this.#message = position.message;
    this.#peeked = undefined;
    this.#sequence = undefined;
  }

  /** Goes to the first entry at `tick` or later. */
  seek(tick: Tick): void {
    this.seekPosition({ chunk: this.store.firstChunkAt(tick), message: 0 });
    for (let entry = this.peek(); entry !== undefined && entry.tick < tick; entry = this.peek()) this.next();
  }

  /** The next entry, or undefined after `end`. Throws DAMAGED. */
  peek(): LogEntry | undefined {
    if (this.#peeked !== undefined) return this.#peeked;
    while (this.#chunk < this.store.length) {
      const { messages } = this.store.load(this.#chunk);
      for (; this.#message < messages.length; this.#message++) {
        const { kind, suffix, tick, sequence, data } = messages[this.#message]!;
        if (!isLogKind(kind)) continue;
        const offset = this.store.offsetOf(this.#chunk);
        // Also finds entries that the summary hides by not listing their chunk's channels.
        if (this.#sequence !== undefined && sequence !== this.#sequence) {
          throw damagedAt(offset, `entry ${sequence} where entry ${this.#sequence} is expected`);
        }
        this.#sequence = sequence;
        this.#peeked = decodeEntry(kind, suffix, tick, data, `offset ${offset}`);
        return this.#peeked;
      }
      this.#chunk = this.store.nextLogChunk(this.#chunk + 1);
      this.#message = 0;
    }
    return undefined;
  }

  /** Returns the next entry and moves behind it. */
  next(): LogEntry | undefined {
    const entry = this.peek();
    if (entry === undefined) return undefined;
    this.#peeked = undefined;
    this.#message++;
    this.#sequence = this.#sequence! + 1;
    return entry;
  }

  *[Symbol.iterator](): Generator<LogEntry> {
    for (let entry = this.next(); entry !== undefined; entry = this.next()) yield entry;
  }
}
