import { actionBit, ACTION_NAMES, type Action } from './actions.js';
import type { PolicyCounters } from './counters.js';
import type { Policy } from './policy.js';
import type { Principal } from './principal.js';
import type { Situation } from './rule.js';

/**
 * What this caller may do now, one bit per action (see actions.ts): for some name, and as far as limits leave room. A
 * forbid that goes by the name takes no bit away.
 */
export function permittedActions(policy: Policy, principal: Principal, situation: Situation): number {
  const possible = ACTION_NAMES.filter((action) => isPossible(policy, principal, action, situation));
  return possible.reduce((mask, action) => mask | actionBit(action), 0);
}

function isPossible(policy: Policy, principal: Principal, action: Action, situation: Situation): boolean {
  if (action === 'stop' && 'host' in principal) return true;
  const forbidden = policy.forbids.some(
    (rule) => !rule.judgesNames && rule.concerns(principal, action) && rule.misfitOfSituation(situation) === null,
  );
  if (forbidden) return false;
  return policy.permits.some((rule) => rule.concerns(principal, action) && rule.misfitOfSituation(situation) === null);
}

const STORING: readonly Action[] = ['start', 'mark', 'log', 'check', 'put', 'get'];

/** Bytes that this caller may still have stored: the most that one rule leaves. Null if one sets no limit. */
export function remainingBytes(policy: Policy, principal: Principal, counters: PolicyCounters): number | null {
  let most = 0;
  for (const rule of policy.permits) {
    if (!STORING.some((action) => rule.concerns(principal, action))) continue;
    if (rule.limits.maxBytes === undefined) return null;
    most = Math.max(most, rule.limits.maxBytes - counters.bytes(rule.id));
  }
  return most;
}
