import { RECORD_BYTES } from '../interpreter/record.js';
import type { BasicBlock, Ending, RegionInstruction } from './region-graph.js';

/** A linear page of code that the region was compiled from. */
export interface CodePage {
  /** Linear page number. */
  readonly page: number;
  /** The read TLB's entry while the page is still the same. */
  readonly entry: number;
}

interface JobBlock {
  readonly eip: number;
  readonly behind: number;
  readonly ending: Ending;
  readonly instructions: number;
  /** By their place in the list. */
  readonly successors: readonly number[];
}

/** What a region is compiled from, as plain data that may go to another thread. */
export interface RegionJob {
  readonly user: boolean;
  /** Pages besides the one of the entry, whose translation whoever enters has checked. */
  readonly pages: readonly CodePage[];
  /** The first one is where the region is entered. */
  readonly blocks: readonly JobBlock[];
  /** Of all instructions, block after block: address of the op record, EIP, target of a direct branch or 0. */
  readonly instructions: Uint32Array;
  /** Their op records, one behind the other. */
  readonly records: Uint8Array;
}

const FIELDS = 3;

/** Takes down a region's code from the engine's memory, which goes on changing. */
export function createJob(
  graph: readonly BasicBlock[],
  memory: Uint8Array,
  place: Pick<RegionJob, 'user' | 'pages'>,
): RegionJob {
  const numbers = new Map(graph.map((block, i) => [block, i]));
  const all = graph.flatMap((block) => block.instructions);
  const instructions = new Uint32Array(FIELDS * all.length);
  const records = new Uint8Array(RECORD_BYTES * all.length);
  all.forEach(({ record, eip, target }, i) => {
    instructions.set([record, eip, target ?? 0], FIELDS * i);
    records.set(memory.subarray(record, record + RECORD_BYTES), RECORD_BYTES * i);
  });
  const blocks = graph.map(({ eip, behind, ending, instructions, successors }) => ({
    eip,
    behind,
    ending,
    instructions: instructions.length,
    successors: successors.map((s) => numbers.get(s)!),
  }));
  return { ...place, blocks, instructions, records };
}

/** An instruction of a job. */
export interface JobInstruction extends RegionInstruction {
  /** Where its op record lies in the job's. */
  readonly at: number;
}

export interface JobGraphBlock extends BasicBlock {
  readonly instructions: readonly JobInstruction[];
  successors: JobGraphBlock[];
}

/** The job's blocks, linked again. `instructionAt` completes what the op record says. */
export function jobGraph(
  job: RegionJob,
  instructionAt: (place: { record: number; at: number; eip: number; target: number }) => JobInstruction,
): JobGraphBlock[] {
  let next = 0;
  const graph = job.blocks.map((block): JobGraphBlock => {
    const instructions = Array.from({ length: block.instructions }, () => {
      const at = next++;
      const [record, eip, target] = job.instructions.subarray(FIELDS * at, FIELDS * (at + 1));
      return instructionAt({ record, at: RECORD_BYTES * at, eip, target });
    });
    return { eip: block.eip, behind: block.behind, ending: block.ending, instructions, successors: [] };
  });
  graph.forEach((block, i) => (block.successors = job.blocks[i].successors.map((s) => graph[s])));
  return graph;
}
