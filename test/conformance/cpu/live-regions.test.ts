import { describe, expect, it } from 'vitest';
import type { Block } from '../../../src/cpu/interpreter/block.js';
import type { BlockCache } from '../../../src/cpu/interpreter/block-cache.js';
import { REGION_SLOTS } from '../../../src/cpu/interpreter/handlers.js';
import { RECORD, RECORD_BYTES, SPECIAL } from '../../../src/cpu/interpreter/record.js';
import { LiveRegions, type Region } from '../../../src/cpu/region/live-regions.js';
import { buildImportingModule } from '../../../src/cpu/wasm/module.js';
import { routine } from '../../../src/isa/ir/body.js';
import { i32 } from '../../../src/isa/ir/expr.js';

const MIB = 1 << 20;
const module = new WebAssembly.Module(
  buildImportingModule(
    routine('region', ['i32'], 'i32', (b) => b.return(i32.const(0))),
    new Set(),
  ),
);

/** Regions of one block each, of 4 MiB: three are kept. */
function threeFit() {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const view = new DataView(memory.buffer);
  const blocks = new Map<number, Block>();
  const live = new LiveRegions({
    memory,
    view,
    blocks: { blockOfRecord: (record: number) => blocks.get(record) } as BlockCache,
    core: { table: new WebAssembly.Table({ element: 'anyfunc', initial: REGION_SLOTS }) },
    hotRuns: 10,
    hotEntries: 1000,
  });
  const install = (): Region => {
    const firstRecord = (blocks.size + 1) * RECORD_BYTES;
    const block = { firstRecord } as Block;
    blocks.set(firstRecord, block);
    const place = { block, eip: 0 };
    const region: Region = {
      user: false,
      roots: [place],
      entries: [place],
      members: new Map([[block, 0]]),
      size: 1,
      isWhole: false,
      patience: 1,
      requestsLeft: 1,
      replaces: null,
      isRenewed: false,
      installed: null,
      isDropped: false,
    };
    live.register(region);
    live.install(region, { module, bytes: 4 * MIB });
    return region;
  };
  /** What the interpreter does when it runs one. */
  const enter = ({ roots }: Region): void => {
    const at = roots[0].block.firstRecord + RECORD.immediate;
    view.setInt32(at, view.getInt32(at, true) - 1, true);
  };
  return { live, view, install, enter };
}

describe('regions that are too many', () => {
  it('go, the oldest first', () => {
    const { view, install } = threeFit();
    const regions = [install(), install(), install(), install(), install()];
    expect(regions.map(({ isDropped }) => isDropped)).toEqual([true, true, false, false, false]);
    const heads = regions.map(({ roots }) => view.getUint16(roots[0].block.firstRecord + RECORD.hot, true));
    expect(heads).toEqual([SPECIAL.PROFILE, SPECIAL.PROFILE, SPECIAL.REGION, SPECIAL.REGION, SPECIAL.REGION]);
  });

  it('stay while they are entered', () => {
    const { live, install, enter } = threeFit();
    const used = install();
    const others: Region[] = [];
    for (let i = 0; i < 10; i++) {
      others.push(install());
      enter(used);
    }
    expect(used.isDropped).toBe(false);
    expect(live.ledToBy(used.roots[0].block.firstRecord)).toBe(used);
    expect(others.map(({ isDropped }) => isDropped)).toEqual([...Array<boolean>(8).fill(true), false, false]);
  });

  it('go though all of them are entered', () => {
    const { install, enter } = threeFit();
    const regions: Region[] = [];
    for (let i = 0; i < 10; i++) {
      regions.push(install());
      for (const region of regions) enter(region);
    }
    expect(regions.filter(({ isDropped }) => !isDropped)).toHaveLength(3);
  });
});
