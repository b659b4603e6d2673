import type { ErrorClass } from '../base/errors.js';

interface ExitCode {
  readonly code: number;
  readonly doc: string;
}

/** Every exit code of `reel`. `reel run` also passes on the exit code of the guest: its lower seven bits. */
export const EXIT_CODES = {
  OK: { code: 0, doc: 'success; the replay was the same; the guest ended without an exit code' },
  INTERNAL: { code: 1, doc: 'a bug in guestreel' },
  USAGE: { code: 2, doc: 'the command line is wrong' },
  DIVERGED: { code: 3, doc: 'a replay differed from its recording' },
  DAMAGED: { code: 4, doc: 'a recording is damaged or truncated' },
  VERSION: { code: 5, doc: 'a recording has a format version that this program does not read' },
  MISSING_IMAGE: { code: 6, doc: 'a base image needed for going live was not found' },
  MISMATCH: { code: 7, doc: 'a recording and a machine do not belong together' },
  DENIED: { code: 8, doc: 'the policy does not allow it' },
  STATE: { code: 9, doc: 'the request does not fit the present state' },
  CONFIG: { code: 10, doc: 'a configuration file (policy, machine, key) is invalid' },
  HOST_IO: { code: 11, doc: 'a file or socket of the host could not be read or written' },
  TRIPLE_FAULT: { code: 12, doc: 'the guest ended in a triple fault' },
  TIMEOUT: { code: 124, doc: '`--timeout-ticks` passed before the machine stopped or `--until-serial` matched' },
  SIGHUP: { code: 129, doc: 'ended by SIGHUP; a recording was ended cleanly' },
  SIGINT: { code: 130, doc: 'ended by SIGINT (Ctrl-C); a recording was ended cleanly' },
  SIGPIPE: { code: 141, doc: 'the reader of standard output has gone' },
  SIGTERM: { code: 143, doc: 'ended by SIGTERM; a recording was ended cleanly' },
} as const satisfies Record<ErrorClass | string, ExitCode>;

export type ExitName = keyof typeof EXIT_CODES;

/** The exit code of an error class. A class without one does not compile. */
export function exitCodeOf(name: ErrorClass | ExitName): number {
  return EXIT_CODES[name].code;
}

/** What a guest's exit code becomes: a process has 8 bits, and those above 127 mean signals. */
export function guestExitCode(code: number): number {
  return code & 0x7f;
}
