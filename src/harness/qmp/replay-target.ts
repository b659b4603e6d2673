import type { Mark } from '../../log/meta.js';
import type { Tick } from '../../core/clock.js';
import type { Playable, ReplayPlayer } from '../replay-player.js';
import type { Replay } from '../replay.js';
import { blockDevices } from './block-devices.js';
import type { QmpHandlers, QmpReplayCommand } from './commands.js';
import type { QmpSurroundings } from './machine-target.js';
import type { QmpTarget } from './monitor.js';
import { QmpError } from './qmp-error.js';
import { screenDump } from './screen-dump.js';

/** What QMP needs of a replay. */
export type QmpReplay = Playable & Pick<Replay, 'screenshot' | 'drives'>;

/** What QMP needs of what plays it. */
export type QmpPlayer = Pick<ReplayPlayer<QmpReplay>, 'replay' | 'isPaused' | 'pause' | 'resume' | 'seek'>;

/** A replay as QMP has it. Nothing that it does changes a guest or a recording, and no policy is asked. */
export class ReplayTarget implements QmpTarget {
  readonly what = 'a replay';
  readonly handlers: QmpHandlers<QmpReplayCommand>;
  /** The replay that did. */
  #diverged: QmpReplay | null = null;

  constructor(
    private readonly player: QmpPlayer,
    around: QmpSurroundings & { readonly recording: { readonly name: string; readonly file: string } },
  ) {
    const { recording } = around;
    const checkFollows = (): void => {
      if (this.#hasDiverged) throw new QmpError('The replay diverged: nothing can follow, but it can go back');
    };
    this.handlers = {
      'query-name': () => ({ name: recording.name }),
      'query-status': () => this.#status(),
      stop: () => player.pause(),
      cont: () => {
        checkFollows();
        player.resume();
      },
      quit: () => around.quit(),
      screendump: (given) => screenDump(given, around.folder, player.replay),
      'query-block': () => blockDevices(player.replay.drives()),
      'query-replay': () => ({ mode: 'play', filename: recording.file, icount: player.replay.tick }),
      'replay-seek': ({ icount }) => {
        if (icount >= player.replay.tick) checkFollows();
        player.seek(icount);
      },
    };
  }

  permit(): void {}

  /** The replay differs from its recording here. */
  diverged(): void {
    this.#diverged = this.player.replay;
  }
  get #hasDiverged(): boolean {
    return this.#diverged === this.player.replay;
  }

  #status(): object {
    const running = !this.player.isPaused;
    return { running, status: this.#hasDiverged ? 'internal-error' : running ? 'running' : 'paused' };
  }
}

/** Members of GUESTREEL_MARK. */
export function markEvent({ type, label, value, phaseId, by }: Mark, tick: Tick): Readonly<Record<string, unknown>> {
  return { type, label, value: phaseId ?? value, tick, by };
}
