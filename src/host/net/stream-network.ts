import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { CodedError } from '../../base/errors.js';
import type { NetworkBackend, StreamNetworkOptions } from '../../harness/network.js';

const LENGTH_BYTES = 4;
/** QEMU's limit. */
const MAX_FRAME_BYTES = 69_632;
/** What waits for a slow reader; beyond it frames are lost, as on a wire. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
const RECONNECT_MS = 500;

/** Frames with their length over a socket, as QEMU's `-netdev stream` has them. The other end may come and go. */
export class StreamNetwork implements NetworkBackend {
  onFrame: (frame: Uint8Array) => void = () => {};
  #socket: Socket | null = null;
  #server: Server | null = null;
  #pending: Buffer = Buffer.alloc(0);
  #isClosed = false;

  private constructor(private readonly options: StreamNetworkOptions) {}

  /** Throws HOST_IO when the socket cannot be opened. */
  static async open(options: StreamNetworkOptions): Promise<StreamNetwork> {
    const network = new StreamNetwork(options);
    const where = options.path ?? `${options.host ?? ''}:${options.port}`;
    try {
      await (options.server === true ? network.#listen() : network.#connect());
    } catch (cause) {
      network.close();
      throw new CodedError('HOST_IO', `the network at ${where} cannot be reached`, {
        hint: options.server === true ? 'choose another address' : 'start the other end first',
        cause,
      });
    }
    return network;
  }

  get #address(): { path: string } | { host: string; port: number } {
    const { path, host = '127.0.0.1', port = 0 } = this.options;
    return path === undefined ? { host, port } : { path };
  }

  #listen(): Promise<void> {
    const server = createServer((socket) => {
      // One wire has two ends.
      if (this.#socket === null) this.#attach(socket);
      else socket.destroy();
    });
    this.#server = server;
    return new Promise((done, fail) => {
      server.once('error', fail);
      server.listen(this.#address, () => {
        server.unref();
        done();
      });
    });
  }

  #connect(): Promise<void> {
    return new Promise((done, fail) => {
      const socket = createConnection(this.#address);
      socket.once('error', fail);
      socket.once('connect', () => {
        socket.off('error', fail);
        this.#attach(socket);
        done();
      });
    });
  }

  #attach(socket: Socket): void {
    this.#socket = socket;
    this.#pending = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.unref();
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = null;
      if (!this.#isClosed && this.options.server !== true) this.#reconnect();
    });
  }

  #reconnect(): void {
    const timer = setTimeout(() => {
      if (!this.#isClosed) this.#connect().catch(() => this.#reconnect());
    }, RECONNECT_MS);
    timer.unref();
  }

  #read(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    let at = 0;
    while (this.#pending.length - at >= LENGTH_BYTES) {
      const length = this.#pending.readUInt32BE(at);
      if (length > MAX_FRAME_BYTES) {
        // The other end speaks something else.
        this.#socket?.destroy();
        return;
      }
      if (this.#pending.length - at - LENGTH_BYTES < length) break;
      this.onFrame(Uint8Array.from(this.#pending.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length)));
      at += LENGTH_BYTES + length;
    }
    this.#pending = this.#pending.subarray(at);
  }

  send(frame: Uint8Array): void {
    const socket = this.#socket;
    if (socket === null || socket.writableLength > MAX_QUEUED_BYTES) return;
    const message = Buffer.alloc(LENGTH_BYTES + frame.length);
    message.writeUInt32BE(frame.length, 0);
    message.set(frame, LENGTH_BYTES);
    socket.write(message);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
    this.#server?.close();
    this.onFrame = () => {};
  }
}
