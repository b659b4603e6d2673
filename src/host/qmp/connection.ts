import type { Socket } from 'node:net';
import type { QmpClient, QmpMonitor } from '../../harness/qmp/monitor.js';
import { QmpError } from '../../harness/qmp/qmp-error.js';
import { JsonFrames } from './json-frames.js';

/** What may wait for a client that does not read; beyond it events are lost, and commands wait. */
const MOST_QUEUED_BYTES = 1 << 20;
/** A client that does not take its last messages by then does not get them. */
const LAST_WORDS_MS = 1000;
/** What a client is given to hang up as well. */
const GOODBYE_MS = 100;

/** A client's socket: text in, commands one after the other, answers and events out. */
export class QmpConnection {
  readonly #frames = new JsonFrames();
  readonly #client: QmpClient;
  /** Work on what was read before is not finished: an answer is on its way. */
  #answering = false;
  readonly closed: Promise<void>;

  constructor(
    private readonly socket: Socket,
    monitor: QmpMonitor,
    private readonly onNegotiated: () => void,
  ) {
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.setNoDelay(true);
    this.#client = monitor.connect((message) => this.#send(message));
    socket.on('data', (chunk: Uint8Array) => void this.#read(chunk));
    socket.on('close', () => monitor.disconnect(this.#client));
    socket.resume();
  }

  #send(message: object): void {
    const { socket } = this;
    if (socket.destroyed || !socket.writable) return;
    if (!this.#answering && socket.writableLength > MOST_QUEUED_BYTES) return;
    socket.write(`${JSON.stringify(message)}\r\n`);
  }

  async #read(chunk: Uint8Array): Promise<void> {
    const { socket } = this;
    socket.pause();
    for (const { kind, text } of this.#frames.push(chunk)) {
      this.#answering = true;
      if (kind === 'text') await this.#client.receive(text);
      else this.#client.refuse(new QmpError(text));
      this.#answering = false;
      if (this.#client.isNegotiated) this.onNegotiated();
      // A browser that was sent here by some page speaks HTTP first.
      if (kind === 'fatal' || (kind === 'wrong' && !this.#client.isNegotiated)) {
        await this.end();
        return;
      }
      await this.#drained();
      if (socket.destroyed) return;
    }
    socket.resume();
  }

  async #drained(): Promise<void> {
    const { socket } = this;
    if (socket.writableLength <= MOST_QUEUED_BYTES || socket.destroyed) return;
    await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), this.closed]);
  }

  /** Sends what is on its way and hangs up. */
  async end(): Promise<void> {
    const { socket } = this;
    let timer = setTimeout(() => socket.destroy(), LAST_WORDS_MS);
    // What lay there unread would have the client lose what it was sent last.
    socket.removeAllListeners('data');
    socket.resume();
    socket.end(() => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), GOODBYE_MS);
    });
    await this.closed;
    clearTimeout(timer);
  }
}
