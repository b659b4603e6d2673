import type { Form } from '../decode/form.js';
import { RECORD, RECORD_BYTES, SPECIAL } from '../interpreter/record.js';

/** One guest instruction, known by its op record. */
export interface RegionInstruction {
  /** Address of the op record. */
  readonly record: number;
  readonly eip: number;
  /** Bytes. */
  readonly length: number;
  /** Form that stands for the record's handler; null for an undefined opcode. */
  readonly form: Form | null;
  /** Target of a direct branch. */
  readonly target: number | null;
}

/** How a block goes on: with the next instruction, by a branch (see BranchKind), or its last instruction leaves the region. */
export const ENDINGS = ['fall', 'jump', 'conditional', 'call', 'return', 'far', 'exit'] as const;
export type Ending = (typeof ENDINGS)[number];

/** A straight run of instructions that is entered at its first only. */
export interface BasicBlock {
  readonly eip: number;
  readonly instructions: readonly RegionInstruction[];
  readonly ending: Ending;
  /** EIP behind the block. */
  readonly behind: number;
  /** Blocks of the region that execution may go on with: for returns those behind the calls. */
  successors: BasicBlock[];
}

/** Decoded code as the region compiler sees it. */
export interface DecodedCode {
  readonly view: DataView;
  /** First record of the block at a linear address that has run more than a few times; 0 when there is none. */
  warmBlock(linear: number): number;
  formOf(slot: number): Form | null;
  /** The instruction never goes on with the next one: it ends in a system routine. */
  leaves(slot: number): boolean;
  /** The function at a linear address has code of its own, which calls leave the region for. */
  isApart(linear: number): boolean;
}

export interface RegionGraph {
  readonly blocks: readonly BasicBlock[];
  /**
   * Where the region may be entered, by place in `blocks`: the roots, and what execution comes back to from outside,
   * behind a call of what is not in the region and behind a system routine.
   */
  readonly entries: readonly number[];
}

/** How much code one region may take in, instructions. */
export const MAX_REGION_INSTRUCTIONS = 1024;
const MAX_REGION_PAGES = 8;

/** Everything that is reached from the roots by direct branches, calls and their returns, nearest first. */
export function discover(roots: readonly number[], code: DecodedCode): RegionGraph {
  const runs = new Map<number, readonly RegionInstruction[]>();
  const pages = new Set<number>();
  const queue = [...roots];
  let count = 0;
  while (queue.length > 0) {
    const eip = queue.shift()!;
    if (runs.has(eip)) continue;
    const record = code.warmBlock(eip);
    if (record === 0) continue;
    const run = readRun(eip, record, code);
    if (run.length === 0) continue;
    if (count > 0 && count + run.length > MAX_REGION_INSTRUCTIONS) continue;
    const last = run[run.length - 1];
    const touched = [eip >>> 12, (last.eip + last.length - 1) >>> 12];
    const isNew = (page: number, i: number): boolean => !pages.has(page) && touched.indexOf(page) === i;
    if (pages.size + touched.filter(isNew).length > MAX_REGION_PAGES) continue;
    for (const page of touched) pages.add(page);
    runs.set(eip, run);
    count += run.length;
    queue.push(...targetsOf(run, code));
  }
  const blocks = new Map<number, BasicBlock>();
  for (const [eip, run] of runs) blocks.set(eip, cutBlock(eip, run, runs, code));
  connect(blocks);
  const list = [...blocks.values()];
  const entries = new Set(roots);
  for (const block of list) if (comesBack(block, blocks)) entries.add(block.behind);
  return { blocks: list, entries: list.flatMap(({ eip }, place) => (entries.has(eip) ? [place] : [])) };
}

/** Execution leaves the region behind this block, and returns to what follows it. */
function comesBack({ ending, instructions }: BasicBlock, blocks: ReadonlyMap<number, BasicBlock>): boolean {
  const { target, form } = instructions[instructions.length - 1];
  if (ending === 'call') return target === null || !blocks.has(target);
  return ending === 'exit' && goesOn(form);
}

/** Behind the instruction comes what runs next, sooner or later. */
function goesOn(form: Form | null): boolean {
  return form !== null && form.encoding.instruction.options.branch === undefined;
}

function readRun(eip: number, firstRecord: number, code: DecodedCode): RegionInstruction[] {
  const { view } = code;
  const run: RegionInstruction[] = [];
  for (let record = firstRecord; ; record += RECORD_BYTES) {
    const hot = view.getUint16(record + RECORD.hot, true);
    if (hot === SPECIAL.END || hot === SPECIAL.REFETCH) return run;
    if (hot === SPECIAL.STRADDLE || hot === SPECIAL.PROFILE || hot === SPECIAL.REGION) continue;
    const slot = view.getUint16(record + RECORD.generic, true);
    const form = code.formOf(slot);
    const direct = form !== null && form.encoding.operands.some((o) => o.source === 'relative');
    run.push({
      record,
      eip: eip + view.getUint16(record + RECORD.offset, true),
      length: view.getUint8(record + RECORD.length),
      form,
      target: direct ? (eip + view.getInt32(record + RECORD.immediate, true)) >>> 0 : null,
    });
  }
}

function endingOf(instruction: RegionInstruction, code: DecodedCode): Ending {
  const { form } = instruction;
  if (form === null || code.leaves(code.view.getUint16(instruction.record + RECORD.generic, true))) return 'exit';
  const kind = form.encoding.instruction.options.branch;
  if (kind === undefined) return 'fall';
  // 16-bit code offsets are none of the compiler's business.
  return form.operandSize === 16 ? 'exit' : kind;
}

function targetsOf(run: readonly RegionInstruction[], code: DecodedCode): number[] {
  const last = run[run.length - 1];
  const behind = last.eip + last.length;
  const direct = last.target === null ? [] : [last.target];
  switch (endingOf(last, code)) {
    case 'fall':
      return [behind];
    case 'jump':
      return direct;
    case 'conditional':
      return [behind, ...direct];
    case 'call':
      return [...direct.filter((target) => !code.isApart(target)), behind];
    case 'exit':
      return goesOn(last.form) ? [behind] : [];
    default:
      return [];
  }
}

/** The run up to the next block's first instruction. */
function cutBlock(
  eip: number,
  run: readonly RegionInstruction[],
  leaders: ReadonlyMap<number, unknown>,
  code: DecodedCode,
): BasicBlock {
  const end = run.findIndex((i, n) => n > 0 && leaders.has(i.eip));
  const instructions = end < 0 ? run : run.slice(0, end);
  const last = instructions[instructions.length - 1];
  return {
    eip,
    instructions,
    ending: end < 0 ? endingOf(last, code) : 'fall',
    behind: last.eip + last.length,
    successors: [],
  };
}

function connect(blocks: ReadonlyMap<number, BasicBlock>): void {
  const add = (block: BasicBlock, eip: number | null | undefined): void => {
    const to = eip === null || eip === undefined ? undefined : blocks.get(eip);
    if (to !== undefined && !block.successors.includes(to)) block.successors.push(to);
  };
  const calls = new Map<BasicBlock, BasicBlock[]>();
  for (const block of blocks.values()) {
    const { target } = block.instructions[block.instructions.length - 1];
    if (block.ending === 'fall' || block.ending === 'conditional') add(block, block.behind);
    if (block.ending === 'jump' || block.ending === 'conditional' || block.ending === 'call') add(block, target);
    if (block.ending === 'call' && target !== null) {
      const callee = blocks.get(target);
      const site = blocks.get(block.behind);
      if (callee !== undefined && site !== undefined) calls.set(callee, [...(calls.get(callee) ?? []), site]);
    }
  }
  for (const [callee, sites] of calls) {
    for (const block of bodyOf(callee, blocks)) {
      if (block.ending === 'return') for (const site of sites) add(block, site.eip);
    }
  }
}

/** Blocks of the function at `entry`; calls are stepped over. */
function bodyOf(entry: BasicBlock, blocks: ReadonlyMap<number, BasicBlock>): Set<BasicBlock> {
  const body = new Set<BasicBlock>();
  const pending = [entry];
  while (pending.length > 0) {
    const block = pending.pop()!;
    if (body.has(block)) continue;
    body.add(block);
    if (block.ending === 'call') {
      const site = blocks.get(block.behind);
      if (site !== undefined) pending.push(site);
    } else if (block.ending !== 'return') pending.push(...block.successors);
  }
  return body;
}
