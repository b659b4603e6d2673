import { PolicyCounters } from './counters.js';
import { decide, type Decision, type PolicyRequest } from './decision.js';
import { checkDocument, documentError } from './document-check.js';
import type { JsonText } from './json-text.js';
import type { Policy } from './policy.js';
import type { PolicyTable, PolicyTableCase } from './policy-table-document.js';
import { describePrincipal, parsePrincipal, type Principal } from './principal.js';

export interface TableFailure {
  /** Index of the case, from 0. */
  readonly index: number;
  /** `file:line:column` of the case. */
  readonly where: string;
  readonly principal: string;
  readonly action: string;
  /** What was expected, e.g. `deny by evidence-stays`. */
  readonly expected: string;
  readonly got: string;
  readonly reason: string;
}

export interface TableResult {
  readonly cases: number;
  readonly failures: readonly TableFailure[];
}

interface Running {
  readonly number: number;
  readonly startedBy: string;
  readonly endTick: number | null;
}

/** A make-believe run: recordings start and end as they are allowed to, and nothing else happens. */
class TableRun {
  readonly #counters = new PolicyCounters();
  #running: Running[] = [];
  #count = 0;
  #tick = 0;

  constructor(private readonly policy: Policy) {}

  ask(item: PolicyTableCase, principal: Principal): Decision {
    const tick = item.tick ?? this.#tick;
    this.#tick = tick;
    this.#expire(tick);
    const request: PolicyRequest = {
      principal,
      action: item.action,
      tick,
      name: item.name,
      test: item.test,
      startedBy: item.startedBy ?? this.#running.at(-1)?.startedBy,
      bytes: item.bytes,
    };
    const decision = decide(this.policy, request, this.#counters);
    this.#counters.note(request, decision);
    if (decision.allow && item.action === 'start') this.#start(request, decision);
    if (decision.allow && item.action === 'stop') this.#end(this.#running.at(-1), tick);
    return decision;
  }

  #start(request: PolicyRequest, decision: Decision): void {
    const number = ++this.#count;
    const startedBy = describePrincipal(request.principal);
    this.#running.push({ number, startedBy, endTick: decision.grant?.endTick ?? null });
    this.#counters.recordingStarted(number, decision.ruleId, request.tick);
  }

  #expire(tick: number): void {
    for (const recording of [...this.#running]) {
      if (recording.endTick !== null && recording.endTick <= tick) this.#end(recording, recording.endTick);
    }
  }

  #end(recording: Running | undefined, tick: number): void {
    if (recording === undefined) return;
    this.#running = this.#running.filter((candidate) => candidate !== recording);
    this.#counters.recordingEnded(recording.number, tick);
  }
}

/** Compares what a policy decides with what a table expects. Throws CONFIG for a table that is none. */
export function runPolicyTable(policy: Policy, text: string, source: string): TableResult {
  const json = checkDocument('table', text, source);
  const { sequence = false, cases } = json.value as PolicyTable;
  const failures: TableFailure[] = [];
  let run = new TableRun(policy);
  cases.forEach((item, index) => {
    if (!sequence) run = new TableRun(policy);
    const principal = principalOf(json, item, index);
    let decision = run.ask(item, principal);
    for (let n = 1; n < (item.times ?? 1); n++) decision = run.ask(item, principal);
    if (meets(decision, item)) return;
    failures.push({
      index,
      where: json.where(json.offset(`/cases/${index}`)),
      principal: item.principal,
      action: item.action,
      expected: item.rule === undefined ? item.expect : `${item.expect} by ${item.rule}`,
      got: `${decision.allow ? 'allow' : decision.status} by ${decision.ruleId}`,
      reason: decision.reason,
    });
  });
  return { cases: cases.length, failures };
}

function meets(decision: Decision, { expect, rule }: PolicyTableCase): boolean {
  if (rule !== undefined && rule !== decision.ruleId) return false;
  if (expect === 'allow') return decision.allow;
  return expect === 'deny' ? !decision.allow : expect === decision.status;
}

function principalOf(json: JsonText, item: PolicyTableCase, index: number): Principal {
  const principal = parsePrincipal(item.principal);
  if (principal !== null) return principal;
  const message = `${JSON.stringify(item.principal)} is not a principal`;
  throw documentError(json, `/cases/${index}/principal`, message, 'e.g. host:user, guest:ring3');
}
