import { readFileSync } from 'node:fs';
import { CodedError } from '../../base/errors.js';
import type { HostForward, NetworkBackend, UserNetworkOptions } from '../../harness/network.js';
import { answerDhcp, DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from './dhcp.js';
import {
  buildArp,
  buildEthernet,
  buildIcmp,
  buildIpv4Frames,
  buildTcp,
  buildUdp,
  ETHERTYPE,
  IP_PROTOCOL,
  ipv4,
  ipv4Text,
  parseArp,
  parseEthernet,
  parseIpv4,
  parseTcp,
  parseUdp,
  type Ipv4,
  type Ipv4Packet,
} from './packet.js';
import { Reassembly } from './reassembly.js';
import { TcpFlows } from './tcp-flows.js';
import { UdpFlows } from './udp-flows.js';

const NETWORK = ipv4('10.0.2.0');
const MASK = ipv4('255.255.255.0');
const HOST = ipv4('10.0.2.2');
const DNS = ipv4('10.0.2.3');
const FIRST_GUEST = ipv4('10.0.2.15');
const BROADCAST = 0xffff_ffff;
const HOST_MAC = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2);
const DNS_MAC = Uint8Array.of(0x52, 0x55, 10, 0, 2, 3);
const ANY_MAC = new Uint8Array(6).fill(0xff);
const LOOPBACK = '127.0.0.1';

const ECHO_REQUEST = 8;
const UNREACHABLE = 3;
const CODE_HOST = 1;
const CODE_PORT = 3;
const CODE_FILTERED = 13;
/** Of the packet that an ICMP error answers. */
const QUOTED_BYTES = 28;

const isInside = (address: Ipv4): boolean => (address & MASK) >>> 0 === NETWORK;

/** The first IPv4 resolver that the system names; its own otherwise. */
function systemResolver(): string {
  try {
    const match = /^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)/m.exec(readFileSync('/etc/resolv.conf', 'utf8'));
    return match?.[1] ?? LOOPBACK;
  } catch {
    return LOOPBACK;
  }
}

/**
 * A network of the guest's own with address translation, as an ordinary user may have it: TCP and UDP go through the
 * host's sockets. IPv6 is dropped. ICMP echo is answered by the network's own addresses; for others the host would need
 * a privilege, so that they count as unreachable.
 */
export class UserNetwork implements NetworkBackend {
  onFrame: (frame: Uint8Array) => void = () => {};
  /** The guest's Ethernet address, as it was seen last. */
  #guestMac: Uint8Array = ANY_MAC;
  #identification = 1;
  readonly #reassembly = new Reassembly();
  readonly #tcp: TcpFlows;
  readonly #udp: UdpFlows;
  readonly #resolver = systemResolver();

  private constructor(private readonly options: UserNetworkOptions) {
    const resolve = (address: Ipv4): string | null => this.#resolve(address);
    this.#tcp = new TcpFlows({
      gateway: HOST,
      resolve,
      send: (from, to, segment) => this.#sendIpv4(from, to, IP_PROTOCOL.TCP, buildTcp(from, to, segment)),
    });
    this.#udp = new UdpFlows({
      gateway: HOST,
      resolve,
      send: (from, to, datagram) => this.#sendIpv4(from, to, IP_PROTOCOL.UDP, buildUdp(from, to, datagram)),
    });
  }

  /** Opens forwarded ports. Throws HOST_IO for one that cannot be had. */
  static async open(options: UserNetworkOptions): Promise<UserNetwork> {
    const network = new UserNetwork(options);
    for (const forward of options.hostForwards ?? []) {
      try {
        await network.#forward(forward);
      } catch (cause) {
        network.close();
        throw new CodedError('HOST_IO', `port ${forward.hostPort} (${forward.protocol}) of the host cannot be had`, {
          hint: 'another program has it, or it is below 1024; choose another port',
          cause,
        });
      }
    }
    return network;
  }

  #forward({ protocol, hostAddress, hostPort, guestAddress, guestPort }: HostForward): Promise<void> {
    const guest = guestAddress === undefined ? FIRST_GUEST : ipv4(guestAddress);
    return (protocol === 'tcp' ? this.#tcp : this.#udp).forward(hostAddress, hostPort, guest, guestPort);
  }

  close(): void {
    this.#tcp.close();
    this.#udp.close();
    this.onFrame = () => {};
  }

  /** What stands behind an address: null for what cannot be reached. */
  #resolve(address: Ipv4): string | null {
    if (this.options.restrict === true) return null;
    if (address === HOST) return LOOPBACK;
    if (address === DNS) return this.#resolver;
    const isGroup = address >>> 28 === 14 || address === BROADCAST || address >>> 24 === 0;
    return isInside(address) || isGroup ? null : ipv4Text(address);
  }

  // ---- from the guest
  send(frame: Uint8Array): void {
    const ethernet = parseEthernet(frame);
    if (ethernet === null) return;
    if (ethernet.type === ETHERTYPE.ARP) this.#arp(ethernet.payload);
    else if (ethernet.type === ETHERTYPE.IPV4) {
      this.#guestMac = ethernet.from.slice();
      const packet = parseIpv4(ethernet.payload);
      const whole = packet === null ? null : this.#reassembly.add(packet);
      if (whole !== null) this.#ipv4(whole);
    }
  }

  #arp(bytes: Uint8Array): void {
    const request = parseArp(bytes);
    if (request?.operation !== 1) return;
    this.#guestMac = request.senderMac;
    const { targetIp } = request;
    if (targetIp !== HOST && targetIp !== DNS) return;
    const senderMac = targetIp === HOST ? HOST_MAC : DNS_MAC;
    const reply = {
      operation: 2,
      senderMac,
      senderIp: targetIp,
      targetMac: request.senderMac,
      targetIp: request.senderIp,
    };
    const payload = buildArp(reply);
    this.onFrame(buildEthernet({ to: request.senderMac, from: senderMac, type: ETHERTYPE.ARP, payload }));
  }

  #ipv4(packet: Ipv4Packet): void {
    switch (packet.protocol) {
      case IP_PROTOCOL.ICMP:
        return this.#icmp(packet);
      case IP_PROTOCOL.UDP:
        return this.#datagram(packet);
      case IP_PROTOCOL.TCP: {
        const segment = parseTcp(packet);
        if (segment !== null) this.#tcp.receive(packet, segment);
      }
    }
  }

  #icmp(packet: Ipv4Packet): void {
    const { from, to, payload } = packet;
    if (payload.length < 8 || payload[0] !== ECHO_REQUEST) return;
    if (to === HOST || to === DNS) {
      this.#sendIpv4(to, from, IP_PROTOCOL.ICMP, buildIcmp(0, 0, payload.subarray(4)));
    } else if (!isInside(to)) this.#unreachable(packet, CODE_HOST);
  }

  #datagram(packet: Ipv4Packet): void {
    const datagram = parseUdp(packet);
    if (datagram === null) return;
    if (datagram.toPort === DHCP_SERVER_PORT && (packet.to === BROADCAST || packet.to === HOST)) {
      return this.#dhcp(datagram.payload);
    }
    const isForwarded = packet.to === HOST;
    if (this.#resolve(packet.to) !== null || isForwarded) this.#udp.receive(packet, datagram);
    else if (packet.to !== BROADCAST && packet.to >>> 28 !== 14) {
      this.#unreachable(packet, this.options.restrict === true ? CODE_FILTERED : CODE_PORT);
    }
  }

  #dhcp(request: Uint8Array): void {
    const { hostName } = this.options;
    const lease = { address: FIRST_GUEST, mask: MASK, server: HOST, dns: DNS };
    const payload = answerDhcp(request, hostName === undefined ? lease : { ...lease, hostName });
    if (payload === null) return;
    const datagram = { fromPort: DHCP_SERVER_PORT, toPort: DHCP_CLIENT_PORT, payload };
    // To everybody: the client has no address yet.
    this.#sendIpv4(HOST, BROADCAST, IP_PROTOCOL.UDP, buildUdp(HOST, BROADCAST, datagram), request.slice(28, 34));
  }

  #unreachable({ from, bytes }: Ipv4Packet, code: number): void {
    const quoted = new Uint8Array(4 + Math.min(bytes.length, QUOTED_BYTES));
    quoted.set(bytes.subarray(0, QUOTED_BYTES), 4);
    this.#sendIpv4(HOST, from, IP_PROTOCOL.ICMP, buildIcmp(UNREACHABLE, code, quoted));
  }

  // ---- to the guest
  #sendIpv4(from: Ipv4, to: Ipv4, protocol: number, payload: Uint8Array, mac = this.#guestMac): void {
    this.#identification = (this.#identification + 1) & 0xffff;
    const header = { from, to, protocol, identification: this.#identification };
    for (const frame of buildIpv4Frames({ to: mac, from: HOST_MAC }, header, payload)) this.onFrame(frame);
  }
}
