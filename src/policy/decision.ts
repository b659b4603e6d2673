import type { Tick } from '../core/clock.js';
import { actionInfo, type Action } from './actions.js';
import { storedBytes, type PolicyCounters } from './counters.js';
import { utf8Length } from './pattern.js';
import type { Policy } from './policy.js';
import { describePrincipal, type Principal } from './principal.js';
import type { Misfit, Rule } from './rule.js';

/** Everything a decision may depend on, apart from the policy and its counters. */
export interface PolicyRequest {
  readonly principal: Principal;
  readonly action: Action;
  readonly tick: Tick;
  /** Recording of start and stop (absent if a stop finds none), label of a mark. */
  readonly name?: string;
  /** The test that a verdict is about. */
  readonly test?: string;
  /** Who started the recording that is running, by describePrincipal; absent if none is. */
  readonly startedBy?: string;
  /** Bytes handed over besides the name: text of log, bytes of check and put, size of get. */
  readonly bytes?: number;
}

/** The backdoor's status of the same name. NOT_OWNER, BUSY and NOT_RECORDING are no matters of policy. */
export type DecisionStatus = 'OK' | 'DENIED' | 'RATE' | 'QUOTA' | 'TOO_LONG';

/** What an allowed start is limited to. */
export interface StartGrant {
  /** Tick at which the recording must end, or null. */
  readonly endTick: Tick | null;
  /** Bytes, before compression, that it may still grow to, or null. */
  readonly maxBytes: number | null;
}

export interface Decision {
  readonly allow: boolean;
  /** The deciding rule, or one of BUILT_IN_RULES. */
  readonly ruleId: string;
  /** One sentence for people. */
  readonly reason: string;
  readonly status: DecisionStatus;
  /** Rate that the request counts towards; null if there is none. */
  readonly perGigatick: number | null;
  /** For an allowed start only. */
  readonly grant: StartGrant | null;
}

/** Decisions that no rule of the document makes. */
export const BUILT_IN_RULES = {
  /** Nothing else applied. */
  default: 'default',
  /** Hosts can stop any recording whatever the policy says: a policy protects against guests, not against the host. */
  hostStops: 'host-always-stops',
  /** No decision: what removes recordings beyond `recordings.keep`. */
  keep: 'recordings.keep',
} as const;

/** How one rule took a request; for explanations. */
export interface RuleStep {
  readonly ruleId: string;
  readonly effect: 'permit' | 'forbid';
  /** Part of the rule that the request does not fit, `limits` if it fits but a limit is reached, null if it applies. */
  readonly misfit: Misfit | 'limits' | null;
  readonly note: string;
}

/**
 * Decides a request: a pure function of its arguments. Forbids are asked first and override every permit; then the
 * first permit whose limits leave room allows; else the first limit that was reached is the answer; else the default.
 */
export function decide(
  policy: Policy,
  request: PolicyRequest,
  counters: PolicyCounters,
  trace: (step: RuleStep) => void = () => {},
): Decision {
  if (request.action === 'stop' && 'host' in request.principal) {
    return allowed(BUILT_IN_RULES.hostStops, 'hosts can always stop a recording', null, null);
  }
  // Before any pattern sees it.
  const nameBytes = request.name === undefined ? 0 : utf8Length(request.name);
  if (nameBytes > policy.maxNameBytes) {
    const reason = `a name of ${nameBytes} bytes is over the ${policy.maxNameBytes} that are looked at`;
    return refused(BUILT_IN_RULES.default, reason, 'TOO_LONG');
  }
  const forbidden = policy.forbids.find((rule) => {
    const misfit = rule.misfitOfCaller(request) ?? rule.misfitOfConditions(request);
    trace({ ruleId: rule.id, effect: 'forbid', misfit, note: misfit === null ? 'forbids it' : noteOf(misfit) });
    return misfit === null;
  });
  if (forbidden !== undefined) return refused(forbidden.id, `rule ${forbidden.id} forbids it`, 'DENIED');
  let firstLimit: Decision | null = null;
  for (const rule of policy.permits) {
    const misfit = rule.misfitOfCaller(request);
    const outcome = misfit ?? judge(rule, request, nameBytes, counters);
    if (typeof outcome === 'string') {
      trace({ ruleId: rule.id, effect: 'permit', misfit: outcome, note: noteOf(outcome) });
      continue;
    }
    const note = outcome.allow ? 'permits it' : outcome.reason;
    trace({ ruleId: rule.id, effect: 'permit', misfit: outcome.allow ? null : 'limits', note });
    if (outcome.allow) return outcome;
    firstLimit ??= outcome;
  }
  return firstLimit ?? refused(BUILT_IN_RULES.default, defaultReason(request), 'DENIED');
}

/** Says for each rule that was looked at how it took the request. */
export function explain(
  policy: Policy,
  request: PolicyRequest,
  counters: PolicyCounters,
): { readonly decision: Decision; readonly steps: readonly RuleStep[] } {
  const steps: RuleStep[] = [];
  const decision = decide(policy, request, counters, (step) => steps.push(step));
  return { decision, steps };
}

/** A permit that concerns the caller: what it does not fit, or the decision. */
function judge(rule: Rule, request: PolicyRequest, nameBytes: number, counters: PolicyCounters): Misfit | Decision {
  const { limits } = rule;
  const refuse = (what: string, status: DecisionStatus): Decision =>
    refused(rule.id, `rule ${rule.id} ${what}`, status);
  if (nameBytes > (limits.maxNameBytes ?? Infinity)) {
    return refuse(`allows names of ${limits.maxNameBytes} bytes, this one has ${nameBytes}`, 'TOO_LONG');
  }
  const misfit = rule.misfitOfConditions(request);
  if (misfit !== null) return misfit;
  const bytes = request.bytes ?? 0;
  if (bytes > (limits.maxTextBytes ?? Infinity)) {
    return refuse(`allows ${limits.maxTextBytes} bytes at a time, these are ${bytes}`, 'TOO_LONG');
  }
  const stored = storedBytes(request);
  const used = counters.bytes(rule.id);
  if (limits.maxBytes !== undefined && stored > 0 && used + stored > limits.maxBytes) {
    return refuse(`allows ${limits.maxBytes} bytes, ${used} are used and ${stored} asked for`, 'QUOTA');
  }
  const perGigatick = limits.perGigatick?.[request.action] ?? null;
  const wait = perGigatick === null ? 0 : counters.rateWait(rule.id, request.action, perGigatick, request.tick);
  if (wait > 0) {
    return refuse(`allows ${perGigatick} ${request.action} per gigatick; the next fits in ${wait} ticks`, 'RATE');
  }
  const start = request.action === 'start' ? startRefusal(rule, request, counters) : null;
  if (start !== null) return refuse(start.what, start.status);
  return allowed(rule.id, `rule ${rule.id} permits it`, perGigatick, grantOf(rule, request, used + stored));
}

function startRefusal(
  { id, limits }: Rule,
  request: PolicyRequest,
  counters: PolicyCounters,
): { what: string; status: DecisionStatus } | null {
  if (counters.recordings(id) >= (limits.maxRecordings ?? Infinity)) {
    return { what: `allows ${limits.maxRecordings} recordings, and as many were started`, status: 'QUOTA' };
  }
  if (counters.running(id) >= (limits.maxConcurrent ?? Infinity)) {
    return { what: `allows ${limits.maxConcurrent} recordings at a time, and as many are running`, status: 'QUOTA' };
  }
  const endedAt = counters.endedAt(id);
  const wait = endedAt === null ? 0 : endedAt + (limits.cooldownTicks ?? 0) - request.tick;
  if (wait > 0)
    return { what: `wants ${limits.cooldownTicks} ticks between recordings; ${wait} are left`, status: 'RATE' };
  return null;
}

function grantOf({ limits }: Rule, request: PolicyRequest, used: number): StartGrant | null {
  if (request.action !== 'start') return null;
  return {
    endTick: limits.maxTicks === undefined ? null : Math.min(request.tick + limits.maxTicks, Number.MAX_SAFE_INTEGER),
    maxBytes: limits.maxBytes === undefined ? null : limits.maxBytes - used,
  };
}

function allowed(ruleId: string, reason: string, perGigatick: number | null, grant: StartGrant | null): Decision {
  return { allow: true, ruleId, reason, status: 'OK', perGigatick, grant };
}

function refused(ruleId: string, reason: string, status: DecisionStatus): Decision {
  return { allow: false, ruleId, reason, status, perGigatick: null, grant: null };
}

function noteOf(misfit: Misfit): string {
  switch (misfit) {
    case 'principals':
      return 'is for other callers';
    case 'actions':
      return 'is for other actions';
    default:
      return `its condition ${misfit} does not hold`;
  }
}

function defaultReason(request: PolicyRequest): string {
  return `no rule permits ${describePrincipal(request.principal)} to ${actionInfo(request.action).verb} in this way`;
}
