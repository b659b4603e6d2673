import { RECORD_BYTES } from '../interpreter/record.js';
import type { BasicBlock, RegionGraph, RegionInstruction } from './region-graph.js';
import { ENDINGS } from './region-graph.js';

/** A linear page of code that the region was compiled from. */
export interface CodePage {
  /** Linear page number. */
  readonly page: number;
  /** The read TLB's entry while the page is still the same. */
  readonly entry: number;
}

/** What a region is compiled from, as plain data that may go to another thread: its arrays are handed over. */
export interface RegionJob {
  readonly user: boolean;
  /** Pages whose translation whoever enters need not have checked. */
  readonly pages: readonly CodePage[];
  /** Of all blocks: EIP, EIP behind it, ending by its place in ENDINGS, numbers of instructions and successors. */
  readonly blocks: Uint32Array;
  /** Successors of all blocks, block after block, by their place in the list. */
  readonly successors: Uint32Array;
  /** By their place in the list: where the region may be entered, by entry number. */
  readonly entries: Uint32Array;
  /** Of all instructions, block after block: address of the op record, EIP, target of a direct branch or 0. */
  readonly instructions: Uint32Array;
  /** Their op records, one behind the other. */
  readonly records: Uint8Array;
}

const BLOCK_FIELDS = 5;
const FIELDS = 3;

/** Takes down a region's code from the engine's memory, which goes on changing. */
export function createJob(
  { blocks: graph, entries }: RegionGraph,
  memory: Uint8Array,
  place: Pick<RegionJob, 'user' | 'pages'>,
): RegionJob {
  const numbers = new Map(graph.map((block, i) => [block, i]));
  const count = graph.reduce((sum, block) => sum + block.instructions.length, 0);
  const blocks = new Uint32Array(BLOCK_FIELDS * graph.length);
  const successors: number[] = [];
  const instructions = new Uint32Array(FIELDS * count);
  const records = new Uint8Array(RECORD_BYTES * count);
  let next = 0;
  graph.forEach((block, i) => {
    const at = BLOCK_FIELDS * i;
    blocks[at] = block.eip;
    blocks[at + 1] = block.behind;
    blocks[at + 2] = ENDINGS.indexOf(block.ending);
    blocks[at + 3] = block.instructions.length;
    blocks[at + 4] = block.successors.length;
    for (const successor of block.successors) successors.push(numbers.get(successor)!);
    for (const { record, eip, target } of block.instructions) {
      instructions[FIELDS * next] = record;
      instructions[FIELDS * next + 1] = eip;
      instructions[FIELDS * next + 2] = target ?? 0;
      records.set(memory.subarray(record, record + RECORD_BYTES), RECORD_BYTES * next);
      next++;
    }
  });
  return {
    ...place,
    blocks,
    successors: Uint32Array.from(successors),
    entries: Uint32Array.from(entries),
    instructions,
    records,
  };
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
  const graph: JobGraphBlock[] = [];
  const counts: number[] = [];
  for (let at = 0; at < job.blocks.length; at += BLOCK_FIELDS) {
    const [eip, behind, ending, instructionCount, successorCount] = job.blocks.subarray(at, at + BLOCK_FIELDS);
    const instructions = Array.from({ length: instructionCount }, () => {
      const at = next++;
      const [record, eip, target] = job.instructions.subarray(FIELDS * at, FIELDS * (at + 1));
      return instructionAt({ record, at: RECORD_BYTES * at, eip, target });
    });
    graph.push({ eip, behind, ending: ENDINGS[ending], instructions, successors: [] });
    counts.push(successorCount);
  }
  let successor = 0;
  graph.forEach((block, i) => {
    for (let n = 0; n < counts[i]; n++) block.successors.push(graph[job.successors[successor++]]);
  });
  return graph;
}
