import { Recording } from '../../dist/bundle/index.js';

export interface RecordingSize {
  readonly bytes: number;
  /** Without the state that it starts with. */
  readonly logBytes: number;
}

export async function recordingSize(file: string): Promise<RecordingSize> {
  const recording = await Recording.open(file);
  try {
    const { reader, meta } = recording;
    // The state comes first and is of the first tick, all of it.
    return { bytes: reader.sizeBytes, logBytes: reader.sizeBytes - reader.bytesUntil(meta.startTick) };
  } finally {
    await recording.close();
  }
}
