/** Replays of one recording that must come to the same digests: on each engine, and however execution is cut. */
import type { Recording } from '../../../src/index.js';

export interface Way {
  readonly name: string;
  readonly tier: 'interpreter' | 'regions' | 'all';
  /** As long as they happen to be unless given. */
  readonly sliceTicks?: number;
}

/** What compiles every block before it runs takes longest, a quarter of an hour for an installer. */
export const WAYS: readonly Way[] = [
  { name: 'all engines', tier: 'all' },
  { name: 'interpreter, slices of 7', tier: 'interpreter', sliceTicks: 7 },
  { name: 'all engines, slices of 1000', tier: 'all', sliceTicks: 1000 },
  { name: 'regions', tier: 'regions' },
];

const REPORT_MS = 60_000;

/** Replays from the first tick to the last; returns how many digests were the same. */
async function follow(recording: Recording, { name, tier, sliceTicks }: Way): Promise<number> {
  const replay = await recording.replay({ tier });
  if (sliceTicks !== undefined) replay.sliceTicks = sliceTicks;
  let reported = performance.now();
  const onProgress = (tick: number, endTick: number): void => {
    if (performance.now() < reported + REPORT_MS) return;
    reported = performance.now();
    process.stderr.write(`  ${name}: ${Math.floor((100 * tick) / endTick)} %\n`);
  };
  const result = await replay.run({ onProgress });
  const { digests } = replay;
  await replay.close();
  if (result.kind !== 'end') throw new Error(`${name}: ${JSON.stringify(result)}`);
  return digests;
}

/** Throws at the first difference. Returns how many digests the recording has. */
export async function followEveryWay(recording: Recording, ways: readonly Way[]): Promise<number> {
  const counts = new Set<number>();
  for (const way of ways) {
    const from = performance.now();
    counts.add(await follow(recording, way));
    process.stderr.write(`  ${way.name}: ${((performance.now() - from) / 1000).toFixed(0)} s\n`);
  }
  const [digests, ...others] = counts;
  if (others.length > 0) throw new Error(`${[...counts].join(' and ')} digests`);
  return digests!;
}
