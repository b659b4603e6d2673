import { setTimeout as after } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MmioBus } from '../../src/core/bus.js';
import { compileRegion, type CompiledRegion, type RegionCompiler } from '../../src/cpu/region/region-compiler.js';
import type { RegionJob } from '../../src/cpu/region/region-job.js';
import type { BackgroundCompiler as Compiler } from '../../src/host/background-compiler.js';
import { createBareCpu } from '../../src/host/bare-cpu.js';
import { createCpuCode } from '../../src/host/cpu-model.js';
import { startAt } from '../conformance/cpu/start.js';
import { ROOT } from '../tidy/sources.js';

/** What is built: a thread runs no TypeScript. */
const built = (path: string): URL => pathToFileURL(`${ROOT}dist/${path}`);
const { BackgroundCompiler } = (await import(built('host/background-compiler.js').href)) as {
  BackgroundCompiler: typeof Compiler;
};

/** Runs `again: inc eax; jmp again` until it is hot; returns the code it ran with and what it was to compile. */
function hotLoop() {
  const jobs: RegionJob[] = [];
  const code = createCpuCode({
    createBackground: () => ({ isBusy: false, compile: (job) => void jobs.push(job), poll: () => {} }),
  });
  const cpu = createBareCpu({ code, ramBytes: 1 << 20, mmio: new MmioBus() });
  startAt(cpu, 0x1000, [0x40, 0xeb, 0xfd], 'flat');
  cpu.run(cpu.now + 1_000_000);
  return { code, jobs };
}

async function answer(compiler: RegionCompiler, isThere: () => boolean): Promise<void> {
  while (!isThere()) {
    await after(5);
    compiler.poll();
  }
}

describe('compiling in a thread', () => {
  const { code, jobs } = hotLoop();
  /** A job of its own for each request: its arrays are handed over. */
  const job = (): RegionJob => structuredClone(jobs[0]);

  it('gives what compiling at once gives', async () => {
    const compiler = new BackgroundCompiler(built('host/region-worker.js'), code.immediate);
    const answers: (CompiledRegion | null)[] = [];
    expect(jobs.length).toBeGreaterThan(0);
    compiler.compile(job(), (region) => answers.push(region));
    const handedOver = job();
    compiler.compile(handedOver, (region) => answers.push(region));
    expect(handedOver.records).toHaveLength(0);
    expect(answers).toEqual([]);
    await answer(compiler, () => answers.length === 2);
    const expected = compileRegion(job(), code.regionCode);
    for (const region of answers) {
      expect(region?.bytes).toBe(expected.bytes);
      expect(region?.module).toBeInstanceOf(WebAssembly.Module);
    }
  });

  it('has its limits', () => {
    const compiler = new BackgroundCompiler(built('host/region-worker.js'), code.immediate);
    let asked = 0;
    for (; !compiler.isBusy && asked < 10_000; asked++) compiler.compile(job(), () => {});
    expect(asked).toBeLessThan(10_000);
  });

  it('is done at once where the thread fails', async () => {
    const compiler = new BackgroundCompiler(built('host/no-such-file.js'), code.immediate);
    const answers: (CompiledRegion | null)[] = [];
    compiler.compile(job(), (region) => answers.push(region));
    await answer(compiler, () => answers.length === 1);
    expect(answers[0]).toBeNull();
    compiler.compile(job(), (region) => answers.push(region));
    expect(answers[1]).not.toBeNull();
  });
});
