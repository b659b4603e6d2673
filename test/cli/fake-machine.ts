import type { DriveContents } from '../../src/harness/drive-contents.js';
import type { MachineEvents } from '../../src/harness/machine-events.js';
import type { StopReason, Until } from '../../src/harness/guest-machine.js';
import type { LiveMachine } from '../../src/cli/library.js';

/** One call of run(): what the machine does, and why it returns. */
export type Turn = (machine: FakeMachine, options: { until?: Until; signal?: AbortSignal }) => Promise<StopReason>;

/** A machine whose every run is written down beforehand; it keeps what is done to it. */
export class FakeMachine implements LiveMachine {
  readonly done: string[] = [];
  tick = 0;
  recording: { id: string; name: string; file: string } | null = null;
  isPaused = false;
  eflags = 0x202;
  readonly #listeners: ((bytes: Uint8Array, port: number) => void)[] = [];
  readonly #printers: ((bytes: Uint8Array) => void)[] = [];
  readonly #handlers: { name: string; handler: (event: never) => void }[] = [];

  constructor(
    private readonly turns: Turn[],
    readonly screen = '',
  ) {}

  async run(options: { until?: Until; signal?: AbortSignal } = {}): Promise<StopReason> {
    this.done.push('run');
    return this.turns.shift()!(this, options);
  }
  typeSerial(text: string | Uint8Array, port = 0): void {
    this.done.push(
      `serial${port === 0 ? '' : port + 1} ${typeof text === 'string' ? text : String.fromCharCode(...text)}`,
    );
  }
  typeKeys(text: string): void {
    this.done.push(`keys ${text}`);
  }
  pressKeys(combination: string): void {
    this.done.push(`press ${combination}`);
  }
  screenText(): string {
    return this.screen;
  }
  screenshot(): Uint8Array {
    return Uint8Array.of(0x89);
  }
  registers(): Record<string, number> {
    return { eflags: this.eflags };
  }
  async startRecording({ name }: { name: string }): Promise<string> {
    this.done.push(`start ${name} at ${this.tick}`);
    this.recording = { id: 'id', name, file: `${name}.reel` };
    return 'id';
  }
  async stopRecording(): Promise<string> {
    this.done.push('stop');
    this.recording = null;
    return 'file';
  }
  async mark(label: string): Promise<void> {
    this.done.push(`mark ${label}`);
  }
  pause(): void {
    this.done.push('pause');
  }
  resume(): void {
    this.done.push('resume');
  }
  reset(): void {
    this.done.push('reset');
  }
  powerButton(): void {
    this.done.push('power button');
  }
  drives(): DriveContents[] {
    return [];
  }
  changeMedium(drive: string): void {
    this.done.push(`medium of ${drive}`);
  }
  permit(host: string, command: string): void {
    this.done.push(`${host} asks for ${command}`);
  }
  onParallel(listener: (bytes: Uint8Array) => void): () => void {
    this.#printers.push(listener);
    return () => void this.#printers.splice(this.#printers.indexOf(listener), 1);
  }
  onSerial(listener: (bytes: Uint8Array, port: number) => void): () => void {
    this.#listeners.push(listener);
    return () => void this.#listeners.splice(this.#listeners.indexOf(listener), 1);
  }
  on<K extends keyof MachineEvents>(name: K, handler: (event: MachineEvents[K]) => void): void {
    this.#handlers.push({ name, handler: handler as (event: never) => void });
  }
  startProfile(): never {
    throw new Error('nobody asked for a profile');
  }
  async close(): Promise<void> {
    this.done.push('close');
  }

  /** What the guest does. */
  send(text: string, port = 0): void {
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    for (const listener of [...this.#listeners]) listener(bytes, port);
  }
  print(text: string): void {
    for (const listener of [...this.#printers]) listener(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  }
  emit<K extends keyof MachineEvents>(name: K, event: MachineEvents[K]): void {
    for (const { name: wanted, handler } of this.#handlers) if (wanted === name) handler(event as never);
  }
}

/** Runs until the signal that ends the run. */
export const forever: Turn = (_machine, { signal }) =>
  new Promise((resolve) => {
    const end = (): void => resolve({ kind: 'interrupted' });
    if (signal!.aborted) end();
    signal!.addEventListener('abort', end);
  });

export const stops =
  (stop: StopReason): Turn =>
  async () =>
    stop;
