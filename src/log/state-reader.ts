import { PAGE_SIZE } from '../base/units.js';
import { CodedError } from '../base/errors.js';
import type { Tick } from '../core/clock.js';
import type { Message } from './chunk-content.js';
import type { ChunkStore, Position } from './chunk-store.js';
import { ENTRY_KINDS } from './entries.js';
import type { SectionReference } from './meta.js';
import { PageDecoder, type PageTarget } from './pages.js';
import { damagedAt } from './reel-source.js';
import type { StateKind } from './state-blocks.js';

/** Largest section of the encoding `bytes`. */
const MAX_SECTION_BYTES = 256 * 1024 * 1024;

/** A state within a recording. Entries before `position` happened before it, the others after. */
export interface StateReference {
  readonly kind: StateKind;
  readonly tick: Tick;
  readonly position: Position;
  readonly sections: readonly SectionReference[];
}

/** Takes the sections of a state as they are read. */
export interface StateReceiver {
  /** A section of the encoding `bytes`, whole. */
  bytes(name: string, data: Uint8Array): void;
  /**
   * The memory that a section of the encoding `pages` is read into: exactly `pageCount` pages. The file is not to be
   * trusted with the size: a receiver that does not expect it throws MISMATCH.
   */
  pages(name: string, pageCount: number): PageTarget;
}

export function stateReference(kind: StateKind, message: Message, position: Position, where: string): StateReference {
  const { sections } = ENTRY_KINDS[kind].payload.decode(message.data, where);
  return { kind, tick: message.tick, position, sections };
}

/** Reads the last of `states`; the others are those before it, as its pages may be equal to theirs. */
export function readStates(store: ChunkStore, states: readonly StateReference[], receiver: StateReceiver): void {
  const images = new Map<string, PageTarget>();
  states.forEach((state, i) => readState(store, state, images, receiver, i === states.length - 1));
}

function readState(
  store: ChunkStore,
  state: StateReference,
  images: Map<string, PageTarget>,
  receiver: StateReceiver,
  isWanted: boolean,
): void {
  const { chunk, message } = state.position;
  const messages = store.messagesFrom({ chunk, message: message + 1 });
  for (const section of state.sections) {
    const blocks = sectionBlocks(store, state, section.name, messages);
    if (section.encoding === 'pages') readPages(state, section.name, blocks, images, receiver);
    else if (isWanted) receiver.bytes(section.name, joined(section.name, blocks));
    else for (const _block of blocks);
  }
}

/** The data of a section's blocks; consumed whole, `messages` stands behind the section. */
function* sectionBlocks(
  store: ChunkStore,
  state: StateReference,
  name: string,
  messages: Generator<{ message: Message; position: Position }>,
): Generator<Uint8Array> {
  for (let sequence = 0; ; sequence++) {
    // Not for..of, which would end `messages` with this section.
    const next = messages.next();
    const where = next.done === true ? store.layout.dataEnd : store.offsetOf(next.value.position.chunk);
    const message = next.done === true ? undefined : next.value.message;
    const fits = message?.kind === `${state.kind}-block` && message.suffix === name && message.sequence === sequence;
    if (!fits) throw damagedAt(where, `the section "${name}" of a ${state.kind} is cut off`);
    const block = ENTRY_KINDS['snapshot-block'].payload.decode(message.data, `offset ${where}`);
    yield block.data;
    if (block.last) return;
  }
}

function readPages(
  state: StateReference,
  name: string,
  blocks: Iterable<Uint8Array>,
  images: Map<string, PageTarget>,
  receiver: StateReceiver,
): void {
  const where = `section ${name} at tick ${state.tick}`;
  const allocate = (pageCount: number): PageTarget => {
    const known = images.get(name);
    if (known !== undefined && known.bytes.length === pageCount * PAGE_SIZE) return known;
    const image = receiver.pages(name, pageCount);
    images.set(name, image);
    return image;
  };
  // Without a state before it that has the image, nothing can be as it was.
  const decoder = new PageDecoder(allocate, images.has(name), where);
  for (const block of blocks) decoder.apply(block);
  decoder.end();
}

function joined(name: string, blocks: Iterable<Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const part of blocks) {
    parts.push(part);
    length += part.length;
    if (length > MAX_SECTION_BYTES) {
      throw new CodedError('DAMAGED', `the section has more than ${MAX_SECTION_BYTES} bytes`, { where: name });
    }
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
