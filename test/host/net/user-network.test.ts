import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Server } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  buildArp,
  buildEthernet,
  buildIcmp,
  buildIpv4,
  buildTcp,
  buildUdp,
  ETHERTYPE,
  IP_PROTOCOL,
  ipv4,
  parseArp,
  parseEthernet,
  parseIpv4,
  parseTcp,
  parseUdp,
  TCP_FLAG,
  type TcpSegment,
} from '../../../src/host/net/packet.js';
import { UserNetwork } from '../../../src/host/net/user-network.js';

const GUEST_MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const ANY_MAC = new Uint8Array(6).fill(0xff);
const GUEST = ipv4('10.0.2.15');
const HOST = ipv4('10.0.2.2');

/** What a guest's IP stack would do, in the hands of a test. */
class FakeGuest {
  readonly received: Uint8Array[] = [];

  constructor(readonly network: UserNetwork) {
    network.onFrame = (frame) => this.received.push(frame.slice());
  }

  send(to: number, protocol: number, payload: Uint8Array): void {
    for (const packet of buildIpv4({ from: GUEST, to, protocol, identification: 7 }, payload)) {
      this.network.send(buildEthernet({ to: ANY_MAC, from: GUEST_MAC, type: ETHERTYPE.IPV4, payload: packet }));
    }
  }

  /** IPv4 packets received so far, and forgotten. */
  take(protocol: number) {
    const packets = this.received.splice(0).map((frame) => parseIpv4(parseEthernet(frame)!.payload));
    return packets.filter((packet) => packet !== null).filter((packet) => packet.protocol === protocol);
  }

  /** Waits for packets of a protocol. */
  async wait(protocol: number) {
    for (let n = 0; n < 400; n++) {
      const packets = this.take(protocol);
      if (packets.length > 0) return packets;
      await new Promise((done) => setTimeout(done, 5));
    }
    throw new Error('nothing came');
  }

  segment(fields: Partial<TcpSegment> & { toPort: number }): void {
    const segment = {
      fromPort: 5000,
      sequence: 0,
      acknowledgement: 0,
      flags: 0,
      window: 65535,
      payload: new Uint8Array(0),
    };
    this.send(HOST, IP_PROTOCOL.TCP, buildTcp(GUEST, HOST, { ...segment, ...fields }));
  }
}

let network: UserNetwork;
let guest: FakeGuest;
const servers: Server[] = [];

beforeEach(async () => {
  network = await UserNetwork.open({ kind: 'user', hostName: 'guest' });
  guest = new FakeGuest(network);
});
afterEach(() => {
  network.close();
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

describe('address translation', () => {
  it('answers for its own addresses', () => {
    const arp = (targetIp: number): void => {
      const payload = buildArp({
        operation: 1,
        senderMac: GUEST_MAC,
        senderIp: GUEST,
        targetMac: new Uint8Array(6),
        targetIp,
      });
      network.send(buildEthernet({ to: ANY_MAC, from: GUEST_MAC, type: ETHERTYPE.ARP, payload }));
    };
    arp(HOST);
    arp(ipv4('10.0.2.99'));
    expect(guest.received).toHaveLength(1);
    const reply = parseArp(parseEthernet(guest.received.splice(0)[0]!)!.payload)!;
    expect([reply.operation, reply.senderIp]).toEqual([2, HOST]);
    guest.send(HOST, IP_PROTOCOL.ICMP, buildIcmp(8, 0, Uint8Array.of(0, 1, 0, 2, 9, 9)));
    const [echo] = guest.take(IP_PROTOCOL.ICMP);
    expect([...echo!.payload.subarray(0, 2), ...echo!.payload.subarray(4)]).toEqual([0, 0, 0, 1, 0, 2, 9, 9]);
  });

  it('gives a lease', () => {
    const request = new Uint8Array(244);
    request.set([1, 1, 6, 0, 1, 2, 3, 4]);
    request.set(GUEST_MAC, 28);
    request.set([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255], 236);
    const payload = buildUdp(0, 0xffff_ffff, { fromPort: 68, toPort: 67, payload: request });
    const [packet] = buildIpv4({ from: 0, to: 0xffff_ffff, protocol: IP_PROTOCOL.UDP, identification: 1 }, payload);
    network.send(buildEthernet({ to: ANY_MAC, from: GUEST_MAC, type: ETHERTYPE.IPV4, payload: packet! }));
    const offer = parseUdp(guest.take(IP_PROTOCOL.UDP)[0]!)!.payload;
    expect([...offer.subarray(16, 20)]).toEqual([10, 0, 2, 15]);
    expect([...offer.subarray(240, 243)]).toEqual([53, 1, 2]);
    expect(Buffer.from(offer).includes('guest')).toBe(true);
  });

  it('carries a TCP connection both ways and ends it', async () => {
    const heard: string[] = [];
    const server = createServer((socket) => {
      socket.on('data', (bytes) => {
        heard.push(String(bytes));
        socket.end(Buffer.alloc(5000, 'x'));
      });
    });
    const toPort = await listen(server);
    guest.segment({ toPort, flags: TCP_FLAG.SYN, sequence: 100, mss: 1460 });
    const syn = parseTcp((await guest.wait(IP_PROTOCOL.TCP))[0]!)!;
    expect([syn.flags, syn.acknowledgement]).toEqual([TCP_FLAG.SYN | TCP_FLAG.ACK, 101]);
    let next = (syn.sequence + 1) >>> 0;
    guest.segment({ toPort, flags: TCP_FLAG.ACK, sequence: 101, acknowledgement: next, payload: Buffer.from('hello') });
    let received = 0;
    let ended = false;
    while (!ended) {
      for (const packet of await guest.wait(IP_PROTOCOL.TCP)) {
        const segment = parseTcp(packet)!;
        if (segment.sequence !== next) continue;
        received += segment.payload.length;
        ended ||= (segment.flags & TCP_FLAG.FIN) !== 0;
        next = (next + segment.payload.length + (ended ? 1 : 0)) >>> 0;
      }
      guest.segment({ toPort, flags: TCP_FLAG.ACK, sequence: 106, acknowledgement: next });
    }
    expect([heard.join(''), received]).toEqual(['hello', 5000]);
    guest.segment({ toPort, flags: TCP_FLAG.ACK | TCP_FLAG.FIN, sequence: 106, acknowledgement: next });
    const last = parseTcp((await guest.wait(IP_PROTOCOL.TCP)).at(-1)!)!;
    expect(last.acknowledgement).toBe(107);
  });

  it('refuses a connection that nobody takes', async () => {
    const server = createServer();
    const toPort = await listen(server);
    await new Promise((done) => server.close(done));
    guest.segment({ toPort, flags: TCP_FLAG.SYN, sequence: 5 });
    const reset = parseTcp((await guest.wait(IP_PROTOCOL.TCP))[0]!)!;
    expect([reset.flags & TCP_FLAG.RST, reset.acknowledgement]).toEqual([TCP_FLAG.RST, 6]);
  });

  it('carries datagrams', async () => {
    const echo = createSocket('udp4');
    echo.on('message', (bytes, { port, address }) => echo.send(`re: ${String(bytes)}`, port, address));
    await new Promise<void>((done) => echo.bind(0, '127.0.0.1', done));
    const toPort = echo.address().port;
    guest.send(HOST, IP_PROTOCOL.UDP, buildUdp(GUEST, HOST, { fromPort: 999, toPort, payload: Buffer.from('hi') }));
    const [packet] = await guest.wait(IP_PROTOCOL.UDP);
    const answer = parseUdp(packet!)!;
    expect([packet!.from, answer.fromPort, answer.toPort, String(Buffer.from(answer.payload))]).toEqual([
      HOST,
      toPort,
      999,
      're: hi',
    ]);
    echo.close();
  });

  it('lets nothing out when it is restricted', async () => {
    const closed = await UserNetwork.open({ kind: 'user', restrict: true });
    const prisoner = new FakeGuest(closed);
    prisoner.segment({ toPort: 80, flags: TCP_FLAG.SYN });
    expect(parseTcp(prisoner.take(IP_PROTOCOL.TCP)[0]!)!.flags & TCP_FLAG.RST).toBe(TCP_FLAG.RST);
    const to = ipv4('192.0.2.1');
    prisoner.send(to, IP_PROTOCOL.UDP, buildUdp(GUEST, to, { fromPort: 1, toPort: 2, payload: Buffer.from('x') }));
    expect(prisoner.take(IP_PROTOCOL.ICMP)[0]!.payload[0]).toBe(3);
    closed.close();
  });

  it('survives whatever a guest sends', () => {
    const ethernet = fc.record({
      type: fc.constantFrom(0x0800, 0x0806, 0x86dd),
      payload: fc.uint8Array({ maxLength: 200 }),
    });
    fc.assert(
      fc.property(ethernet, fc.uint8Array({ maxLength: 60 }), fc.nat(255), ({ type, payload }, rest, protocol) => {
        network.send(buildEthernet({ to: ANY_MAC, from: GUEST_MAC, type, payload }));
        network.send(payload);
        guest.send(HOST, protocol, rest);
        guest.send(ipv4('10.0.2.3'), [1, 6, 17][protocol % 3]!, rest);
      }),
      { numRuns: 500 },
    );
    expect(guest.received.length).toBeLessThan(5000);
  });
});

describe('packets', () => {
  it('come back from bytes as they were', () => {
    const port = fc.nat(0xffff);
    const word = fc.nat(0xffff_ffff);
    const payload = fc.uint8Array({ maxLength: 1400 });
    fc.assert(
      fc.property(
        port,
        port,
        word,
        word,
        fc.nat(63),
        payload,
        (fromPort, toPort, sequence, acknowledgement, flags, data) => {
          const segment = { fromPort, toPort, sequence, acknowledgement, flags, window: 17, payload: data };
          const [packet] = buildIpv4(
            { from: GUEST, to: HOST, protocol: IP_PROTOCOL.TCP, identification: 3 },
            buildTcp(GUEST, HOST, segment),
          );
          expect(parseTcp(parseIpv4(packet!)!)).toEqual(segment);
          const datagram = { fromPort, toPort, payload: data };
          const [other] = buildIpv4(
            { from: GUEST, to: HOST, protocol: IP_PROTOCOL.UDP, identification: 3 },
            buildUdp(GUEST, HOST, datagram),
          );
          expect(parseUdp(parseIpv4(other!)!)).toEqual(datagram);
        },
      ),
    );
  });

  it('are refused when a byte is wrong', () => {
    const [packet] = buildIpv4({ from: GUEST, to: HOST, protocol: 17, identification: 3 }, new Uint8Array(8));
    packet![8]! ^= 1;
    expect(parseIpv4(packet!)).toBeNull();
  });
});
