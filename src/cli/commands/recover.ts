import { recoverRecording } from '../../host/recover-recording.js';
import type { Command } from '../context.js';
import { exitCodeOf } from '../exit-codes.js';
import { printable } from '../output.js';
import { inFile } from '../in-file.js';

interface RecoverOptions {
  readonly output?: string;
  readonly json?: boolean;
}

/** `--json` writes the library's report: schemas/cli-recover.schema.json. */
export const recover: Command<RecoverOptions> = async ({ output }, [file], options) => {
  let recovery;
  try {
    recovery = await recoverRecording(file!, options.output);
  } catch (error) {
    throw inFile(file!, error);
  }
  if (options.json === true) {
    output.json({ source: file, ...recovery });
    return exitCodeOf('OK');
  }
  const { endTick, entries, hadEnd, problem } = recovery;
  if (problem !== null) output.message(`reel: ${printable(problem)}`);
  output.message(
    hadEnd
      ? `reel: nothing was lost: ${entries} entries to tick ${endTick}`
      : `reel: saved ${entries} entries, to tick ${endTick}`,
  );
  output.line(recovery.file);
  return exitCodeOf('OK');
};
