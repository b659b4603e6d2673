/**
 * The guest's recording control port (no datasheet: guestreel's own device, protocol.ts). A call is a 32-bit
 * IN EAX,DX on port 5252h with the magic in EAX; every other access finds an empty port.
 *
 * NOT implemented: nothing of the protocol is left out.
 */
import type { Hashing } from '../../base/hash.js';
import type { PortHandler } from '../../core/bus.js';
import type { Device } from '../../core/device.js';
import type { InputGate } from '../../core/input-gate.js';
import type { StateSchema } from '../../core/state.js';
import { bool } from '../../core/state.js';
import { findAgentCode } from './agent-code.js';
import { isPlainText } from './plain-text.js';
import type { CommandName, Payload, ResultRegister } from './protocol.js';
import {
  COMMANDS,
  commandName,
  FLAG_BITS,
  INLINE_BYTES,
  INLINE_MIN_BYTES,
  MAGIC,
  MAX_DATA_BYTES,
  MAX_TEXT_BYTES,
  STATUS,
} from './protocol.js';
import type { BackdoorReply, BackdoorRequest, BackdoorService } from './service.js';
import { decodeReply, encodeReply, encodeRequest } from './service.js';

/** Registers a call uses; unsigned. */
export type CallerRegister = 'eax' | 'ebx' | 'ecx' | 'edx' | 'esi' | 'edi';

/** The CPU at the IN, as the device may see and change it. */
export interface GuestCaller {
  get(register: CallerRegister): number;
  set(register: CallerRegister, value: number): void;
  /** 0 in real mode, 3 in V86 mode. */
  readonly cpl: number;
  readonly cr3: number;
  /** CS base + EIP of the IN. */
  readonly linearEip: number;
  /**
   * Bytes at a linear address with the caller's rights, without any effect on the guest; or the offset of the first
   * page that is missing.
   */
  read(linear: number, length: number): { readonly bytes: Uint8Array } | { readonly missing: number };
  /** As read(), with supervisor rights: for hashing code. */
  readAny(linear: number, length: number): Uint8Array | null;
  /** Offset of the first page that the caller could not write, null when all is writable. No effect on the guest. */
  unwritable(linear: number, length: number): number | null;
  write(linear: number, bytes: Uint8Array): void;
  /** Accesses the byte as the caller would: raises the caller's page fault by throwing. */
  touch(linear: number, write: boolean): void;
}

interface BackdoorState {
  /** The policy has a rule for ring 3: I/O privilege does not count for this port. */
  ring3: boolean;
}

export interface BackdoorOptions {
  readonly gate: InputGate;
  readonly hashing: Hashing;
  /** EXIT was granted. */
  readonly onExit: (code: number) => void;
}

const EMPTY_PORT = 0xffff_ffff;
const NONE = new Uint8Array(0);
const KNOWN_FLAGS = FLAG_BITS.NEST | FLAG_BITS.TOUCH | FLAG_BITS.INLINE;
/** The offset of the missing page. */
const FAULT_RESULTS: readonly ResultRegister[] = ['ebx'];

type Parsed = { readonly payload: Uint8Array } | { readonly refused: BackdoorReply };

export class Backdoor implements Device<BackdoorState> {
  readonly kind = 'guestreel-backdoor';
  readonly version = 1;
  readonly schema: StateSchema<BackdoorState> = { ring3: bool };
  readonly state: BackdoorState = { ring3: false };
  /** What ordinary port accesses find: nothing. */
  readonly ports: PortHandler = {
    read: (_offset, width) => (width === 4 ? EMPTY_PORT : (1 << (8 * width)) - 1),
    write: () => {},
  };
  /** Answers when the machine is live; replay never asks it. */
  service: BackdoorService | null = null;

  constructor(
    readonly id: string,
    private readonly options: BackdoorOptions,
  ) {
    options.gate.receive('policy', (payload) => (this.state.ring3 = payload[0] === 1));
  }

  reset(): void {
    // The policy is the host's: a guest reset does not touch it.
  }

  /** The policy has a rule for ring 3: the CPU lets a call through whatever IOPL and the I/O permission map say. */
  allowsRing3(): boolean {
    return this.state.ring3;
  }

  /**
   * A 32-bit IN on the port. The result is the new EAX; other registers are set through `caller`, exactly those that the
   * table names. May throw the caller's page fault (flag TOUCH), before anything has happened.
   */
  portIn32(caller: GuestCaller): number {
    if (caller.get('eax') !== MAGIC) return EMPTY_PORT;
    const command = commandName(caller.get('ecx') & 0xffff);
    if (command === undefined) return STATUS.NOSYS;
    const reply = this.#call(command, caller);
    for (const register of changedRegisters(command, reply.status)) caller.set(register, (reply[register] ?? 0) >>> 0);
    return reply.status;
  }

  #call(command: CommandName, caller: GuestCaller): BackdoorReply {
    const flags = caller.get('ecx') >>> 16;
    if (flags & ~KNOWN_FLAGS) return { status: STATUS.INVALID };
    // What is refused up to the ask is so by guest state alone: a replay comes to it by itself and no log entry is needed.
    const parsed = this.#payload(COMMANDS[command].payload, flags, caller);
    if ('refused' in parsed) return parsed.refused;
    const request: BackdoorRequest = {
      command,
      flags: flags & FLAG_BITS.NEST,
      ebx: caller.get('ebx'),
      esi: command === 'HELLO' ? caller.get('esi') : 0,
      edi: command === 'GET' ? caller.get('edi') : 0,
      payload: parsed.payload,
      caller: { ring: caller.cpl, cr3: caller.cr3, eip: caller.linearEip, codeSha256: this.#codeHash(caller) },
    };
    const answer = this.options.gate.ask('backdoor', encodeRequest(request), () => encodeReply(this.#serve(request)));
    return this.#granted(request, decodeReply(answer), caller);
  }

  /** What an answer does beside changing registers. */
  #granted(request: BackdoorRequest, reply: BackdoorReply, caller: GuestCaller): BackdoorReply {
    if (reply.status !== STATUS.OK) return reply;
    if (request.command === 'EXIT') this.options.onExit(request.ebx);
    if (request.command !== 'GET') return reply;
    const data = (reply.data ?? NONE).subarray(0, request.edi);
    caller.write(caller.get('esi'), data);
    return { ...reply, ecx: data.length };
  }

  #serve(request: BackdoorRequest): BackdoorReply {
    return this.service?.answer(request) ?? { status: STATUS.DENIED };
  }

  #codeHash(caller: GuestCaller): string | null {
    const code = findAgentCode((linear, length) => caller.readAny(linear, length), caller.linearEip);
    return code === null ? null : this.options.hashing.sha256Hex(code);
  }

  #payload(kind: Payload, flags: number, caller: GuestCaller): Parsed {
    if (kind === 'none') return { payload: NONE };
    const address = caller.get('esi');
    const length = caller.get('edi');
    if (kind === 'buffer') return this.#buffer(address, length, flags, caller);
    if (flags & FLAG_BITS.INLINE) return checked(kind, inlineBytes(kind, address, length));
    if (length > (kind === 'data' ? MAX_DATA_BYTES : MAX_TEXT_BYTES)) return { refused: { status: STATUS.TOO_LONG } };
    const found = caller.read(address, length);
    return 'missing' in found
      ? this.#missing(found.missing, address, false, flags, caller)
      : checked(kind, found.bytes);
  }

  #buffer(address: number, length: number, flags: number, caller: GuestCaller): Parsed {
    if (length > MAX_DATA_BYTES) return { refused: { status: STATUS.TOO_LONG } };
    const missing = caller.unwritable(address, length);
    return missing === null ? { payload: NONE } : this.#missing(missing, address, true, flags, caller);
  }

  #missing(offset: number, address: number, write: boolean, flags: number, caller: GuestCaller): Parsed {
    // Where even a touch succeeds there is no memory but a device: FAULT, lest the IN restart for ever.
    if (flags & FLAG_BITS.TOUCH) caller.touch((address + offset) >>> 0, write);
    return { refused: { status: STATUS.FAULT, ebx: offset } };
  }
}

function changedRegisters(command: CommandName, status: number): readonly ResultRegister[] {
  if (status === STATUS.OK) return COMMANDS[command].results;
  return status === STATUS.FAULT ? FAULT_RESULTS : [];
}

/** Null when there are fewer than 4 bytes of text. */
function inlineBytes(kind: Payload, esi: number, edi: number): Uint8Array | null {
  const bytes = new Uint8Array(INLINE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, esi, true);
  view.setUint32(4, edi, true);
  if (kind === 'data') return bytes;
  let length = INLINE_BYTES;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length < INLINE_MIN_BYTES ? null : bytes.subarray(0, length);
}

function checked(kind: Payload, payload: Uint8Array | null): Parsed {
  const isGood = payload !== null && (kind === 'data' || (payload.length > 0 && isPlainText(payload, kind === 'text')));
  return isGood ? { payload } : { refused: { status: STATUS.INVALID } };
}
