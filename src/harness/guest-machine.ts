import { CodedError } from '../base/errors.js';
import { utf8Encode } from '../base/platform.js';
import type { Tick } from '../core/clock.js';
import { scanCodesForKeys, scanCodesForText } from '../devices/keyboard-layout.js';
import type { MachineStop } from '../machine/machine.js';
import type { DriveId } from '../machine/drives.js';
import type { Pc } from '../machine/pc.js';
import type { HostName } from '../policy/principal.js';
import type { LiveSession } from '../replay/live-session.js';
import type { ActiveRecording, RecordingControl } from '../replay/recording-control.js';
import { SerialConsole } from './console.js';
import type { DriveContents } from './drive-contents.js';
import { BUSY_SLICE_TICKS, type NetworkLinks } from './network-links.js';
import type { ProfileOptions } from './profile.js';
import { Profile } from './profile.js';
import type { MachineEvents } from './machine-events.js';
import type { Events } from './events.js';
import { readLinearMemory, registersOf } from './inspect.js';
import type { ImageFormat, ImageSource } from './drives.js';
import { Mouse, type MouseOptions } from './mouse.js';
import { Pause } from './pause.js';
import { pictureOf, type PictureFormat } from './picture.js';
import type { RunOptions, StopReason } from './run-options.js';
import type { HostServices } from './services.js';
import type { SliceLength } from './slice-length.js';

export type { RunOptions, StopReason, Until } from './run-options.js';

/** Keeps a live machine from running ahead of the wall clock. */
export interface Pacer {
  start(tick: Tick): void;
  /** Highest tick allowed now. */
  limit(): Tick;
  /** Milliseconds until `tick` is allowed. */
  waitMs(tick: Tick): number;
}

export interface GuestMachineParts {
  readonly pc: Pc;
  readonly session: LiveSession;
  readonly control: RecordingControl;
  readonly services: HostServices;
  readonly events: Events<MachineEvents>;
  readonly network: NetworkLinks;
  readonly pacer: Pacer | null;
  /** Ticks between looks at the host. */
  readonly slices: SliceLength;
  /** Principal checks of requests by the host. Throws DENIED. */
  readonly authorize: (host: HostName, action: 'stop' | 'mark' | 'control', name: string) => void;
  /** Starts a recording for the host. Throws DENIED, STATE or HOST_IO. */
  readonly start: (host: HostName, request: { readonly name: string; readonly reason: string }) => ActiveRecording;
  readonly setPolicy: (text: string) => void;
  readonly offer: (handle: number, bytes: Uint8Array) => void;
  /** Throws USAGE, HOST_IO or DAMAGED. */
  readonly changeMedium: (drive: DriveId, source: ImageSource | null, format?: ImageFormat) => void;
  readonly drives: () => DriveContents[];
  /** Lets go of host files. */
  readonly release: () => void;
}

/** Recordings are flushed at least this often, milliseconds of wall time (DESIGN 7). */
const FLUSH_MS = 200;
/** Of each turn, for writing a state: the guest must not wait long, nor must whoever may lose the recording. */
const STATE_MS = 6;
/** The event loop gets its turn this often. */
const YIELD_MS = 20;
/** The screen is looked at this often. */
const SCREEN_TICKS = 1_000_000;

/** A live machine in the hands of a program: run it, type at it, look at it, record it. */
export class GuestMachine {
  readonly #parts: GuestMachineParts;
  readonly #console: SerialConsole;
  #markSeen: ((label: string) => void) | null = null;
  #profile: Profile | null = null;
  readonly #mouse: Mouse;
  readonly #pause = new Pause();
  #closed = false;
  #running = false;

  constructor(parts: GuestMachineParts) {
    this.#parts = parts;
    this.#console = new SerialConsole(parts.pc);
    this.#mouse = new Mouse(parts.pc.keyboard.mouseButtons, (payload) => parts.session.send('mouse', payload));
    const seen = (label: string): void => this.#markSeen?.(label);
    parts.events.on('mark', (e) => seen(e.label));
    parts.events.on('phase', (e) => {
      if (e.type === 'begin') seen(e.name);
    });
  }

  get tick(): Tick {
    return this.#parts.session.tick;
  }
  get nsPerTick(): number {
    return this.#parts.pc.config.nsPerTick;
  }
  get epoch(): number {
    return this.#parts.session.epoch;
  }
  /** What COM1 has sent, Latin-1. */
  get serialText(): string {
    return this.#console.text;
  }
  /** The text screen, rows joined by line feeds. */
  screenText(): string {
    return this.#parts.pc.vga.screenText();
  }
  registers(): Record<string, number> {
    return registersOf(this.#parts.pc);
  }
  readMemory(linear: number, length: number): Uint8Array {
    return readLinearMemory(this.#parts.pc, linear, length);
  }
  /** The screen as a PNG file, or another. */
  screenshot(format: PictureFormat = 'png'): Uint8Array {
    return pictureOf(this.#parts.pc, this.#parts.services, format);
  }
  drives(): DriveContents[] {
    return this.#parts.drives();
  }
  /** What is written to the debug consoles: port 0 is E9h, 1 is 402h, where SeaBIOS logs. */
  onDebug(listener: (bytes: Uint8Array, port: number) => void): () => void {
    return this.#parts.pc.machine.gate.tap((kind, port, bytes) => {
      if (kind === 'debugcon') listener(bytes, port);
    });
  }
  onSerial(listener: (bytes: Uint8Array, port: number) => void): () => void {
    return this.#console.listen(listener);
  }
  /** What the printer at the parallel port gets. */
  onParallel(listener: (bytes: Uint8Array) => void): () => void {
    return this.#parts.pc.machine.gate.tap((kind, _port, bytes) => {
      if (kind === 'parallel') listener(bytes);
    });
  }

  /** Adds a listener. */
  on<K extends keyof MachineEvents>(name: K, handler: (event: MachineEvents[K]) => void): this {
    this.#parts.events.on(name, handler);
    return this;
  }

  // ---- inputs
  typeSerial(text: string | Uint8Array, port = 0): void {
    const { serialPorts } = this.#parts.pc.config;
    if (!Number.isInteger(port) || port < 0 || port >= serialPorts) {
      throw new CodedError('USAGE', `there is no serial port ${port}`, { hint: `0 to ${serialPorts - 1}; COM1 is 0` });
    }
    const bytes = typeof text === 'string' ? utf8Encode(text) : text;
    const payload = new Uint8Array(1 + bytes.length);
    payload[0] = port;
    payload.set(bytes, 1);
    this.#parts.session.send('serial', payload);
  }
  typeKeys(text: string): void {
    this.#parts.session.send('key', scanCodesForText(text));
  }
  /** E.g. `ctrl-alt-delete`, `f10`. */
  pressKeys(combination: string): void {
    this.#parts.session.send('key', scanCodesForKeys(combination));
  }
  /**
   * Moves the mouse: counts to the right and downwards, steps of the wheel towards the user. Buttons stay as they are
   * unless given. Throws USAGE for what no mouse can do at once.
   */
  moveMouse(dx: number, dy: number, options: MouseOptions = {}): void {
    this.#mouse.move(dx, dy, options);
  }
  reset(): void {
    this.#parts.session.send('reset', new Uint8Array(0));
  }
  powerButton(): void {
    this.#parts.session.send('power-button', new Uint8Array(0));
  }
  /**
   * Puts another diskette or CD into a drive, or with null none. What was written to the one before is gone. Throws USAGE
   * for a drive that the machine lacks or whose medium cannot be changed.
   */
  changeMedium(drive: DriveId, source: ImageSource | null, format?: ImageFormat): void {
    this.#parts.changeMedium(drive, source, format);
  }
  /** Bytes for the guest to GET from stream `handle`. */
  offer(handle: number, bytes: Uint8Array): void {
    this.#parts.offer(handle, bytes);
  }
  /** A new policy; takes effect between requests. Throws CONFIG and keeps the old one when it is invalid. */
  setPolicy(text: string): void {
    this.#parts.setPolicy(text);
  }

  /** Asks the policy whether `host` may do this; the answer is audited. Throws DENIED. */
  permit(host: HostName, command: string): void {
    this.#parts.authorize(host, 'control', command);
  }

  /** Samples from here on where guest time goes. The guest cannot tell. */
  startProfile(options: ProfileOptions = {}): Profile {
    return (this.#profile = new Profile(this.#parts.pc, options));
  }

  // ---- execution
  get isPaused(): boolean {
    return this.#pause.isOn;
  }
  /** Holds the machine between two instructions: run() waits. The guest's clock stands still, too. */
  pause(): void {
    if (!this.#pause.begin()) return;
    this.#parts.session.machine.requestBreak();
    this.#parts.events.emit('pause', { paused: true, tick: this.tick });
    void this.#finishStates();
  }
  /** Guest time that would have passed is not made up for. */
  resume(): void {
    if (this.#pause.end()) this.#parts.events.emit('pause', { paused: false, tick: this.tick });
  }

  async run(options: RunOptions = {}): Promise<StopReason> {
    if (this.#closed) throw new CodedError('STATE', 'the machine is closed');
    if (this.#running)
      throw new CodedError('STATE', 'the machine is running already', { hint: 'await the first run()' });
    this.#running = true;
    try {
      return await this.#run(options);
    } finally {
      this.#running = false;
      this.#markSeen = null;
      this.#console.forget();
      this.#parts.control.flush();
      void this.#finishStates();
    }
  }

  /** While the guest stands still: what it leaves unwritten would be lost with the process. */
  async #finishStates(): Promise<void> {
    const { control, services } = this.#parts;
    const isIdle = (): boolean => (!this.#running || this.isPaused) && !this.#closed;
    while (isIdle() && control.isEncodingState) {
      await services.pause(0);
      control.work();
    }
    if (isIdle()) control.flush();
  }

  async #run({ until = {}, signal, onProgress }: RunOptions): Promise<StopReason> {
    const { session, services, control, pacer, network, slices } = this.#parts;
    let matched: 'serial' | 'mark' | null = null;
    const match = (what: 'serial' | 'mark'): void => {
      matched = what;
      session.machine.requestBreak();
    };
    if (until.serial !== undefined && this.#console.expect(until.serial, () => match('serial'))) {
      return { kind: 'matched', what: 'serial' };
    }
    this.#markSeen = (label) => {
      if (label === until.mark) match('mark');
    };
    pacer?.start(this.tick);
    let [lastFlush, lastYield] = [services.monotonicMs(), services.monotonicMs()];
    const hasScreen = (): boolean => until.screen?.test(this.screenText()) === true;
    let nextScreen = until.screen === undefined ? Infinity : this.tick;
    for (;;) {
      if (signal?.aborted) return { kind: 'interrupted' };
      if (this.isPaused) {
        await this.#pause.over(signal);
        pacer?.start(this.tick);
        continue;
      }
      if (this.tick >= nextScreen) {
        if (hasScreen()) return { kind: 'matched', what: 'screen' };
        nextScreen += SCREEN_TICKS;
      }
      if (until.ticks !== undefined && this.tick >= until.ticks) return { kind: 'matched', what: 'ticks' };
      network.deliver();
      const isBusy = !network.isEmpty && (network.hasFrames || session.hasInput);
      const ticks = isBusy ? Math.min(BUSY_SLICE_TICKS, slices.ticks) : slices.ticks;
      const slice = Math.min(this.tick + ticks, this.#profile?.due ?? Infinity);
      const end = Math.min(until.ticks ?? Infinity, slice, control.endTick, nextScreen);
      const limit = pacer === null ? end : Math.min(end, Math.max(pacer.limit(), this.tick));
      const started = services.monotonicMs();
      const stop = limit > this.tick || session.hasInput ? session.run(Math.max(limit, this.tick)) : null;
      const begun = services.monotonicMs();
      slices.took(begun - started);
      this.#profile?.poll();
      this.#enforceLimits();
      while (control.work() && services.monotonicMs() - begun < STATE_MS);
      const now = services.monotonicMs();
      if (now - lastFlush >= FLUSH_MS) {
        control.flush();
        lastFlush = now;
      }
      if (matched !== null) return { kind: 'matched', what: matched };
      const mayWake = session.hasInput || network.hasFrames;
      if (stop !== null && !(stop.kind === 'halted' && mayWake)) {
        const reason = this.#stopped(stop);
        return hasScreen() ? { kind: 'matched', what: 'screen' } : reason;
      }
      const waitMs = pacer === null ? 0 : pacer.waitMs(this.tick + 1);
      if (waitMs > 0 || now - lastYield >= (network.isEmpty ? YIELD_MS : 1)) {
        onProgress?.(this.tick);
        const pause = services.pause(network.hasFrames ? 0 : Math.min(waitMs, YIELD_MS));
        await (waitMs > 0 && !network.isEmpty ? Promise.race([pause, network.arrival()]) : pause);
        lastYield = services.monotonicMs();
      }
    }
  }

  /** A machine that ended takes its recording with it. */
  #stopped(stop: MachineStop): StopReason {
    if (stop.kind === 'halted' || this.#parts.control.active === null) return stop;
    try {
      this.#end(stop.kind, undefined);
    } catch (error) {
      // The machine ended all the same; listeners were told of the recording.
      if (!(error instanceof CodedError)) throw error;
    }
    return stop;
  }

  #enforceLimits(): void {
    const ended = this.#parts.control.enforceLimits();
    if (ended === null) return;
    const { recording, reason } = ended;
    this.#parts.events.emit('recording', { state: 'stopped', name: recording.name, file: recording.file, reason });
  }

  #end(reason: string, by: string | undefined): string {
    const { file, name } = this.#parts.control.stop(reason, by);
    this.#parts.events.emit('recording', { state: 'stopped', name, file, reason });
    return file;
  }

  // ---- recording
  get recording(): { readonly id: string; readonly name: string; readonly file: string } | null {
    const active = this.#parts.control.active;
    return active === null ? null : { id: active.id, name: active.name, file: active.file };
  }

  /** Starts a recording here, on behalf of `host`. Returns its id. */
  async startRecording(
    options: { readonly name: string; readonly reason?: string },
    host: HostName = 'user',
  ): Promise<string> {
    const reason = options.reason ?? '';
    const { id, name, file } = this.#parts.start(host, { name: options.name, reason });
    this.#parts.events.emit('recording', { state: 'started', name, file, reason });
    void this.#finishStates();
    return id;
  }

  /** Sets a mark here; without a recording it is only reported to listeners. */
  async mark(label: string, value = 0, host: HostName = 'user'): Promise<void> {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new CodedError('USAGE', `the value of a mark is ${value}`, { hint: 'a whole number, 0 or more' });
    }
    this.#parts.authorize(host, 'mark', label);
    const by = `host:${host}`;
    this.#parts.control.mark({ type: 'mark', label, value, by }, this.tick);
    this.#parts.events.emit('mark', { label, value, tick: this.tick, by });
  }

  /** Ends the recording. Returns its file. */
  async stopRecording(host: HostName = 'user'): Promise<string> {
    this.#parts.authorize(host, 'stop', this.#parts.control.active?.name ?? '');
    return this.#end('stopped', `host:${host}`);
  }

  /** Ends a recording that is still running and lets the machine go. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#parts.control.active !== null) this.#end('closed', 'host:user');
    } finally {
      this.#parts.release();
    }
  }
}
