import type { LogEntry } from '../../../src/log/entries.js';
import type { ReelMeta } from '../../../src/log/meta.js';
import type { ReelReader } from '../../../src/log/reel-reader.js';
import type { StateReference } from '../../../src/log/state-reader.js';
import { hashing, Sections } from './sample.js';

/** What is in a recording, as JSON that is kept beside a golden one. */
export interface Inventory {
  readonly meta: ReelMeta;
  readonly chainSha256: string;
  readonly entries: readonly LogEntry[];
  /** Per state: tick, and the SHA-256 of every section. */
  readonly states: readonly { readonly tick: number; readonly sections: Readonly<Record<string, string>> }[];
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export function inventory(reader: ReelReader): Inventory {
  const stateOf = (state: StateReference): Inventory['states'][number] => {
    const received = new Sections();
    reader.loadState(state, received);
    const sections = [...received.blobs, ...received.images].map(([name, bytes]) => [name, hex(hashing.sha256(bytes))]);
    return { tick: state.tick, sections: Object.fromEntries(sections) as Record<string, string> };
  };
  const all = {
    meta: reader.meta,
    chainSha256: hex(reader.chainSha256),
    entries: [...reader.cursor()],
    states: [reader.snapshot, ...reader.checkpoints()].map(stateOf),
  };
  const text = JSON.stringify(all, (_key, value: unknown) =>
    value instanceof Uint8Array ? `hex:${hex(value)}` : value,
  );
  return JSON.parse(text) as Inventory;
}
