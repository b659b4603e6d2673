import { CodedError } from '../../base/errors.js';
import { PortOutput, writeScreen } from '../console-output.js';
import type { Command, Context } from '../context.js';
import { divergenceLines } from '../divergence-text.js';
import { exitCodeOf } from '../exit-codes.js';
import { ReplayPlayer } from '../../harness/replay-player.js';
import type { FollowedReplay } from '../library.js';
import { runLive } from '../live.js';
import { DRIVE_OPTION_NAMES } from '../drive-options.js';
import type { ReplayResult } from '../../harness/replay.js';
import { liveMachineOptions, parseConsole, parseLiveRun, type LiveVerbOptions } from '../live-options.js';
import { printable } from '../output.js';
import { ProfileFile } from '../profile-file.js';
import { QmpPort } from '../qmp/qmp-port.js';
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
  // Pictures taken by QMP go into the output folder.
  const hasOut = options.qmp !== undefined;
  const isStray = (name: (typeof ONLY_LIVE)[number]): boolean =>
    options[name] !== undefined && !(name === 'out' && hasOut);
  const stray = options.pacing ? ONLY_LIVE.find(isStray) : 'noPacing';
  if (stray === undefined) return;
  const name = stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new CodedError('USAGE', `--${name} is about a live machine`, { hint: 'give --live too' });
}

/** Follows the recording. Returns an exit code, or null where it may go live. */
async function follow(
  context: Context,
  player: ReplayPlayer<FollowedReplay>,
  until: ReplayUntil,
  qmp: QmpPort | null,
): Promise<number | null> {
  const { output, interrupt } = context;
  const signal = qmp === null ? interrupt.signal : AbortSignal.any([interrupt.signal, qmp.signal]);
  const onProgress = progressOf(context, 'replaying', player.replay.tick);
  const run = (): Promise<ReplayResult> => player.run({ until: until ?? undefined, signal, onProgress });
  let result = await run();
  // Clients may look at where it ended, and go back.
  while (qmp !== null && (result.kind === 'end' || result.kind === 'diverged') && !signal.aborted) {
    output.clearProgress();
    if (result.kind === 'diverged') qmp.replayDiverged();
    player.pause();
    await player.resumed(signal);
    if (signal.aborted || !player.isSeeking) break;
    result = await run();
  }
  output.clearProgress();
  const { replay } = player;
  switch (result.kind) {
    case 'interrupted':
      output.message(`reel: ${qmp?.signal.aborted ? 'ended by QMP' : 'interrupted'} at tick ${replay.tick}`);
      return exitCodeOf(interrupt.received ?? (qmp?.signal.aborted ? 'OK' : 'SIGINT'));
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
    const qmp = await QmpPort.open(context, options);
    const ports = new PortOutput(context.output, targets);
    let player: ReplayPlayer<FollowedReplay> | null = null;
    try {
      const first = await recording.replay();
      player = new ReplayPlayer(first, {
        restart: () => recording.replay(),
        attach: (replay) => {
          ports.attach(replay);
          qmp?.attach(replay);
        },
        onPause: qmp?.paused,
      });
      profile?.begin(first);
      await qmp?.watchReplay(player, recording);
      const code = await follow(context, player, until, qmp);
      const followed = player.replay;
      if (code === null && live !== null) {
        // Of the replay: what follows is another run.
        profile?.end();
        const machine = await followed.goLive({ ...liveMachineOptions(options), bootImage: options.image });
        context.output.message('reel: live');
        return await runLive(context, machine, live, ports, qmp);
      }
      if (targets.display === 'text') writeScreen(context.output, followed.screenText());
      new Screenshots(options).finish(followed);
      return code ?? exitCodeOf('OK');
    } finally {
      profile?.end();
      ports.close();
      await player?.replay.close();
      await qmp?.close();
    }
  });
};
