import type { Tick } from '../core/clock.js';
import type { EntryOf } from '../log/entries.js';
import { VERDICTS } from './verdicts.js';

export type Verdict = (typeof VERDICTS)[number];

export interface RecordedPhase {
  readonly name: string;
  readonly begin: Tick;
  /** Null when the recording ends inside the phase. */
  readonly end: Tick | null;
  readonly verdict: Verdict | null;
}

/** The verdict that a mark's value stands for; a value that none has is a failure, never a pass. */
export function verdictNamed(value: number): Verdict {
  return VERDICTS[value] ?? 'fail';
}

/** The phases that a recording's marks make, in the order of their beginnings. */
export function phasesOf(marks: readonly EntryOf<'mark'>[]): RecordedPhase[] {
  const phases: { name: string; begin: Tick; end: Tick | null; verdict: Verdict | null; id: number | undefined }[] = [];
  for (const { type, label, value, tick, phaseId } of marks) {
    if (type === 'begin') {
      phases.push({ name: label, begin: tick, end: null, verdict: null, id: phaseId });
    } else if (type === 'end') {
      const open = phases.findLast(
        (p) => p.end === null && (phaseId === undefined ? p.name === label : p.id === phaseId),
      );
      if (open !== undefined) open.end = tick;
    } else if (type === 'verdict') {
      // A verdict belongs to the phase of its name, or to the innermost open one.
      const phase = phases.findLast((p) => p.name === label) ?? phases.findLast((p) => p.end === null);
      if (phase !== undefined) phase.verdict = verdictNamed(value);
    }
  }
  return phases.map(({ name, begin, end, verdict }) => ({ name, begin, end, verdict }));
}
