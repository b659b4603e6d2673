import { readdirSync, readlinkSync } from 'node:fs';
import { availableParallelism, getPriority, setPriority } from 'node:os';

/**
 * How much lower the priority of threads that help is than the guest's (nice(2): some 20 % of its share of a processor).
 * When the threads of V8 wake up, they take the processor of the guest's thread, though another one is free: 0.2 s of a
 * run of 1.4 s. Much lower, and they starve where every processor has a guest.
 */
const STEP = 7;

const LOWEST = 19;

/** Threads that Node starts before anything else: V8's timer and its pool, which compiles. */
const V8_THREADS = 5;

/** Only Linux gives threads priorities of their own; with one processor they would hardly ever run. */
function canLower(): boolean {
  return process.platform === 'linux' && availableParallelism() > 1;
}

function lower(thread: number, from: number): void {
  try {
    setPriority(thread, Math.min(from + STEP, LOWEST));
  } catch {
    // The thread is gone, or may not: it helps as it is.
  }
}

/** Lets the threads in which V8 compiles wait for the one that calls, whenever both want the same processor. */
export function lowerV8Threads(): void {
  if (!canLower()) return;
  try {
    const own = Number(readlinkSync('/proc/thread-self').split('/').pop());
    const threads = readdirSync('/proc/self/task').map(Number);
    const priority = getPriority(own);
    const helping = threads.toSorted((a, b) => a - b).slice(1, 1 + V8_THREADS);
    for (const thread of helping) if (thread !== own) lower(thread, priority);
  } catch {
    // Without /proc, threads have no names here.
  }
}

/** The same for the thread that calls. */
export function lowerThisThread(): void {
  if (canLower()) lower(0, getPriority(process.pid));
}
