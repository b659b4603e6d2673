import type { ReelReader } from '../../log/reel-reader.js';

/** What serial port `port` sent while the recording ran. */
export function* serialOutput(reader: ReelReader, port: number): Generator<Uint8Array> {
  for (const entry of reader.cursor()) {
    if (entry.entry === 'output' && entry.kind === 'serial' && entry.channel === port) yield entry.bytes;
  }
}
