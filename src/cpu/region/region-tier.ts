import { MIB } from '../../base/units.js';
import { STATE } from '../../isa/cpu-state.js';
import type { Tier } from '../cpu-options.js';
import type { Block } from '../interpreter/block.js';
import type { BlockCache } from '../interpreter/block-cache.js';
import { REGION_SLOTS } from '../interpreter/handlers.js';
import { RECORD, SPECIAL } from '../interpreter/record.js';
import { TLB_BIAS, TLB_FAST } from '../memory/layout.js';
import type { Tlb } from '../memory/tlb.js';
import type { CompiledRegion, RegionCode, RegionCompiler } from './region-compiler.js';
import type { BasicBlock, DecodedCode } from './region-graph.js';
import { discover } from './region-graph.js';
import type { CodePage } from './region-job.js';
import { createJob } from './region-job.js';

export interface RegionTierOptions {
  readonly code: Pick<RegionCode, 'formOfSlot' | 'leavesOfSlot'>;
  readonly compiler: RegionCompiler;
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly tlb: Tlb;
  readonly blocks: BlockCache;
  /** Exports of the interpreter's module. */
  readonly core: Record<string, unknown>;
  readonly hotRuns: number;
}

interface Region {
  readonly eip: number;
  /** It is entered at its head. */
  readonly root: Block;
  /** What it was compiled from, the root as well. */
  readonly blocks: readonly Block[];
  /** Set once it is compiled. */
  installed: { readonly slot: number; readonly bytes: number } | null;
  /** One of its blocks is gone. */
  isDropped: boolean;
}

/** How often a block runs before it is compiled; 0 for never. */
export const HOT_RUNS: Record<Tier, number> = { interpreter: 0, regions: 1, all: 16_000 };
/** Code kept at a time; machine code takes a few times as much memory. */
const MAX_LIVE_BYTES = 12 * MIB;
/** A block that ran less often than this part of what makes one hot is not worth compiling along. */
const WARM_PART = 8;

/**
 * The second tier: hot code compiled to WebAssembly functions. A region is entered at the head record of the block that
 * became hot and knows its decoded blocks: when one of them goes, the region goes. A cache only: the guest cannot see
 * which tier runs it.
 */
export class RegionTier {
  readonly #free: number[] = [];
  readonly #regions = new Set<Region>();
  readonly #byBlock = new Map<Block, Set<Region>>();
  readonly #table: WebAssembly.Table;
  readonly #memory: Uint8Array;
  #compiled = 0;
  #liveBytes = 0;

  constructor(private readonly options: RegionTierOptions) {
    this.#table = options.core.table as WebAssembly.Table;
    this.#memory = new Uint8Array(options.memory.buffer);
    for (let i = 1; i <= REGION_SLOTS; i++) this.#free.push(this.#table.length - i);
  }

  /** Number of regions compiled so far. */
  get compiled(): number {
    return this.#compiled;
  }

  /** Between slices: takes what has been compiled. */
  poll(): void {
    this.options.compiler.poll();
  }

  /** The block headed by `record` is hot; it runs at `eip`. */
  hot(record: number, eip: number): void {
    const { view, blocks, compiler } = this.options;
    const root = blocks.blockOfRecord(record);
    // Whatever happens, it is not asked again at once.
    view.setInt32(record + RECORD.immediate, this.options.hotRuns, true);
    if (root === undefined || compiler.isBusy || this.#isPending(root)) return;
    const user = view.getUint32(STATE.cpl, true) === 3;
    const members = new Set<Block>();
    const decoded: DecodedCode = {
      view,
      warmBlock: (linear) => this.#warmBlock(linear, user, members),
      formOf: (slot) => this.options.code.formOfSlot[slot],
      leaves: (slot) => this.options.code.leavesOfSlot[slot],
    };
    const graph = discover(eip >>> 0, decoded);
    if (graph.length === 0 || graph[0].eip !== eip >>> 0) return;
    const pages = this.#pages(eip >>> 0, graph, user);
    const region: Region = {
      eip: eip >>> 0,
      root,
      blocks: [...members.add(root)],
      installed: null,
      isDropped: false,
    };
    this.#register(region);
    compiler.compile(createJob(graph, this.#memory, { user, pages }), (compiled) => {
      if (region.isDropped) return;
      const isCurrent = pages.every(({ page, entry }) => this.options.tlb.lookupRead(page * 4096, user) === entry);
      if (isCurrent && compiled !== null) this.#install(region, compiled);
      else this.#drop(region);
    });
  }

  #register(region: Region): void {
    for (const block of region.blocks) {
      let set = this.#byBlock.get(block);
      if (set === undefined) this.#byBlock.set(block, (set = new Set()));
      set.add(region);
    }
  }

  #hostOf(linear: number, user: boolean): number {
    const entry = this.options.tlb.lookupRead(linear, user);
    return entry & TLB_FAST ? (linear + entry + TLB_BIAS) >>> 0 : 0;
  }

  #warmBlock(linear: number, user: boolean, members: Set<Block>): number {
    const { view, blocks, hotRuns } = this.options;
    const host = this.#hostOf(linear, user);
    const block = host === 0 ? undefined : blocks.flatBlock(host);
    if (block === undefined) return 0;
    // The second page must be the one that it was decoded from.
    if (block.secondHost >= 0 && this.#hostOf(((linear & ~0xfff) >>> 0) + 4096, user) !== block.secondHost) return 0;
    const head = view.getUint16(block.firstRecord + RECORD.hot, true);
    if (head === SPECIAL.PROFILE) {
      const runs = hotRuns - view.getInt32(block.firstRecord + RECORD.immediate, true);
      if (members.size > 0 && runs < Math.floor(hotRuns / WARM_PART)) return 0;
    }
    members.add(block);
    return block.firstRecord;
  }

  #isPending(root: Block): boolean {
    return [...(this.#byBlock.get(root) ?? [])].some((region) => region.root === root && region.installed === null);
  }

  #install(region: Region, { module, bytes }: CompiledRegion): void {
    const { view, memory, core } = this.options;
    this.#makeRoom(bytes);
    const slot = this.#free.pop()!;
    const instance = new WebAssembly.Instance(module, { env: { memory }, core });
    this.#table.set(slot, instance.exports.region);
    this.#compiled++;
    this.#liveBytes += bytes;
    region.installed = { slot, bytes };
    this.#regions.add(region);
    const head = region.root.firstRecord;
    view.setUint16(head + RECORD.hot, SPECIAL.REGION, true);
    view.setUint16(head + RECORD.generic, slot, true);
    view.setInt32(head + RECORD.immediate2, 0, true);
    view.setInt32(head + RECORD.displacement, region.eip | 0, true);
  }

  /** Drops the oldest regions: what is still hot will be compiled again, from what is known by then. */
  #makeRoom(bytes: number): void {
    for (const region of this.#regions) {
      if (this.#free.length > 0 && this.#liveBytes + bytes <= MAX_LIVE_BYTES) return;
      this.#drop(region);
    }
  }

  #pages(eip: number, graph: readonly BasicBlock[], user: boolean): CodePage[] {
    const pages = new Set<number>();
    for (const block of graph) {
      pages.add(block.eip >>> 12);
      pages.add(((block.behind - 1) >>> 0) >>> 12);
    }
    pages.delete(eip >>> 12);
    return [...pages].map((page) => ({ page, entry: this.options.tlb.lookupRead(page * 4096, user) }));
  }

  /** A block's records are about to go. */
  blockDropped(block: Block): void {
    const regions = this.#byBlock.get(block);
    if (regions === undefined) return;
    for (const region of [...regions]) this.#drop(region);
  }

  #drop(region: Region): void {
    const { view, blocks, hotRuns } = this.options;
    region.isDropped = true;
    for (const block of region.blocks) {
      const set = this.#byBlock.get(block);
      set?.delete(region);
      if (set?.size === 0) this.#byBlock.delete(block);
    }
    if (region.installed === null) return;
    const { slot, bytes } = region.installed;
    this.#regions.delete(region);
    this.#liveBytes -= bytes;
    this.#table.set(slot, null);
    this.#free.push(slot);
    const head = region.root.firstRecord;
    // The root may live on: another block of the region went.
    if (blocks.blockOfRecord(head) === region.root) {
      view.setUint16(head + RECORD.hot, SPECIAL.PROFILE, true);
      view.setInt32(head + RECORD.immediate, hotRuns, true);
      view.setUint16(head + RECORD.generic, 0, true);
      view.setInt32(head + RECORD.immediate2, 0, true);
    }
  }
}
