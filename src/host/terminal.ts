import { TerminalEscape, TERMINAL_HELP } from './terminal-escape.js';

/** What a terminal needs of standard input. */
export interface TerminalInput {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (chunk: Uint8Array | string) => void): unknown;
  on(event: 'end' | 'error', listener: () => void): unknown;
  off(event: 'data', listener: (chunk: Uint8Array | string) => void): unknown;
  off(event: 'end' | 'error', listener: () => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

export interface TerminalHandlers {
  /** Bytes for the guest. */
  data(bytes: Uint8Array): void;
  /** Ctrl-A x. */
  quit(): void;
  /** Nothing more will come. */
  ended(): void;
  /** One line of help to show. */
  help(line: string): void;
}

/** The part of `process` that tells of its end and of its waking up. */
export interface ProcessEnd {
  on(event: 'exit' | 'SIGCONT', listener: () => void): unknown;
  off(event: 'exit' | 'SIGCONT', listener: () => void): unknown;
}

/**
 * The user's keyboard given to a guest. A terminal is raw meanwhile, so that Ctrl-C and the like reach the guest, and
 * Ctrl-A starts a command; a pipe or a file is passed on as it is. `restore` undoes it; the end of the process, be it
 * by an uncaught exception, does so too.
 */
export class Terminal {
  readonly #escape = new TerminalEscape();
  #attached = true;
  readonly #isRaw: boolean;

  constructor(
    private readonly input: TerminalInput,
    private readonly handlers: TerminalHandlers,
    private readonly ends: ProcessEnd,
  ) {
    this.#isRaw = input.isTTY === true && input.setRawMode !== undefined;
    input.on('data', this.#onData);
    input.on('end', this.#onEnd);
    // A terminal that hangs up gives EIO.
    input.on('error', this.#onEnd);
    ends.on('exit', this.#onExit);
    if (this.#isRaw) {
      input.setRawMode!(true);
      ends.on('SIGCONT', this.#onContinue);
    }
    input.resume();
  }

  get isRaw(): boolean {
    return this.#isRaw && this.#attached;
  }

  readonly #onData = (chunk: Uint8Array | string): void => {
    const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
    if (!this.#isRaw) {
      this.handlers.data(bytes);
      return;
    }
    for (const event of this.#escape.push(bytes)) {
      // A quit or a full handler may have let the terminal go.
      if (!this.#attached) return;
      if (event.kind === 'data') this.handlers.data(event.bytes);
      else if (event.kind === 'quit') this.handlers.quit();
      else TERMINAL_HELP.forEach((line) => this.handlers.help(line));
    }
  };
  readonly #onEnd = (): void => {
    if (this.#attached) this.handlers.ended();
  };
  readonly #onExit = (): void => this.restore();
  /** The shell may have set the terminal back while the process was stopped. */
  readonly #onContinue = (): void => void this.input.setRawMode!(true);

  /** The terminal is the user's again. Idempotent. */
  restore(): void {
    if (!this.#attached) return;
    this.#attached = false;
    this.ends.off('exit', this.#onExit);
    this.input.off('data', this.#onData);
    this.input.off('end', this.#onEnd);
    if (this.#isRaw) {
      this.ends.off('SIGCONT', this.#onContinue);
      this.input.setRawMode!(false);
    }
    // The error listener stays: a late EIO must not become an uncaught exception.
    this.input.pause();
  }
}
