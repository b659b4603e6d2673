import type { Hashing } from '../base/hash.js';
import { utf8Encode } from '../base/platform.js';
import type { Tick } from '../core/clock.js';
import { useOf, type Use } from './counters.js';
import type { Decision, PolicyRequest } from './decision.js';
import { describePrincipal, type GuestCaller } from './principal.js';

/** What the first entry of an audit log follows. */
export const AUDIT_GENESIS = '0'.repeat(64);

/** One decision, or one act of the policy's, as one line of JSON. The hash covers all of the line before it, `prev` the line that came before. */
export interface AuditEntry {
  /** 1, 2, 3... within the run. */
  readonly id: number;
  /** Tells apart the runs that write to one file. */
  readonly run: string;
  readonly tick: Tick;
  /** An annotation of the host's: never compared, never read back. */
  readonly wallTime: string;
  /** E.g. `guest:ring3`; `policy` where nobody asked. */
  readonly principal: string;
  /** A guest's caller as the emulator saw it. */
  readonly observed?: GuestCaller;
  readonly action: string;
  /** Cut where it is very long. */
  readonly name?: string;
  readonly allow: boolean;
  readonly ruleId: string;
  readonly reason: string;
  readonly status: string;
  /** What an allowed request took of its rule's limits. */
  readonly used?: { readonly bytes: number; readonly perGigatick?: number };
  readonly policyDigest: string;
  /** Refusals and status requests before this one that were left out: see AuditLog. */
  readonly omitted?: number;
  readonly prev: string;
  readonly hash: string;
}

export interface AuditRecord {
  readonly request: PolicyRequest;
  readonly decision: Decision;
  readonly wallTime: string;
  readonly policyDigest: string;
}

/** What the recorder did on its own, because the policy says so. */
export interface AuditAct {
  readonly action: 'remove';
  /** What it was done to. */
  readonly name: string;
  readonly tick: Tick;
  readonly ruleId: string;
  readonly reason: string;
  readonly status: 'OK' | 'HOST_IO';
  readonly wallTime: string;
  readonly policyDigest: string;
}

/** The principal of acts. */
const POLICY_PRINCIPAL = 'policy';

export interface AuditOptions {
  /** Unique to this run. */
  readonly run: string;
  readonly hashing: Hashing;
  /** Gets each line, without its end, and the entry it holds. */
  readonly sink: (line: string, entry: AuditEntry) => void;
  /** Hash of the last entry already in the file. */
  readonly prev?: string;
}

const MAX_NAME_CHARACTERS = 256;
const WINDOW_TICKS = 1_000_000_000;
const MAX_QUIET_PER_WINDOW = 10_000;
const OMITTED_PER_ENTRY = 1000;

/**
 * Writes an entry for every decision. A hostile guest can have itself refused ten million times a second, which would
 * fill the host's disk: after 10,000 requests in a gigatick that changed nothing (refusals and status requests), one
 * entry stands for 1000 of them and says so. What was granted is never left out.
 */
export class AuditLog {
  #id = 0;
  #prev: string;
  #window = -1;
  #quiet = 0;
  #omitted = 0;

  constructor(private readonly options: AuditOptions) {
    this.#prev = options.prev ?? AUDIT_GENESIS;
  }

  /** Hash of the last entry: kept elsewhere, it shows whether the end of the log was cut off. */
  get lastHash(): string {
    return this.#prev;
  }

  /** The line, or null if the entry was left out. */
  append(record: AuditRecord): string | null {
    const { request, decision } = record;
    if (!this.#admit(request, decision)) return null;
    const { principal, name } = request;
    const use = useOf(request, decision);
    return this.#write({
      tick: request.tick,
      wallTime: record.wallTime,
      principal: describePrincipal(principal),
      ...('guest' in principal ? { observed: principal.guest } : {}),
      action: request.action,
      ...(name === undefined ? {} : { name: cut(name) }),
      allow: decision.allow,
      ruleId: decision.ruleId,
      reason: decision.reason,
      status: decision.status,
      ...(use === null ? {} : { used: usedText(use) }),
      policyDigest: record.policyDigest,
    });
  }

  /** Never left out. */
  appendAct(act: AuditAct): string {
    const { tick, wallTime, action, name, ruleId, reason, status, policyDigest } = act;
    return this.#write({
      tick,
      wallTime,
      principal: POLICY_PRINCIPAL,
      action,
      name: cut(name),
      allow: true,
      ruleId,
      reason,
      status,
      policyDigest,
    });
  }

  #write(what: Omit<AuditEntry, 'id' | 'run' | 'omitted' | 'prev' | 'hash'>): string {
    const content: Omit<AuditEntry, 'hash'> = {
      id: ++this.#id,
      run: this.options.run,
      ...what,
      ...(this.#omitted === 0 ? {} : { omitted: this.#omitted }),
      prev: this.#prev,
    };
    this.#omitted = 0;
    const head = JSON.stringify(content).slice(0, -1);
    const hash = hashOf(head, this.options.hashing);
    this.#prev = hash;
    const line = `${head},"hash":"${hash}"}`;
    this.options.sink(line, { ...content, hash });
    return line;
  }

  #admit(request: PolicyRequest, decision: Decision): boolean {
    if (decision.allow && (request.action !== 'status' || useOf(request, decision) !== null)) return true;
    const window = Math.floor(request.tick / WINDOW_TICKS);
    if (window !== this.#window) {
      this.#window = window;
      this.#quiet = 0;
    }
    if (++this.#quiet <= MAX_QUIET_PER_WINDOW || this.#omitted === OMITTED_PER_ENTRY - 1) return true;
    this.#omitted++;
    return false;
  }
}

function usedText({ bytes, perGigatick }: Use): AuditEntry['used'] {
  return perGigatick === null ? { bytes } : { bytes, perGigatick };
}

/** Whether a decision was about a guest's request. */
export function isGuestPrincipal({ principal }: Partial<AuditEntry>): boolean {
  return typeof principal === 'string' && principal.startsWith('guest:');
}

/** What a recorded decision took of the limits: null for nothing, undefined where it is no entry of this kind. */
export function usedBy({ ruleId, action, used }: Partial<AuditEntry>): Use | null | undefined {
  if (used === undefined) return null;
  if (typeof used !== 'object' || used === null) return undefined;
  const { bytes, perGigatick = null } = used;
  const isUse =
    typeof ruleId === 'string' &&
    typeof action === 'string' &&
    isCount(bytes) &&
    (perGigatick === null || (isCount(perGigatick) && perGigatick > 0));
  return isUse ? { ruleId, action, bytes, perGigatick } : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function cut(name: string): string {
  return name.length <= MAX_NAME_CHARACTERS ? name : `${name.slice(0, MAX_NAME_CHARACTERS)}...`;
}

/** `head` is the line up to the comma before its hash. */
function hashOf(head: string, hashing: Hashing): string {
  return hashing.sha256Hex(utf8Encode(head));
}

export type AuditVerdict =
  | { readonly ok: true; readonly entries: number; readonly runs: number; readonly lastHash: string }
  | {
      readonly ok: false;
      /** Good entries before the broken one. */
      readonly entries: number;
      /** The first broken line, from 1. */
      readonly line: number;
      readonly reason: string;
    };

/** The hash that ends a line, or null if it is not an entry. */
export function hashOfLine(line: string): string | null {
  return SEALED.exec(line)?.[2] ?? null;
}

const SEALED = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/;

/**
 * Checks every link. The entries of each run form a chain; the first one of a run hangs on the entry that was the last
 * when the run began, so that several runs can write to one file. Entries cut off at the end leave no trace in the
 * file itself: give `lastHash`, if it was kept, to find that out.
 */
export function verifyAudit(lines: Iterable<string>, hashing: Hashing, lastHash?: string): AuditVerdict {
  const seen = new Set<string>([AUDIT_GENESIS]);
  const runs = new Map<string, { id: number; hash: string }>();
  let entries = 0;
  let last = AUDIT_GENESIS;
  for (const line of lines) {
    const broken = (reason: string): AuditVerdict => ({ ok: false, entries, line: entries + 1, reason });
    const sealed = SEALED.exec(line);
    if (sealed === null) return broken('this is not a whole entry');
    const [, head, hash] = sealed as unknown as [string, string, string];
    if (hashOf(head, hashing) !== hash) return broken('its hash does not match: the line was changed');
    const entry = parseLink(`${head}}`);
    if (entry === null) return broken('this is not an audit entry');
    const run = runs.get(entry.run);
    const reason = run === undefined ? firstLink(entry, seen) : nextLink(entry, run);
    if (reason !== null) return broken(reason);
    runs.set(entry.run, { id: entry.id, hash });
    seen.add(hash);
    last = hash;
    entries++;
  }
  if (lastHash !== undefined && last !== lastHash) {
    return { ok: false, entries, line: entries + 1, reason: 'entries are missing at the end, or it is another log' };
  }
  return { ok: true, entries, runs: runs.size, lastHash: last };
}

interface Link {
  readonly id: number;
  readonly run: string;
  readonly prev: string;
}

function parseLink(text: string): Link | null {
  let value: Partial<Link> | null;
  try {
    value = JSON.parse(text) as Partial<Link> | null;
  } catch {
    return null;
  }
  const fits = typeof value?.id === 'number' && typeof value.run === 'string' && typeof value.prev === 'string';
  return fits ? (value as Link) : null;
}

function firstLink(entry: Link, seen: ReadonlySet<string>): string | null {
  if (entry.id !== 1) return `entry ${entry.id} of its run comes first: entries before it are missing`;
  // Two runs may both have begun when the file was still empty.
  return seen.has(entry.prev) ? null : MISSING;
}

function nextLink(entry: Link, run: { readonly id: number; readonly hash: string }): string | null {
  return entry.id === run.id + 1 && entry.prev === run.hash ? null : MISSING;
}

const MISSING = 'what it follows is not there: entries before it are missing or out of order';
