import {
  ACTION_ORDER,
  AGENT_CODE,
  AGENT_EXIT,
  CAPABILITIES,
  COMMANDS,
  FLAG_BITS,
  INLINE_BYTES,
  INLINE_MIN_BYTES,
  MAGIC,
  MAX_DATA_BYTES,
  MAX_TEXT_BYTES,
  PORT,
  PROTOCOL_VERSION,
  SKIP_EXIT,
  STATE_BITS,
  STATUS,
  STATUS_TEXT,
  VERDICTS,
  type Command,
  type StatusName,
} from './protocol.js';

const NOTE = 'Generated from src/devices/backdoor/protocol.ts by `npx tsx guest-agent/generate.ts`.';

type Constant = readonly [name: string, value: number];

function constants(): Constant[] {
  const named = (prefix: string, values: Readonly<Record<string, number>>): Constant[] =>
    Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]);
  return [
    ['PORT', PORT],
    ['MAGIC', MAGIC],
    ['VERSION', PROTOCOL_VERSION],
    ['MAX_TEXT', MAX_TEXT_BYTES],
    ['MAX_DATA', MAX_DATA_BYTES],
    ['INLINE_BYTES', INLINE_BYTES],
    ['INLINE_MIN_BYTES', INLINE_MIN_BYTES],
    ...Object.entries(COMMANDS).map(([name, { number }]): Constant => [name, number]),
    ...named('FLAG_', FLAG_BITS),
    ...named('STATUS_', STATUS),
    ['STATUS_COUNT', Object.keys(STATUS).length],
    ...named('CAP_', CAPABILITIES),
    ...named('STATE_', STATE_BITS),
    ...named('VERDICT_', VERDICTS),
    ...ACTION_ORDER.map((name, bit): Constant => [`MAY_${name.toUpperCase()}`, 1 << bit]),
    ...named('EXIT_', AGENT_EXIT),
    ['EXIT_SKIP', SKIP_EXIT],
  ];
}

const hex = (value: number, prefix: string): string => prefix + value.toString(16).toUpperCase();

const STATUSES = Object.entries(STATUS) as [StatusName, number][];

/** Exit codes of the agent, with their meaning. */
function exitCodes(): [code: number, text: string][] {
  const refusals = STATUSES.filter(([name]) => name !== 'OK' && name !== 'RESERVED');
  return [
    [AGENT_EXIT.OK, 'granted and done'],
    [AGENT_EXIT.FAILED, 'something in the guest failed: a file, a process'],
    [AGENT_EXIT.USAGE, 'wrong arguments'],
    [AGENT_EXIT.NO_PORT, 'no port: not a guestreel machine, or no rule for this privilege level'],
    ...refusals.map(([name, status]): [number, string] => [
      AGENT_EXIT.REFUSED + status,
      `${name}: ${STATUS_TEXT[name]}`,
    ]),
  ];
}

/** guest-agent/protocol.inc, for NASM. */
export function nasmText(): string {
  const lines = constants().map(([name, value]) => `REEL_${name.padEnd(22)} equ ${hex(value, '0x')}`);
  return [
    `; The backdoor port's protocol. ${NOTE}`,
    '%ifndef REEL_PROTOCOL_INC',
    '%define REEL_PROTOCOL_INC',
    ...lines,
    '',
    `%define REEL_CODE_MAGIC '${AGENT_CODE.magic}'`,
    `%define REEL_EXIT_SKIP_TEXT '${SKIP_EXIT}'`,
    '',
    '; For people, each ended by 0: the statuses, by number.',
    '%macro REEL_STATUS_TEXTS 0',
    ...STATUSES.map(([name]) => `        db '${STATUS_TEXT[name]}', 0`),
    '%endmacro',
    '',
    '; The actions, bit 0 first; the list ends with an empty one.',
    '%macro REEL_ACTION_NAMES 0',
    ...ACTION_ORDER.map((name) => `        db '${name}', 0`),
    '        db 0',
    '%endmacro',
    '',
    '; For people: the exit codes of the agent, a line each, ended by what is given.',
    '%macro REEL_EXIT_TEXTS 1+',
    ...exitCodes().map(([code, text]) => `        db '  ${String(code).padStart(2)}  ${text}', %1`),
    '%endmacro',
    '%endif',
    '',
  ].join('\n');
}

/** The generated part of guest-agent/reel.h. */
export function headerText(): string {
  const lines = constants().map(([name, value]) => `#define REEL_${name.padEnd(22)} ${hex(value, '0x')}u`);
  return [`/* The backdoor port's protocol. ${NOTE} */`, ...lines, ''].join('\n');
}

function bitRows(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${hex(value, '')}h`)
    .join(', ');
}

function changed({ results }: Command): string {
  return ['EAX', ...results.map((name) => name.toUpperCase())].join(' ');
}

function agentExitLines(): string[] {
  return [
    '## Exit codes of the agent',
    '',
    '| exit code | meaning |',
    '|---|---|',
    ...exitCodes().map(([code, text]) => `| ${code} | ${text} |`),
    '',
    '`reel run` exits as the command it ran: with its status, with 128 + the number of the signal that killed it, with 127',
    'if it was not found and 126 if it could not be started. It runs nothing if the phase was refused. Its verdict is pass',
    `for status ${AGENT_EXIT.OK}, skip for ${SKIP_EXIT}, fail for any other.`,
  ];
}

/** docs/backdoor-protocol.md, before prettier. */
export function protocolPage(): string {
  const commands = Object.entries(COMMANDS) as [string, Command][];
  return [
    '# The backdoor port',
    '',
    NOTE,
    '',
    `A call is a 32-bit \`IN EAX, DX\` on port ${hex(PORT, '')}h with EAX = ${hex(MAGIC, '')}h (\`REEL\`), CX = command,`,
    'upper half of ECX = flags. EAX returns the status. Any other access finds an empty port: all ones, no register but the',
    'destination changes. EFLAGS never change. A call is one instruction and one tick, granted or not.',
    '',
    'Texts and data are a linear address in ESI and a length in EDI, read with the rights of the caller.',
    '',
    '## Commands',
    '',
    '| # | command | arguments -> results | takes | changes when OK |',
    '|---|---|---|---|---|',
    ...commands.map(([name, c]) => `| ${c.number} | ${name} | ${c.doc} | ${c.payload} | ${changed(c)} |`),
    '',
    'A **name** is one line, a **text** may have line ends and tabs; both are UTF-8 without other control characters, 1 to',
    `${MAX_TEXT_BYTES} bytes. **Data** and a **buffer** are up to ${MAX_DATA_BYTES} bytes.`,
    '',
    '## Bits',
    '',
    '| where | bits |',
    '|---|---|',
    `| flags, upper half of ECX | ${bitRows(FLAG_BITS)} |`,
    `| capabilities, EDX of HELLO | ${bitRows(CAPABILITIES)} |`,
    `| state, EBX of STATUS | ${bitRows(STATE_BITS)} |`,
    `| what the caller may do, ECX of STATUS and AUTH | ${bitRows(Object.fromEntries(ACTION_ORDER.map((name, bit) => [name, 1 << bit])))} |`,
    '',
    '- NEST: a START while a recording runs joins it; the matching STOP leaves it running. `reel start --nest NAME`.',
    '- TOUCH: where a page is missing, the caller gets a genuine #PF and the IN is restarted, instead of FAULT.',
    `- INLINE: the text is the ${INLINE_MIN_BYTES} to ${INLINE_BYTES} bytes in ESI and EDI, lowest byte first; zero bytes at the end do not count. Data`,
    `  is all ${INLINE_BYTES} bytes. GET has no inline form and ignores the flag.`,
    '',
    '## Statuses',
    '',
    '| EAX | status | meaning |',
    '|---|---|---|',
    ...STATUSES.map(([name, status]) => `| ${status} | ${name} | ${STATUS_TEXT[name]} |`),
    '',
    'FAULT also sets EBX: the offset of the first byte whose page is missing. No other refusal changes a register but EAX.',
    'NOSYS, TOO_LONG, FAULT and most INVALID follow from the state of the guest alone; such calls leave nothing in the log.',
    '',
    ...agentExitLines(),
    '',
    '## The header of an agent',
    '',
    'A policy can name a program by the SHA-256 of its code. The code carries a header at a linear address divisible by',
    `${AGENT_CODE.stepBytes}: \`${AGENT_CODE.magic}\`, the length of what follows the ${AGENT_CODE.headerBytes}-byte header (32 bits, up to ${AGENT_CODE.maxCodeBytes}), 32 zero bits. The`,
    `emulator looks for it from EIP downwards, at most ${AGENT_CODE.reachBytes} bytes, takes the first that reaches up to EIP, and hashes`,
    'header and code. All of it must be mapped at the call. `guest-images/manifest.json` lists the hashes of the built agents.',
    '',
  ].join('\n');
}
