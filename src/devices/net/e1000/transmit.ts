/** The transmit side: descriptor ring, checksum offload, segmentation (SDM 317453, section 3.3 to 3.5). */
import { ByteWriter } from '../../../base/bytes.js';
import { bytes, u32, u8, type StateSchema } from '../../../core/state.js';
import type { SystemMemory } from '../../../core/bus.js';
import { insertChecksum } from './checksum.js';
import { CAUSE, E1000 } from './registers.js';

const DESCRIPTOR_BYTES = 16;
/** Descriptors of one look at the ring; the rest waits for the next. */
export const DESCRIPTORS_AT_ONCE = 128;
/** The largest packet that segmentation takes, with room for its headers. */
const MAX_PACKET_BYTES = 0x1_1000;
/** The longest frame on the wire (section 1.3); longer ones are not sent. */
export const MAX_LONG_FRAME_BYTES = 16128;
const MAX_HEADER_BYTES = 256;
/** Below what any TCP asks for; keeps a packet from becoming thousands of frames. */
const MIN_MSS = 64;

const TCTL_EN = 0x02;
const CMD_EOP = 0x0100_0000;
const CMD_IC_OR_TSE = 0x0400_0000;
const CMD_RS = 0x0800_0000;
const CMD_DEXT = 0x2000_0000;
const CMD_VLE = 0x4000_0000;
const TYPE_DATA = 0x0010_0000;
const TUCMD_TCP = 0x0100_0000;
const TUCMD_IP = 0x0200_0000;
const STATUS_DD = 1;
const POPTS_IXSM = 1;
const POPTS_TXSM = 2;
const CTRL_VME = 0x4000_0000;

export interface TransmitState {
  /** The packet so far. */
  packet: Uint8Array;
  /** POPTS, and whether to segment, as the packet's first data descriptor said. */
  options: number;
  segments: number;
  /** The last context descriptor: its four dwords. */
  context0: number;
  context1: number;
  context2: number;
  context3: number;
}
export const TRANSMIT_SCHEMA: StateSchema<TransmitState> = {
  packet: bytes,
  options: u8,
  segments: u8,
  context0: u32,
  context1: u32,
  context2: u32,
  context3: u32,
};
export function newTransmit(): TransmitState {
  return { packet: new Uint8Array(0), options: 0, segments: 0, context0: 0, context1: 0, context2: 0, context3: 0 };
}

export interface TransmitOptions {
  readonly state: TransmitState;
  readonly memory: SystemMemory;
  readonly get: (register: number) => number;
  readonly set: (register: number, value: number) => void;
  readonly cause: (bits: number) => void;
  readonly send: (frame: Uint8Array) => void;
  /** The wire takes more for now; asked between descriptors. */
  readonly canSend: () => boolean;
}

/** Works off the ring. True when there is more to do than was done at once. */
export function transmit(options: TransmitOptions): boolean {
  const { get, set, cause, memory, canSend } = options;
  if ((get(E1000.TCTL) & TCTL_EN) === 0) return false;
  const count = get(E1000.TDLEN) / DESCRIPTOR_BYTES;
  // 64-bit addresses beyond 4 GiB have no memory behind them.
  const base = get(E1000.TDBAL) + get(E1000.TDBAH) * 2 ** 32;
  let head = get(E1000.TDH);
  const tail = get(E1000.TDT);
  if (count === 0 || head >= count || head === tail) return false;
  let causes = CAUSE.TXQE;
  let done = 0;
  for (; head !== tail && done < DESCRIPTORS_AT_ONCE && canSend(); done++) {
    const at = base + head * DESCRIPTOR_BYTES;
    const descriptor = new DataView(memory.read(at, DESCRIPTOR_BYTES).buffer);
    const [lower, upper] = [descriptor.getUint32(8, true), descriptor.getUint32(12, true)];
    take(options, descriptor, lower, upper);
    if ((lower & CMD_RS) !== 0) {
      memory.write(at + 12, new ByteWriter().u32((upper | STATUS_DD) >>> 0).finish());
      causes |= CAUSE.TXDW;
    }
    head = head + 1 >= count ? 0 : head + 1;
    set(E1000.TDH, head);
    // A tail outside the ring is never reached.
    if (tail >= count && head === 0) break;
  }
  if (head !== tail && tail < count) causes &= ~CAUSE.TXQE;
  cause(causes);
  return head !== tail && tail < count;
}

function take({ state, memory, get, send }: TransmitOptions, descriptor: DataView, lower: number, upper: number): void {
  const isExtended = (lower & CMD_DEXT) !== 0;
  if (isExtended && (lower & TYPE_DATA) === 0) {
    state.context0 = descriptor.getUint32(0, true);
    state.context1 = descriptor.getUint32(4, true);
    state.context2 = lower;
    state.context3 = upper;
    return;
  }
  if (state.packet.length === 0) {
    state.options = isExtended ? (upper >>> 8) & 0xff : 0;
    state.segments = isExtended && (lower & CMD_IC_OR_TSE) !== 0 ? 1 : 0;
  }
  const length = isExtended ? lower & 0xf_ffff : lower & 0xffff;
  const address = descriptor.getUint32(0, true) + descriptor.getUint32(4, true) * 2 ** 32;
  const room = Math.min(length, MAX_PACKET_BYTES - state.packet.length);
  if (room > 0) {
    const grown = new Uint8Array(state.packet.length + room);
    grown.set(state.packet);
    grown.set(memory.read(address, room), state.packet.length);
    state.packet = grown;
  }
  if ((lower & CMD_EOP) === 0) return;
  const packet = state.packet;
  state.packet = new Uint8Array(0);
  if (packet.length === 0 || (state.segments === 0 && packet.length > MAX_LONG_FRAME_BYTES)) return;
  const tag = (lower & CMD_VLE) !== 0 && (get(E1000.CTRL) & CTRL_VME) !== 0 ? upper >>> 16 : null;
  const out = (frame: Uint8Array): void => send(tag === null ? frame : tagged(frame, get(E1000.VET) & 0xffff, tag));
  if (!isExtended) {
    if ((lower & CMD_IC_OR_TSE) !== 0) insertChecksum(packet, (lower >>> 16) & 0xff, (upper >>> 8) & 0xff, 0);
    out(packet);
  } else if (state.segments !== 0) segment(state, packet, out);
  else {
    offload(state, packet);
    out(packet);
  }
}

function tagged(frame: Uint8Array, type: number, tag: number): Uint8Array {
  const whole = new Uint8Array(frame.length + 4);
  whole.set(frame.subarray(0, 12));
  whole.set([type >> 8, type, tag >> 8, tag], 12);
  whole.set(frame.subarray(12), 16);
  return whole;
}

/** Checksums where the context says, as far as the packet asks for them. */
function offload({ options, context0, context1 }: TransmitState, packet: Uint8Array): void {
  const fields = (context: number): [number, number, number] => [
    (context >>> 8) & 0xff,
    context & 0xff,
    context >>> 16,
  ];
  if ((options & POPTS_IXSM) !== 0) insertChecksum(packet, ...fields(context0));
  if ((options & POPTS_TXSM) !== 0) insertChecksum(packet, ...fields(context1));
}

/** Cuts the packet into frames with `MSS` bytes of data each behind adapted headers (section 3.5). */
function segment(state: TransmitState, packet: Uint8Array, out: (frame: Uint8Array) => void): void {
  const headerBytes = Math.min((state.context3 >>> 8) & 0xff, MAX_HEADER_BYTES, packet.length);
  const mss = Math.min(Math.max(state.context3 >>> 16, MIN_MSS), MAX_LONG_FRAME_BYTES - headerBytes);
  const isTcp = (state.context2 & TUCMD_TCP) !== 0;
  const isIpv4 = (state.context2 & TUCMD_IP) !== 0;
  const [ip, transport] = [state.context0 & 0xff, state.context1 & 0xff];
  const header = packet.subarray(0, headerBytes);
  const data = packet.subarray(headerBytes);
  const be = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = be(header);
  const has = (end: number): boolean => end <= headerBytes;
  const identification = isIpv4 && has(ip + 6) ? head.getUint16(ip + 4) : 0;
  const sequence = isTcp && has(transport + 8) ? head.getUint32(transport + 4) : 0;
  const pseudo =
    has(transport + 18) && isTcp
      ? head.getUint16(transport + 16)
      : has(transport + 8)
        ? head.getUint16(transport + 6)
        : 0;
  const count = Math.max(1, Math.ceil(data.length / mss));
  for (let n = 0; n < count; n++) {
    const part = data.subarray(n * mss, (n + 1) * mss);
    const frame = new Uint8Array(headerBytes + part.length);
    frame.set(header);
    frame.set(part, headerBytes);
    const view = be(frame);
    if (isIpv4 && has(ip + 12)) {
      view.setUint16(ip + 2, frame.length - ip);
      view.setUint16(ip + 4, identification + n);
    } else if (!isIpv4 && has(ip + 6)) view.setUint16(ip + 4, frame.length - ip - 40);
    const transportBytes = frame.length - transport;
    if (isTcp && has(transport + 18)) {
      view.setUint32(transport + 4, sequence + n * mss);
      // FIN and PSH belong to the last one.
      if (n < count - 1) view.setUint8(transport + 13, view.getUint8(transport + 13) & ~0x09);
    } else if (!isTcp && has(transport + 6)) view.setUint16(transport + 4, transportBytes);
    // Software leaves the length out of the pseudo-header's sum.
    if ((state.options & POPTS_TXSM) !== 0 && has(transport + 8)) {
      let sum = pseudo + transportBytes;
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
      const at = (state.context1 >>> 8) & 0xff;
      if (at + 2 <= headerBytes) view.setUint16(at, sum);
    }
    offload(state, frame);
    out(frame);
  }
}
