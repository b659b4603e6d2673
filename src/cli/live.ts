import type { StopReason } from '../harness/guest-machine.js';
import { OutputFile } from '../host/output-file.js';
import { Terminal } from '../host/terminal.js';
import type { Context } from './context.js';
import { exitCodeOf, guestExitCode } from './exit-codes.js';
import type { LiveMachine, LiveMachineOptions } from './library.js';
import { printable } from './output.js';
import { ScreenPainter } from './screen-painter.js';
import { keysOf } from './terminal-keys.js';
import { parseCount, parseDisplay, parseRegex, parseSerial, type Display, type SerialTarget } from './values.js';

/** The options of a live machine as commander gives them. */
export interface LiveOptions {
  readonly policy?: string;
  readonly out?: string;
  readonly record?: string;
  readonly audit?: string;
  readonly pacing: boolean;
  readonly untilSerial?: string;
  readonly timeoutTicks?: string;
  readonly serial?: string;
  readonly display?: string;
  readonly nographic?: boolean;
}

/** Where a machine's console goes. */
export interface ConsoleTargets {
  readonly serial: SerialTarget;
  readonly display: Display;
}

/** How a live machine is run. */
export interface LiveRun extends ConsoleTargets {
  readonly record: string | undefined;
  readonly untilSerial: RegExp | undefined;
  readonly timeoutTicks: number | undefined;
}

/** The text screen is drawn 10 times a second. */
const PAINT_MS = 100;
const EFLAGS_IF = 0x200;

export function parseConsole(options: LiveOptions, serialDefault: 'stdio' | 'none'): ConsoleTargets {
  const display = parseDisplay(options.nographic ? 'none' : (options.display ?? 'none'));
  const unset = options.nographic ? 'stdio' : display === 'text' ? 'none' : serialDefault;
  return { display, serial: parseSerial(options.serial ?? unset) };
}

export function parseLiveRun(options: LiveOptions): LiveRun {
  const { record, untilSerial, timeoutTicks } = options;
  return {
    ...parseConsole(options, 'stdio'),
    record,
    untilSerial: untilSerial === undefined ? undefined : parseRegex('until-serial', untilSerial),
    timeoutTicks: timeoutTicks === undefined ? undefined : parseCount('timeout-ticks', timeoutTicks),
  };
}

export function liveMachineOptions(options: LiveOptions): LiveMachineOptions {
  const { policy, out: outDir, audit, pacing } = options;
  return { policy, outDir, audit, pacing };
}

/** Where COM1's output goes. Returns what lets it go. */
export function attachSerialOutput(
  { output }: Context,
  target: SerialTarget,
  machine: Pick<LiveMachine, 'onSerial'>,
): () => void {
  if (target.kind === 'none') return () => {};
  const file = target.kind === 'file' ? new OutputFile(target.path) : null;
  const write = (bytes: Uint8Array): void => (file === null ? output.data(bytes) : file.write(bytes));
  const detach = machine.onSerial((bytes, port) => {
    if (port === 0) write(bytes);
  });
  return () => {
    detach();
    file?.close();
  };
}

export function writeScreen({ output }: Context, { screenText }: { screenText: string }): void {
  output.line(screenText.trimEnd());
}

/** What the user types, on its way to the machine. */
class Keyboard {
  readonly #terminal: Terminal | null;
  #isOpen = false;
  #quit = false;
  #wake: () => void = () => {};

  constructor(context: Context, { serial, display }: ConsoleTargets, machine: LiveMachine) {
    const { stdin } = context.io;
    const toSerial = serial.kind === 'stdio';
    if (!toSerial && !(display === 'text' && stdin.isTTY)) {
      this.#terminal = null;
      return;
    }
    this.#isOpen = true;
    this.#terminal = new Terminal(
      stdin,
      {
        data: (bytes) => {
          if (toSerial) machine.typeSerial(bytes);
          else typeKeys(machine, bytes);
          this.#wake();
        },
        quit: () => {
          this.#quit = true;
          context.interrupt.signal.removeEventListener('abort', this.#onAbort);
          this.abort.abort();
          this.#wake();
        },
        ended: () => {
          this.#isOpen = false;
          this.#wake();
        },
        help: (line) => context.output.message(line),
      },
      context.io.signals,
    );
    context.interrupt.signal.addEventListener('abort', this.#onAbort);
  }

  /** Aborted by Ctrl-A x, and by the signals. */
  readonly abort = new AbortController();

  readonly #onAbort = (): void => {
    // At once: a second signal ends the process without another chance.
    this.restore();
    this.abort.abort();
    this.#wake();
  };

  get isOpen(): boolean {
    return this.#isOpen && !this.abort.signal.aborted;
  }
  get quit(): boolean {
    return this.#quit;
  }

  /** Until something is typed, or nothing more can be. */
  async wait(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = () => {};
  }

  restore(): void {
    this.#terminal?.restore();
  }
}

function typeKeys(machine: LiveMachine, bytes: Uint8Array): void {
  for (const typed of keysOf(bytes)) {
    if (typed.kind === 'text') machine.typeKeys(typed.text);
    else machine.pressKeys(typed.name);
  }
}
