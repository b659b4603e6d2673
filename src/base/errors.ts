/**
 * Every error a user, a guest or a file can cause has a code. The exit code of the command line follows from the
 * code's class (see cli/exit-codes.ts).
 */
export const ERROR_CLASSES = {
  USAGE: 'the request itself is wrong: an option, an argument, a value',
  CONFIG: 'a configuration file (policy, machine) is invalid',
  DENIED: 'the policy does not allow it',
  DIVERGED: 'a replay differed from its recording',
  DAMAGED: 'a file is damaged or truncated',
  VERSION: 'a file has a format version this program does not read',
  MISSING_IMAGE: 'a base image needed for going live was not found',
  MISMATCH: 'a recording and a machine do not belong together',
  STATE: 'the request does not fit the present state, e.g. stop without a recording',
  HOST_IO: 'the host could not read or write a file or socket',
} as const;

export type ErrorClass = keyof typeof ERROR_CLASSES;

export interface ErrorDetails {
  /** Where: file, line, offset, tick, option. */
  readonly where?: string;
  /** What the user can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error with a class, a place and advice. `message` is one complete sentence without them. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(
    readonly code: ErrorClass,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, { cause: details.cause });
    this.where = details.where;
    this.hint = details.hint;
  }

  /** One line for a terminal: where, what, what to do. */
  describe(): string {
    const where = this.where === undefined ? '' : `${this.where}: `;
    const hint = this.hint === undefined ? '' : ` (${this.hint})`;
    return `${where}${this.message}${hint}`;
  }
}
