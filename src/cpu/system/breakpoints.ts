import { CS } from '../../isa/cpu-state.js';
import type { CpuStateView } from '../state/cpu-state-view.js';

/** What DR7 says about one address register (SDM 3, 17.2.4). */
interface Breakpoint {
  readonly number: number;
  readonly address: number;
  readonly bytes: number;
  /** 0 execution, 1 writes, 2 I/O (not supported by the CPU model), 3 reads and writes. */
  readonly kind: number;
}

/** Enable bits, kinds and lengths in DR7. */
const ENABLES = 0xffff_00ff | 0;

/** The debug registers' conditions, kept ready for use. */
export class Breakpoints {
  #enabled: Breakpoint[] = [];

  constructor(private readonly state: CpuStateView) {}

  /** DR7, as far as it matters here, when changed() was called last. */
  #seen = -1;

  /** DR7 enables other breakpoints than when changed() was called last. */
  get stale(): boolean {
    return (this.state.dr(7) & ENABLES) !== this.#seen;
  }

  /** DR0-DR3 or DR7 were written. */
  changed(): void {
    this.#seen = this.state.dr(7) & ENABLES;
    const dr7 = this.state.dr(7);
    this.#enabled = [];
    for (let number = 0; number < 4; number++) {
      if (((dr7 >>> (2 * number)) & 3) === 0) continue;
      const control = (dr7 >>> (16 + 4 * number)) & 15;
      const bytes = [1, 2, 8, 4][control >> 2];
      const address = (this.state.dr(number) & ~(bytes - 1)) >>> 0;
      this.#enabled.push({ number, address, bytes, kind: control & 3 });
    }
  }

  /** An instruction breakpoint is enabled: every boundary must be looked at. */
  get armed(): boolean {
    return this.#enabled.some((b) => b.kind === 0);
  }

  /** Linear pages with data breakpoints. */
  dataPages(): number[] {
    return this.#enabled.filter((b) => b.kind & 1).map((b) => b.address >>> 12);
  }

  /** True when the instruction at CS:EIP has a breakpoint; notes which in pendingDebug. */
  instruction(): boolean {
    const linear = (this.state.segBase(CS) + this.state.eip) >>> 0;
    let hit = 0;
    for (const b of this.#enabled) if (b.kind === 0 && b.address === linear) hit |= 1 << b.number;
    this.state.pendingDebug |= hit;
    return hit !== 0;
  }

  /** True when a data access meets a breakpoint; notes which in pendingDebug. */
  dataAccess(linear: number, bytes: number, write: boolean): boolean {
    let hit = 0;
    for (const b of this.#enabled) {
      const wanted = b.kind === 3 || (b.kind === 1 && write);
      if (wanted && linear < b.address + b.bytes && b.address < linear + bytes) hit |= 1 << b.number;
    }
    this.state.pendingDebug |= hit;
    return hit !== 0;
  }
}
