import { createServer, Socket, type Server } from 'node:net';
import { TCP_FLAG, type Ipv4, type Ipv4Packet, type TcpSegment } from './packet.js';
import { TcpConnection } from './tcp-connection.js';

/** Connections at a time; a guest that wants more is refused. */
const MAX_CONNECTIONS = 1024;
const FIRST_FORWARD_PORT = 40000;
const FORWARD_PORTS = 20000;
const CONNECT_TIMEOUT_MS = 30_000;

export interface TcpFlowsOptions {
  /** Sends a segment to the guest. */
  readonly send: (from: Ipv4, to: Ipv4, segment: TcpSegment) => void;
  /** Address of the host that stands behind one in the guest's network; null for none. */
  readonly resolve: (address: Ipv4) => string | null;
  /** From whose address forwarded connections come. */
  readonly gateway: Ipv4;
}

/** All TCP connections between the guest and the host's network. */
export class TcpFlows {
  readonly #connections = new Map<string, TcpConnection>();
  /** Calls that have not been answered yet. */
  readonly #connecting = new Map<string, Socket>();
  readonly #servers: Server[] = [];
  #nextPort = 0;
  #sequence = 1;

  constructor(private readonly options: TcpFlowsOptions) {}

  receive({ from, to }: Ipv4Packet, segment: TcpSegment): void {
    const key = this.#key(from, segment.fromPort, to, segment.toPort);
    const present = this.#connections.get(key);
    if (present !== undefined) return present.receive(segment);
    if (this.#connecting.has(key)) return;
    const isCall = (segment.flags & (TCP_FLAG.SYN | TCP_FLAG.ACK | TCP_FLAG.RST)) === TCP_FLAG.SYN;
    if (isCall) this.#call(key, from, to, segment);
    else if ((segment.flags & TCP_FLAG.RST) === 0) this.#refuse(from, to, segment);
  }

  #key(guest: Ipv4, guestPort: number, remote: Ipv4, remotePort: number): string {
    return `${guest}:${guestPort}-${remote}:${remotePort}`;
  }

  #refuse(guest: Ipv4, remote: Ipv4, segment: TcpSegment): void {
    const { flags, sequence, acknowledgement, payload } = segment;
    const isAcknowledged = (flags & TCP_FLAG.ACK) !== 0;
    const taken = payload.length + ((flags & (TCP_FLAG.SYN | TCP_FLAG.FIN)) !== 0 ? 1 : 0);
    this.options.send(remote, guest, {
      fromPort: segment.toPort,
      toPort: segment.fromPort,
      sequence: isAcknowledged ? acknowledgement : 0,
      acknowledgement: isAcknowledged ? 0 : (sequence + taken) >>> 0,
      flags: isAcknowledged ? TCP_FLAG.RST : TCP_FLAG.RST | TCP_FLAG.ACK,
      window: 0,
      payload: new Uint8Array(0),
    });
  }

  #call(key: string, guest: Ipv4, remote: Ipv4, syn: TcpSegment): void {
    const host = this.options.resolve(remote);
    const isFull = this.#connections.size + this.#connecting.size >= MAX_CONNECTIONS;
    if (host === null || isFull) return this.#refuse(guest, remote, syn);
    const socket = new Socket({ allowHalfOpen: true });
    this.#connecting.set(key, socket);
    const fail = (): void => {
      if (this.#connecting.delete(key)) this.#refuse(guest, remote, syn);
      socket.destroy();
    };
    socket.on('error', fail);
    socket.setTimeout(CONNECT_TIMEOUT_MS, fail);
    socket.connect({ host, port: syn.toPort }, () => {
      socket.off('error', fail);
      socket.setTimeout(0);
      if (!this.#connecting.delete(key)) return socket.destroy();
      this.#add(key, guest, syn.fromPort, remote, syn.toPort, socket).accept(syn);
    });
  }

  #add(key: string, guest: Ipv4, guestPort: number, remote: Ipv4, remotePort: number, socket: Socket): TcpConnection {
    const connection = new TcpConnection(
      {
        guestPort,
        remotePort,
        send: (segment) => this.options.send(remote, guest, segment),
        closed: () => this.#connections.delete(key),
      },
      socket,
      (this.#sequence = (this.#sequence + 0x1_0001) >>> 0),
    );
    this.#connections.set(key, connection);
    return connection;
  }

  /** Listens on the host and leads who calls to the guest. Rejects with what the system says. */
  forward(hostAddress: string | undefined, hostPort: number, guest: Ipv4, guestPort: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      if (this.#connections.size >= MAX_CONNECTIONS) return socket.destroy();
      const port = FIRST_FORWARD_PORT + (this.#nextPort++ % FORWARD_PORTS);
      const { gateway } = this.options;
      const key = this.#key(guest, guestPort, gateway, port);
      if (this.#connections.has(key)) return socket.destroy();
      this.#add(key, guest, guestPort, gateway, port, socket).connect();
    });
    this.#servers.push(server);
    return new Promise((done, fail) => {
      server.once('error', fail);
      server.listen(hostPort, hostAddress, () => {
        server.unref();
        done();
      });
    });
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#connecting.values()) socket.destroy();
    this.#connecting.clear();
    for (const connection of [...this.#connections.values()]) connection.reset();
  }
}
