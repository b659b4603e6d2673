/** A DHCP server with one lease (RFC 2131, 2132). Pure: request to answer. */
import type { Ipv4 } from './packet.js';

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;
const FIXED_BYTES = 240;
const COOKIE = 0x6382_5363;
const TYPE = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5, NAK: 6, INFORM: 8 } as const;
const OPTION = { MASK: 1, ROUTER: 3, DNS: 6, HOST_NAME: 12, REQUESTED: 50, LEASE: 51, TYPE: 53, SERVER: 54 } as const;
const LEASE_SECONDS = 86400;

export interface DhcpLease {
  readonly address: Ipv4;
  readonly mask: Ipv4;
  readonly server: Ipv4;
  readonly dns: Ipv4;
  readonly hostName?: string;
}

function optionsOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = FIXED_BYTES; at < bytes.length && bytes[at] !== 255;) {
    if (bytes[at] === 0) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    options.set(bytes[at]!, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

const be32 = (n: number): number[] => [n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff];

/** The answer to a client's message, null for none. */
export function answerDhcp(request: Uint8Array, lease: DhcpLease): Uint8Array | null {
  if (request.length < FIXED_BYTES || request[0] !== 1 || request[1] !== 1 || request[2] !== 6) return null;
  const data = new DataView(request.buffer, request.byteOffset, request.byteLength);
  if (data.getUint32(236) !== COOKIE) return null;
  const options = optionsOf(request);
  const type = options.get(OPTION.TYPE)?.[0];
  const asked = options.get(OPTION.REQUESTED);
  const askedAddress = asked?.length === 4 ? asked.reduce((sum, byte) => sum * 256 + byte, 0) : data.getUint32(12);
  let answer: number;
  if (type === TYPE.DISCOVER) answer = TYPE.OFFER;
  else if (type === TYPE.REQUEST) answer = askedAddress === lease.address ? TYPE.ACK : TYPE.NAK;
  else if (type === TYPE.INFORM) answer = TYPE.ACK;
  else return null;
  const reply = new Uint8Array(FIXED_BYTES);
  reply.set(request.subarray(0, 44));
  reply[0] = 2;
  const out = new DataView(reply.buffer);
  const gives = answer !== TYPE.NAK && type !== TYPE.INFORM;
  out.setUint32(16, gives ? lease.address : 0);
  out.setUint32(20, answer === TYPE.NAK ? 0 : lease.server);
  out.setUint32(236, COOKIE);
  const tail: number[] = [OPTION.TYPE, 1, answer, OPTION.SERVER, 4, ...be32(lease.server)];
  if (answer !== TYPE.NAK) {
    tail.push(OPTION.MASK, 4, ...be32(lease.mask), OPTION.ROUTER, 4, ...be32(lease.server));
    tail.push(OPTION.DNS, 4, ...be32(lease.dns));
    if (gives) tail.push(OPTION.LEASE, 4, ...be32(LEASE_SECONDS));
    const name = new TextEncoder().encode(lease.hostName ?? '').subarray(0, 63);
    if (name.length > 0) tail.push(OPTION.HOST_NAME, name.length, ...name);
  }
  tail.push(255);
  const whole = new Uint8Array(Math.max(300, FIXED_BYTES + tail.length));
  whole.set(reply);
  whole.set(tail, FIXED_BYTES);
  return whole;
}
