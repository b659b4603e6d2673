import { ByteReader, ByteWriter } from '../base/bytes.js';
import type { Tick } from '../core/clock.js';
import { list, nullable, readState, record, safe, text, writeState, type StateSchema } from '../core/state.js';
import type { Decision, PolicyRequest } from './decision.js';
import { utf8Length } from './pattern.js';

/** How much of a rate is used up, in parts of 1e9 per request; it shrinks by the rate with every tick. */
interface RateUse {
  action: string;
  spent: number;
  tick: Tick;
}

/** What was done under one rule. */
interface RuleUse {
  ruleId: string;
  /** Recordings started. */
  recordings: number;
  /** Bytes stored. */
  bytes: number;
  /** Tick at which the last recording ended. */
  endedAt: Tick | null;
  rates: RateUse[];
}

interface RunningRecording {
  number: number;
  ruleId: string;
  startTick: Tick;
}

export interface CountersState {
  rules: RuleUse[];
  running: RunningRecording[];
}

const RATE_SCHEMA: StateSchema<RateUse> = { action: text, spent: safe, tick: safe };
const RULE_SCHEMA: StateSchema<RuleUse> = {
  ruleId: text,
  recordings: safe,
  bytes: safe,
  endedAt: nullable(safe),
  rates: list(record(RATE_SCHEMA)),
};
const RUNNING_SCHEMA: StateSchema<RunningRecording> = { number: safe, ruleId: text, startTick: safe };

/** For snapshots: the counters are part of the machine's state, since later decisions depend on them. */
export const COUNTERS_SCHEMA: StateSchema<CountersState> = {
  rules: list(record(RULE_SCHEMA)),
  running: list(record(RUNNING_SCHEMA)),
};

const GIGATICK = 1_000_000_000;

/** What one allowed request takes of its rule's limits. */
export interface Use {
  readonly ruleId: string;
  readonly action: string;
  /** Bytes stored. */
  readonly bytes: number;
  /** The rate that it counts towards, or null. */
  readonly perGigatick: number | null;
}

/** Null where nothing is taken: the request was refused, or it stores nothing and has no rate. */
export function useOf(request: PolicyRequest, { allow, ruleId, perGigatick }: Decision): Use | null {
  const bytes = storedBytes(request);
  return allow && (bytes > 0 || perGigatick !== null) ? { ruleId, action: request.action, bytes, perGigatick } : null;
}

/** Bytes that a request leaves on the host: its name and what it hands over. */
export function storedBytes(request: PolicyRequest): number {
  return (request.name === undefined ? 0 : utf8Length(request.name)) + (request.bytes ?? 0);
}

/**
 * What has been used of the limits so far, by rule. Rules are known by their id, so that a reloaded policy goes on
 * counting where a rule keeps its id.
 */
export class PolicyCounters {
  constructor(readonly state: CountersState = { rules: [], running: [] }) {}

  #rule(ruleId: string): RuleUse | undefined {
    return this.state.rules.find((use) => use.ruleId === ruleId);
  }

  #ensure(ruleId: string): RuleUse {
    let use = this.#rule(ruleId);
    if (use === undefined) {
      use = { ruleId, recordings: 0, bytes: 0, endedAt: null, rates: [] };
      this.state.rules.push(use);
    }
    return use;
  }

  bytes(ruleId: string): number {
    return this.#rule(ruleId)?.bytes ?? 0;
  }
  recordings(ruleId: string): number {
    return this.#rule(ruleId)?.recordings ?? 0;
  }
  running(ruleId: string): number {
    return this.state.running.filter((recording) => recording.ruleId === ruleId).length;
  }
  /** Tick at which a recording started under the rule last ended, or null. */
  endedAt(ruleId: string): Tick | null {
    return this.#rule(ruleId)?.endedAt ?? null;
  }

  /**
   * Ticks until another request fits into `perGigatick`; 0 if it fits now. Each request takes 1e9 parts out of a bucket
   * of `perGigatick` x 1e9, into which `perGigatick` parts flow per tick: whole numbers only, at most 1e15.
   */
  rateWait(ruleId: string, action: string, perGigatick: number, tick: Tick): number {
    const use = this.#rule(ruleId)?.rates.find((rate) => rate.action === action);
    if (use === undefined) return 0;
    const excess = spentAt(use, perGigatick, tick) + GIGATICK - perGigatick * GIGATICK;
    return excess <= 0 ? 0 : Math.ceil(excess / perGigatick);
  }

  /** Counts a decision: an allowed request uses up its rule's rate and bytes; a refused one costs nothing. */
  note(request: PolicyRequest, decision: Decision): void {
    const use = useOf(request, decision);
    if (use !== null) this.use(use, request.tick);
  }

  /** Uses up what one allowed request takes. */
  use({ ruleId, action, bytes, perGigatick }: Use, tick: Tick): void {
    const rule = this.#ensure(ruleId);
    rule.bytes = addSafe(rule.bytes, bytes);
    if (perGigatick === null) return;
    let rate = rule.rates.find((candidate) => candidate.action === action);
    if (rate === undefined) {
      rate = { action, spent: 0, tick };
      rule.rates.push(rate);
    }
    rate.spent = spentAt(rate, perGigatick, tick) + GIGATICK;
    rate.tick = tick;
  }

  /** A recording that `ruleId` permitted did start. `number` is what guests know it by. */
  recordingStarted(number: number, ruleId: string, tick: Tick): void {
    this.#ensure(ruleId).recordings++;
    this.state.running.push({ number, ruleId, startTick: tick });
  }

  /** A recording ended, by whatever means. One that is not known is ignored. */
  recordingEnded(number: number, tick: Tick): void {
    const index = this.state.running.findIndex((recording) => recording.number === number);
    if (index < 0) return;
    const [recording] = this.state.running.splice(index, 1);
    this.#ensure(recording!.ruleId).endedAt = tick;
  }

  /** A recording grew by `bytes` before compression: a number that a replay comes to as well. */
  recordingGrew(number: number, bytes: number): void {
    const recording = this.state.running.find((candidate) => candidate.number === number);
    if (recording === undefined) return;
    const use = this.#ensure(recording.ruleId);
    use.bytes = addSafe(use.bytes, bytes);
  }

  save(): Uint8Array {
    const out = new ByteWriter();
    writeState(out, COUNTERS_SCHEMA, this.state);
    return out.finish();
  }

  /** Throws DAMAGED if the bytes are not what save() gave. */
  load(bytes: Uint8Array): void {
    const input = new ByteReader(bytes, 'policy counters');
    const state: CountersState = { rules: [], running: [] };
    readState(input, COUNTERS_SCHEMA, state);
    input.end();
    this.state.rules = state.rules;
    this.state.running = state.running;
  }
}

function spentAt(use: RateUse, perGigatick: number, tick: Tick): number {
  // After one gigatick any bucket is full again; the cap keeps the product a safe integer.
  const elapsed = Math.min(Math.max(tick - use.tick, 0), GIGATICK);
  return Math.max(use.spent - elapsed * perGigatick, 0);
}

function addSafe(a: number, b: number): number {
  return Math.min(a + b, Number.MAX_SAFE_INTEGER);
}
