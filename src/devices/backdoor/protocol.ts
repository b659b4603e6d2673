/**
 * The backdoor port's protocol: the one declaration. guest-agent/protocol.inc, guest-agent/reel.h and
 * docs/backdoor-protocol.md are generated from it. Numbers are never reused or changed.
 */

export const PORT = 0x5252;
/** EAX of a call: `REEL`. */
export const MAGIC = 0x4c454552;
export const PROTOCOL_VERSION = 1;
/** Longest name or text of one call, bytes. */
export const MAX_TEXT_BYTES = 4096;
/** Longest data of CHECK, AUTH and PUT and longest buffer of GET, bytes. */
export const MAX_DATA_BYTES = 65536;
/** Text in ESI and EDI themselves, for boot sectors: 4 to 8 bytes, zero bytes at the end do not count. Data: all 8. */
export const INLINE_BYTES = 8;
export const INLINE_MIN_BYTES = 4;

/** Bits of the upper half of ECX. */
export const FLAG_BITS = {
  /** START while recording is a nested start: the matching STOP does not end the recording. */
  NEST: 0x0001,
  /** A page that is missing is touched as the caller would: #PF, and the IN restarts. */
  TOUCH: 0x0002,
  /** The text is in ESI and EDI. */
  INLINE: 0x0004,
} as const;

/**
 * What a command's ESI and EDI mean. `name`: one line of UTF-8, 1 to 4096 bytes. `text`: the same, and it may have line
 * ends and tabs. `data`: any bytes. `buffer`: room for the answer.
 */
export type Payload = 'none' | 'name' | 'text' | 'data' | 'buffer';

/** Registers beside EAX in which a command answers. */
export type ResultRegister = 'ebx' | 'ecx' | 'edx' | 'esi' | 'edi';

export interface Command {
  readonly number: number;
  readonly payload: Payload;
  /** Written when the status is OK, and by no other status; a FAULT writes EBX. */
  readonly results: readonly ResultRegister[];
  readonly doc: string;
}

const NAME = 'ESI/EDI = name (linear address, bytes)';

export const COMMANDS = {
  HELLO: {
    number: 0,
    payload: 'none',
    results: ['ebx', 'ecx', 'edx', 'esi', 'edi'],
    doc: 'EBX = ~magic, ESI = lowest and highest version (16 + 16 bits) -> EBX = magic, ECX = version, EDX = capabilities, ESI = longest string, EDI = epoch',
  },
  START: {
    number: 1,
    payload: 'name',
    results: ['ebx', 'ecx', 'edx'],
    doc: `${NAME}; flag NEST -> EBX = recording id, EDX:ECX = tick`,
  },
  STOP: {
    number: 2,
    payload: 'none',
    results: ['ebx', 'ecx', 'edx'],
    doc: 'EBX = recording id or 0 -> EBX = id, EDX:ECX = tick',
  },
  MARK: {
    number: 3,
    payload: 'name',
    results: ['ecx', 'edx'],
    doc: 'ESI/EDI = label, EBX = value -> EDX:ECX = tick',
  },
  BEGIN: { number: 4, payload: 'name', results: ['ebx'], doc: 'ESI/EDI = phase name -> EBX = phase id' },
  END: { number: 5, payload: 'name', results: ['ebx'], doc: 'ESI/EDI = phase name -> EBX = phase id' },
  VERDICT: { number: 6, payload: 'name', results: [], doc: 'EBX = 0 pass, 1 fail, 2 skip; ESI/EDI = test name' },
  CHECK: { number: 7, payload: 'data', results: [], doc: 'ESI/EDI = bytes that must be equal on replay' },
  LOG: { number: 8, payload: 'text', results: [], doc: 'ESI/EDI = UTF-8 text into the recording' },
  STATUS: {
    number: 9,
    payload: 'none',
    results: ['ebx', 'ecx', 'edx', 'edi'],
    doc: '-> EBX = state bits, ECX = what this caller may do, EDX = remaining quota in MiB (all ones: no limit), EDI = epoch',
  },
  AUTH: {
    number: 10,
    payload: 'data',
    results: ['ecx'],
    doc: 'ESI/EDI = token -> ECX = what this caller may do',
  },
  PUT: {
    number: 11,
    payload: 'data',
    results: [],
    doc: 'ESI/EDI = bytes, EBX = stream handle: guest to host attachment',
  },
  GET: {
    number: 12,
    payload: 'buffer',
    results: ['ecx'],
    doc: 'ESI/EDI = buffer, EBX = handle -> ECX = bytes, 0 at the end: host to guest, a recorded input',
  },
  CHECKPOINT: { number: 13, payload: 'none', results: [], doc: 'asks for a checkpoint here' },
  EXIT: { number: 14, payload: 'none', results: [], doc: 'EBX = exit code: ends the machine' },
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

/** For people: what the agent says when it is refused. */
export const STATUS_TEXT: Readonly<Record<StatusName, string>> = {
  OK: 'done',
  NOSYS: 'this version of guestreel does not know the command',
  DENIED: 'the policy does not allow it',
  RATE: 'too often: the policy limits the rate',
  QUOTA: 'the quota is used up',
  BUSY: 'a recording is already running',
  NOT_RECORDING: 'nothing is being recorded',
  FAULT: 'the memory of the text or data is not mapped',
  TOO_LONG: 'the text or data is too long',
  INVALID: 'an argument is not valid',
  RESERVED: 'reserved status',
  HOST_IO: 'the host could not read or write',
  NOT_OWNER: 'the recording belongs to someone else',
};

/** EBX of VERDICT. */
export const VERDICTS = { PASS: 0, FAIL: 1, SKIP: 2 } as const;

/** EDX of HELLO. */
export const CAPABILITIES = { RECORD: 1, PHASES: 2, PUT_GET: 4, CHECKPOINT: 8, INLINE: 16, TOUCH: 32 } as const;
/** EBX of STATUS. It never says whether this is a replay. */
export const STATE_BITS = { RECORDING: 1, STARTED_BY_GUEST: 2, STARTED_BY_HOST: 4, IN_PHASE: 8 } as const;

/** ECX of STATUS and AUTH: bit n is the n-th of these. */
export const ACTION_ORDER = [
  'start',
  'stop',
  'mark',
  'log',
  'check',
  'put',
  'get',
  'checkpoint',
  'exit',
  'status',
] as const;
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

/** The header by which the emulator finds the code of an agent in guest memory, and so its hash. */
export const AGENT_CODE = {
  /** The first 8 bytes; then u32 length of the code behind the header, u32 zero. */
  magic: 'REELCODE',
  headerBytes: 16,
  /** How far before EIP the header may lie. */
  reachBytes: 8192,
  /** The header's linear address is a multiple of this. */
  stepBytes: 4,
  maxCodeBytes: 65536,
} as const;

/** Exit codes of the agent programs; a refusal is REFUSED + status. They lie where commands under `run` seldom end. */
export const AGENT_EXIT = {
  OK: 0,
  /** Something in the guest went wrong: a file that cannot be read, no memory for a process. */
  FAILED: 61,
  USAGE: 62,
  NO_PORT: 63,
  REFUSED: 64,
} as const;
/** The status of a command under `run` that makes its verdict `skip`, as in TAP and Automake. */
export const SKIP_EXIT = 77;

const BY_NUMBER: ReadonlyMap<number, CommandName> = new Map(
  Object.entries(COMMANDS).map(([name, { number }]) => [number, name as CommandName] as [number, CommandName]),
);
/** Undefined for a number that no command has. */
export function commandName(number: number): CommandName | undefined {
  return BY_NUMBER.get(number);
}
