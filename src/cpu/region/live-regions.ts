import { MIB } from '../../base/units.js';
import type { Block } from '../interpreter/block.js';
import type { BlockCache } from '../interpreter/block-cache.js';
import { REGION_SLOTS } from '../interpreter/handlers.js';
import { RECORD, SPECIAL } from '../interpreter/record.js';
import type { CompiledRegion } from './region-compiler.js';

/** A decoded block where it lies in a region. */
export interface Place {
  readonly block: Block;
  readonly eip: number;
}

export interface Region {
  readonly user: boolean;
  /** What it was compiled for. */
  readonly roots: readonly Place[];
  /** Where it may be entered, by entry number: the roots among them. */
  readonly entries: readonly Place[];
  /** What it was compiled from. */
  readonly members: ReadonlyMap<Block, number>;
  /** Instructions. */
  readonly size: number;
  /** It has all that its root calls, as a copy of its own. */
  readonly isWhole: boolean;
  /** Requests for an entry, or more blocks, after which it is compiled anew with what was asked for. */
  requestsLeft: number;
  /** What `requestsLeft` began with. */
  readonly patience: number;
  /** The one it takes the place of when it is installed. */
  replaces: Region | null;
  /** What takes its place is being compiled. */
  isRenewed: boolean;
  /** Set once it is compiled. `counts`: what its entries' counters came to when they were last looked at. */
  installed: { readonly slot: number; readonly bytes: number; counts: number } | null;
  /** One of its blocks is gone. */
  isDropped: boolean;
}

export interface LiveRegionsOptions {
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly blocks: BlockCache;
  /** Exports of the interpreter's module. */
  readonly core: Record<string, unknown>;
  /** Runs of a block until it is hot. */
  readonly hotRuns: number;
  /** How often a region is entered at one place until its code is hot. */
  readonly hotEntries: number;
}

/** Code kept at a time; machine code takes a few times as much memory. */
const MAX_LIVE_BYTES = 12 * MIB;

/** The regions that are compiled or about to be, by block, and the function table that has their code. */
export class LiveRegions {
  readonly #free: number[] = [];
  readonly #bySlot = new Map<number, Region>();
  readonly #byBlock = new Map<Block, Set<Region>>();
  readonly #table: WebAssembly.Table;
  #installed = 0;
  #bytes = 0;

  constructor(private readonly options: LiveRegionsOptions) {
    this.#table = options.core.table as WebAssembly.Table;
    for (let i = 1; i <= REGION_SLOTS; i++) this.#free.push(this.#table.length - i);
  }

  /** Number of regions installed so far. */
  get installed(): number {
    return this.#installed;
  }

  of(block: Block): Iterable<Region> {
    return this.#byBlock.get(block) ?? [];
  }

  /** The region that a head record leads to, or undefined. */
  ledToBy(record: number): Region | undefined {
    const { view } = this.options;
    if (view.getUint16(record + RECORD.hot, true) !== SPECIAL.REGION) return undefined;
    return this.#bySlot.get(view.getUint16(record + RECORD.generic, true));
  }

  /** From now on it is dropped with any of its blocks. */
  register(region: Region): void {
    for (const block of region.members.keys()) {
      let set = this.#byBlock.get(block);
      if (set === undefined) this.#byBlock.set(block, (set = new Set()));
      set.add(region);
    }
  }

  install(region: Region, { module, bytes }: CompiledRegion): void {
    const { memory, core } = this.options;
    if (region.replaces !== null) this.drop(region.replaces);
    region.replaces = null;
    this.#makeRoom(bytes);
    const slot = this.#free.pop()!;
    const instance = new WebAssembly.Instance(module, { env: { memory }, core });
    this.#table.set(slot, instance.exports.region);
    this.#installed++;
    this.#bytes += bytes;
    region.installed = { slot, bytes, counts: 0 };
    this.#bySlot.set(slot, region);
    for (const place of region.entries) {
      const owner = this.ledToBy(place.block.firstRecord);
      // A root has been asked for; whatever else is an entry may have better code already.
      if (owner === undefined || (!owner.isWhole && region.roots.includes(place)) || region.isWhole) {
        this.lead(place, region);
      }
    }
    region.installed.counts = this.#counts(region);
  }

  /** The block's head leads to an entry of the region. */
  lead({ block, eip }: Place, region: Region): void {
    const { view, hotEntries } = this.options;
    const number = region.entries.findIndex((entry) => entry.block === block);
    const head = block.firstRecord;
    view.setUint16(head + RECORD.hot, SPECIAL.REGION, true);
    view.setUint16(head + RECORD.generic, region.installed!.slot, true);
    view.setInt32(head + RECORD.immediate, region.isWhole ? 0 : hotEntries, true);
    view.setInt32(head + RECORD.immediate2, number, true);
    view.setInt32(head + RECORD.displacement, eip | 0, true);
  }

  /**
   * Drops regions, the oldest first. One that was entered since the last look at it gets younger instead: a guest that runs
   * one program after the other is left with what they have in common. It runs none meanwhile: a second look drops it.
   */
  #makeRoom(bytes: number): void {
    for (const region of this.#bySlot.values()) {
      if (this.#free.length > 0 && this.#bytes + bytes <= MAX_LIVE_BYTES) return;
      if (this.#wasEntered(region)) {
        this.#bySlot.delete(region.installed!.slot);
        this.#bySlot.set(region.installed!.slot, region);
      } else {
        this.drop(region);
      }
    }
  }

  #wasEntered(region: Region): boolean {
    const before = region.installed!.counts;
    return (region.installed!.counts = this.#counts(region)) !== before;
  }

  /** Every entry counts down the one that it came by. */
  #counts(region: Region): number {
    const { view } = this.options;
    let sum = 0;
    for (const { block } of region.entries) {
      const head = block.firstRecord;
      if (this.ledToBy(head) === region) sum = (sum + view.getInt32(head + RECORD.immediate, true)) | 0;
    }
    return sum;
  }

  drop(region: Region): void {
    if (region.isDropped) return;
    region.isDropped = true;
    for (const block of region.members.keys()) {
      const set = this.#byBlock.get(block);
      set?.delete(region);
      if (set?.size === 0) this.#byBlock.delete(block);
    }
    if (region.installed === null) return;
    const { slot, bytes } = region.installed;
    for (const { block } of region.entries) this.#release(block, region);
    this.#bySlot.delete(slot);
    this.#bytes -= bytes;
    this.#table.set(slot, null);
    this.#free.push(slot);
  }

  /** The block may live on: another one of the region went. */
  #release(block: Block, region: Region): void {
    const { view, blocks, hotRuns } = this.options;
    const head = block.firstRecord;
    if (blocks.blockOfRecord(head) !== block || this.ledToBy(head) !== region) return;
    view.setUint16(head + RECORD.hot, SPECIAL.PROFILE, true);
    view.setInt32(head + RECORD.immediate, hotRuns, true);
    view.setUint16(head + RECORD.generic, 0, true);
    view.setInt32(head + RECORD.immediate2, 0, true);
  }
}
