import { CodedError } from '../../base/errors.js';

/**
 * CPU test vectors: one JSON object per line, captured on a real processor. The format is described in
 * test/fixtures/cpu-vectors/README.md.
 */

/** Linear address of the page that holds the code; unused bytes are INT3, which ends a run. */
export const CODE_ADDRESS = 0x2000_0000;
/** Linear address of the one data page; nothing else is mapped within 64 KiB of it. */
export const SCRATCH_ADDRESS = 0x2100_0000;
export const VECTOR_PAGE_BYTES = 4096;
export const INT3 = 0xcc;

/** x87 state as FXSAVE has it: `tw` has a bit per physical register (1 = not empty), `st` is relative to TOP. */
export interface FpuImage {
  readonly cw: number;
  readonly sw: number;
  readonly tw: number;
  /** Eight registers of ten bytes, little-endian hex. */
  readonly st: readonly string[];
}

export interface SseImage {
  readonly mxcsr: number;
  /** Eight registers of sixteen bytes, little-endian hex. */
  readonly xmm: readonly string[];
}

/** Where a run starts. */
export interface InitialState {
  /** EAX ECX EDX EBX ESP EBP ESI EDI, unsigned. */
  readonly r: readonly number[];
  readonly f: number;
  readonly fp: FpuImage;
  readonly x: SseImage;
  /** The scratch page. */
  readonly memory: Uint8Array;
}

/** Where a run ended: at an INT3 of the code page, or at an exception. */
export interface FinalState {
  /** EAX ECX EDX EBX ESP EBP ESI EDI, unsigned. */
  readonly r: readonly number[];
  readonly f: number;
  /** EIP relative to the code page: of the INT3, or of the instruction that raised the exception. */
  readonly ip: number;
  /** Exception vector; absent when INT3 was reached. */
  readonly e?: number;
  /** Error code of exceptions that have one. */
  readonly ec?: number;
  /** CR2 of a page fault. */
  readonly cr2?: number;
  /** The scratch page. */
  readonly memory: Uint8Array;
  readonly fp?: FpuImage;
  readonly x?: SseImage;
}

export interface Vector {
  readonly index: number;
  readonly code: Uint8Array;
  readonly initial: InitialState;
  readonly expected: FinalState;
  /** EFLAGS bits that the architecture leaves undefined after this code. */
  readonly undefinedFlags: number;
  /** Likewise for the x87 status word. */
  readonly undefinedStatus: number;
  /** A transcendental result: the last place of the significand may differ a little. */
  readonly tolerant: boolean;
  readonly instructionCount: number;
}

/** An engine that vectors run on. */
export interface VectorTarget {
  load(vector: Vector): void;
  run(): FinalState;
}

/** [offset, hex bytes] */
type Patch = readonly [number, string];

interface VectorLine {
  readonly i: number;
  readonly b: string;
  readonly r: number[];
  readonly f: number;
  readonly ms: number;
  readonly m?: Patch[];
  readonly fp?: FpuImage;
  readonly x?: SseImage;
  readonly R: number[];
  readonly F: number;
  readonly ip: number;
  readonly e?: number;
  readonly ec?: number;
  readonly cr2?: number;
  readonly M?: Patch[];
  readonly FP?: FpuImage;
  readonly X?: SseImage;
  readonly uf?: number;
  readonly fu?: number;
  readonly tol?: number;
  readonly n?: number;
}

/** The x87 as FNINIT leaves it. */
const FPU_RESET: FpuImage = { cw: 0x37f, sw: 0, tw: 0, st: new Array<string>(8).fill('00'.repeat(10)) };
const SSE_RESET: SseImage = { mxcsr: 0x1f80, xmm: new Array<string>(8).fill('00'.repeat(16)) };

export function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** The scratch page before patches: xorshift words from `seed`, the seed itself not included. */
export function scratchPage(seed: number): Uint8Array {
  const page = new Uint8Array(VECTOR_PAGE_BYTES);
  const view = new DataView(page.buffer);
  let x = seed | 0;
  for (let at = 0; at < VECTOR_PAGE_BYTES; at += 4) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    view.setInt32(at, x, true);
  }
  return page;
}

function patched(page: Uint8Array, patches: readonly Patch[] | undefined): Uint8Array {
  const copy = page.slice();
  for (const [offset, hex] of patches ?? []) copy.set(bytesOfHex(hex), offset);
  return copy;
}

function isLine(value: unknown): value is VectorLine {
  const line = value as Partial<VectorLine> | null;
  return (
    typeof line === 'object' &&
    line !== null &&
    [line.i, line.f, line.ms, line.F, line.ip].every((n) => typeof n === 'number') &&
    typeof line.b === 'string' &&
    [line.r, line.R].every((list) => Array.isArray(list) && list.length === 8)
  );
}

/** Parses one line; `where` names it in errors. */
export function parseVector(text: string, where: string): Vector {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch (cause) {
    throw new CodedError('DAMAGED', 'a vector is not valid JSON', { where, cause });
  }
  if (!isLine(line)) throw new CodedError('DAMAGED', 'a vector lacks fields', { where });
  const memory = patched(scratchPage(line.ms), line.m);
  const { e, ec, cr2 } = line;
  return {
    index: line.i,
    code: bytesOfHex(line.b),
    initial: { r: line.r, f: line.f, fp: line.fp ?? FPU_RESET, x: line.x ?? SSE_RESET, memory },
    expected: {
      r: line.R,
      f: line.F,
      ip: line.ip,
      e,
      ec,
      cr2,
      memory: patched(memory, line.M),
      fp: line.FP,
      x: line.X,
    },
    undefinedFlags: line.uf ?? 0,
    undefinedStatus: line.fu ?? 0,
    tolerant: line.tol === 1,
    instructionCount: line.n ?? 1,
  };
}

/** Parses a file of vectors; empty lines are skipped. */
export function parseVectors(text: string, source: string): Vector[] {
  const vectors: Vector[] = [];
  text.split('\n').forEach((line, n) => {
    if (line.trim() !== '') vectors.push(parseVector(line, `${source}:${n + 1}`));
  });
  return vectors;
}
