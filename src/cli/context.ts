import type { Interrupt, SignalSource } from '../host/interrupt.js';
import type { ProcessEnd, TerminalInput } from '../host/terminal.js';
import type { Library } from './library.js';
import type { Output, OutputStream } from './output.js';

/** What a command has of the process it runs in. */
export interface Io {
  readonly stdin: TerminalInput;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signals: SignalSource & ProcessEnd;
  readonly nowMs: () => number;
}

/** What every command gets. */
export interface Context {
  readonly io: Io;
  readonly output: Output;
  readonly interrupt: Interrupt;
  readonly library: Library;
}

/** Runs a verb; the result is the exit code. */
export type Command<O> = (context: Context, words: readonly string[], options: O) => Promise<number>;
