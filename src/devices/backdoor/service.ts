import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodedError } from '../../base/errors.js';
import type { CommandName } from './protocol.js';
import { COMMANDS, commandName } from './protocol.js';

/** The caller as the emulator sees it: nothing here is the guest's claim. */
export interface CallerObservation {
  /** 0 to 3; 3 in V86 mode. */
  readonly ring: number;
  readonly cr3: number;
  readonly eip: number;
  /** SHA-256 of the agent's code around EIP, hex; null when there is no agent header. */
  readonly codeSha256: string | null;
}

export interface BackdoorRequest {
  readonly command: CommandName;
  readonly flags: number;
  readonly ebx: number;
  /** HELLO: versions; GET: unused. */
  readonly esi: number;
  /** GET: bytes of room in the buffer. */
  readonly edi: number;
  /** Text or data, empty when the command has none. */
  readonly payload: Uint8Array;
  readonly caller: CallerObservation;
}

export interface BackdoorReply {
  readonly status: number;
  readonly ebx?: number;
  readonly ecx?: number;
  readonly edx?: number;
  readonly esi?: number;
  readonly edi?: number;
  /** GET: at most as many bytes as there is room for. */
  readonly data?: Uint8Array;
}

/** The host's side of the port: policy and recording. Never runs during a replay. */
export interface BackdoorService {
  answer(request: BackdoorRequest): BackdoorReply;
  /** Ring 3 may call whatever IOPL says. */
  allowsRing3(): boolean;
}

export function encodeRequest(r: BackdoorRequest): Uint8Array {
  const out = new ByteWriter(64 + r.payload.length);
  out.u8(COMMANDS[r.command].number).u16(r.flags).u32(r.ebx).u32(r.esi).u32(r.edi).blob(r.payload);
  out
    .u8(r.caller.ring)
    .u32(r.caller.cr3)
    .u32(r.caller.eip)
    .text(r.caller.codeSha256 ?? '');
  return out.finish();
}

/** Throws DAMAGED. */
export function decodeRequest(bytes: Uint8Array): BackdoorRequest {
  const input = new ByteReader(bytes, 'backdoor request');
  const number = input.u8();
  const command = commandName(number);
  if (command === undefined) {
    throw new CodedError('DAMAGED', `no backdoor command has the number ${number}`, { where: input.source });
  }
  const [flags, ebx, esi, edi] = [input.u16(), input.u32(), input.u32(), input.u32()];
  const payload = input.blob().slice();
  const [ring, cr3, eip, code] = [input.u8(), input.u32(), input.u32(), input.text()];
  input.end();
  return { command, flags, ebx, esi, edi, payload, caller: { ring, cr3, eip, codeSha256: code === '' ? null : code } };
}

const REPLY_REGISTERS = ['ebx', 'ecx', 'edx', 'esi', 'edi'] as const;

export function encodeReply(reply: BackdoorReply): Uint8Array {
  const out = new ByteWriter(32);
  out.u8(reply.status);
  let present = 0;
  REPLY_REGISTERS.forEach((name, i) => (present |= reply[name] === undefined ? 0 : 1 << i));
  if (reply.data !== undefined) present |= 0x80;
  out.u8(present);
  for (const name of REPLY_REGISTERS) if (reply[name] !== undefined) out.u32(reply[name]);
  if (reply.data !== undefined) out.blob(reply.data);
  return out.finish();
}

/** Throws DAMAGED. */
export function decodeReply(bytes: Uint8Array): BackdoorReply {
  const input = new ByteReader(bytes, 'backdoor answer');
  const reply: { -readonly [K in keyof BackdoorReply]: BackdoorReply[K] } = { status: input.u8() };
  const present = input.u8();
  REPLY_REGISTERS.forEach((name, i) => {
    if (present & (1 << i)) reply[name] = input.u32();
  });
  if (present & 0x80) reply.data = input.blob().slice();
  input.end();
  return reply;
}
