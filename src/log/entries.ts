import type { ByteWriter } from '../base/bytes.js';
import type { Tick } from '../core/clock.js';
import type { AskKind, InputKind, OutputKind } from '../core/input-gate.js';
import { anyObject, type Shape } from './json-shape.js';
import { END_SHAPE, MANIFEST_SHAPE, MARK_SHAPE, META_SHAPE, type End, type Mark } from './meta.js';
import { blob, flag, hash, json, layout, repeated, rest, safe, text, u32, u8, type PayloadCodec } from './payload.js';

/** The hash of one section of the state within a digest. */
export interface SectionDigest {
  readonly name: string;
  /** The first four bytes of the section's SHA-256, little-endian: enough to name the device that differs. */
  readonly hash: number;
}

/** What must be equal at one tick of every replay. */
export interface Digest {
  /** SHA-256 of the CPU's and all devices' state. */
  readonly cpuDevices: Uint8Array;
  /** SHA-256 over the RAM pages that were written since the last digest. */
  readonly ram: Uint8Array;
  /** How many pages `ram` covers. */
  readonly pages: number;
  /** Those that have changed since the digest before; all in the first one. */
  readonly sections: readonly SectionDigest[];
}

interface At {
  readonly tick: Tick;
}

/** One entry of the log, in the order in which things happened. */
export type LogEntry =
  | (At & { readonly entry: 'input'; readonly kind: InputKind; readonly payload: Uint8Array })
  | (At & { readonly entry: 'ask'; readonly kind: AskKind; readonly request: Uint8Array; readonly answer: Uint8Array })
  | (At & { readonly entry: 'block'; readonly image: string; readonly offset: number; readonly bytes: Uint8Array })
  | (At & Mark & { readonly entry: 'mark' })
  | (At & { readonly entry: 'audit'; readonly record: Readonly<Record<string, unknown>> })
  | (At & Digest & { readonly entry: 'digest' })
  | (At & {
      readonly entry: 'output';
      readonly kind: OutputKind;
      readonly channel: number;
      readonly bytes: Uint8Array;
    })
  | (At & End & { readonly entry: 'end' });

export type EntryName = LogEntry['entry'];
export type EntryOf<N extends EntryName> = Extract<LogEntry, { entry: N }>;

const INPUT_KINDS: Record<InputKind, string> = {
  serial: 'u8 port index, then bytes received',
  key: 'keyboard bytes',
  mouse:
    'i16 counts to the right, i16 counts upwards, i8 wheel steps towards the user, u8 buttons: 1 left, 2 right, 4 middle',
  frame: 'u8 interface, then a network frame',
  media: 'u8 drive, then the new medium or nothing',
  reset: 'host reset',
  'power-button': 'power button',
  mark: 'mark set by the host',
  trigger: 'command of the host about recording',
  policy: 'new policy text',
};

const ASK_KINDS: Record<AskKind, string> = {
  backdoor: 'one call of the backdoor port',
  vmport: 'one call of the VMware port',
  entropy: 'random bytes',
  epoch: "the RTC's start",
};

const OUTPUT_KINDS: Record<OutputKind, string> = {
  serial: 'bytes sent by a UART',
  debugcon: 'bytes sent to the debug console',
  frame: 'a network frame sent',
  parallel: 'bytes sent to a parallel port',
};

/** How a topic goes on after its name: not at all, with a kind of a closed list, or with any name. */
type Suffix = null | Readonly<Record<string, string>> | 'name';

/** One kind of message: what its topic, its payload and its place in the file are. */
export interface EntryKind<T> {
  readonly suffix: Suffix;
  /** The property of an entry that gives the suffix. */
  readonly suffixFrom: string | null;
  readonly times: string;
  readonly doc: string;
  readonly payload: PayloadCodec<T>;
}

const AUDIT: PayloadCodec<{ record: Readonly<Record<string, unknown>> }> = unwrapped(anyObject);

/** A JSON object that is the whole payload but one property of the entry. */
function unwrapped<T extends object>(shape: Shape<T>): PayloadCodec<{ record: T }> {
  const inner = json(shape);
  return {
    ...inner,
    encode: (value) => inner.encode(value.record),
    decode: (bytes, where) => ({ record: inner.decode(bytes, where) }),
  };
}

const STATE_BLOCK = layout<StateBlock>({ last: flag, data: rest });

/** A piece of one section of a snapshot or checkpoint. */
export interface StateBlock {
  /** Ends the section. */
  readonly last: boolean;
  readonly data: Uint8Array;
}

function kind<T>(
  suffix: Suffix,
  suffixFrom: string | null,
  times: string,
  payload: PayloadCodec<T>,
  doc: string,
): EntryKind<T> {
  return { suffix, suffixFrom, times, payload, doc };
}

/** Every kind of message in a recording. Topic: the key, and where there is a suffix, a slash and the suffix. */
export const ENTRY_KINDS = {
  chain: kind(
    null,
    null,
    'first in every chunk',
    layout<ChainLink>({ index: u32, value: hash }),
    "The chunk's index and the value of the hash chain over all chunks before it.",
  ),
  meta: kind(null, null, 'once, the first entry', json(META_SHAPE), 'What the recording is, and of which machine.'),
  snapshot: kind(
    null,
    null,
    'once, after meta',
    json(MANIFEST_SHAPE),
    'The sections of the state at the start; they follow at once, in this order.',
  ),
  'snapshot-block': kind('name', null, 'per section', STATE_BLOCK, 'One block of one section of the snapshot.'),
  checkpoint: kind(
    null,
    null,
    'any number',
    json(MANIFEST_SHAPE),
    'The sections of the state at this tick, after all entries before it; they follow at once, in this order.',
  ),
  'checkpoint-block': kind('name', null, 'per section', STATE_BLOCK, 'One block of one section of a checkpoint.'),
  input: kind(
    INPUT_KINDS,
    'kind',
    'any number',
    layout<{ payload: Uint8Array }>({ payload: rest }),
    'An asynchronous input, admitted between instructions.',
  ),
  ask: kind(
    ASK_KINDS,
    'kind',
    'any number',
    layout<{ request: Uint8Array; answer: Uint8Array }>({ request: blob, answer: rest }),
    'A synchronous input: the request, compared on replay, and the answer, served on replay.',
  ),
  block: kind(
    'name',
    'image',
    'any number',
    layout<{ offset: number; bytes: Uint8Array }>({ offset: safe, bytes: rest }),
    'A block of a base image, embedded when the recorded run reads it for the first time: no bytes for one of zeros. The suffix is the SHA-256 of the image.',
  ),
  mark: kind(null, null, 'any number', json(MARK_SHAPE), 'A named tick.'),
  audit: kind(null, null, 'any number', AUDIT, 'A decision of the policy.'),
  digest: kind(
    null,
    null,
    'any number',
    layout<Digest>({ cpuDevices: hash, ram: hash, pages: u32, sections: repeated({ name: text, hash: u32 }) }),
    'What must be equal on replay; sections that are as in the digest before are left out.',
  ),
  output: kind(
    OUTPUT_KINDS,
    'kind',
    'any number',
    layout<{ channel: number; bytes: Uint8Array }>({ channel: u8, bytes: rest }),
    'What left the machine: for export, never for replay.',
  ),
  end: kind(null, null, 'once, the last entry', json(END_SHAPE), 'The end and its tick.'),
} as const;

export type KindName = keyof typeof ENTRY_KINDS;

/** Carried by the first message of every chunk. */
export interface ChainLink {
  readonly index: number;
  readonly value: Uint8Array;
}

/** Longest suffix of a topic, in UTF-16 units. */
export const MAX_SUFFIX_LENGTH = 200;

/** A topic taken apart. */
export interface Topic {
  readonly kind: KindName;
  /** Empty where the kind has none. */
  readonly suffix: string;
}

/** Blocks of states share their state's topic and add the section's name. */
const TOPIC_STEMS: Partial<Record<KindName, string>> = {
  'snapshot-block': 'snapshot',
  'checkpoint-block': 'checkpoint',
};

export function topicText(kindName: KindName, suffix = ''): string {
  const stem = TOPIC_STEMS[kindName] ?? kindName;
  return ENTRY_KINDS[kindName].suffix === null ? stem : `${stem}/${suffix}`;
}

/** Undefined for a topic that no kind has. */
export function parseTopic(topic: string): Topic | undefined {
  const slash = topic.indexOf('/');
  const stem = slash < 0 ? topic : topic.slice(0, slash);
  const suffix = slash < 0 ? '' : topic.slice(slash + 1);
  if (suffix.length > MAX_SUFFIX_LENGTH) return undefined;
  for (const kindName of Object.keys(ENTRY_KINDS) as KindName[]) {
    if ((TOPIC_STEMS[kindName] ?? kindName) !== stem) continue;
    const expected: Suffix = ENTRY_KINDS[kindName].suffix;
    if ((expected === null) !== slash < 0) continue;
    if (expected === null || (suffix !== '' && (expected === 'name' || Object.hasOwn(expected, suffix)))) {
      return { kind: kindName, suffix };
    }
  }
  return undefined;
}

/** The topic of a log entry. */
export function topicOfEntry(entry: LogEntry): string {
  const { suffixFrom } = ENTRY_KINDS[entry.entry] as EntryKind<unknown>;
  if (suffixFrom === null) return entry.entry;
  return `${entry.entry}/${(entry as unknown as Record<string, string>)[suffixFrom]}`;
}

export function encodeEntry(entry: LogEntry, scratch?: ByteWriter): Uint8Array<ArrayBuffer> {
  return (ENTRY_KINDS[entry.entry].payload as PayloadCodec<LogEntry>).encode(entry, scratch);
}

/** True for the kinds that are entries of the log, as opposed to the file's own parts. */
export function isLogKind(kindName: KindName): kindName is EntryName {
  switch (kindName) {
    case 'chain':
    case 'meta':
    case 'snapshot':
    case 'snapshot-block':
    case 'checkpoint':
    case 'checkpoint-block':
      return false;
    default:
      return true;
  }
}

/** Throws DAMAGED, naming `where`. */
export function decodeEntry(name: EntryName, suffix: string, tick: Tick, bytes: Uint8Array, where: string): LogEntry {
  const entryKind = ENTRY_KINDS[name] as EntryKind<object>;
  const head: Record<string, unknown> = { entry: name, tick };
  if (entryKind.suffixFrom !== null) head[entryKind.suffixFrom] = suffix;
  // The head comes last: a JSON payload from a file cannot replace the entry's kind or tick.
  return { ...entryKind.payload.decode(bytes, where), ...head } as unknown as LogEntry;
}

/** A section's SHA-256 as a digest carries it. */
export function shortHash(hash: Uint8Array): number {
  return (hash[0]! | (hash[1]! << 8) | (hash[2]! << 16) | (hash[3]! << 24)) >>> 0;
}
