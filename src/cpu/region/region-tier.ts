import { MIB } from '../../base/units.js';
import { STATE } from '../../isa/cpu-state.js';
import type { Callable } from '../../isa/ir/expr.js';
import type { Tier } from '../cpu-options.js';
import type { Form } from '../decode/form.js';
import type { Block, BlockCache } from '../interpreter/block-cache.js';
import { REGION_SLOTS } from '../interpreter/handlers.js';
import { RECORD, SPECIAL } from '../interpreter/record.js';
import { TLB_BIAS, TLB_FAST } from '../memory/layout.js';
import type { Tlb } from '../memory/tlb.js';
import { buildImportingModule } from '../wasm/module.js';
import type { FormSupport } from './form-support.js';
import type { CodePage } from './region-emitter.js';
import { regionRoutine } from './region-emitter.js';
import type { BasicBlock, DecodedCode } from './region-graph.js';
import { discover } from './region-graph.js';

/** What the interpreter's code says about its handlers; see InterpreterCode. */
export interface RegionCode {
  readonly formOfSlot: readonly (Form | null)[];
  readonly leavesOfSlot: readonly boolean[];
  readonly exported: ReadonlyMap<Callable, string>;
  readonly support: FormSupport;
}

export interface RegionTierOptions {
  readonly code: RegionCode;
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly tlb: Tlb;
  readonly blocks: BlockCache;
  /** Exports of the interpreter's module. */
  readonly core: Record<string, unknown>;
  readonly hotRuns: number;
}

interface Region {
  readonly slot: number;
  /** Of its WebAssembly code. */
  readonly bytes: number;
  readonly eip: number;
  readonly root: Block;
  readonly blocks: readonly Block[];
}

/** How often a block runs before it is compiled; 0 for never. */
export const HOT_RUNS: Record<Tier, number> = { interpreter: 0, regions: 1, all: 3000 };
/** Code kept at a time; machine code takes a few times as much memory. */
const MAX_LIVE_BYTES = 12 * MIB;
/** A block that ran less often than this part of what makes one hot is not worth compiling along. */
const WARM_PART = 16;

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
  #compiled = 0;
  #liveBytes = 0;

  constructor(private readonly options: RegionTierOptions) {
    this.#table = options.core.table as WebAssembly.Table;
    for (let i = 1; i <= REGION_SLOTS; i++) this.#free.push(this.#table.length - i);
  }

  /** Number of regions compiled so far. */
  get compiled(): number {
    return this.#compiled;
  }

  /** The block headed by `record` is hot; it runs at `eip`. */
  hot(record: number, eip: number): void {
    const { view, blocks } = this.options;
    const root = blocks.blockOfRecord(record);
    // Whatever happens, it is not asked again at once.
    view.setInt32(record + RECORD.immediate, this.options.hotRuns, true);
    if (root === undefined) return;
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
    this.#install(eip >>> 0, root, [...members], graph, user);
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

  #install(eip: number, root: Block, blocks: readonly Block[], graph: readonly BasicBlock[], user: boolean): void {
    const { view, memory, core, code } = this.options;
    const routine = regionRoutine({
      name: 'region',
      blocks: graph,
      pages: this.#pages(eip, graph, user),
      user,
      view,
      support: code.support,
    });
    const bytes = buildImportingModule(routine, code.exported);
    this.#makeRoom(bytes.length);
    const slot = this.#free.pop()!;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory }, core });
    this.#table.set(slot, instance.exports.region);
    this.#compiled++;
    this.#liveBytes += bytes.length;
    const region: Region = { slot, bytes: bytes.length, eip, root, blocks };
    this.#regions.add(region);
    for (const block of new Set([root, ...blocks])) {
      let set = this.#byBlock.get(block);
      if (set === undefined) this.#byBlock.set(block, (set = new Set()));
      set.add(region);
    }
    view.setUint16(root.firstRecord + RECORD.hot, SPECIAL.REGION, true);
    view.setUint16(root.firstRecord + RECORD.generic, slot, true);
    view.setInt32(root.firstRecord + RECORD.immediate2, 0, true);
    view.setInt32(root.firstRecord + RECORD.displacement, eip | 0, true);
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
    this.#regions.delete(region);
    for (const block of new Set([region.root, ...region.blocks])) {
      const set = this.#byBlock.get(block);
      set?.delete(region);
      if (set?.size === 0) this.#byBlock.delete(block);
    }
    this.#liveBytes -= region.bytes;
    this.#table.set(region.slot, null);
    this.#free.push(region.slot);
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
