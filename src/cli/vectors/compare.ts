import { toHex } from '../../base/hash.js';
import type { FinalState, FpuImage, SseImage, Vector } from './vector.js';
import { bytesOfHex } from './vector.js';

/** One field that came out differently. */
export interface Difference {
  /** E.g. `eax`, `flags`, `memory+01c4`, `st3`. */
  readonly field: string;
  readonly expected: string;
  readonly actual: string;
}

const REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
/** Whether an exception leaves RF set in the image the capture saw depends on its delivery. */
const RF = 0x10000;

const hex = (value: number | undefined): string => (value === undefined ? 'none' : (value >>> 0).toString(16));

/** Sign, and magnitude as exponent:fraction in one integer, of a ten-byte value. */
function magnitude(text: string): { negative: boolean; significand: bigint; order: bigint } {
  const bytes = bytesOfHex(text);
  const view = new DataView(bytes.buffer);
  const significand = view.getBigUint64(0, true);
  const top = view.getUint16(8, true);
  const order = (BigInt(top & 0x7fff) << 63n) + (significand & ((1n << 63n) - 1n));
  return { negative: (top & 0x8000) !== 0, significand, order };
}

/** At most two units of the 64-bit significand apart; zeros of either sign are the same. */
function near(a: string, b: string): boolean {
  const [x, y] = [magnitude(a), magnitude(b)];
  if (x.negative !== y.negative) return x.significand === 0n && y.significand === 0n;
  const distance = x.order - y.order;
  return distance >= -2n && distance <= 2n;
}

function compareFpu(vector: Vector, expected: FpuImage, actual: FpuImage | undefined, report: Report): void {
  if (actual === undefined) {
    report('fp', 'an x87 state', 'none');
    return;
  }
  report.number('cw', expected.cw, actual.cw);
  report.number('sw', expected.sw, actual.sw, 0xffff & ~vector.undefinedStatus);
  report.number('tw', expected.tw, actual.tw);
  const top = (expected.sw >> 11) & 7;
  expected.st.forEach((value, i) => {
    // The contents of an empty register are nobody's business.
    if (((expected.tw >> ((top + i) & 7)) & 1) === 0 || value === actual.st[i]) return;
    if (!(vector.tolerant && near(value, actual.st[i]))) report(`st${i}`, value, actual.st[i]);
  });
}

function compareSse(expected: SseImage, actual: SseImage | undefined, report: Report): void {
  if (actual === undefined) {
    report('x', 'an SSE state', 'none');
    return;
  }
  report.number('mxcsr', expected.mxcsr, actual.mxcsr);
  expected.xmm.forEach((value, i) => {
    if (value !== actual.xmm[i]) report(`xmm${i}`, value, actual.xmm[i]);
  });
}

/** Runs of differing bytes; runs closer than four bytes are one. */
function compareMemory(expected: Uint8Array, actual: Uint8Array, report: Report): void {
  for (let i = 0; i < expected.length; i++) {
    if (expected[i] === actual[i]) continue;
    let last = i;
    for (let j = i; j < expected.length && j - last < 4; j++) if (expected[j] !== actual[j]) last = j;
    const at = `memory+${i.toString(16).padStart(4, '0')}`;
    report(at, toHex(expected.subarray(i, last + 1)), toHex(actual.subarray(i, last + 1)));
    i = last;
  }
}

interface Report {
  (field: string, expected: string, actual: string): void;
  number(field: string, expected: number | undefined, actual: number | undefined, mask?: number): void;
}

function collect(into: Difference[]): Report {
  const report = (field: string, expected: string, actual: string): void => {
    into.push({ field, expected, actual });
  };
  const number: Report['number'] = (field, expected, actual, mask = -1) => {
    const missing = (expected === undefined) !== (actual === undefined);
    if (missing || (((expected ?? 0) ^ (actual ?? 0)) & mask) !== 0) report(field, hex(expected), hex(actual));
  };
  return Object.assign(report, { number });
}

/** What differs between the end of a run and the processor's, under the vector's masks. Empty: the vector passes. */
export function compare(vector: Vector, actual: FinalState): Difference[] {
  const { expected } = vector;
  const differences: Difference[] = [];
  const report = collect(differences);
  REGISTERS.forEach((name, i) => report.number(name, expected.r[i], actual.r[i]));
  report.number('flags', expected.f, actual.f, ~(vector.undefinedFlags | RF));
  report.number('ip', expected.ip, actual.ip);
  report.number('exception', expected.e, actual.e);
  report.number('error code', expected.ec, actual.ec);
  report.number('cr2', expected.cr2, actual.cr2);
  compareMemory(expected.memory, actual.memory, report);
  if (expected.fp !== undefined) compareFpu(vector, expected.fp, actual.fp, report);
  if (expected.x !== undefined) compareSse(expected.x, actual.x, report);
  return differences;
}
