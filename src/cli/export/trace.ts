import { verdictNamed } from '../../harness/phases.js';
import type { ReelContents } from '../reel-contents.js';

/** One event of Chrome's trace event format; times are microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'i' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  /** Scope of an instant event: the thread. */
  readonly s?: 't';
  readonly args?: Readonly<Record<string, unknown>>;
}

const PID = 1;
/** Row of the marks. Phases follow, in as many rows as it takes for them to be nested within each. */
const MARKS_TID = 0;

interface Span {
  readonly begin: number;
  readonly end: number;
}

/** The first row in which `span` lies within, or apart from, everything there. */
function rowFor(rows: Span[][], span: Span): number {
  const fits = (other: Span): boolean =>
    other.end <= span.begin || span.end <= other.begin || (other.begin <= span.begin && span.end <= other.end);
  const found = rows.findIndex((row) => row.every(fits));
  if (found >= 0) {
    rows[found]!.push(span);
    return found;
  }
  return rows.push([span]) - 1;
}

/** Phases and marks as a trace that Perfetto and chrome://tracing open. Time is the guest's. */
export function traceOf({ reader, phases }: ReelContents): {
  displayTimeUnit: 'ns';
  traceEvents: TraceEvent[];
  otherData: Record<string, unknown>;
} {
  const { meta, end } = reader;
  const micros = (tick: number): number => (tick * meta.nsPerTick) / 1000;
  const traceEvents: TraceEvent[] = [];
  const rows: Span[][] = [];
  const addSpan = (name: string, cat: string, span: Span, args: Record<string, unknown>): void => {
    const tid = MARKS_TID + 1 + rowFor(rows, span);
    const [ts, dur] = [micros(span.begin), micros(span.end) - micros(span.begin)];
    traceEvents.push({ name, cat, ph: 'X', pid: PID, tid, ts, dur, args: { ...args, tick: span.begin } });
  };
  addSpan(meta.name, 'recording', { begin: meta.startTick, end: end.tick }, { reason: meta.reason, end: end.reason });
  for (const { name, begin, end: phaseEnd, verdict } of phases) {
    addSpan(name, 'phase', { begin, end: phaseEnd ?? end.tick }, { verdict, ended: phaseEnd !== null });
  }
  for (const { type, label, value, tick, by } of reader.marks()) {
    if (type === 'begin' || type === 'end') continue;
    const args = { tick, by, ...(type === 'verdict' ? { verdict: verdictNamed(value) } : { value }) };
    traceEvents.push({ name: label, cat: type, ph: 'i', s: 't', pid: PID, tid: MARKS_TID, ts: micros(tick), args });
  }
  const names: TraceEvent[] = [
    { name: 'process_name', ph: 'M', pid: PID, tid: 0, args: { name: `recording ${meta.name}` } },
    { name: 'thread_name', ph: 'M', pid: PID, tid: MARKS_TID, args: { name: 'marks' } },
    ...rows.map((_, i): TraceEvent => ({
      name: 'thread_name',
      ph: 'M',
      pid: PID,
      tid: MARKS_TID + 1 + i,
      args: { name: i === 0 ? 'phases' : `phases ${i + 1}` },
    })),
  ];
  const { recordingId, nsPerTick } = meta;
  return { displayTimeUnit: 'ns', traceEvents: [...names, ...traceEvents], otherData: { recordingId, nsPerTick } };
}
