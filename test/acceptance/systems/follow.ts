/** Replays of one recording that must come to the same digests: on each engine, and however execution is cut. */
import type { Recording, Replay } from '../../../src/index.js';

type Tier = 'interpreter' | 'regions' | 'all';

/** Ticks from `from` to `to` are run in slices of so many. */
interface Window {
  readonly from: number;
  readonly to: number;
  readonly sliceTicks: number;
}

export interface Thoroughness {
  /** Ticks at the beginning in slices of 7. */
  readonly firstTicks: number;
  /** Stretches between two digests in slices of 7, all over the recording. */
  readonly stretches: number;
  /** Ticks on the interpreter, and in slices of 1000. */
  readonly ticks: number;
  /** Ticks of the engine that compiles every block before it runs. */
  readonly regionTicks: number;
}

const FINE_SLICE = 7;
const COARSE_SLICE = 1000;
const WHOLE_SLICE = 5_000_000;

/** Digests lie where the guest worked, not where it waited. */
function digestTicks(recording: Recording): number[] {
  const ticks: number[] = [];
  for (const entry of recording.reader.cursor()) if (entry.entry === 'digest') ticks.push(entry.tick);
  return ticks;
}

function fineWindows(recording: Recording, { firstTicks, stretches, ticks }: Thoroughness): Window[] {
  const start = recording.meta.startTick;
  const windows = [{ from: start, to: Math.min(start + firstTicks, recording.endTick), sliceTicks: FINE_SLICE }];
  const digests = digestTicks(recording).filter((tick) => tick >= start + firstTicks && tick <= start + ticks);
  for (let n = 0; n < stretches; n++) {
    const at = Math.floor(((n + 1) * (digests.length - 1)) / (stretches + 1));
    const [from, to] = [digests[at], digests[at + 1]];
    if (from !== undefined && to !== undefined && from >= windows.at(-1)!.to) {
      windows.push({ from, to, sliceTicks: FINE_SLICE });
    }
  }
  return windows;
}

async function advance(replay: Replay, tick: number, sliceTicks: number, what: string): Promise<void> {
  replay.sliceTicks = sliceTicks;
  const result = await replay.run({ until: { ticks: tick } });
  if (result.kind === 'diverged') throw new Error(`${what}: diverged: ${JSON.stringify(result.divergence)}`);
}

/** Replays to `end`, cut within the windows; compares the digests that it passes. */
async function follow(recording: Recording, tier: Tier, windows: readonly Window[], end = Infinity): Promise<void> {
  const replay = await recording.replay({ tier });
  for (const { from, to, sliceTicks } of windows) {
    const what = `${tier} in slices of ${sliceTicks} from tick ${from}`;
    await advance(replay, from, WHOLE_SLICE, `${tier} on the way to tick ${from}`);
    await advance(replay, to, sliceTicks, what);
  }
  await advance(replay, end, WHOLE_SLICE, `${tier} behind the slices`);
  await replay.close();
}

/** Throws at the first difference. Returns how many digests the recording has. */
export async function followEveryWay(recording: Recording, how: Thoroughness): Promise<number> {
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    const result = await work();
    process.stderr.write(`  ${name}: ${((performance.now() - from) / 1000).toFixed(0)} s\n`);
    return result;
  };
  const start = recording.meta.startTick;
  const verified = await timed('whole', () => recording.verify());
  if (!verified.ok) throw new Error(`diverged: ${JSON.stringify(verified.divergence)}`);
  const fine = fineWindows(recording, how);
  await timed('in 7s', () => follow(recording, 'interpreter', fine, start + how.ticks));
  const coarse = { from: start, to: start + how.ticks, sliceTicks: COARSE_SLICE };
  await timed('in 1000s', () => follow(recording, 'all', [coarse], start + how.ticks));
  await timed('regions', () => follow(recording, 'regions', [], start + how.regionTicks));
  return verified.digests;
}
