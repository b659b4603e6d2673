import { verdictNamed, type Verdict } from '../../harness/phases.js';
import type { EntryOf } from '../../log/entries.js';
import type { MarkType } from '../../log/meta.js';
import type { Command } from '../context.js';
import { exitCodeOf } from '../exit-codes.js';
import { withReel, type ReelContents } from '../reel-contents.js';
import { printable, secondsText, table, type Output } from '../output.js';

/** What `--json` writes: schemas/cli-marks.schema.json. */
interface Marks {
  readonly file: string;
  readonly nsPerTick: number;
  readonly startTick: number;
  readonly endTick: number;
  readonly marks: readonly {
    readonly tick: number;
    readonly type: MarkType;
    readonly label: string;
    readonly value: number;
    readonly by: string;
    readonly phaseId: number | null;
    readonly verdict: Verdict | null;
  }[];
  readonly phases: ReelContents['phases'];
}

function marksOf({ file, reader, phases }: ReelContents): Marks {
  const { startTick, nsPerTick } = reader.meta;
  const marks = reader.marks().map(({ tick, type, label, value, by, phaseId }: EntryOf<'mark'>) => {
    const verdict = type === 'verdict' ? verdictNamed(value) : null;
    return { tick, type, label, value, by, phaseId: phaseId ?? null, verdict };
  });
  return { file, nsPerTick, startTick, endTick: reader.end.tick, marks, phases };
}

function write(output: Output, { marks, startTick, nsPerTick }: Marks): void {
  if (marks.length === 0) {
    output.message('reel: the recording has no marks');
    return;
  }
  const rows = marks.map(({ tick, type, label, value, by, verdict }) => [
    String(tick),
    `+${secondsText(tick - startTick, nsPerTick)}`,
    type,
    verdict ?? String(value),
    printable(by),
    printable(label),
  ]);
  for (const line of table([['TICK', 'TIME', 'TYPE', 'VALUE', 'BY', 'LABEL'], ...rows])) output.line(line);
}

export const marks: Command<{ readonly json?: boolean }> = (context, [file], options) =>
  withReel(file!, (recording) => {
    const found = marksOf(recording);
    if (options.json === true) context.output.json(found);
    else write(context.output, found);
    return exitCodeOf('OK');
  });
