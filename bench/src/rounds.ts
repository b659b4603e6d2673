import type { SystemResults } from './results.js';
import type { Measured, RunContext, System, SystemId } from './systems/system.js';

/**
 * The order of a round: each begins with another system, so that none has the machine always in the same state. What
 * needs another's files stays behind it. Those that run more often have more turns when all have had theirs.
 */
export function orderOfRound<T extends Pick<System, 'id' | 'needs' | 'turns'>>(
  systems: readonly T[],
  round: number,
): T[] {
  const groups: T[][] = [];
  for (const system of systems) {
    const group = groups.find((members) => members.some(({ id }) => id === system.needs));
    if (group === undefined) groups.push([system]);
    else group.push(system);
  }
  const order: T[] = [];
  for (let turn = 0; ; turn++) {
    const left = groups.filter(([system]) => (system.turns ?? 1) > turn);
    if (left.length === 0) return order;
    const first = (round + turn) % left.length;
    order.push(...[...left.slice(first), ...left.slice(0, first)].flat());
  }
}

/** Why a system cannot take part; null when it can. */
function reasonAgainst(system: System, all: readonly System[], { guest }: RunContext): string | null {
  if (system.needs !== undefined && !all.some(({ id }) => id === system.needs)) return `needs ${system.needs}`;
  return system.missing(guest);
}

/** Of a series of rounds, which says what goes on. */
export interface RoundsContext extends RunContext {
  readonly say: (text: string) => void;
}

/** Runs every system in each round. One that fails is not run again. */
export async function measureRounds(
  systems: readonly System[],
  context: RoundsContext,
  rounds: number,
): Promise<SystemResults[]> {
  const { say } = context;
  const problems = new Map<SystemId, string>();
  const runs = new Map<SystemId, Measured[]>(systems.map(({ id }) => [id, []]));
  for (const system of systems) {
    const reason = reasonAgainst(system, systems, context);
    if (reason === null) continue;
    problems.set(system.id, reason);
    say(`${system.title}: ${reason}`);
  }
  for (let round = 0; round < rounds; round++) {
    for (const system of orderOfRound(systems, round)) {
      if (problems.has(system.id) || (system.needs !== undefined && problems.has(system.needs))) continue;
      try {
        const measured = await system.run(context);
        runs.get(system.id)!.push(measured);
        const { whole } = measured.seconds;
        say(`round ${round + 1}, ${system.title}: ${whole === undefined ? 'done' : `${whole.toFixed(2)} s`}`);
      } catch (error) {
        problems.set(system.id, `failed in round ${round + 1}`);
        say(`round ${round + 1}, ${system.title}: ${(error as Error).message}`);
      }
    }
  }
  return systems.map(({ id, title, needs }) => {
    const lost = needs !== undefined && problems.has(needs) ? `needs ${needs}` : null;
    return { id, title, missing: problems.get(id) ?? lost, runs: runs.get(id)! };
  });
}
