import { writeFileSync } from 'node:fs';
import { createBlockCodec } from '../../src/host/block-codec.js';
import { createHashing } from '../../src/host/hashing.js';
import { ReelFileSource } from '../../src/host/reel-file-source.js';
import { immediateCompressor } from '../../src/log/block-codec.js';
import type { LogEntry } from '../../src/log/entries.js';
import type { ReelMeta } from '../../src/log/meta.js';
import { pagesOf } from '../../src/log/pages.js';
import { ReelReader } from '../../src/log/reel-reader.js';
import { ReelWriter } from '../../src/log/reel-writer.js';
import type { StateSection } from '../../src/log/state-blocks.js';
import { PAGE_SIZE } from '../../src/base/units.js';
import { Tape } from './log/sample.js';

export interface Changes {
  readonly meta?: (meta: ReelMeta) => ReelMeta;
  readonly sections?: (sections: StateSection[]) => StateSection[];
  readonly entries?: (entries: LogEntry[]) => LogEntry[];
}

/** Writes a copy whose file is perfectly valid and whose content is changed. */
export async function rewrite(from: string, to: string, changes: Changes): Promise<void> {
  const [codec, hashing] = [await createBlockCodec(), createHashing()];
  const source = new ReelFileSource(from);
  const reader = ReelReader.open(source, codec, hashing);
  const sections: StateSection[] = [];
  reader.loadState(reader.snapshot, {
    bytes: (name, bytes) => void sections.push({ name, bytes: bytes.slice() }),
    pages: (name, count) => {
      const image = new Uint8Array(count * PAGE_SIZE);
      sections.push({ name, pages: pagesOf(image) });
      return { bytes: image };
    },
  });
  const entries = [...reader.cursor()];
  const sink = new Tape();
  const { formatVersion: _version, ...meta } = changes.meta?.(reader.meta) ?? reader.meta;
  const writer = new ReelWriter({ sink, hashing, compressor: immediateCompressor(codec), meta });
  writer.appendState('snapshot', meta.startTick, changes.sections?.(sections) ?? sections);
  for (const entry of changes.entries?.(entries) ?? entries) {
    if (entry.entry === 'end') writer.finish(entry);
    else writer.append(entry);
  }
  source.close();
  writeFileSync(to, sink.bytes);
}
