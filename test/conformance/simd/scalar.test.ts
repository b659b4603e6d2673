import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { generator, operand } from './operand-generator.js';
import { ScalarUnit } from './scalar-routines.js';

const unit = new ScalarUnit();
const { routines } = unit;
const low = (v: bigint): number => Number(BigInt.asIntN(32, v));
const bits32 = (v: number): bigint => BigInt(v >>> 0);
const bits64 = (v: bigint): bigint => BigInt.asUintN(64, v);

describe('scalar arithmetic', () => {
  const EFLAGS_OF_RELATION = [0n, 1n, 0x40n, 0x45n];
  const ONES32 = 0xffff_ffffn;
  const ONES64 = 0xffff_ffff_ffff_ffffn;
  type Operation = (a: bigint, b: bigint, rc: number) => bigint;
  const binary32 =
    (f: (a: number, b: number) => number): Operation =>
    (a, b) =>
      bits32(f(low(a), low(b)));
  const binary64 =
    (f: (a: bigint, b: bigint) => bigint): Operation =>
    (a, b) =>
      bits64(f(a, b));
  const relation32 =
    (signal: number, f: (relation: number) => bigint): Operation =>
    (a, b) =>
      f(routines.singleCompare(low(a), low(b), signal));
  const relation64 =
    (signal: number, f: (relation: number) => bigint): Operation =>
    (a, b) =>
      f(routines.doubleCompare(a, b, signal));
  const flagsOf = (relation: number): bigint => EFLAGS_OF_RELATION[relation];
  const r = routines;
  /** In the order of the fixture's README. */
  const OPERATIONS: readonly Operation[] = [
    binary32(r.singleAdd),
    binary32(r.singleSubtract),
    binary32(r.singleMultiply),
    binary32(r.singleDivide),
    (_, b) => bits32(r.singleSquareRoot(low(b))),
    binary32(r.singleMin),
    binary32(r.singleMax),
    relation32(1, (relation) => (relation === 1 ? ONES32 : 0n)),
    relation32(0, (relation) => (relation === 2 ? ONES32 : 0n)),
    (_, b) => bits64(r.singleToDouble(low(b))),
    (_, b, rc) => bits32(r.singleToInteger(low(b), rc)),
    (_, b) => bits32(r.singleToInteger(low(b), 3)),
    relation32(1, flagsOf),
    relation32(0, flagsOf),
    (_, b) => bits32(r.integerToSingle(low(b))),
    binary64(r.doubleAdd),
    binary64(r.doubleSubtract),
    binary64(r.doubleMultiply),
    binary64(r.doubleDivide),
    (_, b) => bits64(r.doubleSquareRoot(b)),
    binary64(r.doubleMin),
    binary64(r.doubleMax),
    relation64(1, (relation) => (relation === 1 ? ONES64 : 0n)),
    relation64(0, (relation) => (relation === 2 ? ONES64 : 0n)),
    (_, b) => bits32(r.doubleToSingle(b)),
    (_, b, rc) => bits32(r.doubleToInteger(b, rc)),
    (_, b) => bits32(r.doubleToInteger(b, 3)),
    relation64(1, flagsOf),
    relation64(0, flagsOf),
    relation64(0, (relation) => (relation === 3 ? 0n : ONES64)),
  ];
  /** Operations whose result is 32 bits wide; the rest of the captured register is the first operand's. */
  const isNarrow = (operation: number): boolean =>
    (operation < 15 && operation !== 9) || [24, 25, 26].includes(operation);

  it('gives the results, flags and exceptions of a real processor', () => {
    const bytes = gunzipSync(readFileSync(new URL('../../fixtures/sse-scalar/records.bin.gz', import.meta.url)));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    expect(bytes.length).toBe(24_000 * 40);
    const failures: string[] = [];
    for (let at = 0; at < bytes.length; at += 40) {
      const operation = view.getUint32(at, true);
      const mxcsr = view.getUint32(at + 4, true);
      unit.begin(mxcsr);
      const [a, b] = [view.getBigInt64(at + 8, true), view.getBigInt64(at + 16, true)];
      const result = OPERATIONS[operation](a, b, (mxcsr >> 13) & 3);
      const unmasked = unit.flags & ~(mxcsr >> 7);
      // An unmasked IE, DE or ZE keeps the others from being found.
      const flags = unmasked & 7 ? unit.flags & 7 : unit.flags;
      const captured = view.getBigUint64(at + 24, true);
      const trapped = view.getUint32(at + 36, true) === 1;
      const same = trapped || result === (isNarrow(operation) ? captured & ONES32 : captured);
      if (!same || (mxcsr | flags) !== view.getUint32(at + 32, true) || (unmasked !== 0) !== trapped) {
        failures.push(`record ${at / 40}: operation ${operation}, result ${result.toString(16)}, flags ${flags}`);
      }
    }
    expect(failures).toEqual([]);
  });
});

describe('fast paths', () => {
  /** Nearest with and without PE set, FZ and DAZ; now and then another rounding mode. */
  const MODES = [0x1f80, 0x1fa0, 0x1f80, 0x9fc0, 0x9fe0, 0x0fa0, 0x3f80];
  const PAIRS = 120_000;

  it.each([
    ['doubleAdd', 0],
    ['doubleSubtract', 1],
    ['doubleMultiply', 2],
    ['doubleDivide', 3],
  ] as const)('%s agrees with the exact routine on %i, result and flags', (name, operation) => {
    const next = generator(0x1234_5678 + operation);
    for (let n = 0; n < PAIRS; n++) {
      const a = operand(next, 11, 52, BigInt(next()) << 31n);
      const b = operand(next, 11, 52, a);
      const mode = MODES[n % MODES.length];
      unit.begin(mode);
      const fast = routines[name](a, b);
      const flags = unit.flags;
      unit.begin(mode);
      const exact = routines.softArithmetic(operation, 11, a, b);
      const known = mode & 0x20;
      if (fast !== exact || (flags | known) !== (unit.flags | known)) {
        expect.fail(`${name} ${a.toString(16)} ${b.toString(16)} mode ${mode.toString(16)}: ${fast} ${flags}`);
      }
    }
  });

  it.each([
    ['singleAdd', 0],
    ['singleSubtract', 1],
    ['singleMultiply', 2],
    ['singleDivide', 3],
  ] as const)('%s agrees with the exact routine on %i, result and flags', (name, operation) => {
    const next = generator(0x0bad_cafe + operation);
    for (let n = 0; n < PAIRS; n++) {
      const a = operand(next, 8, 23, BigInt(next()));
      const b = operand(next, 8, 23, a);
      const mode = MODES[n % MODES.length];
      unit.begin(mode);
      const fast = bits32(routines[name](low(a), low(b)));
      const flags = unit.flags;
      unit.begin(mode);
      const exact = bits64(routines.softArithmetic(operation, 8, a << 32n, b << 32n)) >> 32n;
      const known = mode & 0x20;
      if (fast !== exact || (flags | known) !== (unit.flags | known)) {
        expect.fail(`${name} ${a.toString(16)} ${b.toString(16)} mode ${mode.toString(16)}: ${fast} ${flags}`);
      }
    }
  });

  it('square roots agree with the exact routine, result and flags', () => {
    const next = generator(0x5eed);
    for (let n = 0; n < PAIRS; n++) {
      const mode = MODES[n % MODES.length];
      const known = mode & 0x20;
      // Half of them squares of short numbers, whose roots are exact.
      const root = BigInt(next() >>> (next() % 8));
      const square = new DataView(new ArrayBuffer(8));
      square.setFloat64(0, Number(root) ** 2, true);
      const a = n % 2 ? square.getBigUint64(0, true) : operand(next, 11, 52, 0n);
      unit.begin(mode);
      const fast = routines.doubleSquareRoot(a);
      const flags = unit.flags | known;
      unit.begin(mode);
      expect([fast, flags]).toEqual([routines.softSquareRoot(11, a), unit.flags | known]);
      const s = operand(next, 8, 23, 0n);
      unit.begin(mode);
      const fastSingle = bits32(routines.singleSquareRoot(low(s)));
      const flagsSingle = unit.flags | known;
      unit.begin(mode);
      const exactSingle = bits64(routines.softSquareRoot(8, s << 32n)) >> 32n;
      expect([fastSingle, flagsSingle]).toEqual([exactSingle, unit.flags | known]);
    }
  });
});

describe('tininess', () => {
  const UE_PE = 0x30;
  const PE = 0x20;
  /** 2^-126 * (1 - 2^-n), rounded by both to the smallest normal single; captured on a real processor. */
  const below = (n: number): bigint => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, 2 ** -126 * (1 - 2 ** -n), true);
    return view.getBigInt64(0, true);
  };

  it.each([
    [24, UE_PE],
    [25, PE],
    [26, PE],
  ])('is judged after rounding to 24 bits: 2^-126 less 1 part in 2^%i notes %i', (n, flags) => {
    unit.begin(0x1f80);
    expect(routines.doubleToSingle(below(n))).toBe(0x0080_0000);
    expect(unit.flags).toBe(flags);
  });
});
