import { CodedError } from '../../base/errors.js';
import type { Divergence } from '../../replay/divergence.js';
import type { Command, Context } from '../context.js';
import { divergenceLines } from '../divergence-text.js';
import { exitCodeOf } from '../exit-codes.js';
import { printable } from '../output.js';
import { progressOf } from '../progress.js';
import { withRecording } from '../with-recording.js';

/** One element of what `--json` writes: schemas/cli-verify.schema.json. */
interface VerifyResult {
  readonly file: string;
  readonly result: 'same' | 'diverged' | 'error';
  readonly exitCode: number;
  readonly ticks?: number;
  readonly digests?: number;
  readonly divergence?: Divergence;
  readonly error?: { readonly class: string; readonly message: string };
}

async function verifyOne(context: Context, file: string): Promise<VerifyResult> {
  const { interrupt } = context;
  try {
    return await withRecording(context, file, async (recording) => {
      const { startTick } = recording.reader.meta;
      const onProgress = progressOf(context, file, startTick);
      const verification = await recording.verify({ signal: interrupt.signal, onProgress });
      if (verification.ok) {
        const { ticks, digests } = verification;
        return { file, result: 'same', exitCode: exitCodeOf('OK'), ticks, digests };
      }
      return { file, result: 'diverged', exitCode: exitCodeOf('DIVERGED'), divergence: verification.divergence };
    });
  } catch (error) {
    // One bad file does not keep the others from being looked at; an interruption does.
    if (!(error instanceof CodedError) || interrupt.received !== null) throw error;
    const described = { class: error.code, message: error.describe() };
    return { file, result: 'error', exitCode: exitCodeOf(error.code), error: described };
  }
}

function report({ output }: Context, { file, result, ticks, digests, divergence, error }: VerifyResult): void {
  if (error !== undefined) {
    output.error(error.message);
  } else if (divergence !== undefined) {
    const [first, ...sides] = divergenceLines(divergence);
    output.line(`${printable(file)}: ${output.colour(first!, 'red')}`);
    for (const line of sides) output.line(line);
  } else {
    output.line(`${printable(file)}: ${output.colour(result, 'green')}, ${ticks} ticks, ${digests} digests`);
  }
}

export const verify: Command<{ readonly json?: boolean }> = async (context, files, options) => {
  const results: VerifyResult[] = [];
  for (const file of files) {
    const result = await verifyOne(context, file);
    context.output.clearProgress();
    results.push(result);
    if (options.json !== true) report(context, result);
  }
  if (options.json === true) context.output.json(results);
  return results.find((result) => result.exitCode !== 0)?.exitCode ?? exitCodeOf('OK');
};
