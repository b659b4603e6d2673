import { CodedError } from '../../base/errors.js';

/** A frame of a capture. */
export interface CapturedFrame {
  /** Since the capture's first frame. */
  readonly ns: number;
  readonly bytes: Uint8Array;
}

const ETHERNET = 1;
const SECTION_HEADER = 0x0a0d_0d0a;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER = 0x1a2b_3c4d;
const OPTION_RESOLUTION = 9;

function damaged(what: string, where: string): CodedError {
  return new CodedError('USAGE', what, { where, hint: 'give a pcap or pcapng file of Ethernet frames' });
}

/** Frames of a pcap or pcapng file. Throws USAGE for anything else. */
export function readCapture(bytes: Uint8Array, where: string): CapturedFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 12 && view.getUint32(0) === SECTION_HEADER) return fromStart(readPcapng(view, where));
  if (bytes.length < 24) throw damaged('this is no capture', where);
  for (const little of [true, false]) {
    const magic = view.getUint32(0, little);
    if (magic === 0xa1b2_c3d4) return fromStart(readPcap(view, little, 1000n, where));
    if (magic === 0xa1b2_3c4d) return fromStart(readPcap(view, little, 1n, where));
  }
  throw damaged('this is no capture', where);
}

interface Stamped {
  readonly ns: bigint;
  readonly bytes: Uint8Array;
}

function fromStart(frames: Stamped[]): CapturedFrame[] {
  const first = frames[0]?.ns ?? 0n;
  return frames.map(({ ns, bytes }) => ({ ns: Math.max(0, Number(ns - first)), bytes }));
}

function slice(view: DataView, at: number, count: number, where: string): Uint8Array {
  if (at + count > view.byteLength) throw damaged('the capture ends in the middle of a frame', where);
  return new Uint8Array(view.buffer, view.byteOffset + at, count).slice();
}

function readPcap(view: DataView, little: boolean, unit: bigint, where: string): Stamped[] {
  if ((view.getUint32(20, little) & 0xffff) !== ETHERNET) throw damaged('the capture is not of Ethernet', where);
  const frames: Stamped[] = [];
  for (let at = 24; at + 16 <= view.byteLength;) {
    const seconds = BigInt(view.getUint32(at, little));
    const part = BigInt(view.getUint32(at + 4, little));
    const count = view.getUint32(at + 8, little);
    frames.push({ ns: seconds * 1_000_000_000n + part * unit, bytes: slice(view, at + 16, count, where) });
    at += 16 + count;
  }
  return frames;
}

function readPcapng(view: DataView, where: string): Stamped[] {
  const frames: Stamped[] = [];
  let little = true;
  let interfaces: { isEthernet: boolean; perSecond: bigint }[] = [];
  for (let at = 0; at + 12 <= view.byteLength;) {
    const type = view.getUint32(at, little);
    if (type === SECTION_HEADER) {
      little = view.getUint32(at + 8, true) === BYTE_ORDER;
      interfaces = [];
    }
    const length = view.getUint32(at + 4, little);
    if (length < 12 || length % 4 !== 0 || at + length > view.byteLength)
      throw damaged('the capture is damaged', where);
    if (type === INTERFACE) {
      interfaces.push({
        isEthernet: view.getUint16(at + 8, little) === ETHERNET,
        perSecond: resolution(view, at + 16, at + length - 4, little),
      });
    } else if (type === ENHANCED_PACKET && length >= 32) {
      const from = interfaces[view.getUint32(at + 8, little)];
      if (from?.isEthernet === true) {
        const high = BigInt(view.getUint32(at + 12, little));
        const stamp = (high << 32n) | BigInt(view.getUint32(at + 16, little));
        const count = view.getUint32(at + 20, little);
        if (count > length - 32) throw damaged('the capture is damaged', where);
        frames.push({ ns: (stamp * 1_000_000_000n) / from.perSecond, bytes: slice(view, at + 28, count, where) });
      }
    }
    at += length;
  }
  return frames;
}

/** Units of time stamps per second (if_tsresol); microseconds unless the interface says otherwise. */
function resolution(view: DataView, start: number, end: number, little: boolean): bigint {
  for (let at = start; at + 4 <= end;) {
    const code = view.getUint16(at, little);
    const length = view.getUint16(at + 2, little);
    if (code === 0) break;
    if (code === OPTION_RESOLUTION && length >= 1 && at + 5 <= end) {
      const value = view.getUint8(at + 4);
      return (value & 0x80) !== 0 ? 2n ** BigInt(value & 0x7f) : 10n ** BigInt(value);
    }
    at += 4 + ((length + 3) & ~3);
  }
  return 1_000_000n;
}
