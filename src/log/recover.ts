import { McapConstants } from '@mcap/core';
import { sameBytes } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import type { BlockCodec } from './block-codec.js';
import { HashChain } from './chain.js';
import { Channels } from './channels.js';
import { ChunkBuilder } from './chunk-builder.js';
import { ContentParser, readChunk, type ChunkContent, type StoredChunk } from './chunk-content.js';
import { ENTRY_KINDS, topicText } from './entries.js';
import { EntryOrder } from './entry-order.js';
import type { ReelMeta } from './meta.js';
import { ReelFile, type ReelSink } from './reel-file.js';
import { readHead } from './reel-layout.js';
import { closeFile } from './reel-writer.js';
import { damagedAt, placeRecord, type ReelSource } from './reel-source.js';
import type { Signer } from './signature.js';

/** The reason that a recovered recording ends with. */
export const RECOVERED = 'recovered';
const RECOVER_LEVEL = 3;

export interface RecoverReport {
  /** Tick of the end. */
  readonly endTick: Tick;
  /** Log entries saved, without the end that was added. */
  readonly entries: number;
  /** The recording had its own end; only what follows it was damaged or missing. */
  readonly hadEnd: boolean;
  /** Bytes behind the last one that was of use; 0 if nothing but the summary is missing. */
  readonly droppedBytes: number;
  /** What was wrong where the whole part stops. */
  readonly problem: string;
}

/** How much of a file is whole. */
interface WholePart {
  readonly meta: ReelMeta;
  /** Chunks of use, the last of them perhaps only in part. */
  readonly chunks: number;
  /** Messages of use in the last chunk, without its link. */
  readonly messages: number;
  readonly endOffset: number;
  readonly tick: Tick;
  readonly entries: number;
  readonly hadEnd: boolean;
  readonly problem: CodedError;
}

/** Reads the chunks of a file one after the other, complete or not; needs no summary. */
class ChunkScan {
  readonly channels = new Channels();
  readonly parser = new ContentParser(this.channels, true);
  readonly chain: HashChain;

  constructor(
    private readonly source: ReelSource,
    private readonly codec: BlockCodec,
    private readonly hashing: Hashing,
    private at: number,
  ) {
    this.chain = new HashChain(hashing);
  }

  /** Behind everything that was of use. */
  get offset(): number {
    return this.at;
  }

  /** Undefined where no more chunks follow. Throws DAMAGED at the first that is not whole. */
  next(): { stored: StoredChunk; content: ChunkContent } | undefined {
    const { source } = this;
    const { Opcode } = McapConstants;
    for (;;) {
      if (this.at === source.size) return undefined;
      const place = placeRecord(source, this.at, source.size);
      if (place.opcode === Opcode.CHUNK) break;
      if (place.opcode !== Opcode.MESSAGE_INDEX) return undefined;
      // Message indexes are not read: they are made anew.
      this.at += place.length;
    }
    const stored = readChunk(source, this.at, source.size, this.codec, this.hashing);
    const content = this.parser.parse(stored);
    if (content.link.index !== this.chain.length || !sameBytes(content.link.value, this.chain.value)) {
      throw damagedAt(this.at, 'the chunk has another place in the hash chain');
    }
    this.chain.add(stored.contentHash);
    this.at += stored.length;
    return { stored, content };
  }
}

/** Reads a damaged or unfinished recording up to the first problem. */
function measure(source: ReelSource, codec: BlockCodec, hashing: Hashing, start: number): WholePart {
  const scan = new ChunkScan(source, codec, hashing, start);
  const order = new EntryOrder();
  let whole: Omit<WholePart, 'meta' | 'problem'> | undefined;
  let problem: CodedError;
  try {
    for (let chunk = scan.next(), chunks = 1; chunk !== undefined; chunk = scan.next(), chunks++) {
      const { stored, content } = chunk;
      const where = `offset ${stored.offset}`;
      for (let i = 0; i < content.messages.length; i++) {
        order.accept(content.messages[i]!, where);
        if (!order.isAtRest) continue;
        const { tick, entryCount: entries, hasEnd: hadEnd } = order;
        whole = { chunks, messages: i + 1, endOffset: stored.offset + stored.length, tick, entries, hadEnd };
      }
    }
    problem = damagedAt(scan.offset, order.hasEnd ? 'only the summary was made anew' : 'the recording is cut off');
    if (order.isAtRest && whole !== undefined) whole = { ...whole, endOffset: scan.offset };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    problem = error;
  }
  if (whole === undefined) {
    throw new CodedError('DAMAGED', 'nothing can be recovered: not even the snapshot at the start is whole', {
      where: problem.where,
      cause: problem,
    });
  }
  return { ...whole, meta: scan.parser.meta!, problem };
}

/**
 * Writes to `sink` a complete recording of what is whole in `source`: every entry up to the first damage, then, unless
 * it has one, an `end` with the reason "recovered" at the last tick known. Whole chunks come out as they were, so the
 * hash chain is the original's as far as it goes; a signature is not kept, as the content is no longer what was signed.
 */
export function recover(
  source: ReelSource,
  codec: BlockCodec,
  hashing: Hashing,
  sink: ReelSink,
  signer?: Signer,
): RecoverReport {
  const { start, library } = readHead(source);
  const whole = measure(source, codec, hashing, start);
  const { recordingId, nsPerTick } = whole.meta;
  const scan = new ChunkScan(source, codec, hashing, start);
  const channels = new Channels(scan.channels);
  const chain = new HashChain(hashing);
  const file = new ReelFile(sink, hashing, channels);
  const builder = new ChunkBuilder(channels, chain, hashing, BigInt(nsPerTick));
  file.start(library);
  const addBuilt = (original?: StoredChunk): void => {
    const built = builder.seal();
    const isOriginal = original !== undefined && sameBytes(original.contentHash, built.contentHash);
    const frame = isOriginal ? original.frame : codec.compress(built.content, RECOVER_LEVEL);
    file.addChunk(built, frame !== null && frame.length < built.content.length ? frame : null);
  };
  for (let index = 0; index < whole.chunks; index++) {
    const { stored, content } = scan.next()!;
    const messages = index < whole.chunks - 1 ? content.messages : content.messages.slice(0, whole.messages);
    for (const { kind, suffix, tick, sequence, data } of messages) {
      const topic = topicText(kind, suffix);
      if (!builder.fits(topic, data.length)) throw damagedAt(stored.offset, 'a chunk larger than any that is written');
      builder.add(topic, tick, sequence, data);
    }
    addBuilt(stored);
  }
  if (!whole.hadEnd) {
    const payload = ENTRY_KINDS.end.payload.encode({ reason: RECOVERED });
    builder.add(topicText('end'), whole.tick, whole.entries, payload);
    addBuilt();
  }
  closeFile(file, chain, recordingId, signer);
  return {
    endTick: whole.tick,
    entries: whole.entries,
    hadEnd: whole.hadEnd,
    droppedBytes: whole.hadEnd ? 0 : source.size - whole.endOffset,
    problem: whole.problem.describe(),
  };
}
