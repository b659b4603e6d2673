import { verdictNamed, type Verdict } from '../../harness/phases.js';
import type { ReelReader } from '../../log/reel-reader.js';

/** What is known about one test that ran in the guest. */
export interface TestCase {
  readonly name: string;
  /** Names of the phases around it, outermost first. */
  readonly path: readonly string[];
  readonly begin: number;
  readonly end: number;
  /** `unjudged`: its phase ended without a verdict. `unfinished`: the recording ended inside its phase. */
  readonly outcome: Verdict | 'unjudged' | 'unfinished';
  /** Label of the mark where it begins, for seeking there; null where it begins with nothing of its own. */
  readonly mark: string | null;
}

interface OpenPhase {
  readonly name: string;
  readonly id: number | undefined;
  readonly begin: number;
  readonly path: readonly string[];
  /** Its own verdict. */
  verdict: { readonly value: number; readonly tick: number } | null;
  /** Something inside it is a case of its own, so that it is only a group. */
  isGroup: boolean;
  end: number | null;
}

/**
 * A case per phase that has a verdict of its name, per verdict of another name, and per phase in which nothing was
 * judged at all. A verdict of a phase's name also counts right after the phase's end.
 */
export function testCases(reader: ReelReader): TestCase[] {
  const phases: OpenPhase[] = [];
  const open: OpenPhase[] = [];
  const cases: TestCase[] = [];
  const groupAround = (): void => open.forEach((phase) => (phase.isGroup = true));
  for (const { type, label, value, tick, phaseId } of reader.marks()) {
    if (type === 'begin') {
      const path = open.map(({ name }) => name);
      const phase = { name: label, id: phaseId, begin: tick, path, verdict: null, isGroup: false, end: null };
      phases.push(phase);
      groupAround();
      open.push(phase);
    } else if (type === 'end') {
      const at = open.findLastIndex(({ id, name }) => (phaseId === undefined ? name === label : id === phaseId));
      if (at >= 0) open.splice(at, 1)[0]!.end = tick;
    } else if (type === 'verdict') {
      const last = phases.at(-1);
      const justEnded = last?.name === label && last.verdict === null ? last : undefined;
      const phase = open.findLast(({ name }) => name === label) ?? justEnded;
      if (phase !== undefined) {
        phase.verdict = { value, tick };
        continue;
      }
      const [path, begin] = [open.map(({ name }) => name), open.at(-1)?.begin ?? tick];
      cases.push({
        name: label,
        path,
        begin,
        end: tick,
        outcome: verdictNamed(value),
        mark: open.at(-1)?.name ?? null,
      });
      groupAround();
    }
  }
  for (const { name, path, begin, end, verdict, isGroup } of phases) {
    // A group that ended well says nothing that its parts do not say.
    if (verdict === null && isGroup && end !== null) continue;
    const outcome = verdict !== null ? verdictNamed(verdict.value) : end === null ? 'unfinished' : 'unjudged';
    cases.push({ name, path, begin, end: end ?? reader.end.tick, outcome, mark: name });
  }
  // Stable: those that begin at the same tick stay in the order found.
  return cases.sort((a, b) => a.begin - b.begin || a.end - b.end);
}
