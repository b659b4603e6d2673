import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import type { BlockCodec } from '../log/block-codec.js';
import { recover } from '../log/recover.js';
import { ReelReader } from '../log/reel-reader.js';
import type { ReelSource } from '../log/reel-source.js';
import { OutputFile } from './output-file.js';
import { ReelFileSource } from './reel-file-source.js';
import { hostServices } from './services.js';

export interface Recovery {
  /** The complete recording that was written. */
  readonly file: string;
  readonly endTick: number;
  /** Log entries saved, without an end that was added. */
  readonly entries: number;
  /** The recording had its own end: nothing of the run is lost. */
  readonly hadEnd: boolean;
  /** What was wrong with the source; null if nothing was. */
  readonly problem: string | null;
}

/** Creates NAME-recovered.reel beside the source, or the first free one of NAME-recovered-2.reel... */
function createBeside(source: string): OutputFile {
  const stem = source.replace(/(\.reel)?(\.partial)?$/, '');
  for (let n = 1; ; n++) {
    try {
      return new OutputFile(`${stem}-recovered${n === 1 ? '' : `-${n}`}.reel`, 'new');
    } catch (error) {
      const isTaken = error instanceof CodedError && (error.cause as { code?: string }).code === 'EEXIST';
      if (!isTaken) throw error;
    }
  }
}

function isWhole(source: ReelSource, codec: BlockCodec, hashing: Hashing): boolean {
  try {
    ReelReader.open(source, codec, hashing).verify();
    return true;
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  }
}

/**
 * Makes a complete recording of what is whole in `file`: in `target`, which must not exist, or in a new file beside it.
 * Throws DAMAGED when not even the start is whole; then no file is left.
 */
export async function recoverRecording(file: string, target?: string): Promise<Recovery> {
  const source = new ReelFileSource(file);
  try {
    const { codec, hashing } = await hostServices();
    const sink = target === undefined ? createBeside(file) : new OutputFile(target, 'new');
    try {
      const { endTick, entries, hadEnd, problem } = recover(source, codec, hashing, sink);
      sink.close();
      return { file: sink.path, endTick, entries, hadEnd, problem: isWhole(source, codec, hashing) ? null : problem };
    } catch (error) {
      sink.discard();
      throw error;
    }
  } finally {
    source.close();
  }
}
