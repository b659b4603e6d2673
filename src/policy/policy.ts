import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import { utf8Encode } from '../base/platform.js';
import { actionBit, actionsOf, GUEST_ACTIONS, isAction, type Action } from './actions.js';
import { BUILT_IN_RULES } from './decision.js';
import { checkDocument, documentError } from './document-check.js';
import { pointerStep, type JsonText } from './json-text.js';
import { Pattern } from './pattern.js';
import type { Limits, PolicyDocument, PrincipalPattern, Rule as RuleDocument } from './policy-document.js';
import type { Ring } from './principal.js';
import { Rule } from './rule.js';

const DEFAULT_MAX_NAME_BYTES = 256;

/** A checked policy: immutable. What it decides is in decision.ts. */
export class Policy {
  readonly forbids: readonly Rule[];
  readonly permits: readonly Rule[];
  /** Longest name or label that is looked at, bytes of UTF-8. */
  readonly maxNameBytes: number;

  private constructor(
    /** The very text, which is what the digest is of. */
    readonly text: string,
    /** Where it came from, e.g. a file. */
    readonly source: string,
    readonly document: PolicyDocument,
    readonly rules: readonly Rule[],
  ) {
    this.forbids = rules.filter((rule) => !rule.permits);
    this.permits = rules.filter((rule) => rule.permits);
    this.maxNameBytes = document.recordings?.maxNameBytes ?? DEFAULT_MAX_NAME_BYTES;
  }

  /** Throws CONFIG with file, line and column, the offending value and what is allowed. */
  static parse(text: string, source: string): Policy {
    const json = checkDocument('policy', text, source);
    const document = json.value as PolicyDocument;
    checkMeaning(json, document);
    return Policy.unchecked(document, text, source);
  }

  /** Of a document that is part of the program, and its text. Spares a start the compilation of the schema. */
  static unchecked(document: PolicyDocument, text: string, source: string): Policy {
    const tokens = document.tokens ?? {};
    return new Policy(
      text,
      source,
      document,
      document.rules.map((rule) => new Rule(rule, tokens)),
    );
  }

  /** SHA-256 of the text, lower-case hexadecimal. */
  digest(hashing: Hashing): string {
    return hashing.sha256Hex(utf8Encode(this.text));
  }

  /** Finished recordings to keep, or null for all. */
  get keepRecordings(): number | null {
    return this.document.recordings?.keep ?? null;
  }
  get onFailure(): 'continue' | 'stop-machine' {
    return this.document.recordings?.onFailure ?? 'continue';
  }
  /** File of the audit log, relative to the output folder, or null. */
  get auditFile(): string | null {
    return this.document.audit ?? null;
  }

  /** Whether code at this ring could be permitted anything: if not, the port looks absent to ring 3. */
  admitsRing(ring: Ring): boolean {
    return this.permits.some(
      (rule) =>
        (rule.actions & GUEST_ACTIONS) !== 0 &&
        rule.principals.some((p) => p.host === null && (p.rings === null || p.rings.includes(ring))),
    );
  }

  /** Whether some rule looks at the hash of the caller's code; hashing it can be spared otherwise. */
  get looksAtCode(): boolean {
    return this.rules.some((rule) => rule.principals.some((p) => p.host === null && p.byCode));
  }

  /** Whether some rule or name knows this token: the answer to AUTH. */
  knowsToken(tokenSha256: string): boolean {
    const named = Object.values(this.document.tokens ?? {});
    const inRules = this.document.rules.flatMap((rule) => rule.principals.flatMap((p) => p.tokenSha256 ?? []));
    return named.includes(tokenSha256) || inRules.includes(tokenSha256);
  }
}

/** What no schema can say. Throws CONFIG. */
function checkMeaning(json: JsonText, document: PolicyDocument): void {
  const first = new Map<string, number>();
  document.rules.forEach((rule, index) => {
    const at = `/rules/${index}`;
    const same = first.get(rule.id);
    if (same !== undefined) {
      const where = json.where(json.offset(`/rules/${same}/id`));
      throw documentError(json, `${at}/id`, `the rule id "${rule.id}" is taken`, `the other rule is at ${where}`);
    }
    first.set(rule.id, index);
    if (Object.values<string>(BUILT_IN_RULES).includes(rule.id)) {
      throw documentError(json, `${at}/id`, `the rule id "${rule.id}" stands for a built-in rule`, 'choose another');
    }
    rule.principals.forEach((principal, n) => {
      checkPrincipal(json, `${at}/principals/${n}`, principal, document.tokens ?? {});
    });
    checkConditions(json, at, rule);
    checkReach(json, at, rule);
    if (rule.limits !== undefined) checkLimits(json, `${at}/limits`, rule, rule.limits);
  });
}

function checkPrincipal(
  json: JsonText,
  at: string,
  principal: PrincipalPattern,
  tokens: Readonly<Record<string, string>>,
): void {
  const guestField = Object.keys(principal).find((key) => key !== 'host');
  if (principal.host !== undefined && guestField !== undefined) {
    const hint = 'all fields of one entry must match: make it two entries';
    throw documentError(json, at, `nobody is a host and a guest: "host" and "${guestField}"`, hint);
  }
  const { eip } = principal;
  if (eip !== undefined && Number(eip.from) > Number(eip.to)) {
    throw documentError(json, `${at}/eip`, `eip ends at ${eip.to}, before it begins at ${eip.from}`);
  }
  if (principal.token === undefined) return;
  if (principal.tokenSha256 !== undefined) {
    throw documentError(json, `${at}/token`, 'token and tokenSha256 are two ways to say one thing', 'leave one out');
  }
  if (!Object.hasOwn(tokens, principal.token)) {
    const known = Object.keys(tokens).join(', ') || 'none';
    throw documentError(json, `${at}/token`, `there is no token "${principal.token}" in tokens; allowed: ${known}`);
  }
}

function checkConditions(json: JsonText, at: string, { when }: RuleDocument): void {
  for (const key of ['name', 'test'] as const) {
    const source = when?.[key];
    if (source === undefined) continue;
    try {
      new Pattern(source);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      throw documentError(
        json,
        `${at}/when/${key}`,
        `${JSON.stringify(source)} is not a possible pattern: ${error.message}`,
      );
    }
  }
  const { from = 0, to = Infinity } = when?.tick ?? {};
  if (from > to) throw documentError(json, `${at}/when/tick`, `tick ends at ${to}, before it begins at ${from}`);
  if (when?.recording === false && when.startedBy !== undefined) {
    throw documentError(json, `${at}/when/recording`, 'while nothing is recorded, nobody started it: see startedBy');
  }
}

/** Rules that can never apply are mistakes, and of forbids they are dangerous ones. */
function checkReach(json: JsonText, at: string, rule: RuleDocument): void {
  if (rule.actions.includes('*')) return;
  const actions = rule.actions as Action[];
  const mask = actions.reduce((bits, action) => bits | actionBit(action), 0);
  const guests = rule.principals.some((principal) => principal.host === undefined);
  const hosts = rule.principals.some((principal) => principal.host !== undefined);
  const hostOnly = actionsOf(mask & ~GUEST_ACTIONS);
  if (!hosts && hostOnly.length > 0) {
    const index = actions.indexOf(hostOnly[0]!);
    const allowed = `allowed: ${actionsOf(GUEST_ACTIONS).join(', ')}`;
    throw documentError(json, `${at}/actions/${index}`, `no guest can ${JSON.stringify(hostOnly[0])}; ${allowed}`);
  }
  if (!guests && rule.effect === 'forbid' && mask === actionBit('stop')) {
    throw documentError(json, `${at}/actions/0`, 'hosts can always stop: this rule forbids nothing');
  }
}

/** What each of these limits needs, as the rule would be wider than it looks without. */
const START_LIMITS = [
  'maxTicks',
  'maxRecordings',
  'maxConcurrent',
  'cooldownTicks',
] as const satisfies (keyof Limits)[];

function checkLimits(json: JsonText, at: string, rule: RuleDocument, limits: Limits): void {
  if (rule.effect === 'forbid') {
    throw documentError(json, at, 'a forbid has no limits', 'limits belong to permits');
  }
  const covers = (action: Action): boolean => rule.actions.includes('*') || rule.actions.includes(action);
  const idle = START_LIMITS.find((limit) => limits[limit] !== undefined && !covers('start'));
  if (idle !== undefined) {
    throw documentError(json, `${at}/${idle}`, `${idle} limits starts, and this rule does not permit "start"`);
  }
  for (const action of Object.keys(limits.perGigatick ?? {})) {
    if (isAction(action) && covers(action)) continue;
    const pointer = `${at}/perGigatick${pointerStep(action)}`;
    const named = rule.actions.filter((name) => name !== '*').join(', ');
    throw documentError(json, pointer, `this rule does not permit "${action}"; it permits: ${named}`);
  }
}
