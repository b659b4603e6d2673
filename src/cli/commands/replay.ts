import { CodedError } from '../../base/errors.js';
import { PortOutput, writeScreen } from '../console-output.js';
import type { Command, Context } from '../context.js';
import { divergenceLines } from '../divergence-text.js';
import { exitCodeOf } from '../exit-codes.js';
import type { FollowedReplay } from '../library.js';
import { runLive } from '../live.js';
import { DRIVE_OPTION_NAMES } from '../drive-options.js';
import { liveMachineOptions, parseConsole, parseLiveRun, type LiveVerbOptions } from '../live-options.js';
import { printable } from '../output.js';
import { ProfileFile } from '../profile-file.js';
import { Screenshots } from '../screenshots.js';
import { progressOf } from '../progress.js';
import { withRecording } from '../with-recording.js';
import { parseUntil, type ReplayUntil } from '../values.js';

interface ReplayVerbOptions extends LiveVerbOptions {
  readonly until?: string;
  readonly live?: boolean;
  readonly image?: string;
}

const ONLY_LIVE = [
  'policy',
  'out',
  'record',
  'audit',
  'untilSerial',
  'timeoutTicks',
  'screenshotMarks',
  'image',
  ...DRIVE_OPTION_NAMES,
] as const;

/** Options that say nothing about a replay are mistakes without --live. */
function checkLiveOnly(options: ReplayVerbOptions): void {
  const stray = options.pacing ? ONLY_LIVE.find((name) => options[name] !== undefined) : 'noPacing';
  if (stray === undefined) return;
  const name = stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new CodedError('USAGE', `--${name} is about a live machine`, { hint: 'give --live too' });
}

/** Follows the recording. Returns an exit code, or null where it may go live. */
async function follow(context: Context, replay: FollowedReplay, until: ReplayUntil): Promise<number | null> {
  const { output, interrupt } = context;
  const onProgress = progressOf(context, 'replaying', replay.tick);
  const result = await replay.run({ until: until ?? undefined, signal: interrupt.signal, onProgress });
  output.clearProgress();
  switch (result.kind) {
    case 'interrupted':
      output.message(`reel: interrupted at tick ${replay.tick}`);
      return exitCodeOf(interrupt.received ?? 'SIGINT');
    case 'diverged':
      for (const line of divergenceLines(result.divergence)) output.message(`reel: ${line}`);
      return exitCodeOf('DIVERGED');
    case 'matched':
      output.message(`reel: stopped at tick ${replay.tick} of ${replay.endTick}`);
      return null;
    case 'end':
      output.message(`reel: the recording ended at tick ${replay.tick} (${printable(result.reason)})`);
      if (until === null) return null;
      throw new CodedError('USAGE', 'the recording ended before the place given by --until', {
        hint: 'reel marks FILE lists marks and ticks',
      });
  }
}

export const replay: Command<ReplayVerbOptions> = async (context, [file], options) => {
  const live = options.live === true ? parseLiveRun(options) : null;
  if (live === null) checkLiveOnly(options);
  const targets = live ?? parseConsole(options, 'none');
  const until = parseUntil(options.until ?? 'end');
  const profile = ProfileFile.of(options);
  return withRecording(context, file!, async (recording) => {
    const followed = await recording.replay();
    const ports = new PortOutput(context.output, targets);
    try {
      profile?.begin(followed);
      ports.attach(followed);
      const code = await follow(context, followed, until);
      if (code === null && live !== null) {
        // Of the replay: what follows is another run.
        profile?.end();
        const machine = await followed.goLive({ ...liveMachineOptions(options), bootImage: options.image });
        context.output.message('reel: live');
        return await runLive(context, machine, live, ports);
      }
      if (targets.display === 'text') writeScreen(context.output, followed.screenText());
      new Screenshots(options).finish(followed);
      return code ?? exitCodeOf('OK');
    } finally {
      profile?.end();
      ports.close();
      await followed.close();
    }
  });
};
