import { phasesOf, type RecordedPhase } from '../harness/phases.js';
import { createBlockCodec } from '../host/block-codec.js';
import { createHashing } from '../host/hashing.js';
import { ReelFileSource } from '../host/reel-file-source.js';
import { ReelReader } from '../log/reel-reader.js';
import { inFile } from './in-file.js';

/** A recording that is only read: no machine is made for it. */
export interface ReelContents {
  readonly file: string;
  readonly reader: ReelReader;
  readonly phases: readonly RecordedPhase[];
}

/** Opens a recording for `work` and closes it. Errors name the file. */
export async function withReel<T>(file: string, work: (contents: ReelContents) => T | Promise<T>): Promise<T> {
  const source = new ReelFileSource(file);
  try {
    const reader = ReelReader.open(source, await createBlockCodec(), createHashing());
    return await work({ file, reader, phases: phasesOf(reader.marks()) });
  } catch (error) {
    throw inFile(file, error);
  } finally {
    source.close();
  }
}
