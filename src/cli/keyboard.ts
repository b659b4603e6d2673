import { Terminal } from '../host/terminal.js';
import type { Context } from './context.js';
import type { LiveMachine } from './library.js';
import { keysOf } from './terminal-keys.js';

/** Which of the machine's inputs standard input feeds. */
export type KeyboardTarget = 'serial' | 'keys' | 'none';

/** What the user types, on its way to a machine; and the wish to end it. */
export class Keyboard {
  readonly #terminal: Terminal | null = null;
  readonly #ending = new AbortController();
  readonly #ends: readonly AbortSignal[];
  #isOpen: boolean;
  /** Something came that nobody has waited for. */
  #isFresh = false;
  #woken: () => void = () => {};

  constructor(
    context: Context,
    private readonly machine: LiveMachine,
    private readonly target: KeyboardTarget,
    private readonly serialPort = 0,
    quit?: AbortSignal,
  ) {
    const { io, interrupt, output } = context;
    this.#ends = quit === undefined ? [interrupt.signal] : [interrupt.signal, quit];
    this.#isOpen = target !== 'none';
    for (const end of this.#ends) end.addEventListener('abort', this.#end);
    if (this.#ends.some(({ aborted }) => aborted)) this.#end();
    if (!this.#isOpen) return;
    const handlers = {
      data: (bytes: Uint8Array) => this.#typed(bytes),
      quit: this.#end,
      ended: () => {
        this.#isOpen = false;
        this.#woken();
      },
      help: (line: string) => output.message(line),
    };
    this.#terminal = new Terminal(io.stdin, handlers, io.signals);
    if (this.#terminal.isRaw && !output.stdout.isTTY) output.message('reel: Ctrl-A x ends the machine');
  }

  /** Aborted by Ctrl-A x, by signals and by `quit`. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }
  /** True while something may still be typed. */
  get isOpen(): boolean {
    return this.#isOpen && !this.signal.aborted;
  }

  readonly #end = (): void => {
    // At once: a second signal ends the process without another chance.
    this.close();
    this.#ending.abort();
    this.#woken();
  };

  #typed(bytes: Uint8Array): void {
    const { machine } = this;
    if (this.target === 'serial') {
      machine.typeSerial(bytes, this.serialPort);
    } else {
      for (const typed of keysOf(bytes)) {
        if (typed.kind === 'text') machine.typeKeys(typed.text);
        else machine.pressKeys(typed.name);
      }
    }
    this.wake();
  }

  /** There is something to do for a machine that halted. */
  readonly wake = (): void => {
    this.#isFresh = true;
    this.#woken();
  };

  /** Until the machine was woken since the last wait, nothing more can be typed, or it is to end. */
  async wait(): Promise<void> {
    if (!this.signal.aborted && !this.#isFresh) await new Promise<void>((resolve) => (this.#woken = resolve));
    this.#woken = () => {};
    this.#isFresh = false;
  }

  /** The terminal is the user's again. Idempotent. */
  close(): void {
    for (const end of this.#ends) end.removeEventListener('abort', this.#end);
    this.#terminal?.restore();
  }
}
