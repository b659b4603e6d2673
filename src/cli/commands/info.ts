import { toHex } from '../../base/hash.js';
import type { ReelMeta } from '../../log/meta.js';
import type { Command } from '../context.js';
import { exitCodeOf } from '../exit-codes.js';
import { withReel, type ReelContents } from '../reel-contents.js';
import { bytesText, printable, secondsText, table } from '../output.js';

/** What `--json` writes: schemas/cli-info.schema.json. */
interface Info {
  readonly file: string;
  readonly sizeBytes: number;
  readonly meta: ReelMeta;
  readonly library: string;
  readonly startTick: number;
  readonly endTick: number;
  readonly durationSeconds: number;
  readonly end: { readonly reason: string; readonly by: string | null };
  readonly entries: Readonly<Record<string, number>>;
  readonly checkpoints: number;
  readonly chunks: number;
  readonly chainSha256: string;
  readonly isSigned: boolean;
  readonly phases: ReelContents['phases'];
}

/** How often each kind of entry occurs. */
function countEntries({ reader }: ReelContents): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { entry } of reader.cursor()) counts[entry] = (counts[entry] ?? 0) + 1;
  return counts;
}

function infoOf(contents: ReelContents): Info {
  const { file, reader, phases } = contents;
  const { meta, end, sizeBytes, library, chunkCount: chunks, isSigned } = reader;
  return {
    file,
    sizeBytes,
    meta,
    library,
    startTick: meta.startTick,
    endTick: end.tick,
    durationSeconds: ((end.tick - meta.startTick) * meta.nsPerTick) / 1e9,
    end: { reason: end.reason, by: end.by ?? null },
    entries: countEntries(contents),
    checkpoints: reader.checkpoints().length,
    chunks,
    chainSha256: toHex(reader.chainSha256),
    isSigned,
    phases,
  };
}

function infoRows(info: Info): string[][] {
  const { meta, end, startTick, endTick } = info;
  const duration = secondsText(endTick - startTick, meta.nsPerTick);
  const rows = [
    ['file', info.file],
    ['name', meta.name],
    ['id', meta.recordingId],
    ['reason', meta.reason],
    ['started by', meta.startedBy],
    ['created', meta.createdAt],
    ['written by', `${meta.generator.name} ${meta.generator.version}`],
    ['format version', String(meta.formatVersion)],
    ['ticks', `${startTick} to ${endTick} of ${meta.nsPerTick} ns, ${duration} of guest time`],
    ['ended', end.by === null ? end.reason : `${end.reason}, by ${end.by}`],
    ['epoch', String(meta.epoch)],
    ['machine', JSON.stringify(meta.machine)],
    ['policy', meta.policySha256],
  ];
  if (meta.parent !== undefined) {
    rows.push(['parent', `${meta.parent.recordingId} at tick ${meta.parent.tick}`]);
  }
  for (const { role, name, sha256 } of meta.images) rows.push([`image ${role}`, `${name}, SHA-256 ${sha256}`]);
  const counts = Object.entries(info.entries).map(([name, count]) => `${count} ${name}`);
  rows.push(
    ['entries', counts.join(', ')],
    ['checkpoints', String(info.checkpoints)],
    ['size', `${bytesText(info.sizeBytes)} in ${info.chunks} chunks`],
    ['hash chain', info.chainSha256],
    ['signed', info.isSigned ? 'yes' : 'no'],
  );
  for (const { name, begin, end: phaseEnd, verdict } of info.phases) {
    const until = phaseEnd === null ? 'not ended' : `to ${phaseEnd}`;
    rows.push([`phase`, `"${name}" from ${begin} ${until}${verdict === null ? '' : `, ${verdict}`}`]);
  }
  return rows.map((row) => row.map(printable));
}

export const info: Command<{ readonly json?: boolean }> = (context, [file], options) =>
  withReel(file!, (recording) => {
    const found = infoOf(recording);
    if (options.json === true) context.output.json(found);
    else for (const line of table(infoRows(found))) context.output.line(line);
    return exitCodeOf('OK');
  });
