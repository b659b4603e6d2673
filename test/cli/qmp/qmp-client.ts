import { createConnection, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';

export type Message = Readonly<Record<string, unknown>>;

/** A client of QMP as a test has it. */
export class QmpTestClient {
  readonly events: Message[] = [];
  readonly #answers: Message[] = [];
  #woken: () => void = () => {};
  #isClosed = false;
  readonly #lines: Interface;

  private constructor(private readonly socket: Socket) {
    this.#lines = createInterface(socket);
    this.#lines.on('line', (line) => {
      const message = JSON.parse(line) as Message;
      ('event' in message ? this.events : this.#answers).push(message);
      this.#woken();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isClosed = true;
      this.#woken();
    });
  }

  /** Tries until somebody listens there. Past the greeting and, unless told otherwise, the negotiation. */
  static async connect(path: string, negotiates = true): Promise<QmpTestClient> {
    for (;;) {
      const socket = createConnection({ path });
      const isThere = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      if (!isThere) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      const client = new QmpTestClient(socket);
      await client.answer();
      if (negotiates) await client.execute('qmp_capabilities');
      return client;
    }
  }

  send(text: string): void {
    this.socket.write(text);
  }
  async answer(): Promise<Message> {
    await this.#until(() => this.#answers.length > 0);
    return this.#answers.shift()!;
  }
  /** What the command returns; an error's text where it fails. */
  async execute(execute: string, given?: object): Promise<unknown> {
    this.send(JSON.stringify({ execute, ...(given === undefined ? {} : { arguments: given }) }));
    const message = await this.answer();
    return 'return' in message ? message.return : (message.error as { desc: string }).desc;
  }
  /** The next event of that name. */
  async event(name: string): Promise<Message> {
    const find = (): number => this.events.findIndex(({ event }) => event === name);
    await this.#until(() => find() >= 0);
    return this.events.splice(find(), 1)[0]!;
  }
  async closed(): Promise<void> {
    while (!this.#isClosed) await this.#wait();
  }
  hangUp(): void {
    this.socket.destroy();
  }

  async #until(isThere: () => boolean): Promise<void> {
    while (!isThere()) {
      if (this.#isClosed) throw new Error('the connection was closed');
      await this.#wait();
    }
  }
  #wait(): Promise<void> {
    return new Promise((resolve) => (this.#woken = resolve));
  }
}
