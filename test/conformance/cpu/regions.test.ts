import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { MmioBus } from '../../../src/core/bus.js';
import { structure } from '../../../src/cpu/region/control-flow.js';
import type { RegionCompiler } from '../../../src/cpu/region/region-compiler.js';
import type { RegionJob } from '../../../src/cpu/region/region-job.js';
import { createBareCpu } from '../../../src/host/bare-cpu.js';
import { createCpuCode } from '../../../src/host/cpu-model.js';
import { EBX, ESP } from '../../../src/isa/cpu-state.js';
import { startAt } from './start.js';

const CODE = 0x8000;
const HOT_RUNS = 100;

type Compile = (immediate: RegionCompiler) => RegionCompiler;

/** A CPU about to run code at CODE, flat, and what it has wanted to be compiled; `compile` says how. */
function benchOf(bytes: readonly number[], compile?: Compile) {
  const jobs: RegionJob[] = [];
  const code = createCpuCode({
    createBackground: (immediate) => {
      const compiler = compile?.(immediate);
      return {
        isBusy: false,
        compile: (job, done) => {
          jobs.push(structuredClone(job));
          compiler?.compile(job, done);
        },
        poll: () => compiler?.poll(),
      };
    },
  });
  const cpu = createBareCpu({ code, ramBytes: 1 << 20, mmio: new MmioBus(), hotRuns: HOT_RUNS });
  cpu.state.setGpr(ESP, 0x7000);
  startAt(cpu, CODE, bytes, 'flat');
  return { cpu, jobs };
}

function jobsOf(bytes: readonly number[], ticks: number, compile?: Compile): RegionJob[] {
  const { cpu, jobs } = benchOf(bytes, compile);
  cpu.run(cpu.now + ticks);
  return jobs;
}

const instructionsOf = ({ instructions }: RegionJob): number => instructions.length / 3;
/** EIP of each place where a region may be entered. */
const entriesOf = ({ blocks, entries }: RegionJob): string[] => [...entries].map((n) => blocks[5 * n].toString(16));

describe('the graph of a region', () => {
  it('can be entered where execution comes back to', () => {
    // mov ebx, 8010h; jmp again; again: call ebx; inc ecx; jmp again; 8010h: inc eax; ret
    const start = [0xbb, 0x10, 0x80, 0, 0, 0xeb, 0, 0xff, 0xd3, 0x41, 0xeb, 0xfb];
    const jobs = jobsOf([...start, 0x90, 0x90, 0x90, 0x90, 0x40, 0xc3], 20 * HOT_RUNS);
    expect(jobs.map(entriesOf)).toContainEqual(['8007', '8009']);
    expect(jobs.map(entriesOf)).toContainEqual(['8010']);
  });

  // first: jmp second; second, in the next page: inc eax; jmp ebx. Compiled for `first`, while EBX leads there.
  it('leaves a block to another that it cannot be compiled with', () => {
    const [first, second] = [CODE, CODE + 0x1000];
    const { cpu, jobs } = benchOf([0xe9, 0xfb, 0x0f, 0, 0], (immediate) => immediate);
    cpu.physical.write(second, Uint8Array.of(0x40, 0xff, 0xe3));
    cpu.state.setGpr(EBX, first);
    cpu.run(cpu.now + 6 * HOT_RUNS);
    expect(jobs.map(entriesOf)).toEqual([[first.toString(16)]]);
    // Nobody translates the first page any more.
    cpu.memory.tlb.flushAll();
    cpu.state.setGpr(EBX, second);
    cpu.state.eip = second;
    cpu.run(cpu.now + 150 * HOT_RUNS);
    expect(jobs.map(entriesOf)).toEqual([[first.toString(16)], [second.toString(16)]]);
  });

  it('is not looked for all the time where none is found', () => {
    const { cpu, jobs } = benchOf([0x40, 0xeb, 0xfd]);
    const lookups = vi.spyOn(cpu.memory.tlb, 'lookupRead').mockReturnValue(0);
    const runs = 10_000;
    cpu.run(cpu.now + 2 * runs);
    expect(jobs).toEqual([]);
    expect(lookups.mock.calls.length).toBeGreaterThan(0);
    // Once when it is hot, and then every thousand runs; it was every fifty.
    expect(lookups.mock.calls.length).toBeLessThan(runs / 500);
  });

  // inc eax; jmp start: nothing that a slice would end for.
  it('is taken as soon as it is compiled, however long the slice', () => {
    const waiting: (() => void)[] = [];
    let taken = 0;
    const { cpu, jobs } = benchOf([0x40, 0xeb, 0xfd], (immediate) => ({
      isBusy: false,
      compile: (job, done) => immediate.compile(job, (region) => waiting.push(() => done(region))),
      poll: () => {
        for (const hand of waiting.splice(0)) {
          hand();
          taken++;
        }
      },
    }));
    cpu.run(cpu.now + 100 * HOT_RUNS);
    expect(taken).toBe(1);
    expect(jobs).toHaveLength(1);
    expect(cpu.state.gpr(0)).toBe(50 * HOT_RUNS);
  });

  it('is arranged for any flow with any entries', () => {
    const graph = fc.integer({ min: 1, max: 14 }).chain((count) =>
      fc.record({
        successors: fc.array(fc.uniqueArray(fc.nat(count - 1), { maxLength: 3 }), {
          minLength: count,
          maxLength: count,
        }),
        entries: fc.uniqueArray(fc.nat(count - 1), { minLength: 1, maxLength: 4 }),
      }),
    );
    fc.assert(
      fc.property(graph, ({ successors, entries }) => {
        const s = structure({ entries, successors });
        expect(s.entries.slice(0, entries.length)).toEqual(entries);
        const reached = new Set(entries);
        for (const from of reached) for (const to of successors[from]) reached.add(to);
        successors.forEach((_, node) => expect(s.order[node] >= 0).toBe(reached.has(node)));
        // Every node lies below one parent in the tree of dominators, so that its code is emitted once.
        const placed = [...s.rootChildren, ...s.children.flat()];
        expect([...placed].sort((a, b) => a - b)).toEqual([...reached].sort((a, b) => a - b));
        for (const from of reached) {
          for (const to of successors[from]) {
            const kind = s.edge(from, to);
            if (kind === 'dispatch') expect(s.entries).toContain(to);
            if (kind === 'back') expect(s.isLoopHeader[to]).toBe(true);
            if (kind === 'forward') expect(s.order[to]).toBeGreaterThan(s.order[from]);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('code that gets hot piece by piece', () => {
  it('is not compiled again with each piece', () => {
    // A loop over 24 pieces, of which each is skipped until ECX has come to its number times 100h.
    const pieces = Array.from({ length: 24 }, (_, n) => {
      const body = [0x42, 0x43, 0x83, 0xf2, n, 0x01, 0xda]; // inc edx; inc ebx; xor edx, n; add edx, ebx
      return [0x81, 0xf9, 0, n, 0, 0, 0x72, body.length, ...body]; // cmp ecx, n << 8; jb behind
    }).flat();
    const back = -(pieces.length + 6);
    const code = [...pieces, 0x41, 0xe9, back & 0xff, (back >> 8) & 0xff, 0xff, 0xff]; // inc ecx; jmp near start
    const jobs = jobsOf(code, 4_000_000, (immediate) => immediate);
    const unique = new Set(jobs.flatMap(({ instructions }) => [...instructions].filter((_, i) => i % 3 === 1)));
    const compiled = jobs.reduce((sum, job) => sum + instructionsOf(job), 0);
    expect(unique.size).toBeGreaterThan(100);
    expect(compiled).toBeLessThan(6 * unique.size);
  });
});
