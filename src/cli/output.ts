import { CodedError } from '../base/errors.js';

/** A stream that a command writes to. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  /** `done` is called once the chunk has left, or never can. */
  write(chunk: Uint8Array | string, done?: () => void): unknown;
  on?(event: 'error', listener: (error: Error & { code?: string }) => void): unknown;
}

/** Control characters in text of a guest or a file could drive the user's terminal: they are written as \xNN. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

const SGR = { red: 31, green: 32, yellow: 33, bold: 1 } as const;
export type Colour = keyof typeof SGR;

/** Data on standard output; messages, and on a terminal progress, on standard error. */
export class Output {
  #progressShown = false;
  #isBehind = false;
  #held: string[] | null = null;
  #note: (text: string) => void = () => {};
  #failure: CodedError | 'closed' | null = null;
  /** Called when standard output can no longer be written, its reader having gone or for another reason. */
  onFailure: () => void = () => {};

  constructor(
    readonly stdout: OutputStream,
    readonly stderr: OutputStream,
    private readonly env: Readonly<Record<string, string | undefined>>,
  ) {
    stdout.on?.('error', (error) => this.#failed(error));
    // Nobody is left to be told.
    stderr.on?.('error', () => {});
  }

  #failed(cause: Error & { code?: string }): void {
    // EIO is what a terminal gives that has hung up.
    const isGone = cause.code === 'EPIPE' || cause.code === 'EIO';
    this.#failure ??= isGone ? 'closed' : new CodedError('HOST_IO', 'standard output cannot be written', { cause });
    this.onFailure();
  }

  /** Why standard output can no longer be written; `closed` when its reader has gone; null while it can. */
  get failure(): CodedError | 'closed' | null {
    return this.#failure;
  }

  data(chunk: Uint8Array | string): void {
    if (this.#failure !== null) return;
    if (this.stdout.isTTY) this.clearProgress();
    this.#isBehind = this.stdout.write(chunk) === false;
  }

  /** Resolves when the reader of standard output has taken in what was written; at once where it is not behind. */
  async drained(): Promise<void> {
    if (this.#isBehind) await this.settled();
  }

  /** Resolves when everything written to standard output has left, or never can. */
  async settled(): Promise<void> {
    if (this.#failure === null) await new Promise<void>((resolve) => this.stdout.write('', () => resolve()));
    this.#isBehind = false;
  }

  line(text = ''): void {
    this.data(`${text}\n`);
  }
  json(value: unknown): void {
    this.line(JSON.stringify(value, null, 2));
  }

  /** One line for the user. */
  message(text: string): void {
    if (this.#held !== null) {
      this.#held.push(text);
      this.#note(text);
      return;
    }
    this.clearProgress();
    this.stderr.write(`${text}\n`);
  }

  /** While the terminal is drawn on, messages go to `note`, and are written once the returned function is called. */
  holdMessages(note: (text: string) => void): () => void {
    this.#held = [];
    this.#note = note;
    return () => {
      const held = this.#held ?? [];
      this.#held = null;
      for (const text of held) this.message(text);
    };
  }
  error(text: string): void {
    this.message(`${this.colour('reel:', 'red', this.stderr)} ${text}`);
  }

  /** Replaces the line of progress; does nothing unless standard error is a terminal. */
  progress(text: string): void {
    if (!this.stderr.isTTY) return;
    const width = Math.max(20, (this.stderr.columns ?? 80) - 1);
    this.stderr.write(`\r\x1b[K${text.slice(0, width)}`);
    this.#progressShown = true;
  }
  clearProgress(): void {
    if (!this.#progressShown) return;
    this.stderr.write('\r\x1b[K');
    this.#progressShown = false;
  }

  /** Coloured on a terminal, unless NO_COLOR is set (https://no-color.org). */
  colour(text: string, colour: Colour, stream: OutputStream = this.stdout): string {
    const wanted = stream.isTTY === true && (this.env.NO_COLOR ?? '') === '' && this.env.TERM !== 'dumb';
    return wanted ? `\x1b[${SGR[colour]}m${text}\x1b[0m` : text;
  }
}

/** Text in columns; the last one is not padded. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('  '));
}

/** Guest time between two ticks, in seconds. */
export function secondsText(ticks: number, nsPerTick: number): string {
  return `${((ticks * nsPerTick) / 1e9).toFixed(6)} s`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const mib = bytes / (1024 * 1024);
  return mib < 1 ? `${(bytes / 1024).toFixed(1)} KiB` : `${mib.toFixed(1)} MiB`;
}
