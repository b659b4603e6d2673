/**
 * The backdoor port's protocol: the one declaration. guest-agent/protocol.inc, guest-agent/reel.h and
 * docs/backdoor-protocol.md are generated from it. Numbers are never reused or changed.
 */

export const PORT = 0x5252;
/** EAX of a call: `REEL`. */
export const MAGIC = 0x4c454552;
export const PROTOCOL_VERSION = 1;
/** Longest text or data of one call, bytes. */
export const MAX_TEXT_BYTES = 4096;
/** Longest buffer of PUT and GET, bytes. */
export const MAX_DATA_BYTES = 65536;
/** Text in ESI and EDI themselves, for boot sectors: this many bytes; a zero byte ends it early. */
export const INLINE_BYTES = 8;

/** Bits of the upper half of ECX. */
export const FLAG_BITS = {
  /** START while recording is a nested start: the matching STOP does not end the recording. */
  NEST: 0x0001,
  /** A page that is missing is touched as the caller would: #PF, and the IN restarts. */
  TOUCH: 0x0002,
  /** The text is in ESI and EDI. */
  INLINE: 0x0004,
} as const;

/** What a command's ESI and EDI mean. */
export type Payload = 'none' | 'text' | 'data' | 'buffer';

export interface Command {
  readonly number: number;
  readonly payload: Payload;
  readonly doc: string;
}

export const COMMANDS = {
  HELLO: { number: 0, payload: 'none', doc: 'EBX = ~magic, ESI = lowest and highest version -> EBX = magic, ECX = version, EDX = capabilities, ESI = longest string, EDI = epoch' },
  START: { number: 1, payload: 'text', doc: 'ESI/EDI = name; flag NEST -> EBX = recording id, EDX:ECX = tick' },
  STOP: { number: 2, payload: 'none', doc: 'EBX = recording id or 0 -> EBX = id, EDX:ECX = tick' },
  MARK: { number: 3, payload: 'text', doc: 'ESI/EDI = label, EBX = value -> EDX:ECX = tick' },
  BEGIN: { number: 4, payload: 'text', doc: 'ESI/EDI = phase name -> EBX = phase id' },
  END: { number: 5, payload: 'text', doc: 'ESI/EDI = phase name -> EBX = phase id' },
  VERDICT: { number: 6, payload: 'text', doc: 'EBX = 0 pass, 1 fail, 2 skip; ESI/EDI = test name' },
  CHECK: { number: 7, payload: 'data', doc: 'ESI/EDI = bytes that must be equal on replay' },
  LOG: { number: 8, payload: 'text', doc: 'ESI/EDI = UTF-8 text into the recording' },
  STATUS: { number: 9, payload: 'none', doc: '-> EBX = state bits, ECX = what this caller may do, EDX = remaining quota in MiB, EDI = epoch' },
  AUTH: { number: 10, payload: 'data', doc: 'ESI/EDI = token -> ECX = what this caller may do' },
  PUT: { number: 11, payload: 'data', doc: 'ESI/EDI = bytes, EBX = stream handle: guest to host attachment' },
  GET: { number: 12, payload: 'buffer', doc: 'ESI/EDI = buffer, EBX = handle -> ECX = bytes: host to guest, a recorded input' },
  CHECKPOINT: { number: 13, payload: 'none', doc: 'asks for a checkpoint here' },
  EXIT: { number: 14, payload: 'none', doc: 'EBX = exit code: ends the machine' },
} as const satisfies Record<string, Command>;
export type CommandName = keyof typeof COMMANDS;

/** EAX of a reply. */
export const STATUS = {
  OK: 0,
  NOSYS: 1,
  DENIED: 2,
  RATE: 3,
  QUOTA: 4,
  BUSY: 5,
  NOT_RECORDING: 6,
  FAULT: 7,
  TOO_LONG: 8,
  INVALID: 9,
  /** Never returned. */
  RESERVED: 10,
  HOST_IO: 11,
  NOT_OWNER: 12,
} as const;
export type StatusName = keyof typeof STATUS;

/** EDX of HELLO. */
export const CAPABILITIES = { RECORD: 1, PHASES: 2, PUT_GET: 4, CHECKPOINT: 8, INLINE: 16, TOUCH: 32 } as const;
/** EBX of STATUS. It never says whether this is a replay. */
export const STATE_BITS = { RECORDING: 1, STARTED_BY_GUEST: 2, STARTED_BY_HOST: 4, IN_PHASE: 8 } as const;

/** ECX of STATUS and AUTH: bit n is the n-th of these. */
export const ACTION_ORDER = ['start', 'stop', 'mark', 'log', 'check', 'put', 'get', 'checkpoint', 'exit', 'status'] as const;
export type ActionName = (typeof ACTION_ORDER)[number];

/** The policy's action for each command; HELLO and AUTH need none. */
export const ACTION_OF: Readonly<Record<CommandName, ActionName | null>> = {
  HELLO: null,
  START: 'start',
  STOP: 'stop',
  MARK: 'mark',
  BEGIN: 'mark',
  END: 'mark',
  VERDICT: 'mark',
  CHECK: 'check',
  LOG: 'log',
  STATUS: 'status',
  AUTH: null,
  PUT: 'put',
  GET: 'get',
  CHECKPOINT: 'checkpoint',
  EXIT: 'exit',
};

const BY_NUMBER: ReadonlyMap<number, CommandName> = new Map(Object.entries(COMMANDS).map(([name, { number }]) => [number, name as CommandName] as [number, CommandName]));
/** Undefined for a number that no command has. */
export function commandName(number: number): CommandName | undefined {
  return BY_NUMBER.get(number);
}
