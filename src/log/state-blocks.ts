import { assert } from '../base/assert.js';
import { ByteWriter } from '../base/bytes.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import { MAX_PAYLOAD_BYTES } from './chunk-builder.js';
import { ENTRY_KINDS, topicText } from './entries.js';
import { encodePages, type PageSource } from './pages.js';

/** One named part of a state: bytes as they are, or pages. */
export type StateSection =
  { readonly name: string; readonly bytes: Uint8Array } | { readonly name: string; readonly pages: PageSource };

export type StateKind = 'snapshot' | 'checkpoint';

/** A message that has its place but is not in a chunk yet. */
export interface PendingMessage {
  readonly topic: string;
  readonly tick: Tick;
  readonly sequence: number;
  readonly payload: Uint8Array;
  /** Of a state, what making this took, in bytes that could have been copied meanwhile. */
  readonly effort?: number;
}

/** Data bytes of one block of a bytes section: the flag goes in front. */
const BLOCK_BYTES = MAX_PAYLOAD_BYTES - 1;

/** Looking for zeros and hashing take their time even where nothing is stored. */
const PAGES_EFFORT = MAX_PAYLOAD_BYTES;

function* cut(bytes: Uint8Array): Generator<Uint8Array> {
  let at = 0;
  do {
    yield bytes.subarray(at, at + BLOCK_BYTES);
    at += BLOCK_BYTES;
  } while (at < bytes.length);
}

/**
 * The messages of one state: its manifest, then the blocks of each section in order; a block's sequence number counts
 * within its section. A generator, so that the work is done when a block is wanted; a block's payload is valid until the
 * next one is.
 */
export function* stateMessages(
  kind: StateKind,
  tick: Tick,
  sections: readonly StateSection[],
  hashing: Hashing,
): Generator<PendingMessage> {
  const references = sections.map((section) => ({
    name: section.name,
    encoding: 'pages' in section ? ('pages' as const) : ('bytes' as const),
  }));
  const manifest = ENTRY_KINDS[kind].payload.encode({ sections: references });
  yield { topic: topicText(kind), tick, sequence: 0, payload: manifest };
  const { payload } = ENTRY_KINDS[`${kind}-block`];
  const scratch = new ByteWriter(MAX_PAYLOAD_BYTES);
  for (const section of sections) {
    const topic = topicText(`${kind}-block`, section.name);
    const blocks = 'pages' in section ? encodePages(section.pages, hashing, kind === 'checkpoint') : cut(section.bytes);
    const minimum = 'pages' in section ? PAGES_EFFORT : 0;
    let sequence = 0;
    let next = blocks.next();
    while (next.done !== true) {
      const data = next.value;
      next = blocks.next();
      const effort = Math.max(data.length, minimum);
      const bytes = payload.encode({ last: next.done === true, data }, scratch);
      yield { topic, tick, sequence: sequence++, payload: bytes, effort };
    }
  }
}

export function stateBytes(sections: readonly StateSection[]): number {
  let total = 0;
  const names = new Set<string>();
  for (const section of sections) {
    assert(section.name !== '' && !names.has(section.name), `a second or nameless section "${section.name}"`);
    names.add(section.name);
    total += 'pages' in section ? section.pages.pageCount * 4096 : section.bytes.length;
  }
  return total;
}
