import { MIB } from '../base/units.js';

/**
 * What the C library keeps grows with it. With half of it most of the page faults remain. With 30 MiB, about the most that glibc
 * learns from, runs are as fast, and a process has 25 MB more in memory after one of them, and 80 MB more after twenty.
 */
const BLOCK_BYTES = 8 * MIB;

/**
 * Has the C library keep the memory that V8's compiling threads give back, instead of returning it to the system and
 * getting it again page by page: that took more page faults than all else in a replay, under a lock that the guest's own page
 * faults need. glibc learns from the first large block that is freed (mallopt(3), M_MMAP_THRESHOLD): a run that reads a
 * kernel frees some, a replay none. Nothing is ever written to the block. Elsewhere it does no harm.
 */
export function keepFreedMemory(): void {
  // It is freed by the next collection of young objects.
  void new ArrayBuffer(BLOCK_BYTES);
}
