import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBlockCodec } from '../../src/host/block-codec.js';
import { immediateCompressor } from '../../src/log/block-codec.js';
import type { LogEntry } from '../../src/log/entries.js';
import type { MarkType } from '../../src/log/meta.js';
import { ReelWriter } from '../../src/log/reel-writer.js';
import { hashing, SAMPLE_META, Tape } from '../replay/log/sample.js';

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'guestreel-cli-'));
}

/** A recording from tick 1000 on with these entries. Returns its file. */
export async function recordingOf(entries: readonly LogEntry[], endTick: number, name = 'tests'): Promise<string> {
  const tape = new Tape();
  const compressor = immediateCompressor(await createBlockCodec());
  const writer = new ReelWriter({ sink: tape, hashing, compressor, meta: { ...SAMPLE_META, name } });
  writer.appendState('snapshot', 1000, [{ name: 'cpu', bytes: new Uint8Array(4) }]);
  for (const entry of entries) writer.append(entry);
  writer.finish({ tick: endTick, reason: 'stop' });
  const file = join(temporaryFolder(), `${name}.reel`);
  writeFileSync(file, tape.bytes);
  return file;
}

export function mark(type: MarkType, label: string, tick: number, value = 0, phaseId?: number): LogEntry {
  const entry = { entry: 'mark', tick, type, label, value, by: 'guest:ring3' } as const;
  return phaseId === undefined ? entry : { ...entry, phaseId };
}

export function serial(text: string, tick: number, channel = 0): LogEntry {
  const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
  return { entry: 'output', kind: 'serial', tick, channel, bytes };
}
