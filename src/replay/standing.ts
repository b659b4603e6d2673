import { ByteReader, ByteWriter } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import type { Tick } from '../core/clock.js';
import { nullable, readState, record, safe, text, writeState, type StateSchema } from '../core/state.js';
import { STATUS } from '../devices/backdoor/protocol.js';
import { decodeReply, decodeRequest } from '../devices/backdoor/service.js';
import type { LogEntry } from '../log/entries.js';
import { isGuestPrincipal, usedBy } from '../policy/audit.js';
import { COUNTERS_SCHEMA, PolicyCounters, type CountersState } from '../policy/counters.js';
import type { ReplaySession } from './replay-session.js';
import { STANDING_SECTION } from './state-sections.js';

/**
 * What answers of the policy and of the port depend on besides the machine and the policy's text. A replay needs none of
 * it, since the answers are in the log; a run that goes live from it goes on with it.
 */
export interface Standing {
  counters: CountersState;
  /** Hash of the token that the guest presented. */
  tokenSha256: string | null;
  /** Numbers given so far to recordings and to phases. */
  recordings: number;
  phases: number;
}

const SCHEMA: StateSchema<Standing> = {
  counters: record(COUNTERS_SCHEMA),
  tokenSha256: nullable(text),
  recordings: safe,
  phases: safe,
};

export function newStanding(): Standing {
  return { counters: { rules: [], running: [] }, tokenSha256: null, recordings: 0, phases: 0 };
}

/** A section of a snapshot. */
export function encodeStanding(standing: Standing): Uint8Array {
  const out = new ByteWriter();
  writeState(out, SCHEMA, standing);
  return out.finish();
}

/** Throws DAMAGED. */
function decodeStanding(bytes: Uint8Array): Standing {
  const standing = newStanding();
  const input = new ByteReader(bytes, `snapshot section "${STANDING_SECTION}"`);
  readState(input, SCHEMA, standing);
  input.end();
  return standing;
}

/**
 * The standing at the tick that a replay has reached, with its recording over: as recorded at the start, plus what the
 * log has until here. Throws DAMAGED.
 */
export function standingAt(session: ReplaySession, hashing: Hashing): Standing {
  const { reader, tick, position, startStanding } = session;
  const standing = startStanding === null ? newStanding() : decodeStanding(startStanding);
  const counters = new PolicyCounters(standing.counters);
  const cursor = reader.cursor();
  for (let entry = cursor.peek(); entry !== undefined; entry = cursor.peek()) {
    const { chunk, message } = cursor.position;
    if (chunk > position.chunk || (chunk === position.chunk && message >= position.message)) break;
    cursor.next();
    if (isPast(entry, tick)) follow(standing, counters, entry, hashing);
  }
  for (const { number } of [...standing.counters.running]) {
    counters.recordingGrew(number, reader.bytesUntil(tick));
    counters.recordingEnded(number, tick);
  }
  return standing;
}

/** A replay reads ahead to the next request: decisions about it, in the log before it, are not made yet. */
function isPast(entry: LogEntry, tick: Tick): boolean {
  const isGuests = entry.entry === 'ask' || (entry.entry === 'audit' && isGuestPrincipal(entry.record));
  return isGuests ? entry.tick < tick : entry.tick <= tick;
}

function follow(standing: Standing, counters: PolicyCounters, entry: LogEntry, hashing: Hashing): void {
  if (entry.entry === 'audit') {
    const use = usedBy(entry.record);
    if (use === null) return;
    if (use === undefined) {
      throw new CodedError('DAMAGED', 'the recording has a decision that makes no sense', {
        where: `tick ${entry.tick}`,
      });
    }
    counters.use(use, entry.tick);
  } else if (entry.entry === 'ask' && entry.kind === 'backdoor') {
    const { command, payload } = decodeRequest(entry.request);
    const { status, ebx } = decodeReply(entry.answer);
    if (status !== STATUS.OK) return;
    if (command === 'AUTH') standing.tokenSha256 = hashing.sha256Hex(payload);
    if (command === 'BEGIN') standing.phases = ebx ?? standing.phases;
  }
}
