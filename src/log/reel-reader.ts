import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import type { BlockCodec } from './block-codec.js';
import type { Message } from './chunk-content.js';
import { ChunkStore, type Position } from './chunk-store.js';
import { decodeEntry, type EntryName, type EntryOf } from './entries.js';
import { EntryCursor } from './entry-cursor.js';
import { EntryOrder } from './entry-order.js';
import { FORMAT_VERSION, type ReelMeta } from './meta.js';
import { readLayout, type ReelLayout } from './reel-layout.js';
import { damagedAt, readBytes, type ReelSource } from './reel-source.js';
import { chainStatement, verifyStatement, type Verifier } from './signature.js';
import { readStates, stateReference, type StateReceiver, type StateReference } from './state-reader.js';

/** Bytes read at a time where the whole file is read. */
const STRIDE_BYTES = 1024 * 1024;

/** An embedded piece of a base image; its bytes are those of the entry at `position`. */
export interface BlockReference {
  readonly tick: Tick;
  readonly offset: number;
  readonly lengthBytes: number;
  readonly position: Position;
}

/**
 * A complete recording. `open` checks its structure, its version and the hash chain's closure; a chunk is checked, by
 * CRC and by hash, before anything of it is handed out. `verify` reads everything at once.
 */
export class ReelReader {
  readonly meta: ReelMeta;
  readonly snapshot: StateReference;
  /** The last entry; its tick is the recording's last. */
  readonly end: EntryOf<'end'>;
  readonly #store: ChunkStore;
  readonly #layout: ReelLayout;
  #checkpoints: StateReference[] | undefined;

  private constructor(
    private readonly source: ReelSource,
    codec: BlockCodec,
    private readonly hashing: Hashing,
  ) {
    this.#layout = readLayout(source, hashing);
    this.#store = new ChunkStore(source, this.#layout, codec, hashing);
    this.meta = this.#store.meta;
    if (this.meta.formatVersion !== FORMAT_VERSION) throw damagedAt(0, 'two format versions in one recording');
    this.snapshot = this.#findSnapshot();
    this.end = this.#findEnd();
  }

  /** Throws DAMAGED, or VERSION for a recording of another format version. */
  static open(source: ReelSource, codec: BlockCodec, hashing: Hashing): ReelReader {
    return new ReelReader(source, codec, hashing);
  }

  /** The program that wrote it. */
  get library(): string {
    return this.#layout.library;
  }
  get sizeBytes(): number {
    return this.source.size;
  }
  /** Of the file, up to where it has everything until `tick`. */
  bytesUntil(tick: Tick): number {
    const next = this.#store.firstChunkBehind(tick);
    return next < this.#store.length ? this.#store.offsetOf(next) : this.#layout.dataEnd;
  }
  get chunkCount(): number {
    return this.#store.length;
  }
  /** The hash chain's last value: identifies the content, however it is compressed. */
  get chainSha256(): Uint8Array {
    return this.#layout.chain.last;
  }
  get isSigned(): boolean {
    return this.#layout.signature !== undefined;
  }

  #findSnapshot(): StateReference {
    const message = this.#store.load(0).messages[1];
    if (message?.kind !== 'snapshot') throw damagedAt(this.#layout.start, 'the snapshot is missing');
    return stateReference('snapshot', message, { chunk: 0, message: 1 }, 'snapshot');
  }

  #findEnd(): EntryOf<'end'> {
    const chunk = this.#store.length - 1;
    const { messages } = this.#store.load(chunk);
    const last = messages.length - 1;
    const message = messages[last]!;
    if (message.kind !== 'end') throw damagedAt(this.#store.offsetOf(chunk), 'the recording has no end');
    return this.#entry('end', message, { chunk, message: last });
  }

  /** Reads the log from its first entry, or from `position` on. */
  cursor(position: Position = this.snapshot.position): EntryCursor {
    return new EntryCursor(this.#store, position, position === this.snapshot.position);
  }

  /** All entries of one kind, without reading what has none of them. */
  *entriesOf<N extends Exclude<EntryName, 'input' | 'ask' | 'output' | 'block'>>(name: N): Generator<EntryOf<N>> {
    for (const { message, position } of this.#store.messagesOf(name)) yield this.#entry(name, message, position);
  }

  #entry<N extends EntryName>(name: N, { suffix, tick, data }: Message, { chunk }: Position): EntryOf<N> {
    return decodeEntry(name, suffix, tick, data, `offset ${this.#store.offsetOf(chunk)}`) as EntryOf<N>;
  }

  marks(): EntryOf<'mark'>[] {
    return [...this.entriesOf('mark')];
  }
  digests(): EntryOf<'digest'>[] {
    return [...this.entriesOf('digest')];
  }

  /** The embedded pieces of the base image with that role, in the order of their first reading. */
  blocks(image: string): BlockReference[] {
    const blocks: BlockReference[] = [];
    for (const { message, position } of this.#store.messagesOf('block', image)) {
      const { tick, offset, bytes } = this.#entry('block', message, position);
      blocks.push({ tick, offset, lengthBytes: bytes.length, position });
    }
    return blocks;
  }

  readBlock(block: BlockReference): Uint8Array {
    return this.blockAt(block.position);
  }
  /** Of the block entry at `position`, which a cursor of this recording had. */
  blockAt(position: Position): Uint8Array {
    const message = this.#store.load(position.chunk).messages[position.message];
    if (message?.kind !== 'block') throw new CodedError('STATE', 'the block is of another recording');
    return this.#entry('block', message, position).bytes;
  }

  /** In order of time. */
  checkpoints(): readonly StateReference[] {
    if (this.#checkpoints === undefined) {
      this.#checkpoints = [];
      for (const { message, position } of this.#store.messagesOf('checkpoint')) {
        const where = `offset ${this.#store.offsetOf(position.chunk)}`;
        this.#checkpoints.push(stateReference('checkpoint', message, position, where));
      }
    }
    return this.#checkpoints;
  }

  /** Reads the snapshot or one of the checkpoints; the log goes on from `state.position`. */
  loadState(state: StateReference, receiver: StateReceiver): void {
    const before = state.kind === 'snapshot' ? [] : [this.snapshot, ...this.checkpoints()];
    const { chunk, message } = state.position;
    const isBefore = ({ position }: StateReference): boolean =>
      position.chunk < chunk || (position.chunk === chunk && position.message < message);
    readStates(this.#store, [...before.filter(isBefore), state], receiver);
  }

  /** Reads every byte; throws DAMAGED at the first that is not as it was written. Returns the number of entries. */
  verify(): number {
    const { dataEnd, dataSectionCrc } = this.#layout;
    const order = new EntryOrder();
    for (const { message, position } of this.#store.messagesFrom({ chunk: 0, message: 0 })) {
      order.accept(message, `offset ${this.#store.offsetOf(position.chunk)}`);
    }
    if (!order.isAtRest || !order.hasEnd) throw damagedAt(dataEnd, 'the recording has no end');
    let crc = 0;
    for (let offset = 0; offset < dataEnd; offset += STRIDE_BYTES) {
      crc = this.hashing.crc32(readBytes(this.source, offset, Math.min(STRIDE_BYTES, dataEnd - offset)), crc);
    }
    if (crc !== dataSectionCrc) throw damagedAt(dataEnd, "the data section's CRC does not match");
    return order.entryCount;
  }

  /**
   * Returns the ids of the keys that signed the recording and hold. Throws DAMAGED where they do not, STATE where it
   * is not signed. The signature covers what `verify` reads.
   */
  verifySignature(verifier: Verifier): string[] {
    const { signature, chain } = this.#layout;
    if (signature === undefined) throw new CodedError('STATE', 'the recording is not signed');
    const { recordingId, formatVersion } = this.meta;
    return verifyStatement(
      signature,
      chainStatement(recordingId, formatVersion, chain.hashes.length, chain.last),
      verifier,
    );
  }
}
