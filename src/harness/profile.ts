import type { Tick } from '../core/clock.js';
import { CS, EBP } from '../isa/cpu-state.js';
import type { Pc } from '../machine/pc.js';
import { readLinearMemory } from './inspect.js';

/** A prime, so that no loop of the guest's keeps step with it: a few hundred samples per guest second. */
const DEFAULT_EVERY_TICKS = 999_983;
/** Callers that are followed. */
const MAX_CALLERS = 64;
/** A frame is not larger than that. */
const MAX_FRAME_BYTES = 1 << 20;
const CR0_PE = 1;
/** CS.D: 32-bit code. */
const ACCESS_BIG = 0x4000;

export interface ProfileOptions {
  /** Ticks between samples. */
  readonly everyTicks?: number;
}

/** A function, or where code runs: `kernel`, `user 1a2b000` (with CR3), `real mode`, `virtual 8086 mode`, `idle`. */
export interface ProfileNode {
  /** Linear address within the function, or the name of the outermost frame. */
  readonly at: number | string;
  /** Spent here, without what was called. */
  ticks: number;
  readonly called: Map<number | string, ProfileNode>;
}

/** Code within the same 64 bytes counts as one place. */
function place(address: number): number {
  return (address & ~63) >>> 0;
}

/**
 * Where guest time goes, by looking at EIP and the chain of EBP every so many ticks. The guest cannot tell, and the same
 * run gives the same profile: time is ticks, not seconds.
 */
export class Profile {
  readonly root: ProfileNode = { at: 'guest', ticks: 0, called: new Map() };
  readonly startTick: Tick;
  readonly nsPerTick: number;
  /** In order of time. */
  readonly samples: { readonly node: ProfileNode; readonly ticks: number }[] = [];
  readonly #everyTicks: number;
  #last: Tick;

  constructor(
    private readonly pc: Pc,
    { everyTicks = DEFAULT_EVERY_TICKS }: ProfileOptions,
  ) {
    this.startTick = this.#last = pc.machine.tick;
    this.nsPerTick = pc.config.nsPerTick;
    this.#everyTicks = everyTicks;
  }

  /** Tick of the next sample: execution must be cut there. */
  get due(): Tick {
    return this.#last + this.#everyTicks;
  }

  /** Between instructions: takes the sample that is due. */
  poll(): void {
    const { tick } = this.pc.machine;
    if (tick < this.due) return;
    const ticks = tick - this.#last;
    this.#last = tick;
    let node = this.root;
    for (const at of this.#stack()) {
      let next = node.called.get(at);
      if (next === undefined) node.called.set(at, (next = { at, ticks: 0, called: new Map() }));
      node = next;
    }
    node.ticks += ticks;
    this.samples.push({ node, ticks });
  }

  /** Outermost frame first. */
  #stack(): (number | string)[] {
    const { cpu } = this.pc.machine;
    if (cpu.halted) return ['idle'];
    const { state } = cpu;
    const base = state.segBase(CS);
    const addresses = [(base + state.eip) >>> 0];
    if (state.cr0 & CR0_PE && state.segAccess(CS) & ACCESS_BIG) addresses.push(...this.#callers(state.gpr(EBP), base));
    return [this.#space(), ...addresses.map(place).reverse()];
  }

  #space(): string {
    const { state } = this.pc.machine.cpu;
    if ((state.cr0 & CR0_PE) === 0) return 'real mode';
    if (state.v86Mode) return 'virtual 8086 mode';
    return state.cpl === 0 ? 'kernel' : `user ${(state.cr3 & ~0xfff).toString(16)}`;
  }

  /** Return addresses along the chain of frame pointers, for as long as it looks like one. */
  #callers(frame: number, base: number): number[] {
    const callers: number[] = [];
    for (let at = frame; callers.length < MAX_CALLERS;) {
      const bytes = readLinearMemory(this.pc, at, 8);
      const view = new DataView(bytes.buffer);
      const [next, returnTo] = [view.getUint32(0, true), view.getUint32(4, true)];
      if (returnTo === 0 || next <= at || next - at > MAX_FRAME_BYTES) break;
      callers.push((base + returnTo) >>> 0);
      at = next;
    }
    return callers;
  }
}
