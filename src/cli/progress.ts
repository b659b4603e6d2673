import type { Context } from './context.js';

/** Times between two updates, milliseconds. */
const UPDATE_MS = 200;

/** Shows how far a replay is, as a share of its ticks. */
export function progressOf(
  { output, io }: Context,
  what: string,
  startTick: number,
): (tick: number, endTick: number) => void {
  let lastMs = -Infinity;
  return (tick, endTick) => {
    const nowMs = io.nowMs();
    if (nowMs - lastMs < UPDATE_MS) return;
    lastMs = nowMs;
    const share = endTick > startTick ? (tick - startTick) / (endTick - startTick) : 1;
    output.progress(`${what}: ${Math.floor(share * 100)} %, tick ${tick} of ${endTick}`);
  };
}
