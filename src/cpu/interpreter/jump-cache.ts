import { STATE } from '../../isa/cpu-state.js';
import { JUMP_CACHE_BYTES, LAYOUT } from '../memory/layout.js';
import type { PhysicalMemory } from '../memory/physical.js';

/** Keys of the cache have room for this many; see mainLoop in main-loop.ts, which looks up and fills. */
const MAX_EPOCH = 1 << 27;

/**
 * The main loop's memory of where jumps led to: EIP, key, record, and the TLB's entry for the page, which must be the same
 * again. A dropped block's records say so themselves, until their place is used for others.
 */
export class JumpCache {
  constructor(private readonly physical: PhysicalMemory) {}

  /** Records are about to be written where others were: every jump is looked up anew. */
  forget(): void {
    const { u8, view } = this.physical;
    const epoch = view.getUint32(STATE.codeEpoch, true) + 1;
    if (epoch === MAX_EPOCH) u8.fill(0, LAYOUT.jumpCache, LAYOUT.jumpCache + JUMP_CACHE_BYTES);
    view.setUint32(STATE.codeEpoch, epoch === MAX_EPOCH ? 1 : epoch, true);
  }
}
