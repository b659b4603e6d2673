import { createServer, type Server, type Socket } from 'node:net';
import { CodedError } from '../../base/errors.js';
import type { QmpMonitor } from '../../harness/qmp/monitor.js';
import { describeAddress, type QmpAddress } from './address.js';
import { QmpConnection } from './connection.js';
import { clearSocketPath } from './unix-socket.js';

/** Clients that may wait for the one that is served; more are turned away. */
const MOST_WAITING = 8;

/** Offers a monitor at a socket, to one client after the other as QEMU does. */
export class QmpServer {
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  #monitor: QmpMonitor | null = null;
  #connection: QmpConnection | null = null;
  #isClosed = false;
  #greeted: () => void = () => {};
  /** Resolves when the first client has ended its negotiation, or the server is closed. */
  readonly negotiated = new Promise<void>((resolve) => (this.#greeted = resolve));

  private constructor(readonly address: QmpAddress) {
    this.#server = createServer((socket) => this.#arrived(socket));
  }

  /** Listens; clients wait until there is a monitor. Throws HOST_IO. */
  static async open(address: QmpAddress): Promise<QmpServer> {
    if (address.kind === 'unix') await clearSocketPath(address.path);
    const server = new QmpServer(address);
    try {
      await server.#listen();
    } catch (cause) {
      throw new CodedError('HOST_IO', 'QMP cannot be offered', {
        where: describeAddress(address),
        hint: cause instanceof Error ? cause.message : undefined,
        cause,
      });
    }
    return server;
  }

  #listen(): Promise<void> {
    const { address } = this;
    const where = address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
    return new Promise((done, fail) => {
      this.#server.once('error', fail);
      this.#server.listen(where, () => {
        this.#server.off('error', fail);
        // Accepting one may fail, of file descriptors for example; the next may work.
        this.#server.on('error', () => {});
        done();
      });
    });
  }

  /** The address with the port that the system has chosen where 0 was asked for. */
  get boundAddress(): QmpAddress {
    const bound = this.#server.address();
    const { address } = this;
    return address.kind === 'tcp' && bound !== null && typeof bound === 'object'
      ? { ...address, port: bound.port }
      : address;
  }

  /** From now on clients are served. */
  serve(monitor: QmpMonitor): void {
    this.#monitor = monitor;
    this.#next();
  }

  #arrived(socket: Socket): void {
    if (this.#isClosed || this.#waiting.length >= MOST_WAITING) {
      socket.destroy();
      return;
    }
    // One that goes before its turn is found out about then.
    socket.on('error', () => socket.destroy());
    socket.pause();
    this.#waiting.push(socket);
    this.#next();
  }

  #next(): void {
    if (this.#monitor === null || this.#connection !== null || this.#isClosed) return;
    const socket = this.#waiting.shift();
    if (socket === undefined) return;
    const connection = new QmpConnection(socket, this.#monitor, this.#greeted);
    this.#connection = connection;
    void connection.closed.then(() => {
      this.#connection = null;
      this.#next();
    });
  }

  /** The client gets what is on its way; the socket's file is removed. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#greeted();
    for (const socket of this.#waiting) socket.destroy();
    const isOver = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#connection?.end();
    await isOver;
  }
}
