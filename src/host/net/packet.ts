/** Ethernet, ARP, IPv4, ICMP, UDP and TCP headers as bytes and back. Pure: nothing here knows sockets. */

export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806 } as const;
export const IP_PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;
const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const UDP_BYTES = 8;
const TCP_BYTES = 20;
/** Payload of an IPv4 packet on Ethernet. */
export const MTU = 1500;
export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;

/** An IPv4 address as a number, most significant byte first. */
export type Ipv4 = number;

export function ipv4(text: string): Ipv4 {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
export function ipv4Text(address: Ipv4): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Of big-endian words; an odd last byte is the upper half of one. */
function sumWords(bytes: Uint8Array): number {
  const even = bytes.length & ~1;
  const last = bytes.length > even ? bytes[even]! << 8 : 0;
  let sum = 0;
  if (bytes.byteOffset % 2 !== 0) {
    for (let at = 0; at < even; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
    return sum + last;
  }
  // The sum is the same in either order of bytes, with its own bytes in that order (RFC 1071, section 2).
  const words = new Uint16Array(bytes.buffer, bytes.byteOffset, even / 2);
  for (let at = 0; at < words.length; at++) sum += words[at]!;
  const folded = fold(sum);
  return (IS_LITTLE_ENDIAN ? ((folded & 0xff) << 8) | (folded >> 8) : folded) + last;
}
const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}
/** Internet checksum (RFC 1071). */
export function checksum(bytes: Uint8Array, start = 0): number {
  return ~fold(sumWords(bytes) + start) & 0xffff;
}

export interface EthernetFrame {
  readonly to: Uint8Array;
  readonly from: Uint8Array;
  readonly type: number;
  readonly payload: Uint8Array;
}
export function parseEthernet(frame: Uint8Array): EthernetFrame | null {
  if (frame.length < ETHERNET_BYTES) return null;
  return {
    to: frame.subarray(0, 6),
    from: frame.subarray(6, 12),
    type: (frame[12]! << 8) | frame[13]!,
    payload: frame.subarray(ETHERNET_BYTES),
  };
}
export function buildEthernet({ to, from, type, payload }: EthernetFrame): Uint8Array {
  const frame = new Uint8Array(ETHERNET_BYTES + payload.length);
  putEthernet(frame, to, from, type);
  frame.set(payload, ETHERNET_BYTES);
  return frame;
}
function putEthernet(frame: Uint8Array, to: Uint8Array, from: Uint8Array, type: number): void {
  frame.set(to);
  frame.set(from, 6);
  frame[12] = type >> 8;
  frame[13] = type;
}

export interface Arp {
  /** 1 request, 2 reply. */
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly senderIp: Ipv4;
  readonly targetMac: Uint8Array;
  readonly targetIp: Ipv4;
}
export function parseArp(bytes: Uint8Array): Arp | null {
  if (bytes.length < 28) return null;
  const data = view(bytes);
  if (data.getUint32(0) !== 0x0001_0800 || data.getUint16(4) !== 0x0604) return null;
  return {
    operation: data.getUint16(6),
    senderMac: bytes.slice(8, 14),
    senderIp: data.getUint32(14),
    targetMac: bytes.slice(18, 24),
    targetIp: data.getUint32(24),
  };
}
export function buildArp({ operation, senderMac, senderIp, targetMac, targetIp }: Arp): Uint8Array {
  const bytes = new Uint8Array(28);
  const data = view(bytes);
  data.setUint32(0, 0x0001_0800);
  data.setUint16(4, 0x0604);
  data.setUint16(6, operation);
  bytes.set(senderMac, 8);
  data.setUint32(14, senderIp);
  bytes.set(targetMac, 18);
  data.setUint32(24, targetIp);
  return bytes;
}

export interface Ipv4Packet {
  readonly from: Ipv4;
  readonly to: Ipv4;
  readonly protocol: number;
  readonly identification: number;
  /** In bytes. */
  readonly fragmentOffset: number;
  readonly hasMore: boolean;
  readonly ttl: number;
  readonly payload: Uint8Array;
  /** Header and payload as they came. */
  readonly bytes: Uint8Array;
}
/** Null for what is damaged, e.g. a wrong checksum. */
export function parseIpv4(bytes: Uint8Array): Ipv4Packet | null {
  if (bytes.length < IPV4_BYTES || bytes[0]! >> 4 !== 4) return null;
  const data = view(bytes);
  const headerBytes = (bytes[0]! & 15) * 4;
  const total = data.getUint16(2);
  if (headerBytes < IPV4_BYTES || total < headerBytes || total > bytes.length) return null;
  if (checksum(bytes.subarray(0, headerBytes)) !== 0) return null;
  const fragment = data.getUint16(6);
  return {
    from: data.getUint32(12),
    to: data.getUint32(16),
    protocol: bytes[9]!,
    identification: data.getUint16(4),
    fragmentOffset: (fragment & 0x1fff) * 8,
    hasMore: (fragment & 0x2000) !== 0,
    ttl: bytes[8]!,
    payload: bytes.subarray(headerBytes, total),
    bytes: bytes.subarray(0, total),
  };
}

export interface Ipv4Header {
  readonly from: Ipv4;
  readonly to: Ipv4;
  readonly protocol: number;
  readonly identification: number;
}
/** One packet, or as many fragments as it takes, each behind `headroom` bytes that are left free. */
export function buildIpv4(
  { from, to, protocol, identification }: Ipv4Header,
  payload: Uint8Array,
  headroom = 0,
): Uint8Array[] {
  const room = (MTU - IPV4_BYTES) & ~7;
  const packets: Uint8Array[] = [];
  const isWhole = payload.length <= MTU - IPV4_BYTES;
  for (let offset = 0; offset < payload.length || offset === 0; offset += room) {
    const part = isWhole ? payload : payload.subarray(offset, offset + room);
    const whole = new Uint8Array(headroom + IPV4_BYTES + part.length);
    const bytes = whole.subarray(headroom);
    const data = view(bytes);
    data.setUint16(0, 0x4500);
    data.setUint16(2, bytes.length);
    data.setUint16(4, identification);
    data.setUint16(6, isWhole ? 0x4000 : (offset >> 3) | (offset + room < payload.length ? 0x2000 : 0));
    data.setUint8(8, 64);
    data.setUint8(9, protocol);
    data.setUint32(12, from);
    data.setUint32(16, to);
    data.setUint16(10, checksum(bytes.subarray(0, IPV4_BYTES)));
    bytes.set(part, IPV4_BYTES);
    packets.push(whole);
    if (isWhole) break;
  }
  return packets;
}

/** The frames that carry a packet. */
export function buildIpv4Frames(
  { to, from }: Pick<EthernetFrame, 'to' | 'from'>,
  header: Ipv4Header,
  payload: Uint8Array,
): Uint8Array[] {
  const frames = buildIpv4(header, payload, ETHERNET_BYTES);
  for (const frame of frames) putEthernet(frame, to, from, ETHERTYPE.IPV4);
  return frames;
}

/** Sum over the pseudo-header that UDP and TCP checksums begin with. */
function pseudoSum(from: Ipv4, to: Ipv4, protocol: number, length: number): number {
  return (from >>> 16) + (from & 0xffff) + (to >>> 16) + (to & 0xffff) + protocol + length;
}

export interface UdpDatagram {
  readonly fromPort: number;
  readonly toPort: number;
  readonly payload: Uint8Array;
}
export function parseUdp({ from, to, payload: bytes }: Ipv4Packet): UdpDatagram | null {
  if (bytes.length < UDP_BYTES) return null;
  const data = view(bytes);
  const length = data.getUint16(4);
  if (length < UDP_BYTES || length > bytes.length) return null;
  const whole = bytes.subarray(0, length);
  if (data.getUint16(6) !== 0 && checksum(whole, pseudoSum(from, to, IP_PROTOCOL.UDP, length)) !== 0) return null;
  return { fromPort: data.getUint16(0), toPort: data.getUint16(2), payload: whole.subarray(UDP_BYTES) };
}
export function buildUdp(from: Ipv4, to: Ipv4, { fromPort, toPort, payload }: UdpDatagram): Uint8Array {
  const bytes = new Uint8Array(UDP_BYTES + payload.length);
  const data = view(bytes);
  data.setUint16(0, fromPort);
  data.setUint16(2, toPort);
  data.setUint16(4, bytes.length);
  bytes.set(payload, UDP_BYTES);
  // 0 would mean that there is none.
  data.setUint16(6, checksum(bytes, pseudoSum(from, to, IP_PROTOCOL.UDP, bytes.length)) || 0xffff);
  return bytes;
}

export interface TcpSegment {
  readonly fromPort: number;
  readonly toPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  /** TCP_FLAG bits. */
  readonly flags: number;
  readonly window: number;
  readonly payload: Uint8Array;
  /** Options of a SYN. */
  readonly mss?: number;
  readonly windowScale?: number;
}
export function parseTcp({ from, to, payload: bytes }: Ipv4Packet): TcpSegment | null {
  if (bytes.length < TCP_BYTES) return null;
  const data = view(bytes);
  const headerBytes = (bytes[12]! >> 4) * 4;
  if (headerBytes < TCP_BYTES || headerBytes > bytes.length) return null;
  if (checksum(bytes, pseudoSum(from, to, IP_PROTOCOL.TCP, bytes.length)) !== 0) return null;
  return {
    fromPort: data.getUint16(0),
    toPort: data.getUint16(2),
    sequence: data.getUint32(4),
    acknowledgement: data.getUint32(8),
    flags: bytes[13]! & 0x3f,
    window: data.getUint16(14),
    payload: bytes.subarray(headerBytes),
    ...tcpOptions(bytes.subarray(TCP_BYTES, headerBytes)),
  };
}
function tcpOptions(bytes: Uint8Array): { mss?: number; windowScale?: number } {
  const options: { mss?: number; windowScale?: number } = {};
  for (let at = 0; at < bytes.length;) {
    const kind = bytes[at]!;
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length) break;
    if (kind === 2 && length === 4) options.mss = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (kind === 3 && length === 3) options.windowScale = Math.min(14, bytes[at + 2]!);
    at += length;
  }
  return options;
}
export function buildTcp(from: Ipv4, to: Ipv4, segment: TcpSegment): Uint8Array {
  const options: number[] = [];
  if (segment.mss !== undefined) options.push(2, 4, segment.mss >> 8, segment.mss & 0xff);
  if (segment.windowScale !== undefined) options.push(1, 3, 3, segment.windowScale);
  const headerBytes = TCP_BYTES + options.length;
  const bytes = new Uint8Array(headerBytes + segment.payload.length);
  const data = view(bytes);
  data.setUint16(0, segment.fromPort);
  data.setUint16(2, segment.toPort);
  data.setUint32(4, segment.sequence);
  data.setUint32(8, segment.acknowledgement);
  data.setUint8(12, (headerBytes / 4) << 4);
  data.setUint8(13, segment.flags);
  data.setUint16(14, Math.min(0xffff, segment.window));
  bytes.set(options, TCP_BYTES);
  bytes.set(segment.payload, headerBytes);
  data.setUint16(16, checksum(bytes, pseudoSum(from, to, IP_PROTOCOL.TCP, bytes.length)));
  return bytes;
}

/** `type`, `code` and what follows the checksum. */
export function buildIcmp(type: number, code: number, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + rest.length);
  bytes.set([type, code]);
  bytes.set(rest, 4);
  view(bytes).setUint16(2, checksum(bytes));
  return bytes;
}
