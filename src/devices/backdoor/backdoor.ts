/**
 * The guest's recording control port (no datasheet: guestreel's own device, protocol.ts). A call is a 32-bit
 * IN EAX,DX on port 5252h with the magic in EAX; every other access finds an empty port.
 *
 * NOT implemented: nothing of the protocol is left out.
 */
import type { Hashing } from '../../base/hash.js';
import { toHex } from '../../base/hash.js';
import type { PortHandler } from '../../core/bus.js';
import type { Device } from '../../core/device.js';
import type { InputGate } from '../../core/input-gate.js';
import type { StateSchema } from '../../core/state.js';
import { bool } from '../../core/state.js';
import { findAgentCode } from './agent-code.js';
import { COMMANDS, commandName, FLAG_BITS, INLINE_BYTES, MAGIC, MAX_DATA_BYTES, MAX_TEXT_BYTES, STATUS, type Payload } from './protocol.js';
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

type Parsed = { readonly payload: Uint8Array } | { readonly refused: BackdoorReply };

/** UTF-8 without control characters. */
function isText(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i];
    if (lead < 0x20 || lead === 0x7f) return false;
    const more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
    if (more < 0 || i + more >= bytes.length) return false;
    for (let k = 1; k <= more; k++) if ((bytes[i + k] & 0xc0) !== 0x80) return false;
    const second = bytes[i + 1];
    // Overlong forms, surrogates, beyond U+10FFFF.
    if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f)) return false;
    if ((lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second > 0x8f)) return false;
    i += 1 + more;
  }
  return true;
}

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

  /** A 32-bit IN on the port. The result is the new EAX; other registers are set through `caller`. */
  portIn32(caller: GuestCaller): number {
    if (caller.get('eax') !== MAGIC) return EMPTY_PORT;
    const reply = this.#call(caller);
    for (const register of ['ebx', 'ecx', 'edx', 'esi', 'edi'] as const) {
      const value = reply[register];
      if (value !== undefined) caller.set(register, value >>> 0);
    }
    return reply.status;
  }

  #call(caller: GuestCaller): BackdoorReply {
    const ecx = caller.get('ecx');
    const command = commandName(ecx & 0xffff);
    if (command === undefined) return { status: STATUS.NOSYS };
    const flags = ecx >>> 16;
    if (flags & ~(FLAG_BITS.NEST | FLAG_BITS.TOUCH | FLAG_BITS.INLINE)) return { status: STATUS.INVALID };
    // What follows up to the ask is a function of guest state alone: a replay comes to the same result by itself.
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
    const reply = decodeReply(answer);
    if (reply.data !== undefined) caller.write(caller.get('esi'), reply.data.subarray(0, request.edi));
    if (command === 'EXIT' && reply.status === STATUS.OK) this.options.onExit(request.ebx);
    return reply;
  }

  #serve(request: BackdoorRequest): BackdoorReply {
    return this.service?.answer(request) ?? { status: STATUS.DENIED };
  }

  #codeHash(caller: GuestCaller): string | null {
    const code = findAgentCode((linear, length) => caller.readAny(linear, length), caller.linearEip);
    return code === null ? null : toHex(this.options.hashing.sha256(code));
  }

  #payload(kind: Payload, flags: number, caller: GuestCaller): Parsed {
    if (kind === 'none') return { payload: NONE };
    const address = caller.get('esi');
    const length = caller.get('edi');
    if (kind === 'buffer') return this.#buffer(address, length, flags, caller);
    const inline = (flags & FLAG_BITS.INLINE) !== 0;
    if (!inline && length > (kind === 'data' ? MAX_DATA_BYTES : MAX_TEXT_BYTES)) return { refused: { status: STATUS.TOO_LONG } };
    let payload: Uint8Array;
    if (inline) payload = inlineBytes(address, length);
    else {
      const found = caller.read(address, length);
      if ('missing' in found) return this.#missing(found.missing, address, false, flags, caller);
      payload = found.bytes;
    }
    if (kind === 'text' && (payload.length === 0 || !isText(payload))) return { refused: { status: STATUS.INVALID } };
    return { payload };
  }

  #buffer(address: number, length: number, flags: number, caller: GuestCaller): Parsed {
    if (length > MAX_DATA_BYTES) return { refused: { status: STATUS.TOO_LONG } };
    const missing = caller.unwritable(address, length);
    return missing === null ? { payload: NONE } : this.#missing(missing, address, true, flags, caller);
  }

  #missing(offset: number, address: number, write: boolean, flags: number, caller: GuestCaller): Parsed {
    if (flags & FLAG_BITS.TOUCH) caller.touch((address + offset) >>> 0, write);
    return { refused: { status: STATUS.FAULT, ebx: offset } };
  }
}

function inlineBytes(esi: number, edi: number): Uint8Array {
  const bytes = new Uint8Array(INLINE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, esi, true);
  view.setUint32(4, edi, true);
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
