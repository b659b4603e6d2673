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
  #isOpen: boolean;
  /** Something was typed that nobody has waited for. */
  #isFresh = false;
  #wake: () => void = () => {};

  constructor(
    private readonly context: Context,
    private readonly machine: LiveMachine,
    private readonly target: KeyboardTarget,
    private readonly serialPort = 0,
  ) {
    const { io, interrupt, output } = context;
    this.#isOpen = target !== 'none';
    interrupt.signal.addEventListener('abort', this.#end);
    if (interrupt.signal.aborted) this.#end();
    if (!this.#isOpen) return;
    const handlers = {
      data: (bytes: Uint8Array) => this.#typed(bytes),
      quit: this.#end,
      ended: () => {
        this.#isOpen = false;
        this.#wake();
      },
      help: (line: string) => output.message(line),
    };
    this.#terminal = new Terminal(io.stdin, handlers, io.signals);
    if (this.#terminal.isRaw && !output.stdout.isTTY) output.message('reel: Ctrl-A x ends the machine');
  }

  /** Aborted by Ctrl-A x and by signals. */
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
    this.#wake();
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
    this.#isFresh = true;
    this.#wake();
  }

  /** Until something has been typed since the last wait, or nothing more can be. */
  async wait(): Promise<void> {
    if (this.isOpen && !this.#isFresh) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = () => {};
    this.#isFresh = false;
  }

  /** The terminal is the user's again. Idempotent. */
  close(): void {
    this.context.interrupt.signal.removeEventListener('abort', this.#end);
    this.#terminal?.restore();
  }
}
