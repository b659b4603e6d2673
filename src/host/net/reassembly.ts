import type { Ipv4Packet } from './packet.js';

const MAX_PACKETS = 16;
const MAX_BYTES = 65_535;

interface Partial {
  readonly bytes: Uint8Array;
  /** Which bytes are there. */
  readonly present: Uint8Array;
  /** Length of the whole, once the last fragment is there. */
  length: number;
}

/** Puts the fragments of IPv4 packets together (RFC 791). Keeps few, the newest. */
export class Reassembly {
  readonly #partials = new Map<string, Partial>();

  /** The whole packet when this was its last missing part; null while parts are missing. */
  add(packet: Ipv4Packet): Ipv4Packet | null {
    if (packet.fragmentOffset === 0 && !packet.hasMore) return packet;
    const { from, to, protocol, identification, fragmentOffset: offset, payload } = packet;
    if (offset + payload.length > MAX_BYTES) return null;
    const key = `${from}-${to}-${protocol}-${identification}`;
    let partial = this.#partials.get(key);
    if (partial === undefined) {
      if (this.#partials.size >= MAX_PACKETS) this.#partials.delete(this.#partials.keys().next().value!);
      partial = { bytes: new Uint8Array(MAX_BYTES), present: new Uint8Array(MAX_BYTES), length: Infinity };
      this.#partials.set(key, partial);
    }
    partial.bytes.set(payload, offset);
    partial.present.fill(1, offset, offset + payload.length);
    if (!packet.hasMore) partial.length = offset + payload.length;
    if (partial.length === Infinity) return null;
    if (partial.present.subarray(0, partial.length).includes(0)) return null;
    this.#partials.delete(key);
    return { ...packet, fragmentOffset: 0, hasMore: false, payload: partial.bytes.subarray(0, partial.length) };
  }
}
