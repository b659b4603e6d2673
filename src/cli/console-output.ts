import { OutputFile } from '../host/output-file.js';
import type { LiveMachine } from './library.js';
import type { Output } from './output.js';
import type { PortTarget } from './values.js';

/** Where the output of a machine's ports goes. */
export interface PortTargets {
  /** COM1 first; ports behind the last go nowhere. */
  readonly serials: readonly PortTarget[];
  readonly parallel: PortTarget;
}

/** What leaves by the serial and parallel ports, on its way to standard output or files. */
export class PortOutput {
  readonly #sinks: readonly (((bytes: Uint8Array) => void) | null)[];
  readonly #printer: ((bytes: Uint8Array) => void) | null;
  readonly #files: OutputFile[] = [];
  #detach: () => void = () => {};

  /** Creates the files. Throws HOST_IO; then none is left open. */
  constructor(
    private readonly output: Output,
    { serials, parallel }: PortTargets,
  ) {
    try {
      this.#sinks = serials.map((target) => this.#sinkOf(target));
      this.#printer = this.#sinkOf(parallel);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #sinkOf(target: PortTarget): ((bytes: Uint8Array) => void) | null {
    if (target.kind !== 'file') return target.kind === 'none' ? null : (bytes) => this.output.data(bytes);
    const file = new OutputFile(target.path);
    this.#files.push(file);
    return (bytes) => file.write(bytes);
  }

  /** Takes over from a machine attached before. */
  attach(machine: Pick<LiveMachine, 'onSerial' | 'onParallel'>): void {
    this.#release();
    const serial = machine.onSerial((bytes, port) => this.#sinks[port]?.(bytes));
    const parallel = machine.onParallel((bytes) => this.#printer?.(bytes));
    this.#detach = () => {
      serial();
      parallel();
    };
  }

  #release(): void {
    this.#detach();
    this.#detach = () => {};
  }

  /** Idempotent. */
  close(): void {
    this.#release();
    for (const file of this.#files) file.close();
  }
}

/** The text screen without the empty rows at its end. */
export function writeScreen(output: Output, screenText: string): void {
  output.line(screenText.trimEnd());
}
