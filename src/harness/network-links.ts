import { CodedError } from '../base/errors.js';
import type { Pc } from '../machine/pc.js';
import {
  DEFAULT_NETWORK_CARD,
  defaultMac,
  isNetworkCardModel,
  MAX_NETWORK_CARDS,
  NETWORK_CARD_MODELS,
  parseMac,
  type NetworkCardConfig,
} from '../machine/network-cards.js';
import type { LiveSession } from '../replay/live-session.js';
import type { NetworkBackend, NetworkOptions } from './network.js';
import type { HostServices } from './services.js';

/** Frames that wait for the guest; more are lost, as on a wire. */
const MAX_QUEUED_FRAMES = 4096;
/** Frames given to a card at one boundary: what its buffers hold with room to spare. */
const BURST_FRAMES: Readonly<Record<NetworkCardConfig['model'], number>> = { e1000: 64, ne2k_pci: 8 };
/** While frames wait, slices are short, so that cards empty their buffers between two bursts. */
export const BUSY_SLICE_TICKS = 200_000;

/** Cards of a machine from the options of its user. Throws USAGE. */
export function networkCardConfigs(options: readonly NetworkOptions[]): NetworkCardConfig[] {
  if (options.length > MAX_NETWORK_CARDS) {
    throw new CodedError('USAGE', `${options.length} network cards`, { hint: `at most ${MAX_NETWORK_CARDS}` });
  }
  return options.map(({ model = DEFAULT_NETWORK_CARD, mac = defaultMac(0) }, n) => {
    if (!isNetworkCardModel(model)) {
      const known = Object.keys(NETWORK_CARD_MODELS).join(', ');
      throw new CodedError('USAGE', `there is no network card "${model}"`, { hint: `one of ${known}` });
    }
    const address = options[n]!.mac === undefined ? defaultMac(n) : mac;
    if (parseMac(address) === null) {
      throw new CodedError('USAGE', `"${address}" is no address of a network card`, {
        hint: 'six bytes, e.g. 52:54:00:12:34:56; the first one even',
      });
    }
    return { model, mac: address.toLowerCase(), hasRom: false };
  });
}

/** Opens what each card is connected to; without options cards lead nowhere. */
export async function openNetworks(
  services: HostServices,
  cards: number,
  options: readonly NetworkOptions[],
): Promise<NetworkBackend[]> {
  if (options.length > cards) {
    throw new CodedError('USAGE', `${options.length} networks for ${cards} network cards`, {
      hint: 'the machine is that of the recording; give at most a network for each of its cards',
    });
  }
  const networks: NetworkBackend[] = [];
  try {
    for (let n = 0; n < cards; n++) {
      const { backend = { kind: 'user' } as const } = options[n] ?? { backend: { kind: 'none' } as const };
      networks.push(await services.openNetwork(backend));
    }
  } catch (error) {
    for (const network of networks) network.close();
    throw error;
  }
  return networks;
}

/** The cables between a live machine's cards and the networks of the host. */
export class NetworkLinks {
  readonly #queues: Uint8Array[][];
  #lost = 0;
  #wake: () => void = () => {};

  constructor(
    private readonly pc: Pc,
    private readonly session: LiveSession,
    private readonly networks: readonly NetworkBackend[],
  ) {
    this.#queues = networks.map(() => []);
    networks.forEach((network, n) => {
      network.onFrame = (frame) => this.#arrived(n, frame);
    });
    if (networks.length === 0) return;
    pc.machine.gate.tap((kind, channel, bytes) => {
      if (kind === 'frame') networks[channel]?.send(bytes);
    });
  }

  get isEmpty(): boolean {
    return this.networks.length === 0;
  }
  /** Frames that found the queue full. */
  get lost(): number {
    return this.#lost;
  }
  get hasFrames(): boolean {
    return this.#queues.some((queue) => queue.length > 0);
  }

  #arrived(n: number, frame: Uint8Array): void {
    const queue = this.#queues[n]!;
    if (queue.length >= MAX_QUEUED_FRAMES) {
      this.#lost++;
      return;
    }
    queue.push(frame);
    this.#wake();
  }

  /** Resolves when the next frame arrives. */
  arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Between slices: hands the cards what they have room for, as inputs. */
  deliver(): void {
    const { machine, config } = this.pc;
    this.networks.forEach((network, n) => {
      network.poll?.(machine.tick * config.nsPerTick);
      const burst = this.#queues[n]!.splice(0, BURST_FRAMES[config.networkCards[n]!.model]);
      for (const frame of burst) {
        const payload = new Uint8Array(1 + frame.length);
        payload[0] = n;
        payload.set(frame, 1);
        this.session.send('frame', payload);
      }
    });
  }

  close(): void {
    for (const network of this.networks) network.close();
  }
}
