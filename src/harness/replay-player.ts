import { CodedError } from '../base/errors.js';
import type { Tick } from '../core/clock.js';
import { Pause } from './pause.js';
import type { ReplayOptions, ReplayResult } from './replay.js';

/** What can be played. */
export interface Playable {
  readonly tick: Tick;
  readonly endTick: Tick;
  run(options?: ReplayOptions): Promise<ReplayResult>;
  close(): Promise<void>;
}

export interface ReplayPlayerOptions<R extends Playable> {
  /** A replay of the same recording from its first tick: the way backwards. */
  readonly restart: () => Promise<R>;
  /** Has its outputs go where they should; the one before is closed. What was heard before is not heard again. */
  readonly attach: (replay: R) => void;
  readonly onPause?: (paused: boolean) => void;
}

/** A replay that can be paused, and sent to any tick while it runs. */
export class ReplayPlayer<R extends Playable> {
  readonly #pause = new Pause();
  readonly #startTick: Tick;
  /** Where it is to pause. */
  #goal: Tick | null = null;
  /** Cuts a turn of the replay short when something else is asked for. */
  #turn = new AbortController();
  /** How far outputs have been heard; null while the replay is there. */
  #heard: Tick | null = null;

  constructor(
    private current: R,
    private readonly options: ReplayPlayerOptions<R>,
  ) {
    this.#startTick = current.tick;
    options.attach(current);
  }

  /** Where it is now; another one after going backwards. */
  get replay(): R {
    return this.current;
  }
  get isPaused(): boolean {
    return this.#pause.isOn;
  }

  /** True from seek() on until it is there. */
  get isSeeking(): boolean {
    return this.#goal !== null;
  }

  pause(): void {
    if (!this.#pause.begin()) return;
    this.#turn.abort();
    this.options.onPause?.(true);
  }
  resume(): void {
    if (this.#pause.end()) this.options.onPause?.(false);
  }

  /** Goes to `tick` and pauses there. Throws USAGE for one that the recording lacks. */
  seek(tick: Tick): void {
    const { endTick } = this.current;
    if (!(tick >= this.#startTick && tick <= endTick)) {
      throw new CodedError('USAGE', `tick ${tick} is not in the recording`, {
        hint: `a tick from ${this.#startTick} to ${endTick}`,
      });
    }
    this.#goal = tick;
    this.#turn.abort();
    this.resume();
  }

  /** Resolves when it is to go on, or when `signal` aborts. */
  resumed(signal?: AbortSignal): Promise<void> {
    return this.#pause.over(signal);
  }

  /** As Replay.run() does, whatever happens on the way. At a goal it pauses, and goes on when it may. */
  async run({ until, signal, onProgress }: ReplayOptions = {}): Promise<ReplayResult> {
    for (;;) {
      await this.#pause.over(signal);
      if (signal?.aborted) return { kind: 'interrupted' };
      if (this.#goal !== null && this.#goal < this.current.tick) await this.#goBack();
      const goal = this.#goal;
      const ticks = [until?.ticks, goal, this.#heard].filter((tick) => tick !== undefined && tick !== null);
      this.#turn = new AbortController();
      const stopping = signal === undefined ? this.#turn.signal : AbortSignal.any([signal, this.#turn.signal]);
      // Marks that were passed once do not count again.
      const mark = this.#heard === null ? until?.mark : undefined;
      const limit = ticks.length === 0 ? {} : { ticks: Math.min(...ticks) };
      const result = await this.current.run({ until: { mark, ...limit }, signal: stopping, onProgress });
      const { tick } = this.current;
      if (this.#heard !== null && tick >= this.#heard) {
        this.#heard = null;
        this.options.attach(this.current);
      }
      if (result.kind === 'interrupted') continue;
      if (result.kind === 'matched' && result.what === 'ticks' && tick < (until?.ticks ?? Infinity)) {
        if (goal !== tick) continue;
        this.#goal = null;
        this.pause();
        continue;
      }
      this.#goal = null;
      return result;
    }
  }

  async #goBack(): Promise<void> {
    this.#heard = Math.max(this.#heard ?? 0, this.current.tick);
    await this.current.close();
    this.current = await this.options.restart();
  }
}
