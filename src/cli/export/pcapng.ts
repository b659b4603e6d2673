import type { ReelReader } from '../../log/reel-reader.js';

const SECTION_HEADER = 0x0a0d_0d0a;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER = 0x1a2b_3c4d;
const ETHERNET = 1;
const OPTION = { end: 0, comment: 1, ifName: 2, resolution: 9, flags: 2 } as const;
/** epb_flags, bits 0-1. */
const INBOUND = 1;
const OUTBOUND = 2;
const NANOSECONDS = 9;

function option(code: number, value: Uint8Array): Buffer {
  const out = Buffer.alloc(4 + ((value.length + 3) & ~3));
  out.writeUInt16LE(code, 0);
  out.writeUInt16LE(value.length, 2);
  out.set(value, 4);
  return out;
}
const END = Buffer.alloc(4);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function block(type: number, ...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32LE(type, 0);
  out.writeUInt32LE(out.length, 4);
  out.set(body, 8);
  out.writeUInt32LE(out.length, out.length - 4);
  return out;
}

function sectionHeader(generator: string): Uint8Array {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt32LE(BYTE_ORDER, 0);
  fixed.writeUInt16LE(1, 4);
  fixed.writeBigInt64LE(-1n, 8);
  return block(SECTION_HEADER, fixed, option(4, utf8(generator)), END);
}

function interfaceDescription(name: string): Uint8Array {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(ETHERNET, 0);
  return block(
    INTERFACE,
    fixed,
    option(OPTION.ifName, utf8(name)),
    option(OPTION.resolution, Uint8Array.of(NANOSECONDS)),
    END,
  );
}

function packet(channel: number, ns: bigint, tick: number, direction: number, frame: Uint8Array): Uint8Array {
  const fixed = Buffer.alloc(20);
  fixed.writeUInt32LE(channel, 0);
  fixed.writeUInt32LE(Number(ns >> 32n), 4);
  fixed.writeUInt32LE(Number(ns & 0xffff_ffffn), 8);
  fixed.writeUInt32LE(frame.length, 12);
  fixed.writeUInt32LE(frame.length, 16);
  const padding = new Uint8Array(-frame.length & 3);
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(direction, 0);
  const options = [option(OPTION.flags, flags), option(OPTION.comment, utf8(`tick ${tick}`)), END];
  return block(ENHANCED_PACKET, fixed, frame, padding, ...options);
}

/** Cards of the recorded machine: what their configuration says of them. */
function cardsOf(reader: ReelReader): { readonly model: string; readonly mac: string }[] {
  const { networkCards } = reader.meta.machine as { networkCards?: { model: string; mac: string }[] };
  return networkCards ?? [];
}

/** Network frames of a recording as pcapng: an interface per card, guest time, and the tick in each packet's comment. */
export function* pcapng(reader: ReelReader): Generator<Uint8Array> {
  const { generator, nsPerTick } = reader.meta;
  yield sectionHeader(`${generator.name} ${generator.version}`);
  const cards = cardsOf(reader);
  for (const [n, { model, mac }] of cards.entries()) yield interfaceDescription(`net${n} ${model} ${mac}`);
  for (const entry of reader.cursor()) {
    const ns = BigInt(entry.tick) * BigInt(nsPerTick);
    if (entry.entry === 'input' && entry.kind === 'frame' && entry.payload[0]! < cards.length) {
      yield packet(entry.payload[0]!, ns, entry.tick, INBOUND, entry.payload.subarray(1));
    } else if (entry.entry === 'output' && entry.kind === 'frame' && entry.channel < cards.length) {
      yield packet(entry.channel, ns, entry.tick, OUTBOUND, entry.bytes);
    }
  }
}
