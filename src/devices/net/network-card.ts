/** What every network interface has on its two sides. */
import type { Clock } from '../../core/clock.js';
import type { SystemMemory } from '../../core/bus.js';
import type { IrqLine } from '../../core/irq.js';
import type { TimerQueue } from '../../core/timers.js';

/** Without preamble and checksum. */
export const MIN_FRAME_BYTES = 60;
export const MAX_FRAME_BYTES = 1518;
export const MAC_BYTES = 6;

export interface NetworkCardOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly memory: SystemMemory;
  readonly irq: IrqLine;
  /** 6 bytes. */
  readonly mac: Uint8Array;
  /** A frame leaves, without its checksum. */
  readonly transmit: (frame: Uint8Array) => void;
  /** Expansion ROM in the machine's device memory. */
  readonly rom?: { readonly sizeBytes: number; readonly deviceMemory: number };
}

export interface NetworkCard {
  /** A frame arrives, without its checksum. False: the card had no room or no use for it. */
  receive(frame: Uint8Array): boolean;
}

const FNV_OFFSET = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;

/** Start of SentFrames.hash. */
export const NO_FRAMES_HASH = FNV_OFFSET;

/**
 * Continues the hash of all that was sent. It is part of a card's state, so that every digest covers the frames that
 * left: FNV-1a over length and bytes.
 */
export function hashSent(hash: number, frame: Uint8Array): number {
  let h = Math.imul(hash ^ frame.length, FNV_PRIME);
  for (const byte of frame) h = Math.imul(h ^ byte, FNV_PRIME);
  return h >>> 0;
}

/** Frames shorter than the least are filled up with zeros. */
export function padded(frame: Uint8Array): Uint8Array {
  if (frame.length >= MIN_FRAME_BYTES) return frame;
  const whole = new Uint8Array(MIN_FRAME_BYTES);
  whole.set(frame);
  return whole;
}

export function isBroadcast(frame: Uint8Array): boolean {
  for (let i = 0; i < MAC_BYTES; i++) if (frame[i] !== 0xff) return false;
  return true;
}
export function isMulticast(frame: Uint8Array): boolean {
  return (frame[0] & 1) !== 0;
}

/** CRC-32 of an address as Ethernet sends it, most significant bit first: multicast filters take bits of it. */
export function multicastCrc(frame: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < MAC_BYTES; i++) {
    let byte = frame[i];
    for (let bit = 0; bit < 8; bit++) {
      const carry = (crc >>> 31) ^ (byte & 1);
      crc = ((crc << 1) ^ (carry !== 0 ? 0x04c1_1db7 : 0)) >>> 0;
      byte >>= 1;
    }
  }
  return crc;
}
