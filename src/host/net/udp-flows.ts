import { createSocket, type Socket } from 'node:dgram';
import type { Ipv4, Ipv4Packet, UdpDatagram } from './packet.js';
import { ipv4 } from './packet.js';

/** Sockets, and clients of forwarded ports, at a time: the oldest gives way. */
const MAX_FLOWS = 256;
const IDLE_MS = 60_000;
const LOOPBACK = '127.0.0.1';

export interface UdpFlowsOptions {
  /** Sends a datagram to the guest. */
  readonly send: (from: Ipv4, to: Ipv4, datagram: UdpDatagram) => void;
  /** Address of the host that stands behind one in the guest's network; null for none. */
  readonly resolve: (address: Ipv4) => string | null;
  readonly gateway: Ipv4;
}

interface Flow {
  readonly socket: Socket;
  /** By the host's address and port: the address that the guest wrote to. */
  readonly peers: Map<string, Ipv4>;
  idle: ReturnType<typeof setTimeout>;
}

/** Somebody who wrote to a forwarded port. */
interface Client {
  readonly server: Socket;
  readonly address: string;
  readonly port: number;
}

/** UDP between the guest and the host's network: a socket for each of the guest's ports. */
export class UdpFlows {
  readonly #flows = new Map<string, Flow>();
  readonly #clients = new Map<string, Client>();
  readonly #servers: Socket[] = [];

  constructor(private readonly options: UdpFlowsOptions) {}

  receive({ from, to }: Ipv4Packet, { fromPort, toPort, payload }: UdpDatagram): void {
    // The frame is gone as soon as the guest goes on.
    const bytes = Uint8Array.from(payload);
    const client = this.#clients.get(`${from}:${fromPort}-${toPort}`);
    if (to === this.options.gateway && client !== undefined) {
      client.server.send(bytes, client.port, client.address, () => {});
      return;
    }
    const host = this.options.resolve(to);
    if (host === null || toPort === 0) return;
    const flow = this.#flow(from, fromPort);
    flow.peers.set(`${host}:${toPort}`, to);
    flow.idle.refresh();
    flow.socket.send(bytes, toPort, host, () => {});
  }

  #drop(key: string): void {
    const flow = this.#flows.get(key);
    if (flow === undefined) return;
    this.#flows.delete(key);
    clearTimeout(flow.idle);
    flow.socket.close();
  }

  #flow(guest: Ipv4, guestPort: number): Flow {
    const key = `${guest}:${guestPort}`;
    const present = this.#flows.get(key);
    if (present !== undefined) return present;
    if (this.#flows.size >= MAX_FLOWS) this.#drop(this.#flows.keys().next().value!);
    const socket = createSocket('udp4');
    const peers = new Map<string, Ipv4>();
    socket.on('error', () => this.#drop(key));
    socket.on('message', (payload, { address, port }) => {
      const from = peers.get(`${address}:${port}`) ?? (address === LOOPBACK ? this.options.gateway : ipv4(address));
      this.options.send(from, guest, { fromPort: port, toPort: guestPort, payload });
    });
    socket.bind(() => socket.unref());
    const idle = setTimeout(() => this.#drop(key), IDLE_MS);
    idle.unref();
    const flow = { socket, peers, idle };
    this.#flows.set(key, flow);
    return flow;
  }

  /** Leads what arrives at a port of the host to the guest. Rejects with what the system says. */
  forward(hostAddress: string | undefined, hostPort: number, guest: Ipv4, guestPort: number): Promise<void> {
    const server = createSocket('udp4');
    this.#servers.push(server);
    server.on('message', (payload, { address, port }) => {
      if (this.#clients.size >= MAX_FLOWS) this.#clients.delete(this.#clients.keys().next().value!);
      this.#clients.set(`${guest}:${guestPort}-${port}`, { server, address, port });
      this.options.send(this.options.gateway, guest, { fromPort: port, toPort: guestPort, payload });
    });
    return new Promise((done, fail) => {
      server.once('error', fail);
      server.bind(hostPort, hostAddress, () => {
        server.unref();
        done();
      });
    });
  }

  close(): void {
    for (const key of [...this.#flows.keys()]) this.#drop(key);
    for (const server of this.#servers) server.close();
  }
}
