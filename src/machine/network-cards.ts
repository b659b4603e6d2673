import { CodedError } from '../base/errors.js';
import { E1000Card } from '../devices/net/e1000/e1000.js';
import { Ne2000 } from '../devices/net/ne2000.js';
import type { NetworkCardOptions } from '../devices/net/network-card.js';

/** Network cards by QEMU's names. */
export const NETWORK_CARD_MODELS = {
  e1000: (id: string, options: NetworkCardOptions) => new E1000Card(id, options),
  ne2k_pci: (id: string, options: NetworkCardOptions) => new Ne2000(id, options),
} as const;
export type NetworkCardModel = keyof typeof NETWORK_CARD_MODELS;

export interface NetworkCardConfig {
  readonly model: NetworkCardModel;
  /** `52:54:00:12:34:56`. */
  readonly mac: string;
  readonly hasRom: boolean;
}

export const MAX_NETWORK_CARDS = 4;
/** The first one's PCI slot; the others follow. */
export const FIRST_NETWORK_SLOT = 3;
export const DEFAULT_NETWORK_CARD: NetworkCardModel = 'e1000';

/** Address of card `n` unless another is given: QEMU's. */
export function defaultMac(n: number): string {
  return `52:54:00:12:34:${(0x56 + n).toString(16)}`;
}

/** 6 bytes of a station address, or null. A group address is none. */
export function parseMac(text: string): Uint8Array | null {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return null;
  const bytes = Uint8Array.from(text.split(':'), (part) => parseInt(part, 16));
  return (bytes[0] & 1) !== 0 ? null : bytes;
}

export function isNetworkCardModel(name: unknown): name is NetworkCardModel {
  return typeof name === 'string' && Object.hasOwn(NETWORK_CARD_MODELS, name);
}

/** Checks what a recording says of its cards. */
export function parseNetworkCards(value: unknown, source: string): NetworkCardConfig[] {
  const bad = (what: string): CodedError =>
    new CodedError('DAMAGED', `machine.networkCards${what} is not valid`, { where: source });
  if (!Array.isArray(value) || value.length > MAX_NETWORK_CARDS) throw bad('');
  return value.map((card: unknown, n) => {
    const { model, mac, hasRom } = (typeof card === 'object' && card !== null ? card : {}) as Record<string, unknown>;
    if (!isNetworkCardModel(model)) throw bad(`[${n}].model`);
    if (typeof mac !== 'string' || parseMac(mac) === null) throw bad(`[${n}].mac`);
    return { model, mac, hasRom: hasRom === true };
  });
}
