import type { NetworkCardOptions } from '../../../src/devices/net/network-card.js';
import type { Bench } from './conformance.js';

export const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);

/** What a network card on the bench works with: `ram` behind which memory reads as ones, and a line for its interrupt. */
export function cardOptions(bench: Bench, ram: Uint8Array): Omit<NetworkCardOptions, 'transmit'> {
  return {
    clock: bench.clock,
    timers: bench.timers,
    memory: {
      read: (address, count) => {
        const out = new Uint8Array(count).fill(0xff);
        if (address < ram.length) out.set(ram.subarray(address, address + count));
        return out;
      },
      write: (address, bytes) => {
        if (address < ram.length) ram.set(bytes.subarray(0, ram.length - address), address);
      },
    },
    irq: bench.line('irq'),
    mac: MAC,
  };
}
