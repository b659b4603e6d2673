import type { Gatekeeper } from '../policy/gatekeeper.js';
import type { Tick } from '../core/clock.js';
import type { Events } from './events.js';
import type { MachineEvents } from './machine-events.js';
import type { HostServices } from './services.js';

export interface RetentionOptions {
  /** Output folder. */
  readonly folder: string;
  readonly services: HostServices;
  readonly gatekeeper: Gatekeeper;
  readonly events: Events<MachineEvents>;
  readonly tick: () => Tick;
}

/** Holds the output folder to the policy's `recordings.keep`: looks whenever a recording has ended. */
export class Retention {
  /** Files of this run in the order in which they ended: finer than a file system's clock. */
  readonly #ended: string[] = [];

  constructor(private readonly options: RetentionOptions) {
    options.events.on('recording', ({ state, file }) => {
      if (state === 'stopped') this.#noteEnd(file);
    });
  }

  #noteEnd(newest: string): void {
    const { folder, services, gatekeeper } = this.options;
    this.#ended.push(newest);
    const { keepRecordings } = gatekeeper.policy;
    if (keepRecordings === null) return;
    const found = services.finishedRecordings(folder);
    // A file of the future must not cost the recording that has just been made.
    const others = found.filter(({ file }) => file !== newest);
    others.sort((a, b) => Number(a.changedNs > b.changedNs) - Number(a.changedNs < b.changedNs) || this.#order(a, b));
    for (const { file } of others.slice(0, Math.max(0, found.length - keepRecordings))) this.#remove(file);
  }

  #order(a: { readonly file: string }, b: { readonly file: string }): number {
    return this.#ended.indexOf(a.file) - this.#ended.indexOf(b.file) || (a.file < b.file ? -1 : 1);
  }

  #remove(file: string): void {
    const { services, gatekeeper, events, tick } = this.options;
    const isRemoved = services.removeRecording(file);
    const base = file.split(/[\\/]/).at(-1)!;
    gatekeeper.noteRemoval(base, isRemoved, tick());
    events.emit('recording', {
      state: isRemoved ? 'removed' : 'not-removed',
      name: base.replace(/\.reel$/, ''),
      file,
      reason: `the policy keeps ${gatekeeper.policy.keepRecordings}`,
    });
  }
}
