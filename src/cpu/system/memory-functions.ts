import type { BlockCache } from '../interpreter/block-cache.js';
import type { GuestMemory } from '../memory/guest-memory.js';
import type { SteadyPort } from './steady-port.js';

/** What the interpreter calls for data and code that its TLB does not show. Devices, even page tables in them, may be met. */
export function memoryFunctions(memory: GuestMemory, blocks: BlockCache, steady: SteadyPort) {
  return {
    mapRead(linear: number, bytes: number): number {
      steady.forget();
      return memory.mapRead(linear >>> 0, bytes);
    },
    mapWrite(linear: number, bytes: number): number {
      steady.forget();
      return memory.mapWrite(linear >>> 0, bytes);
    },
    mmioRead(bytes: number): number {
      steady.forget();
      return memory.mmioRead(bytes);
    },
    mmioWrite(bytes: number, value: number): void {
      steady.forget();
      memory.mmioWrite(bytes, value);
    },
    fetchBlock(eip: number): number {
      steady.forget();
      return blocks.fetch(eip >>> 0);
    },
    pageWritten(host: number, bytes: number): void {
      memory.pageWritten(host >>> 0, bytes);
    },
  };
}
