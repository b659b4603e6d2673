/** The receive side: filters and descriptor ring (SDM 317453, section 3.2). */
import type { SystemMemory } from '../../../core/bus.js';
import { isBroadcast, isMulticast, padded } from '../network-card.js';
import { CAUSE, E1000 } from './registers.js';

const DESCRIPTOR_BYTES = 16;
const CRC_BYTES = 4;
const MAX_USUAL_BYTES = 1522;
const MAX_LONG_BYTES = 16384;
const ADDRESSES = 16;
const ADDRESS_VALID = 0x8000_0000;

const RCTL = {
  EN: 0x0000_0002,
  SBP: 0x0000_0004,
  UPE: 0x0000_0008,
  MPE: 0x0000_0010,
  LPE: 0x0000_0020,
  BAM: 0x0000_8000,
  VFE: 0x0004_0000,
  BSEX: 0x0200_0000,
  SECRC: 0x0400_0000,
} as const;
const CTRL_VME = 0x4000_0000;
const STATUS = { DD: 0x01, EOP: 0x02, IXSM: 0x04, VP: 0x08, PIF: 0x80 } as const;

export interface ReceiveOptions {
  readonly memory: SystemMemory;
  readonly get: (register: number) => number;
  readonly set: (register: number, value: number) => void;
  readonly cause: (bits: number) => void;
}

export type Received = 'taken' | 'filtered' | 'no-room';

/** Bytes of each buffer (RCTL.BSIZE, BSEX). */
function bufferBytes(rctl: number): number {
  const size = 2048 >> ((rctl >>> 16) & 3);
  return (rctl & RCTL.BSEX) !== 0 && size < 2048 ? size * 16 : size;
}

/** Descriptors between head and tail below which software is warned (RCTL.RDMTS). */
function fewLeft(rctl: number, count: number): number {
  return count >> (((rctl >>> 8) & 3) + 1);
}

/** Puts a frame into guest memory, if the filters let it through and there are descriptors for all of it. */
export function receive({ memory, get, set, cause }: ReceiveOptions, raw: Uint8Array): Received {
  const rctl = get(E1000.RCTL);
  if ((rctl & RCTL.EN) === 0) return 'filtered';
  const limit = (rctl & (RCTL.LPE | RCTL.SBP)) !== 0 ? MAX_LONG_BYTES : MAX_USUAL_BYTES - CRC_BYTES;
  if (raw.length > limit || raw.length < 14 || !accepts(get, rctl, raw)) return 'filtered';
  const vlan = takeTag(get, raw);
  const frame = padded(vlan.frame);
  const total = frame.length + ((rctl & RCTL.SECRC) !== 0 ? 0 : CRC_BYTES);
  const size = bufferBytes(rctl);
  const count = get(E1000.RDLEN) / DESCRIPTOR_BYTES;
  const tail = get(E1000.RDT);
  let head = get(E1000.RDH);
  const free = count === 0 || head >= count || tail >= count ? 0 : (tail - head + count) % count;
  const needed = Math.ceil(total / size);
  if (free < needed) {
    cause(CAUSE.RXO);
    return 'no-room';
  }
  const whole = total === frame.length ? frame : withCrc(frame);
  const base = get(E1000.RDBAL) + get(E1000.RDBAH) * 2 ** 32;
  for (let n = 0; n < needed; n++) {
    const at = base + head * DESCRIPTOR_BYTES;
    const address = new DataView(memory.read(at, 8).buffer);
    const part = whole.subarray(n * size, (n + 1) * size);
    memory.write(address.getUint32(0, true) + address.getUint32(4, true) * 2 ** 32, part);
    const isLast = n === needed - 1;
    const status = STATUS.DD | STATUS.IXSM | (isLast ? STATUS.EOP : 0) | (isLast && vlan.tag !== null ? STATUS.VP : 0);
    const tag = isLast ? (vlan.tag ?? 0) : 0;
    memory.write(at + 8, Uint8Array.of(part.length, part.length >> 8, 0, 0, status, 0, tag, tag >> 8));
    head = head + 1 === count ? 0 : head + 1;
  }
  set(E1000.RDH, head);
  const left = (tail - head + count) % count;
  cause(CAUSE.RXT0 | (left <= fewLeft(rctl, count) ? CAUSE.RXDMT0 : 0));
  return 'taken';
}

/** Nobody looks at the checksum of what came without damage: zeros stand for it. */
function withCrc(frame: Uint8Array): Uint8Array {
  const whole = new Uint8Array(frame.length + CRC_BYTES);
  whole.set(frame);
  return whole;
}

function accepts(get: ReceiveOptions['get'], rctl: number, frame: Uint8Array): boolean {
  if ((rctl & RCTL.VFE) !== 0 && isTagged(get, frame)) {
    const id = ((frame[14] << 8) | frame[15]) & 0xfff;
    if (((get(E1000.VFTA + 4 * (id >> 5)) >>> (id & 31)) & 1) === 0) return false;
  }
  const isGroup = isMulticast(frame);
  if (!isGroup && (rctl & RCTL.UPE) !== 0) return true;
  if (isGroup && (rctl & RCTL.MPE) !== 0) return true;
  if (isBroadcast(frame) && (rctl & RCTL.BAM) !== 0) return true;
  for (let n = 0; n < ADDRESSES; n++) if (matchesAddress(get, n, frame)) return true;
  return isGroup && inMulticastTable(get, rctl, frame);
}

function matchesAddress(get: ReceiveOptions['get'], n: number, frame: Uint8Array): boolean {
  const high = get(E1000.RAL + 8 * n + 4);
  if ((high & ADDRESS_VALID) === 0) return false;
  const low = frame[0] | (frame[1] << 8) | (frame[2] << 16) | (frame[3] << 24);
  return (get(E1000.RAL + 8 * n) | 0) === low && (high & 0xffff) === (frame[4] | (frame[5] << 8));
}

/** 12 bits of the address choose a bit of the table (RCTL.MO). */
function inMulticastTable(get: ReceiveOptions['get'], rctl: number, frame: Uint8Array): boolean {
  const shift = [4, 3, 2, 0][(rctl >>> 12) & 3];
  const hash = (((frame[5] << 8) | frame[4]) >> shift) & 0xfff;
  return ((get(E1000.MTA + 4 * (hash >> 5)) >>> (hash & 31)) & 1) !== 0;
}

function isTagged(get: ReceiveOptions['get'], frame: Uint8Array): boolean {
  return frame.length >= 18 && ((frame[12] << 8) | frame[13]) === (get(E1000.VET) & 0xffff);
}

/** With CTRL.VME the tag goes from the frame into the descriptor. */
function takeTag(get: ReceiveOptions['get'], frame: Uint8Array): { frame: Uint8Array; tag: number | null } {
  if ((get(E1000.CTRL) & CTRL_VME) === 0 || !isTagged(get, frame)) return { frame, tag: null };
  const stripped = new Uint8Array(frame.length - 4);
  stripped.set(frame.subarray(0, 12));
  stripped.set(frame.subarray(16), 12);
  return { frame: stripped, tag: (frame[14] << 8) | frame[15] };
}
