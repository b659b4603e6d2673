import { checkArguments, isObject } from './arguments.js';
import { isQmpCommand, QMP_COMMANDS, type QmpCommandName, type QmpHandlers, type QmpOwnCommand } from './commands.js';
import type { QmpEventName } from './events.js';
import { QmpError, qmpErrorOf } from './qmp-error.js';

/** What a monitor watches: a live machine or a replay. */
export interface QmpTarget {
  /** What it is, for who asks it for what it cannot do. */
  readonly what: string;
  readonly handlers: Partial<QmpHandlers<Exclude<QmpCommandName, QmpOwnCommand>>>;
  /** Throws DENIED. */
  permit(command: QmpCommandName): void;
}

export interface QmpMonitorOptions {
  /** `major.minor.micro`. */
  readonly version: string;
  /** Wall time, for events. */
  readonly nowMs: () => number;
}

/** Commands on their way to a machine or replay, and events on their way back. What it watches may change. */
export class QmpMonitor {
  #target: QmpTarget | null = null;
  #client: QmpClient | null = null;

  constructor(private readonly options: QmpMonitorOptions) {}

  /** From now on commands go there. */
  watch(target: QmpTarget): void {
    this.#target = target;
  }

  /** Greets a client that gets messages by `send`. It is the one that events go to. */
  connect(send: (message: object) => void): QmpClient {
    const client = new QmpClient(this, send);
    this.#client = client;
    send({ QMP: { version: this.version, capabilities: [] } });
    return client;
  }
  disconnect(client: QmpClient): void {
    if (this.#client === client) this.#client = null;
  }

  readonly emit = (event: QmpEventName, data?: Readonly<Record<string, unknown>>): void => {
    const nowMs = this.options.nowMs();
    const seconds = Math.floor(nowMs / 1000);
    const timestamp = { seconds, microseconds: Math.floor((nowMs - seconds * 1000) * 1000) };
    this.#client?.tell({ timestamp, event, ...(data === undefined ? {} : { data }) });
  };

  get version(): object {
    const [major = 0, minor = 0, micro = 0] = this.options.version.split(/[.-]/).map(Number);
    return { qemu: { major, minor, micro }, package: `guestreel ${this.options.version}` };
  }

  /** Names of the commands that can be given now. */
  get commands(): QmpCommandName[] {
    const own: readonly QmpCommandName[] = ['qmp_capabilities', 'query-version', 'query-commands'];
    return (Object.keys(QMP_COMMANDS) as QmpCommandName[]).filter(
      (name) => own.includes(name) || this.#target?.handlers[name as keyof QmpTarget['handlers']] !== undefined,
    );
  }

  async execute(name: string, given: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (!isQmpCommand(name)) throw new QmpError(`The command ${name} has not been found`, 'CommandNotFound');
    const checked = checkArguments(name, given);
    if (name === 'query-version') return this.version;
    if (name === 'query-commands') return this.commands.map((command) => ({ name: command }));
    const target = this.#target;
    const handler = (target?.handlers as Record<string, ((given: object) => unknown) | undefined>)[name];
    if (target === null || handler === undefined) {
      throw new QmpError(`${name} cannot be done with ${target === null ? 'nothing' : target.what}`);
    }
    if (QMP_COMMANDS[name].asks === 'control') target.permit(name);
    return (await handler(checked)) ?? {};
  }
}

/** One client's side of the protocol. */
export class QmpClient {
  #isNegotiated = false;

  constructor(
    private readonly monitor: QmpMonitor,
    private readonly send: (message: object) => void,
  ) {}

  /** Before it is, a client may give one command only, and gets no events. */
  get isNegotiated(): boolean {
    return this.#isNegotiated;
  }

  /** An event. */
  tell(message: object): void {
    if (this.#isNegotiated) this.send(message);
  }

  /** Answers a message, its text that of one JSON value. Never rejects. */
  async receive(text: string): Promise<void> {
    let id: { readonly id?: unknown } = {};
    try {
      const message = parse(text);
      if (Object.hasOwn(message, 'id')) id = { id: message.id };
      this.send({ return: await this.#answer(message), ...id });
    } catch (error) {
      this.refuse(error, id);
    }
  }

  /** Tells of an error. */
  refuse(error: unknown, id: { readonly id?: unknown } = {}): void {
    const { errorClass, message } = qmpErrorOf(error);
    this.send({ error: { class: errorClass, desc: message }, ...id });
  }

  async #answer(message: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { execute, arguments: given = {} } = message;
    for (const member of Object.keys(message)) {
      if (!['execute', 'arguments', 'id'].includes(member)) {
        throw new QmpError(`QMP input member '${member}' is unexpected`);
      }
    }
    if (execute === undefined) throw new QmpError("QMP input lacks member 'execute'");
    if (typeof execute !== 'string') throw new QmpError("QMP input member 'execute' must be a string");
    if (!isObject(given)) throw new QmpError("QMP input member 'arguments' must be an object");
    if (execute === 'qmp_capabilities') return this.#negotiate(given);
    if (!this.#isNegotiated) {
      throw new QmpError("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound');
    }
    return this.monitor.execute(execute, given);
  }

  #negotiate(given: Readonly<Record<string, unknown>>): object {
    if (this.#isNegotiated) {
      throw new QmpError('Capabilities negotiation is already complete, command ignored', 'CommandNotFound');
    }
    const { enable = [] } = checkArguments('qmp_capabilities', given);
    if (enable.length > 0) throw new QmpError(`Capability ${enable[0]} not available`);
    this.#isNegotiated = true;
    return {};
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    throw new QmpError('JSON parse error');
  }
  if (!isObject(message)) throw new QmpError('QMP input must be a JSON object');
  return message;
}
