import type { Tick } from '../core/clock.js';
import { actionBit, ALL_ACTIONS, GUEST_ACTIONS, actionInfo, type Action } from './actions.js';
import type { Conditions, Limits, PrincipalPattern, Rule as RuleDocument } from './policy-document.js';
import type { PolicyRequest } from './decision.js';
import { Pattern } from './pattern.js';
import { partyCovers, type GuestCaller, type Principal } from './principal.js';

/** Which part of a rule a request does not fit, e.g. `when.name`. */
export type Misfit = 'principals' | 'actions' | `when.${keyof Conditions}`;

/** What a request shares with others made at the same time. */
export type Situation = Pick<PolicyRequest, 'tick' | 'startedBy'>;

/** One rule, ready to be asked. */
export class Rule {
  readonly id: string;
  readonly permits: boolean;
  readonly limits: Limits;
  /** Bits of the actions it names. */
  readonly actions: number;
  readonly principals: readonly CompiledPrincipal[];
  readonly #name: Pattern | null;
  readonly #test: Pattern | null;
  readonly #startedBy: readonly string[] | null;
  readonly #recording: boolean | null;
  readonly #from: Tick;
  readonly #to: Tick;

  /** The document has been checked, patterns apart: those throw CONFIG. `tokens` has every token it names. */
  constructor(
    readonly document: RuleDocument,
    tokens: Readonly<Record<string, string>>,
  ) {
    const { when } = document;
    this.id = document.id;
    this.permits = document.effect === 'permit';
    this.limits = document.limits ?? {};
    this.actions = document.actions.reduce((mask, name) => mask | (name === '*' ? ALL_ACTIONS : actionBit(name)), 0);
    this.principals = document.principals.map((pattern) => compilePrincipal(pattern, tokens));
    this.#name = when?.name === undefined ? null : new Pattern(when.name);
    this.#test = when?.test === undefined ? null : new Pattern(when.test);
    this.#startedBy = when?.startedBy === undefined ? null : [when.startedBy].flat();
    this.#recording = when?.recording ?? null;
    this.#from = when?.tick?.from ?? 0;
    this.#to = when?.tick?.to ?? Infinity;
  }

  /** Whether the rule speaks of this caller and action at all. */
  concerns(principal: Principal, action: Action): boolean {
    return this.#misfitOfCaller(principal, action) === null;
  }

  /** Whether it has conditions on names, which the caller chooses from request to request. */
  get judgesNames(): boolean {
    return this.#name !== null || this.#test !== null;
  }

  /** What the request does not fit, apart from conditions; null if the rule concerns it. */
  #misfitOfCaller(principal: Principal, action: Action): Misfit | null {
    const possible = 'guest' in principal ? this.actions & GUEST_ACTIONS : this.actions;
    if ((possible & actionBit(action)) === 0) return 'actions';
    return this.principals.some((compiled) => fits(compiled, principal)) ? null : 'principals';
  }

  misfitOfCaller(request: PolicyRequest): Misfit | null {
    return this.#misfitOfCaller(request.principal, request.action);
  }

  /** The first condition on the machine's situation that does not hold, or null. */
  misfitOfSituation({ tick, startedBy }: Situation): Misfit | null {
    if (tick < this.#from || tick > this.#to) return 'when.tick';
    if (this.#recording !== null && this.#recording !== (startedBy !== undefined)) return 'when.recording';
    if (this.#startedBy !== null) {
      const covered = startedBy !== undefined && this.#startedBy.some((party) => partyCovers(party, startedBy));
      if (!covered) return 'when.startedBy';
    }
    return null;
  }

  /** The first condition that does not hold, or null. Patterns are tried last, and only here. */
  misfitOfConditions(request: PolicyRequest): Misfit | null {
    const misfit = this.misfitOfSituation(request);
    if (misfit !== null) return misfit;
    if (this.#test !== null && (request.test === undefined || !this.#test.test(request.test))) return 'when.test';
    return this.#name === null || this.#nameHolds(this.#name, request) ? null : 'when.name';
  }

  /** Where there is nothing to name, a permit's pattern takes nothing away and a forbid's adds nothing. */
  #nameHolds(pattern: Pattern, request: PolicyRequest): boolean {
    const use = actionInfo(request.action).name;
    if (use === 'never' || (use === 'if-any' && request.name === undefined)) return this.permits;
    return pattern.test(request.name ?? '');
  }
}

interface GuestTest {
  readonly host: null;
  /** Null for all rings. */
  readonly rings: readonly number[] | null;
  /** Looks at the hash of the caller's code. */
  readonly byCode: boolean;
  readonly guest: (caller: GuestCaller) => boolean;
}
type CompiledPrincipal = { readonly host: string | true } | GuestTest;

function fits(compiled: CompiledPrincipal, principal: Principal): boolean {
  if (compiled.host !== null)
    return 'host' in principal && (compiled.host === true || compiled.host === principal.host);
  return 'guest' in principal && compiled.guest(principal.guest);
}

function compilePrincipal(pattern: PrincipalPattern, tokens: Readonly<Record<string, string>>): CompiledPrincipal {
  if (pattern.host !== undefined) return { host: pattern.host };
  const rings = pattern.ring === undefined ? null : [pattern.ring].flat();
  const code = pattern.codeSha256 === undefined ? null : [pattern.codeSha256].flat();
  const hashes = pattern.token === undefined ? pattern.tokenSha256 : tokens[pattern.token];
  const token = hashes === undefined ? null : [hashes].flat();
  const cr3 = pattern.cr3 === undefined ? null : Number(pattern.cr3);
  const eip = pattern.eip === undefined ? null : { from: Number(pattern.eip.from), to: Number(pattern.eip.to) };
  return {
    host: null,
    rings,
    byCode: code !== null,
    guest: (caller) =>
      (rings === null || rings.includes(caller.ring)) &&
      (cr3 === null || caller.cr3 === cr3) &&
      (eip === null || (caller.eip >= eip.from && caller.eip <= eip.to)) &&
      (code === null || (caller.codeSha256 !== null && code.includes(caller.codeSha256))) &&
      (token === null || (caller.tokenSha256 !== null && token.includes(caller.tokenSha256))),
  };
}
