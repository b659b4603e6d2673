import { toHex } from '../../base/hash.js';
import type { ReelReader } from '../../log/reel-reader.js';

/** Fields that are hashes; all other bytes are payloads. */
const HASHES = ['cpuDevices', 'ram'];

/** Base64 without Buffer's detour over a copy per character. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

function plain(key: string, value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value;
  return HASHES.includes(key) ? toHex(value) : base64(value);
}

/** A line of JSON for the recording's description, then one for every entry of its log, in order. */
export function* jsonLines(reader: ReelReader): Generator<string> {
  yield JSON.stringify({ entry: 'meta', tick: reader.meta.startTick, ...reader.meta });
  for (const { entry, tick, ...fields } of reader.cursor()) {
    const values = Object.entries(fields).map(([key, value]) => [key, plain(key, value)]);
    yield JSON.stringify({ entry, tick, ...Object.fromEntries(values) });
  }
}
