/** Holds execution between two slices, from when a host asks for it until one says that it is over. */
export class Pause {
  #isOn = false;
  readonly #waiting = new Set<() => void>();

  get isOn(): boolean {
    return this.#isOn;
  }

  /** False where it has begun already. */
  begin(): boolean {
    if (this.#isOn) return false;
    return (this.#isOn = true);
  }

  /** False where there is none. */
  end(): boolean {
    if (!this.#isOn) return false;
    this.#isOn = false;
    for (const wake of [...this.#waiting]) wake();
    return true;
  }

  /** Resolves when it is over, or when `signal` aborts. */
  async over(signal?: AbortSignal): Promise<void> {
    if (!this.#isOn || signal?.aborted === true) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake);
    });
  }
}
