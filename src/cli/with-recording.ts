import type { Context } from './context.js';
import { inFile } from './in-file.js';
import type { OpenRecording } from './library.js';

/** Opens a recording for `work` and closes it. Errors name the file. */
export async function withRecording<T>(
  { library }: Context,
  file: string,
  work: (recording: OpenRecording) => Promise<T>,
): Promise<T> {
  try {
    const recording = await library.openRecording(file);
    try {
      return await work(recording);
    } finally {
      await recording.close();
    }
  } catch (error) {
    throw inFile(file, error);
  }
}
