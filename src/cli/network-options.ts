import { CodedError } from '../base/errors.js';
import type { HostForward, NetworkBackendOptions, NetworkOptions } from '../harness/network.js';

/** Options of networks as commander gives them. */
export interface NetworkVerbOptions {
  readonly nic?: readonly string[];
  readonly netdev?: readonly string[];
  readonly device?: readonly string[];
}

function wrong(where: string, what: string, hint: string): CodedError {
  return new CodedError('USAGE', what, { where, hint });
}

/** QEMU's notation: `kind,key=value,...`; a key may come several times. */
class Properties {
  readonly kind: string;
  readonly #values: [key: string, value: string][];

  constructor(
    readonly option: string,
    text: string,
  ) {
    const [kind = '', ...rest] = text.split(',');
    this.kind = kind;
    this.#values = rest.map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [part, 'on'] : [part.slice(0, at), part.slice(at + 1)];
    });
  }

  /** Takes all values of a key. */
  all(...keys: string[]): string[] {
    const found = this.#values.filter(([key]) => keys.includes(key)).map(([, value]) => value);
    for (let i = this.#values.length - 1; i >= 0; i--)
      if (keys.includes(this.#values[i]![0])) this.#values.splice(i, 1);
    return found;
  }
  one(...keys: string[]): string | undefined {
    return this.all(...keys).at(-1);
  }
  flag(key: string): boolean {
    const value = this.one(key) ?? 'off';
    if (!['on', 'off', 'yes', 'no', 'y', 'n'].includes(value)) throw wrong(this.option, `${key}=${value}`, 'on or off');
    return value.startsWith('y') || value === 'on';
  }
  number(what: string, text: string, low: number, high: number): number {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= low && value <= high))
      throw wrong(this.option, `${what} is "${text}"`, `a number from ${low} to ${high}`);
    return value;
  }
  /** Nothing may be left over. */
  end(known: string): void {
    const [stray] = this.#values;
    if (stray !== undefined) throw wrong(this.option, `"${stray[0]}" is not known here`, known);
  }
}

const PORT_MAX = 65_535;

/** `tcp:[host address]:port-[guest address]:port`. */
function hostForward(properties: Properties, text: string): HostForward {
  const match = /^(?:(tcp|udp):)?([\d.]*):(\d+)-([\d.]*):(\d+)$/.exec(text);
  if (match === null) throw wrong(properties.option, `"${text}" is no forwarded port`, 'e.g. hostfwd=tcp::2222-:22');
  const [, protocol = 'tcp', hostAddress, hostPort, guestAddress, guestPort] = match;
  return {
    protocol: protocol as 'tcp' | 'udp',
    ...(hostAddress === '' ? {} : { hostAddress: hostAddress! }),
    hostPort: properties.number('the port of the host', hostPort!, 1, PORT_MAX),
    ...(guestAddress === '' ? {} : { guestAddress: guestAddress! }),
    guestPort: properties.number('the port of the guest', guestPort!, 1, PORT_MAX),
  };
}

function backend(properties: Properties): NetworkBackendOptions {
  switch (properties.kind) {
    case 'none':
      return { kind: 'none' };
    case 'user': {
      const hostName = properties.one('hostname');
      return {
        kind: 'user',
        hostForwards: properties.all('hostfwd').map((text) => hostForward(properties, text)),
        restrict: properties.flag('restrict'),
        ...(hostName === undefined ? {} : { hostName }),
      };
    }
    case 'stream': {
      const server = properties.flag('server');
      properties.one('addr.type');
      const path = properties.one('path', 'addr.path');
      const host = properties.one('host', 'addr.host');
      const port = properties.one('port', 'addr.port');
      if (path !== undefined) return { kind: 'stream', server, path };
      if (port === undefined) throw wrong(properties.option, 'stream needs an address', 'path=FILE, or host=H,port=N');
      const number = properties.number('port', port, 1, PORT_MAX);
      return { kind: 'stream', server, port: number, ...(host === undefined ? {} : { host }) };
    }
    case 'pcap': {
      const file = properties.one('file');
      if (file === undefined) throw wrong(properties.option, 'pcap needs a capture', 'file=F');
      return { kind: 'pcap', file };
    }
    default:
      throw wrong(properties.option, `there is no network "${properties.kind}"`, 'user, stream, pcap or none');
  }
}

const KNOWN = 'model, mac; user: hostfwd, restrict, hostname; stream: server, path, host, port; pcap: file';

function card(properties: Properties): Omit<NetworkOptions, 'backend'> {
  const model = properties.one('model');
  const mac = properties.one('mac');
  return { ...(model === undefined ? {} : { model }), ...(mac === undefined ? {} : { mac }) };
}

/** `--nic` is a card and its network in one; `--netdev` with `--device` are the same in two. */
export function networkOptions({ nic = [], netdev = [], device = [] }: NetworkVerbOptions): NetworkOptions[] {
  const options = nic
    .filter((text) => text !== 'none')
    .map((text) => {
      const properties = new Properties('--nic', text);
      const option = { ...card(properties), backend: backend(properties) };
      properties.end(KNOWN);
      return option;
    });
  const networks = new Map<string, NetworkBackendOptions>();
  for (const text of netdev) {
    const properties = new Properties('--netdev', text);
    const id = properties.one('id');
    if (id === undefined) throw wrong('--netdev', 'the network has no id', 'e.g. user,id=n0');
    networks.set(id, backend(properties));
    properties.end(KNOWN);
  }
  for (const text of device) {
    const properties = new Properties('--device', text);
    const name = properties.one('netdev');
    const network = name === undefined ? ({ kind: 'none' } as const) : networks.get(name);
    if (network === undefined) throw wrong('--device', `there is no network "${name}"`, `--netdev user,id=${name}`);
    if (name !== undefined) networks.delete(name);
    options.push({ ...card(properties), model: properties.kind, backend: network });
    properties.end('netdev, mac');
  }
  const [unused] = networks.keys();
  if (unused !== undefined) {
    throw wrong('--netdev', `no card is connected to "${unused}"`, `add --device e1000,netdev=${unused}`);
  }
  return options;
}
