import { CodedError } from '../../base/errors.js';
import { OutputFile } from '../../host/output-file.js';
import { DRIVE_IDS } from '../../machine/drives.js';
import type { Context } from '../context.js';
import { divergenceLines } from '../divergence-text.js';
import { exitCodeOf } from '../exit-codes.js';
import { progressOf } from '../progress.js';
import { elfCore } from './core.js';
import { limeImage } from './lime.js';
import { parseChoice, parseUntil } from '../values.js';
import { withRecording } from '../with-recording.js';

/** Formats of what a machine holds at a moment: they need a replay. */
export const REPLAYED_FORMATS = ['overlay', 'core', 'lime'] as const;
export type ReplayedFormat = (typeof REPLAYED_FORMATS)[number];

export interface ReplayedExportOptions {
  readonly drive?: string;
  readonly image?: string;
  readonly until?: string;
  readonly output?: string;
}

/**
 * Replays to the place that is asked for and writes what is there: a drive's medium, that is its image with what was
 * written to it; RAM, with or without the registers.
 */
export async function exportReplayed(
  context: Context,
  file: string,
  format: ReplayedFormat,
  options: ReplayedExportOptions,
): Promise<number> {
  const drive = parseChoice('drive', options.drive ?? 'hda', DRIVE_IDS);
  const until = parseUntil(options.until ?? 'end');
  const { output: path, image } = options;
  if (path === undefined) {
    throw new CodedError('USAGE', '--output is missing', { hint: 'give the file to write, which must not exist' });
  }
  return withRecording(context, file, async (recording) => {
    const replay = await recording.replay();
    try {
      const { interrupt, output } = context;
      const onProgress = progressOf(context, 'replaying', replay.tick);
      const result = await replay.run({ until: until ?? undefined, signal: interrupt.signal, onProgress });
      output.clearProgress();
      if (result.kind === 'interrupted') return exitCodeOf(interrupt.received ?? 'SIGINT');
      if (result.kind === 'diverged') {
        for (const line of divergenceLines(result.divergence)) output.message(`reel: ${line}`);
        return exitCodeOf('DIVERGED');
      }
      if (result.kind === 'end' && until !== null) {
        throw new CodedError('USAGE', 'the recording ended before the place given by --until', {
          hint: 'reel marks FILE lists marks and ticks',
        });
      }
      const contents = {
        overlay: () => replay.diskContents(drive, image),
        core: () => elfCore(replay),
        lime: () => limeImage(replay),
      };
      writeNew(path, contents[format]());
      return exitCodeOf('OK');
    } finally {
      await replay.close();
    }
  });
}

/** Nothing is left of a file that could not be written to its end. */
function writeNew(path: string, pieces: Iterable<Uint8Array>): void {
  const target = new OutputFile(path, 'new');
  try {
    for (const piece of pieces) target.write(piece);
  } catch (error) {
    target.discard();
    throw error;
  }
  target.close();
}
