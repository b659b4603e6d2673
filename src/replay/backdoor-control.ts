import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import { utf8Decode } from '../base/platform.js';
import type { Tick } from '../core/clock.js';
import type { CommandName } from '../devices/backdoor/protocol.js';
import {
  ACTION_OF,
  CAPABILITIES,
  MAGIC,
  MAX_TEXT_BYTES,
  PROTOCOL_VERSION,
  STATE_BITS,
  STATUS,
  FLAG_BITS,
} from '../devices/backdoor/protocol.js';
import type { BackdoorReply, BackdoorRequest, BackdoorService } from '../devices/backdoor/service.js';
import type { MarkType } from '../log/meta.js';
import { actionBit } from '../policy/actions.js';
import type { Gatekeeper } from '../policy/gatekeeper.js';
import { permittedActions, remainingBytes } from '../policy/permissions.js';
import { describePrincipal, type GuestCaller, type Principal } from '../policy/principal.js';
import type { StartGrant } from '../policy/decision.js';
import type { LiveSession } from './live-session.js';
import type { RecordingControl } from './recording-control.js';

/** What a granted request causes, for listeners outside. */
export interface GuestEvents {
  recordingStarted(name: string, file: string, by: string): void;
  /** The recording has ended and its file has its name. */
  recordingStopped(name: string, file: string, by: string): void;
  mark(type: MarkType, label: string, value: number, tick: Tick, by: string, phaseId?: number): void;
  denied(principal: string, action: string, rule: string, reason: string, tick: Tick): void;
}

export interface BackdoorControlOptions {
  readonly session: LiveSession;
  readonly control: RecordingControl;
  readonly gatekeeper: Gatekeeper;
  readonly hashing: Hashing;
  readonly events: GuestEvents;
  /** Presented before this run went live. */
  readonly tokenSha256?: string | null;
}

interface OpenPhase {
  readonly id: number;
  readonly name: string;
}

const MIB = 1024 * 1024;
const ALL_ONES = 0xffff_ffff;
const VERDICT_COUNT = 3;
/** Commands whose text is a name that the policy judges. */
const NAMED: ReadonlySet<CommandName> = new Set(['START', 'MARK', 'BEGIN', 'END', 'VERDICT']);

function tickRegisters(tick: Tick): { ecx: number; edx: number } {
  return { ecx: tick % 2 ** 32, edx: Math.floor(tick / 2 ** 32) };
}

/**
 * The host's side of the backdoor port: asks the policy, then starts, marks and stops recordings. It runs inside the
 * guest's IN; what needs an instruction boundary is put off to the one behind it.
 */
export class BackdoorControl implements BackdoorService {
  #token: string | null;
  #phases: OpenPhase[] = [];
  /** Number of the recording that the fields below are about. */
  #recording: number | null = null;
  /** Starts of each ring that joined the running recording and whose stops do not end it. */
  #joined = [0, 0, 0, 0];
  /** Bytes the host has ready for GET, by handle. */
  readonly #offers = new Map<number, Uint8Array>();

  constructor(private readonly options: BackdoorControlOptions) {
    this.#token = options.tokenSha256 ?? null;
  }

  /** Hash of the token that the guest presented last. */
  get tokenSha256(): string | null {
    return this.#token;
  }

  allowsRing3(): boolean {
    return this.options.gatekeeper.policy.admitsRing(3);
  }

  /** Gives the guest bytes to GET; each call of the guest takes as many as it has room for. */
  offer(handle: number, bytes: Uint8Array): void {
    this.#offers.set(handle, bytes);
  }

  /** Tick of the boundary behind the IN. */
  get #boundary(): Tick {
    return this.options.session.tick + 1;
  }

  #principal({ caller }: BackdoorRequest): Principal {
    return { guest: { ...caller, ring: caller.ring as GuestCaller['ring'], tokenSha256: this.#token } };
  }

  /** Null when the policy allows it, otherwise the refusal. */
  #refusal(
    request: BackdoorRequest,
    name: string | undefined,
    bytes: number,
  ): { reply: BackdoorReply } | { grant: StartGrant | null } {
    const action = ACTION_OF[request.command];
    if (action === null) return { grant: null };
    const { gatekeeper, session, control, events } = this.options;
    const principal = this.#principal(request);
    const decision = gatekeeper.ask({
      principal,
      action,
      tick: session.tick,
      ...(name === undefined ? {} : { name }),
      ...(request.command === 'VERDICT' ? { test: name } : {}),
      ...(control.active === null ? {} : { startedBy: control.active.startedBy }),
      bytes,
    });
    if (decision.allow) return { grant: decision.grant };
    events.denied(describePrincipal(principal), action, decision.ruleId, decision.reason, session.tick);
    return { reply: { status: STATUS[decision.status] } };
  }

  /** A decision that cannot be audited is none: the guest hears of the host's trouble, and the host at the boundary. */
  answer(request: BackdoorRequest): BackdoorReply {
    this.#noticeRecording();
    try {
      return this.#answer(request);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // Thrown from here it would cut the IN in two.
      this.options.session.atBoundary(() => {
        throw error;
      });
      return { status: STATUS.HOST_IO };
    }
  }

  #answer(request: BackdoorRequest): BackdoorReply {
    // A running recording is no matter of policy, but who may not start is not told of it this way.
    if (
      request.command === 'START' &&
      this.options.control.active !== null &&
      this.#permitted(request) & actionBit('start')
    ) {
      return this.#join(request, this.options.control.active.number);
    }
    const text = utf8Decode(request.payload);
    const named = NAMED.has(request.command);
    const name = request.command === 'STOP' ? this.options.control.active?.name : named ? text : undefined;
    const bytes = request.command === 'GET' ? request.edi : named ? 0 : request.payload.length;
    const verdict = this.#refusal(request, name, bytes);
    return 'reply' in verdict ? verdict.reply : this.#perform(request, text, verdict.grant);
  }

  /** Phases and joined starts belong to one recording; it can also begin and end without the guest. */
  #noticeRecording(): void {
    const number = this.options.control.active?.number ?? null;
    if (number === this.#recording) return;
    this.#recording = number;
    this.#phases = [];
    this.#joined = [0, 0, 0, 0];
  }

  #perform(request: BackdoorRequest, text: string, grant: StartGrant | null): BackdoorReply {
    const by = describePrincipal(this.#principal(request));
    switch (request.command) {
      case 'HELLO':
        return this.#hello(request);
      case 'START':
        return this.#start(text, by, grant);
      case 'STOP':
        return this.#stop(request, by);
      case 'STATUS':
        return this.#status(request);
      case 'AUTH':
        return this.#authenticate(request);
      case 'EXIT':
        return { status: STATUS.OK };
      case 'GET':
        return this.#get(request);
      default:
        return this.options.control.active === null
          ? { status: STATUS.NOT_RECORDING }
          : this.#annotate(request.command, request, text, by);
    }
  }

  /** Commands that leave something in the recording. */
  #annotate(command: CommandName, request: BackdoorRequest, text: string, by: string): BackdoorReply {
    const tick = this.#boundary;
    switch (command) {
      case 'MARK':
        this.#mark('mark', text, request.ebx, by);
        return { status: STATUS.OK, ...tickRegisters(tick) };
      case 'BEGIN': {
        const phase = { id: this.options.control.nextPhaseId(), name: text };
        this.#phases.push(phase);
        this.#mark('begin', text, 0, by, phase.id);
        return { status: STATUS.OK, ebx: phase.id };
      }
      case 'END': {
        const phase = this.#phases.findLast((p) => p.name === text);
        if (phase === undefined) return { status: STATUS.INVALID };
        this.#phases = this.#phases.filter((p) => p !== phase);
        this.#mark('end', text, 0, by, phase.id);
        return { status: STATUS.OK, ebx: phase.id };
      }
      case 'VERDICT':
        if (request.ebx >= VERDICT_COUNT) return { status: STATUS.INVALID };
        this.#mark('verdict', text, request.ebx, by, this.#phases.findLast((p) => p.name === text)?.id);
        return { status: STATUS.OK };
      case 'LOG':
        this.#mark('log', text, 0, by);
        return { status: STATUS.OK };
      case 'CHECK':
        this.#mark('check', this.options.hashing.sha256Hex(request.payload).slice(0, 16), request.payload.length, by);
        return { status: STATUS.OK };
      case 'CHECKPOINT':
        this.#mark('checkpoint', 'checkpoint', 0, by);
        this.options.session.atBoundary(() => this.options.control.checkpoint());
        return { status: STATUS.OK };
      default:
        // PUT: the request in the log is the attachment.
        return { status: STATUS.OK };
    }
  }

  #mark(type: MarkType, label: string, value: number, by: string, phaseId?: number): void {
    const tick = this.#boundary;
    // The log has the call itself first, at its own tick.
    this.options.session.atBoundary(() => {
      this.options.control.mark({ type, label, value, by, ...(phaseId === undefined ? {} : { phaseId }) }, tick);
      this.options.events.mark(type, label, value, tick, by, phaseId);
    });
  }

  /** A token that the policy does not know is refused, and the one presented before stays. */
  #authenticate(request: BackdoorRequest): BackdoorReply {
    const token = this.options.hashing.sha256Hex(request.payload);
    if (!this.options.gatekeeper.policy.knowsToken(token)) return { status: STATUS.DENIED };
    this.#token = token;
    return { status: STATUS.OK, ecx: this.#permitted(request) };
  }

  #hello(request: BackdoorRequest): BackdoorReply {
    const [lowest, highest] = [request.esi & 0xffff, request.esi >>> 16];
    if (request.ebx !== ~MAGIC >>> 0 || lowest > PROTOCOL_VERSION || highest < PROTOCOL_VERSION) {
      return { status: STATUS.INVALID };
    }
    const capabilities = Object.values(CAPABILITIES).reduce((bits, bit) => bits | bit, 0);
    return {
      status: STATUS.OK,
      ebx: MAGIC,
      ecx: PROTOCOL_VERSION,
      edx: capabilities,
      esi: MAX_TEXT_BYTES,
      edi: this.options.session.epoch,
    };
  }

  #join(request: BackdoorRequest, number: number): BackdoorReply {
    if ((request.flags & FLAG_BITS.NEST) === 0) return { status: STATUS.BUSY };
    this.#joined[request.caller.ring]++;
    return { status: STATUS.OK, ebx: number, ...tickRegisters(this.#boundary) };
  }

  #start(name: string, by: string, grant: StartGrant | null): BackdoorReply {
    const { control, session, events, gatekeeper } = this.options;
    try {
      const prepared = control.prepare({
        name,
        reason: '',
        by,
        // The grant counts from the IN, the recording from the boundary behind it.
        endTick: grant === null || grant.endTick === null ? null : Math.min(grant.endTick + 1, Number.MAX_SAFE_INTEGER),
        maxBytes: grant?.maxBytes ?? null,
      });
      const rule = gatekeeper.lastRule;
      gatekeeper.counters.recordingStarted(prepared.number, rule, this.#boundary);
      session.atBoundary(() => unlessHostFails(() => events.recordingStarted(name, prepared.begin().file, by)));
      return { status: STATUS.OK, ebx: prepared.number, ...tickRegisters(this.#boundary) };
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return { status: error.code === 'STATE' ? STATUS.BUSY : STATUS.HOST_IO };
    }
  }

  #stop(request: BackdoorRequest, by: string): BackdoorReply {
    const { control, session, events } = this.options;
    const { active } = control;
    if (active === null) return { status: STATUS.NOT_RECORDING };
    if (request.ebx !== 0 && request.ebx !== active.number) return { status: STATUS.INVALID };
    const reply = { status: STATUS.OK, ebx: active.number, ...tickRegisters(this.#boundary) };
    // Whoever joined leaves, also what belongs to another; ring 3 cannot keep the kernel's STOP from ending its recording.
    const { ring } = request.caller;
    if (this.#joined[ring] > 0) {
      this.#joined[ring]--;
      return reply;
    }
    if (!owns(ring, active.startedBy)) return { status: STATUS.NOT_OWNER };
    session.atBoundary(() => {
      if (control.active?.id !== active.id) return;
      unlessHostFails(() => {
        const { name, file } = control.stop('stopped', by);
        events.recordingStopped(name, file, by);
      });
    });
    return reply;
  }

  #permitted(request: BackdoorRequest): number {
    const { gatekeeper, session, control } = this.options;
    const situation = {
      tick: session.tick,
      ...(control.active === null ? {} : { startedBy: control.active.startedBy }),
    };
    return permittedActions(gatekeeper.policy, this.#principal(request), situation);
  }

  #status(request: BackdoorRequest): BackdoorReply {
    const { gatekeeper, session, control } = this.options;
    const { active } = control;
    let state = 0;
    if (active !== null) {
      state |= STATE_BITS.RECORDING;
      state |= active.startedBy.startsWith('guest:') ? STATE_BITS.STARTED_BY_GUEST : STATE_BITS.STARTED_BY_HOST;
    }
    if (this.#phases.length > 0) state |= STATE_BITS.IN_PHASE;
    const left = remainingBytes(gatekeeper.policy, this.#principal(request), gatekeeper.counters);
    const quota = left === null ? ALL_ONES : Math.min(ALL_ONES, Math.floor(left / MIB));
    return { status: STATUS.OK, ebx: state, ecx: this.#permitted(request), edx: quota, edi: session.epoch };
  }

  #get(request: BackdoorRequest): BackdoorReply {
    const offered = this.#offers.get(request.ebx);
    if (offered === undefined) return { status: STATUS.OK, ecx: 0 };
    const data = offered.subarray(0, request.edi);
    this.#offers.set(request.ebx, offered.subarray(data.length));
    return { status: STATUS.OK, ecx: data.length, data };
  }
}

/** The guest has its answer already; the listener for failures hears of what the host could not do. */
function unlessHostFails(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
  }
}

/** A recording belongs to the ring that started it and to those inside it; one of the host's to no guest. */
function owns(ring: number, startedBy: string): boolean {
  const match = /^guest:ring([0-3])$/.exec(startedBy);
  return match !== null && ring <= Number(match[1]);
}
