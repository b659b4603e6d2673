import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import type { AuditLog } from './audit.js';
import { PolicyCounters } from './counters.js';
import { BUILT_IN_RULES, decide, type Decision, type PolicyRequest } from './decision.js';
import type { Policy } from './policy.js';
import type { PolicyHolder } from './policy-holder.js';

export interface GatekeeperOptions {
  readonly holder: PolicyHolder;
  readonly counters?: PolicyCounters;
  /** Null where decisions are made again, as in a replay: they were audited the first time. */
  readonly audit: AuditLog | null;
  readonly hashing: Hashing;
  /** Annotates audit entries. */
  readonly wallTime: () => string;
}

/** The one way to a decision that counts: decides, takes it into account, and audits it. */
export class Gatekeeper {
  readonly counters: PolicyCounters;
  #lastRule: string = BUILT_IN_RULES.default;
  #digested: { readonly policy: Policy; readonly digest: string } | null = null;

  constructor(private readonly options: GatekeeperOptions) {
    this.counters = options.counters ?? new PolicyCounters();
  }

  get policy(): Policy {
    return this.options.holder.current;
  }

  /** SHA-256 of the policy in force. */
  get policyDigest(): string {
    const { policy } = this;
    if (this.#digested?.policy !== policy) this.#digested = { policy, digest: policy.digest(this.options.hashing) };
    return this.#digested.digest;
  }

  /** The rule that made the last decision: what a recording that it allowed counts under. */
  get lastRule(): string {
    return this.#lastRule;
  }

  /** Decides by the policy that is in force now. */
  ask(request: PolicyRequest): Decision {
    const decision = decide(this.policy, request, this.counters);
    this.#lastRule = decision.ruleId;
    this.counters.note(request, decision);
    const { audit, wallTime } = this.options;
    audit?.append({ request, decision, wallTime: wallTime(), policyDigest: this.policyDigest });
    return decision;
  }

  /** Audits that the policy's `recordings.keep` had `name` removed, or that this was not possible. */
  noteRemoval(name: string, isRemoved: boolean, tick: Tick): void {
    const { audit, wallTime } = this.options;
    audit?.appendAct({
      action: 'remove',
      name,
      tick,
      ruleId: BUILT_IN_RULES.keep,
      reason: `the policy keeps ${this.policy.keepRecordings} recordings`,
      status: isRemoved ? 'OK' : 'HOST_IO',
      wallTime: wallTime(),
      policyDigest: this.policyDigest,
    });
  }
}
