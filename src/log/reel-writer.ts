import { assert } from '../base/assert.js';
import { ByteWriter } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import type { BlockCompressor } from './block-codec.js';
import { CHAIN_ATTACHMENT, CHAIN_MEDIA_TYPE, HashChain } from './chain.js';
import { Channels } from './channels.js';
import { isCompressible } from './compressibility.js';
import { ChunkBuilder, MAX_PAYLOAD_BYTES, type BuiltChunk } from './chunk-builder.js';
import { encodeEntry, ENTRY_KINDS, topicOfEntry, topicText, type LogEntry } from './entries.js';
import { FORMAT_VERSION, type End, type ReelMeta } from './meta.js';
import { ReelFile, type ReelSink } from './reel-file.js';
import { chainStatement, SIGNATURE_ATTACHMENT, SIGNATURE_MEDIA_TYPE, signStatement, type Signer } from './signature.js';
import { stateBytes, stateMessages, type PendingMessage, type StateKind, type StateSection } from './state-blocks.js';

export interface ReelWriterOptions {
  readonly sink: ReelSink;
  readonly hashing: Hashing;
  readonly compressor: BlockCompressor;
  /** zstd level, 1 to 9; 3 unless given. */
  readonly level?: number;
  readonly meta: Omit<ReelMeta, 'formatVersion'>;
  readonly signer?: Signer;
}

/** A state waits as the generator of its messages, so that encoding it is spread over flushes. */
type Pending = PendingMessage | { readonly state: Generator<PendingMessage>; readonly bytes: number };

/** Chunks of a state that may be under way to the compressor: it, not memory, sets the pace. */
const MAX_STATE_CHUNKS = 4;
/** Of one work(). */
const PIECE_EFFORT = MAX_PAYLOAD_BYTES / 2;
/** Messages already in chunks that the queue may hold before it is moved up. */
const KEPT_TAKEN = 4096;

interface ChunkInFlight {
  readonly chunk: BuiltChunk;
  /** Undefined while the compressor is at it. */
  frame: Uint8Array | null | undefined;
}

/**
 * Writes one recording. Appending fills chunks in memory, or queues behind a state that is not encoded yet, and never
 * throws because of the host; `flush` ends the chunk at hand and hands bytes to the sink. The file's order is the order of
 * the calls, whatever is encoded when.
 */
export class ReelWriter {
  readonly #options: ReelWriterOptions;
  readonly #file: ReelFile;
  readonly #chain: HashChain;
  readonly #builder: ChunkBuilder;
  readonly #scratch = new ByteWriter(4096);
  readonly #queue: Pending[] = [];
  #taken = 0;
  readonly #inFlight: ChunkInFlight[] = [];
  /** States in the queue. */
  #states = 0;
  /** The messages of a state end where the queue's first message begins. */
  #hasStateEnded = false;
  /** Of the chunk that is being filled. */
  #payloadBytes = 0;
  #backlogBytes = 0;
  #sequence = 0;
  #tick: Tick;
  #hasSnapshot = false;
  #onFinished: (() => void) | undefined;
  #isEnding = false;
  #failure: CodedError | undefined;
  #isFailureThrown = false;

  constructor(options: ReelWriterOptions) {
    const { sink, hashing, meta } = options;
    const channels = new Channels();
    this.#options = options;
    this.#chain = new HashChain(hashing);
    this.#file = new ReelFile(sink, hashing, channels);
    this.#builder = new ChunkBuilder(channels, this.#chain, hashing, BigInt(meta.nsPerTick));
    this.#tick = meta.startTick;
    const payload = ENTRY_KINDS.meta.payload.encode({ ...meta, formatVersion: FORMAT_VERSION });
    this.#push({ topic: topicText('meta'), tick: meta.startTick, sequence: 0, payload });
  }

  /** Bytes of the file so far. */
  get bytesWritten(): number {
    return this.#file.bytesWritten;
  }
  /** Uncompressed bytes that the sink has not seen yet: for back-pressure. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }
  /** Tick of the last entry. */
  get tick(): Tick {
    return this.#tick;
  }
  /** Log entries appended so far. */
  get entryCount(): number {
    return this.#sequence;
  }
  /** Why nothing more is written, if so; entries are dropped from then on. */
  get failure(): CodedError | undefined {
    return this.#failure;
  }

  #push(message: PendingMessage): void {
    this.#queue.push(message);
    this.#backlogBytes += message.payload.length;
  }

  #advance(tick: Tick): void {
    assert(tick >= this.#tick, `an entry at tick ${tick} after one at ${this.#tick}`);
    assert(!this.#isEnding, 'an entry after the end of a recording');
    this.#tick = tick;
  }

  /**
   * Adds a state; a recording starts with its `snapshot`. `sections` belong to the writer until they have been
   * flushed: pass copies.
   */
  appendState(kind: StateKind, tick: Tick, sections: readonly StateSection[]): void {
    assert((kind === 'snapshot') === !this.#hasSnapshot, `a ${kind} out of place`);
    assert(this.#hasSnapshot || tick === this.#tick, 'the snapshot is taken at the start tick');
    this.#advance(tick);
    this.#hasSnapshot = true;
    const bytes = stateBytes(sections);
    if (this.#failure !== undefined) return;
    this.#queue.push({ state: stateMessages(kind, tick, sections, this.#options.hashing), bytes });
    this.#states++;
    this.#backlogBytes += bytes;
  }

  /** Adds an entry; its bytes are copied. At most MAX_PAYLOAD_BYTES go into one. */
  append(entry: LogEntry): void {
    assert(this.#hasSnapshot, 'an entry before the snapshot');
    this.#advance(entry.tick);
    const sequence = this.#sequence++;
    if (this.#failure !== undefined) return;
    const payload = encodeEntry(entry, this.#scratch);
    const message = { topic: topicOfEntry(entry), tick: entry.tick, sequence, payload };
    if (this.#taken < this.#queue.length) {
      this.#push({ ...message, payload: payload.slice() });
      return;
    }
    this.#backlogBytes += payload.length;
    this.#attempt(() => {
      if (!this.#builder.fits(message.topic, payload.length)) this.#sealChunk();
      this.#addMessage(message);
    });
  }

  #addMessage({ topic, tick, sequence, payload }: PendingMessage): void {
    this.#builder.add(topic, tick, sequence, payload);
    this.#payloadBytes += payload.length;
  }

  /**
   * Makes chunks of all that is queued and writes those that are compressed; the last chunk may be small. Throws HOST_IO
   * when the sink failed, once; what it took before stays recoverable.
   */
  flush(): void {
    this.#attempt(() => {
      while (this.#fillChunk(Infinity));
      this.#drain();
    });
    this.#throwFailure();
  }

  /** work() has something to do or to throw, now or when the compressor has done its part. */
  get hasWork(): boolean {
    if (this.#failure !== undefined) return !this.#isFailureThrown;
    return this.#states > 0 || this.#inFlight.length > 0 || this.#file.bytesWritten === 0;
  }

  /** True while a state is being encoded, a piece with each work(). */
  get isEncodingState(): boolean {
    return this.#states > 0;
  }

  /**
   * Encodes the next piece of a state and writes what is compressed; milliseconds at most. The first call writes the
   * file's head only, so that a sink that fails shows at once. False when there is nothing to do before the compressor
   * has done its part. Throws as flush().
   */
  work(): boolean {
    if (this.#inFlight.length > 0) this.#options.compressor.poll();
    let hasWorked = false;
    this.#attempt(() => {
      const hasHead = this.#file.bytesWritten > 0;
      if (hasHead && this.#states > 0 && this.#inFlight.length < MAX_STATE_CHUNKS) {
        this.#fillChunk(PIECE_EFFORT);
        hasWorked = true;
      }
      this.#drain();
    });
    this.#throwFailure();
    return hasWorked;
  }

  /** Writes everything, and waits for it. Throws as flush(). */
  settle(): void {
    this.flush();
    this.#options.compressor.drain();
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure === undefined || this.#isFailureThrown) return;
    this.#isFailureThrown = true;
    throw this.#failure;
  }

  /** Ends the recording; `onFinished` is called when the last byte has been handed to the sink. */
  finish(end: End & { readonly tick: Tick }, onFinished: () => void = () => {}): void {
    this.append({ ...end, entry: 'end' });
    this.#isEnding = true;
    this.#onFinished = onFinished;
    this.flush();
  }

  /** The next message of the queue; it is taken by `#take`. */
  #peek(): PendingMessage | undefined {
    while (this.#taken < this.#queue.length) {
      const head = this.#queue[this.#taken]!;
      if (!('state' in head)) return head;
      const next = head.state.next();
      if (next.done !== true) {
        // The message goes in front of the rest of its state.
        if (this.#taken > 0) this.#queue[--this.#taken] = next.value;
        else this.#queue.unshift(next.value);
        this.#backlogBytes += next.value.payload.length;
        return next.value;
      }
      this.#backlogBytes -= head.bytes;
      this.#taken++;
      this.#states--;
      this.#hasStateEnded = true;
    }
    this.#queue.length = 0;
    this.#taken = 0;
    return undefined;
  }

  /**
   * Fills the chunk at hand from the queue until `maxEffort` is exceeded. True when it was full, or the queue or a state ended,
   * and is on its way; so where the chunks of a state end does not depend on the pace.
   */
  #fillChunk(maxEffort: number): boolean {
    for (let effort = 0; ;) {
      const message = this.#peek();
      const isCut = this.#hasStateEnded;
      this.#hasStateEnded = false;
      if (message === undefined || isCut) {
        if (!this.#builder.isEmpty) {
          this.#sealChunk();
          return true;
        }
        if (message === undefined) return false;
      }
      if (!this.#builder.fits(message.topic, message.payload.length)) {
        this.#sealChunk();
        return true;
      }
      if (effort > maxEffort) return false;
      effort += message.effort ?? 0;
      this.#addMessage(message);
      this.#taken++;
      if (this.#taken > KEPT_TAKEN) {
        this.#queue.splice(0, this.#taken);
        this.#taken = 0;
      }
    }
  }

  #sealChunk(): void {
    const chunk = this.#builder.seal();
    this.#backlogBytes += chunk.content.length - this.#payloadBytes;
    this.#payloadBytes = 0;
    const inFlight: ChunkInFlight = { chunk, frame: undefined };
    this.#inFlight.push(inFlight);
    if (!isCompressible(chunk.content)) {
      inFlight.frame = null;
      return;
    }
    this.#options.compressor.compress(chunk.content, this.#options.level ?? 3, (frame) => {
      inFlight.frame = frame !== null && frame.length < chunk.content.length ? frame : null;
      // Called later, from a worker: there is no flush on the stack that would write it.
      this.#attempt(() => this.#drain());
    });
  }

  /** Writes the chunks that are compressed, in order, and after the last one what closes the file. */
  #drain(): void {
    if (this.#file.bytesWritten === 0) {
      const { name, version } = this.#options.meta.generator;
      this.#file.start(`${name} ${version}`);
    }
    while (this.#inFlight[0]?.frame !== undefined) {
      const { chunk, frame } = this.#inFlight.shift()!;
      this.#file.addChunk(chunk, frame ?? null);
      this.#backlogBytes -= chunk.content.length;
    }
    if (!this.#isEnding || this.#inFlight.length > 0 || !this.#builder.isEmpty || this.#peek() !== undefined) return;
    const onFinished = this.#onFinished;
    if (onFinished === undefined) return;
    this.#onFinished = undefined;
    closeFile(this.#file, this.#chain, this.#options.meta.recordingId, this.#options.signer);
    onFinished();
  }

  #attempt(write: () => void): void {
    if (this.#failure !== undefined) return;
    try {
      write();
    } catch (cause) {
      if (cause instanceof Error && cause.name === 'AssertionError') throw cause;
      this.#failure =
        cause instanceof CodedError
          ? cause
          : new CodedError('HOST_IO', 'the recording could not be written', { cause });
      this.#queue.length = 0;
      this.#taken = 0;
      this.#inFlight.length = 0;
      this.#states = 0;
      this.#backlogBytes = 0;
    }
  }
}

/** Closes the hash chain, signs it if there is a signer, and ends the file. */
export function closeFile(file: ReelFile, chain: HashChain, recordingId: string, signer: Signer | undefined): void {
  file.addAttachment(CHAIN_ATTACHMENT, CHAIN_MEDIA_TYPE, chain.encode());
  if (signer !== undefined) {
    const statement = chainStatement(recordingId, FORMAT_VERSION, chain.length, chain.value);
    file.addAttachment(SIGNATURE_ATTACHMENT, SIGNATURE_MEDIA_TYPE, signStatement(statement, signer));
  }
  file.finish();
}
