import { OutputFile } from '../host/output-file.js';
import type { LiveMachine } from './library.js';
import type { Output } from './output.js';
import type { SerialTarget } from './values.js';

/** COM1's output, on its way to standard output or a file. */
export class SerialOutput {
  readonly #file: OutputFile | null;
  #detach: () => void = () => {};

  /** Creates the file, if it is to be one. */
  constructor(
    private readonly output: Output,
    private readonly target: SerialTarget,
  ) {
    this.#file = target.kind === 'file' ? new OutputFile(target.path) : null;
  }

  /** Takes over from a machine attached before. */
  attach(machine: Pick<LiveMachine, 'onSerial'>): void {
    this.#release();
    if (this.target.kind === 'none') return;
    this.#detach = machine.onSerial((bytes, port) => {
      if (port !== 0) return;
      if (this.#file === null) this.output.data(bytes);
      else this.#file.write(bytes);
    });
  }

  #release(): void {
    this.#detach();
    this.#detach = () => {};
  }

  /** Idempotent. */
  close(): void {
    this.#release();
    this.#file?.close();
  }
}

/** The text screen without the empty rows at its end. */
export function writeScreen(output: Output, screenText: string): void {
  output.line(screenText.trimEnd());
}
