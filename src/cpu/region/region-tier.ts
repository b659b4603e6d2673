import { STATE } from '../../isa/cpu-state.js';
import type { Tier } from '../cpu-options.js';
import type { Block } from '../interpreter/block.js';
import { RECORD, SPECIAL } from '../interpreter/record.js';
import { TLB_BIAS, TLB_FAST } from '../memory/layout.js';
import type { Tlb } from '../memory/tlb.js';
import { LiveRegions, type LiveRegionsOptions, type Place, type Region } from './live-regions.js';
import type { RegionCode, RegionCompiler } from './region-compiler.js';
import type { BasicBlock, DecodedCode, RegionGraph } from './region-graph.js';
import { discover } from './region-graph.js';
import type { CodePage } from './region-job.js';
import { createJob } from './region-job.js';

export interface RegionTierOptions extends Omit<LiveRegionsOptions, 'hotEntries'> {
  readonly code: Pick<RegionCode, 'formOfSlot' | 'leavesOfSlot'>;
  readonly compiler: RegionCompiler;
  readonly tlb: Tlb;
}

/** How often a block runs before it is compiled; 0 for never. */
export const HOT_RUNS: Record<Tier, number> = { interpreter: 0, regions: 1, all: 3_000 };
/** A region that is entered this many times as often at one place gets a copy of what is called from there. */
const HOT_ENTRIES_PER_RUN = 48;
/** A block that ran less often than this part of what makes one hot is not worth compiling along. */
const WARM_PART = 3;
/** Requests until a region is compiled anew for the first time, if a block takes as many runs to get hot; then twice as many. */
const PATIENCE = 128;
/** Runs of a block until it is tried again after nothing came of it: finding that out takes as long as all of them. */
const RUNS_UNTIL_RETRY = 1_000;
/** Instructions of a region that is not copied into those that call it, unless they turn out to be hot. */
const APART_SIZE = 48;

/** What compiling a region begins with. */
interface Request {
  readonly user: boolean;
  readonly roots: readonly Place[];
  readonly isWhole: boolean;
  readonly patience: number;
  readonly replaces: Region | null;
}

/** A graph, and the decoded blocks that it is made of. */
interface Found {
  readonly graph: RegionGraph;
  readonly members: ReadonlyMap<Block, number>;
}

/**
 * The second tier: hot code compiled to WebAssembly functions. A region is entered at the head records of some of its
 * blocks and knows all that it was decoded from: when one of them goes, the region goes. A cache only: the guest cannot
 * see which tier runs it.
 *
 * Code gets hot piece by piece, and must not be compiled again with each. So a call of a larger region leaves for it, a
 * block that belongs with a region becomes another entry of it, after ever more requests, and only what is entered all
 * the time is compiled with copies of what it calls.
 */
export class RegionTier {
  readonly #live: LiveRegions;
  readonly #memory: Uint8Array;
  /** Roots of regions that are being compiled. */
  readonly #pending = new Set<Block>();
  /** Regions that blocks outside were found to belong with. */
  readonly #hosts = new WeakMap<Block, Region>();
  /** Blocks that the regions they belong with cannot be compiled anew with. */
  readonly #refused = new WeakSet<Block>();
  readonly #hotEntries: number;
  readonly #patience: number;

  constructor(private readonly options: RegionTierOptions) {
    this.#hotEntries = HOT_ENTRIES_PER_RUN * options.hotRuns;
    this.#patience = Math.min(PATIENCE, options.hotRuns);
    this.#live = new LiveRegions({ ...options, hotEntries: this.#hotEntries });
    this.#memory = new Uint8Array(options.memory.buffer);
  }

  /** Number of regions compiled so far. */
  get compiled(): number {
    return this.#live.installed;
  }

  /** Takes what has been compiled. A slice may be long: hot() does so, too. */
  poll(): void {
    this.options.compiler.poll();
  }

  /** A block's records are about to go. */
  blockDropped(block: Block): void {
    for (const region of [...this.#live.of(block)]) this.#live.drop(region);
  }

  /** The block headed by `record` runs at `eip`, and is hot; or its region is. */
  hot(record: number, eip: number): void {
    this.#ask(record, eip);
    this.poll();
  }

  #ask(record: number, eip: number): void {
    const { view, blocks, compiler, hotRuns } = this.options;
    const block = blocks.blockOfRecord(record);
    const isCompiled = view.getUint16(record + RECORD.hot, true) === SPECIAL.REGION;
    // Whatever happens, it is not asked again at once, and counts as warm.
    const again = isCompiled ? this.#hotEntries : Math.max(1, hotRuns >>> 1);
    view.setInt32(record + RECORD.immediate, again, true);
    if (block === undefined || compiler.isBusy || this.#pending.has(block)) return;
    const place = { block, eip: eip >>> 0 };
    const user = view.getUint32(STATE.cpl, true) === 3;
    if (isCompiled) this.#compile({ user, roots: [place], isWhole: true, patience: this.#patience, replaces: null });
    else this.#extend(place, user);
  }

  /** Compiles a region for a block, or the one that it belongs with anew. */
  #extend(place: Place, user: boolean): void {
    const { block, eip } = place;
    const request = { user, roots: [place], isWhole: false, patience: this.#patience, replaces: null };
    const owner = [...this.#live.of(block)].find((region) => belongs(block, eip, user, region));
    if (owner?.entries.some((entry) => entry.block === block) === true) {
      if (owner.installed !== null) this.#live.lead(place, owner);
      return;
    }
    const isRefused = this.#refused.has(block);
    const host = isRefused ? undefined : (owner ?? this.#knownHost(block, user));
    if (host !== undefined) {
      this.#renew(host, place);
      return;
    }
    const found = this.#discover(request);
    const other = isRefused ? undefined : this.#hostOf(found, user);
    if (other !== undefined) {
      this.#hosts.set(block, other);
      this.#renew(other, place);
    } else if (!this.#compile(request, found)) {
      const { view } = this.options;
      const runs = view.getInt32(block.firstRecord + RECORD.immediate, true);
      view.setInt32(block.firstRecord + RECORD.immediate, Math.max(runs, RUNS_UNTIL_RETRY), true);
    }
  }

  #knownHost(block: Block, user: boolean): Region | undefined {
    const host = this.#hosts.get(block);
    return host === undefined || host.isDropped || host.user !== user ? undefined : host;
  }

  /** A block asks to be let in. */
  #renew(host: Region, place: Place): void {
    if (host.isRenewed || host.installed === null || --host.requestsLeft > 0) return;
    const { user, roots } = host;
    const patience = 2 * host.patience;
    const request = { user, roots: [...roots, place], isWhole: false, patience, replaces: host };
    if (!this.#compile(request)) this.#refused.add(place.block);
  }

  /** The region that has at least half of what was found. */
  #hostOf({ graph, members }: Found, user: boolean): Region | undefined {
    const sizes = new Map(graph.blocks.map(({ eip, instructions }) => [eip, instructions.length]));
    const shares = new Map<Region, number>();
    for (const [block, eip] of members) {
      for (const region of this.#live.of(block)) {
        if (!belongs(block, eip, user, region)) continue;
        shares.set(region, (shares.get(region) ?? 0) + (sizes.get(eip) ?? 0));
      }
    }
    const [most] = [...shares].sort((a, b) => b[1] - a[1]);
    return most !== undefined && 2 * most[1] >= sizeOf(graph) ? most[0] : undefined;
  }

  #discover({ roots, user, isWhole, replaces }: Request): Found {
    const { view, code } = this.options;
    const members = new Map<Block, number>();
    const isRoot = new Set(roots.map(({ eip }) => eip));
    const decoded: DecodedCode = {
      view,
      warmBlock: (linear) => this.#warmBlock(linear, user, isRoot.has(linear), members),
      formOf: (slot) => code.formOfSlot[slot],
      leaves: (slot) => code.leavesOfSlot[slot],
      isApart: (linear) => !isWhole && !isRoot.has(linear) && this.#isApart(linear, user, replaces),
    };
    const graph = discover([...isRoot], decoded);
    const eips = new Set(graph.blocks.map(({ eip }) => eip));
    for (const [block, eip] of members) if (!eips.has(eip)) members.delete(block);
    return { graph, members };
  }

  /** False when its roots do not all fit in, or cannot be found at present. */
  #compile(request: Request, found = this.#discover(request)): boolean {
    const { roots, user, isWhole, patience, replaces } = request;
    const { members } = found;
    const placeAt = new Map([...members].map(([block, eip]) => [eip, { block, eip }]));
    // What begins inside a decoded block has no head that leads anywhere.
    const isEntry = (place: number): boolean => placeAt.has(found.graph.blocks[place].eip);
    const entries = isWhole ? [0] : found.graph.entries.filter(isEntry);
    const graph = { ...found.graph, entries };
    const places = entries.map((place) => placeAt.get(graph.blocks[place].eip)!);
    if (!roots.every((root) => places.some(({ block, eip }) => block === root.block && eip === root.eip))) {
      return false;
    }
    if (replaces !== null) replaces.isRenewed = true;
    const pages = this.#pages(graph, user);
    const isRoot = new Set(roots.map(({ block }) => block));
    const region: Region = {
      user,
      roots: places.filter(({ block }) => isRoot.has(block)),
      entries: places,
      members,
      size: sizeOf(graph),
      isWhole,
      patience,
      requestsLeft: patience,
      replaces,
      isRenewed: false,
      installed: null,
      isDropped: false,
    };
    this.#live.register(region);
    for (const { block } of region.roots) this.#pending.add(block);
    this.options.compiler.compile(createJob(graph, this.#memory, { user, pages }), (compiled) => {
      for (const { block } of region.roots) this.#pending.delete(block);
      if (replaces !== null) replaces.isRenewed = false;
      if (region.isDropped) return;
      const isCurrent = pages.every(({ page, entry }) => this.options.tlb.lookupRead(page * 4096, user) === entry);
      if (isCurrent && compiled !== null) this.#live.install(region, compiled);
      else this.#live.drop(region);
    });
    return true;
  }

  #isApart(linear: number, user: boolean, replaces: Region | null): boolean {
    const host = this.#translate(linear, user);
    const block = host === 0 ? undefined : this.options.blocks.flatBlock(host);
    const region = block === undefined ? undefined : this.#live.ledToBy(block.firstRecord);
    return region !== undefined && region !== replaces && region.user === user && region.size >= APART_SIZE;
  }

  #translate(linear: number, user: boolean): number {
    const entry = this.options.tlb.lookupRead(linear, user);
    return entry & TLB_FAST ? (linear + entry + TLB_BIAS) >>> 0 : 0;
  }

  #warmBlock(linear: number, user: boolean, isRoot: boolean, members: Map<Block, number>): number {
    const { view, blocks, hotRuns } = this.options;
    const host = this.#translate(linear, user);
    const block = host === 0 ? undefined : blocks.flatBlock(host);
    if (block === undefined) return 0;
    // The second page must be the one that it was decoded from.
    if (block.secondHost >= 0 && this.#translate(((linear & ~0xfff) >>> 0) + 4096, user) !== block.secondHost) return 0;
    const head = view.getUint16(block.firstRecord + RECORD.hot, true);
    if (head === SPECIAL.PROFILE && !isRoot) {
      const runs = hotRuns - view.getInt32(block.firstRecord + RECORD.immediate, true);
      if (runs < Math.floor(hotRuns / WARM_PART)) return 0;
    }
    members.set(block, linear);
    return block.firstRecord;
  }

  /** The pages that an entry does not vouch for: all, unless there is one with all entries in it. */
  #pages({ blocks, entries }: RegionGraph, user: boolean): CodePage[] {
    const pages = new Set(blocks.flatMap(({ eip, behind }) => [eip >>> 12, ((behind - 1) >>> 0) >>> 12]));
    const entered = new Set(entries.map((place) => blocks[place].eip >>> 12));
    if (entered.size === 1) for (const page of entered) pages.delete(page);
    return [...pages].map((page) => ({ page, entry: this.options.tlb.lookupRead(page * 4096, user) }));
  }
}

/** The block at an address is one of a region that may get more of them. */
function belongs(block: Block, eip: number, user: boolean, region: Region): boolean {
  return !region.isWhole && region.user === user && region.members.get(block) === eip;
}

function sizeOf({ blocks }: { readonly blocks: readonly BasicBlock[] }): number {
  return blocks.reduce((sum, { instructions }) => sum + instructions.length, 0);
}
