/** The signals that end a run cleanly. */
export const CLEAN_SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;
export type CleanSignal = (typeof CLEAN_SIGNALS)[number];

/** The part of `process` that delivers signals. */
export interface SignalSource {
  on(signal: CleanSignal, listener: () => void): unknown;
  off(signal: CleanSignal, listener: () => void): unknown;
}

/**
 * Turns the first signal into a request to end. From then on signals have their usual effect again, so that a second
 * one ends the process whatever it is doing.
 */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #listeners = new Map<CleanSignal, () => void>();
  #received: CleanSignal | 'SIGPIPE' | null = null;

  constructor(private readonly source: SignalSource) {
    for (const name of CLEAN_SIGNALS) {
      const listener = (): void => this.raise(name);
      this.#listeners.set(name, listener);
      source.on(name, listener);
    }
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  /** The first signal, or null while there was none. */
  get received(): CleanSignal | 'SIGPIPE' | null {
    return this.#received;
  }

  /** Acts as if the signal had come. SIGPIPE is raised when the reader of standard output has gone. */
  raise(name: CleanSignal | 'SIGPIPE'): void {
    this.#received ??= name;
    this.dispose();
    this.#controller.abort();
  }

  /** Signals have their usual effect again. */
  dispose(): void {
    for (const [name, listener] of this.#listeners) this.source.off(name, listener);
    this.#listeners.clear();
  }
}
