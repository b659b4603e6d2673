import { EventEmitter } from 'node:events';
import type { Io } from '../../src/cli/context.js';
import type { Library } from '../../src/cli/library.js';
import { main } from '../../src/cli/program.js';

/** A stream that keeps what is written. */
export class Sink extends EventEmitter {
  readonly #chunks: Uint8Array[] = [];
  constructor(readonly isTTY = false) {
    super();
  }
  write(chunk: Uint8Array | string, done?: () => void): void {
    this.#chunks.push(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk.slice());
    done?.();
  }
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
  get text(): string {
    return this.bytes.toString('utf8');
  }
}

/** A keyboard or a pipe in the hands of a test. */
export class Keys extends EventEmitter {
  readonly modes: boolean[] = [];
  constructor(readonly isTTY = false) {
    super();
  }
  setRawMode(raw: boolean): void {
    this.modes.push(raw);
  }
  resume(): void {}
  pause(): void {}
  type(text: string): void {
    this.emit(
      'data',
      Uint8Array.from(text, (c) => c.charCodeAt(0)),
    );
  }
}

/** What a library that is not to be used does. */
export const NO_LIBRARY: Library = {
  createMachine: () => Promise.reject(new Error('no machine is expected')),
  openRecording: () => Promise.reject(new Error('no replay is expected')),
};

export interface Desk {
  readonly stdin: Keys;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly signals: EventEmitter;
  readonly env: Record<string, string>;
  /** Runs a command line; returns its exit code. */
  run(argv: readonly string[], library?: Library): Promise<number>;
}

/** A process for the command line to run in. Only `tty` of the streams are terminals. */
export function desk(tty: readonly ('stdin' | 'stdout' | 'stderr')[] = [], env: Record<string, string> = {}): Desk {
  const [stdin, stdout, stderr] = [
    new Keys(tty.includes('stdin')),
    new Sink(tty.includes('stdout')),
    new Sink(tty.includes('stderr')),
  ];
  const signals = new EventEmitter();
  let nowMs = 1_700_000_000_000;
  const io: Io = { stdin, stdout, stderr, env, signals, nowMs: () => (nowMs += 1000) };
  return { stdin, stdout, stderr, signals, env, run: (argv, library = NO_LIBRARY) => main(argv, io, library) };
}
