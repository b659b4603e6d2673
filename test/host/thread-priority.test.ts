import { readdirSync } from 'node:fs';
import { availableParallelism, getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { lowerV8Threads } from '../../src/host/thread-priority.js';
import { ROOT } from '../tidy/sources.js';

const hasThreadPriorities = process.platform === 'linux' && availableParallelism() > 1;

/** Nice values of this process's threads, oldest first. */
function priorities(): number[] {
  const threads = readdirSync('/proc/self/task').map(Number);
  return threads.toSorted((a, b) => a - b).map((thread) => getPriority(thread));
}

describe.runIf(hasThreadPriorities)('threads that help', () => {
  const usual = getPriority(process.pid);

  it('are those of V8, and wait for the one that asked', () => {
    lowerV8Threads();
    const [main, ...others] = priorities();
    expect(main).toBe(usual);
    expect(others.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => usual + 7));
    expect(others.slice(5).every((priority) => priority === usual)).toBe(true);
  });

  it('are the same when it is asked again, and never lower than there is', () => {
    const before = priorities();
    lowerV8Threads();
    expect(priorities()).toEqual(before);
  });

  it('lower themselves alone', async () => {
    const before = priorities();
    const file = pathToFileURL(`${ROOT}dist/host/thread-priority.js`).href;
    const worker = new Worker(
      `import(${JSON.stringify(file)}).then(({ lowerThisThread }) => {
         lowerThisThread();
         require('node:worker_threads').parentPort.postMessage(0);
         setInterval(() => {}, 1000);
       });`,
      { eval: true },
    );
    await new Promise((resolve) => worker.once('message', resolve));
    const after = priorities();
    await worker.terminate();
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.slice(before.length)).toContain(usual + 7);
  });
});
