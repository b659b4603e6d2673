import { describe, expect, it } from 'vitest';
import { generator } from '../simd/operand-generator.js';
import type { Real } from './generator.js';
import { X87Machine, double, real } from './machine.js';
import * as reference from './reference.js';

const CONTROL = 0x37f;
const TRIALS = 120;
/** Results are rounded from 100 bits and more: never farther from the truth than half a unit, give or take nothing much. */
const HALF_UNIT = 0.501;
const FUNCTION = {
  F2XM1: 0xf0,
  FYL2X: 0xf1,
  FPTAN: 0xf2,
  FPATAN: 0xf3,
  FYL2XP1: 0xf9,
  FSINCOS: 0xfb,
  FSIN: 0xfe,
  FCOS: 0xff,
} as const;
const [IE, ZE, C2] = [1, 4, 0x400];
const machine = new X87Machine();
const next = generator(2024);

/** A random number with an unbiased exponent from `low` to `high`. */
function number(low: number, high: number, sign = next() & 1): Real {
  const significand = (BigInt(next()) << 32n) | BigInt(next()) | (1n << 63n);
  return { significand, signExponent: (sign << 15) | (0x3fff + low + (next() % (high - low + 1))) };
}
/** Executes D9 `modrm` with these values on the stack. */
function execute(modrm: number, ...values: Real[]): Real {
  machine.load(CONTROL, ...values);
  machine.run(0xd9, modrm);
  return machine.st(0);
}
/** The largest error of `trial` in units of the last place. */
function worst(trial: () => number): number {
  let error = 0;
  for (let i = 0; i < TRIALS; i++) error = Math.max(error, trial());
  return error;
}
const { fixed, unitsOff, divide } = reference;
const product = (a: bigint, b: bigint): bigint => (a * b) >> BigInt(reference.FRACTION_BITS);

describe('a transcendental function is rounded from the true value', () => {
  it('F2XM1: 2^x - 1', () => {
    const trial = (): number => {
      const x = number(-66, -1);
      return unitsOff(execute(FUNCTION.F2XM1, x), reference.exponentialMinusOne(product(fixed(x), reference.LN2)));
    };
    expect(worst(trial)).toBeLessThan(HALF_UNIT);
  });

  it('FYL2X: y log2(x), near 1 as well', () => {
    const trial = (): number => {
      const near: Real = { significand: (1n << 63n) | BigInt(next()), signExponent: 0x3fff };
      const x = next() % 3 === 0 ? near : number(-60, 60, 0);
      const y = number(-20, 20);
      const exact = product(fixed(y), divide(reference.logarithm(fixed(x)), reference.LN2));
      return unitsOff(execute(FUNCTION.FYL2X, x, y), exact);
    };
    expect(worst(trial)).toBeLessThan(HALF_UNIT);
  });

  it('FYL2XP1: y log2(1 + x)', () => {
    const one = fixed(real(1));
    const trial = (): number => {
      const x = number(-60, -2);
      const y = number(-20, 20);
      const exact = product(fixed(y), divide(reference.logarithm(one + fixed(x)), reference.LN2));
      return unitsOff(execute(FUNCTION.FYL2XP1, x, y), exact);
    };
    expect(worst(trial)).toBeLessThan(HALF_UNIT);
  });

  it('FPATAN: the angle of a point in every octant', () => {
    const trial = (): number => {
      const x = number(-20, 20);
      const y = number(-20, 20);
      const [fx, fy] = [fixed(x), fixed(y)];
      const slope = divide(fy < 0n ? -fy : fy, fx < 0n ? -fx : fx);
      const angle = fx < 0n ? reference.PI - reference.arcTangent(slope) : reference.arcTangent(slope);
      return unitsOff(execute(FUNCTION.FPATAN, x, y), fy < 0n ? -angle : angle);
    };
    expect(worst(trial)).toBeLessThan(HALF_UNIT);
  });

  // Beyond pi / 4 the angle is reduced with 66 bits of pi, so that the "true" sine is that of other turns than ours.
  const turned = (angle: bigint, shift: number): bigint => {
    const { rest, quarters } = reference.quarterTurns(angle);
    const phase = (quarters + shift) & 3;
    const value = phase & 1 ? reference.cosine(rest) : reference.sine(rest);
    return phase & 2 ? -value : value;
  };
  it.each([
    ['FSIN', 0],
    ['FCOS', 1],
  ] as const)('%s: angles up to 2^63, in turns of the processor', (name, shift) => {
    const trial = (): number => {
      const x = number(-40, 62);
      return unitsOff(execute(FUNCTION[name], x), turned(fixed(x), shift));
    };
    expect(worst(trial)).toBeLessThan(HALF_UNIT);
  });

  it('FSINCOS and FPTAN: both results', () => {
    const trial = (): number => {
      const x = number(-40, 62);
      const [sine, cosine] = [turned(fixed(x), 0), turned(fixed(x), 1)];
      const first = unitsOff(execute(FUNCTION.FSINCOS, x), cosine);
      const second = unitsOff(machine.st(1), sine);
      const pushed = double(execute(FUNCTION.FPTAN, x));
      return Math.max(first, second, unitsOff(machine.st(1), divide(sine, cosine)), pushed === 1 ? 0 : Infinity);
    };
    expect(worst(trial)).toBeLessThan(HALF_UNIT);
  });
});

describe('zeros, ones and infinities', () => {
  const VALUES = [0, 1, 0.5, 3, Infinity].flatMap((v) => [v, -v]);
  const pairs = VALUES.flatMap((x) => VALUES.map((y) => [x, y] as const));

  /** NaN stands for the default NaN of an invalid operation. */
  function check(modrm: number, x: number, y: number, expected: number, flags: number): void {
    const result = double(execute(modrm, real(x), real(y)));
    const status = machine.state('fsw') & (IE | ZE);
    const what = `${x}, ${y}`;
    expect([what, status]).toEqual([what, flags]);
    if (Number.isNaN(expected) || Math.abs(expected) === Infinity || expected === 0) expect(result).toBe(expected);
    else expect(result).toBeCloseTo(expected, 14);
  }

  it('FYL2X is the product of y and the logarithm, log 0 being -infinity by a division by zero', () => {
    for (const [x, y] of pairs) {
      const expected = y * Math.log2(x);
      const divided = x === 0 && y !== 0 && Math.abs(y) !== Infinity;
      check(FUNCTION.FYL2X, x, y, expected, Number.isNaN(expected) ? IE : divided ? ZE : 0);
    }
  });

  it('FYL2XP1 is so too, where 1 + x is positive', () => {
    for (const [x, y] of pairs) {
      if (x <= -1 && x !== -Infinity) continue;
      const expected = (y * Math.log1p(x)) / Math.LN2;
      check(FUNCTION.FYL2XP1, x, y, expected, Number.isNaN(expected) ? IE : 0);
    }
  });

  it('FPATAN is defined everywhere', () => {
    for (const [x, y] of pairs) check(FUNCTION.FPATAN, x, y, Math.atan2(y, x), 0);
  });

  it('F2XM1 of -1, 0, 1 and the infinities is exact', () => {
    for (const x of [-Infinity, -1, -0, 0, 1, Infinity]) {
      expect(double(execute(FUNCTION.F2XM1, real(x)))).toBe(x === -Infinity ? -1 : x === -1 ? -0.5 : x);
    }
  });

  it('an angle of 2^63 or more sets C2 and stays; an infinite one is invalid', () => {
    for (const modrm of [FUNCTION.FSIN, FUNCTION.FCOS, FUNCTION.FSINCOS, FUNCTION.FPTAN]) {
      expect(double(execute(modrm, real(2 ** 63)))).toBe(2 ** 63);
      expect(machine.state('fsw') & (C2 | IE)).toBe(C2);
      expect(machine.top).toBe(7);
      expect(double(execute(modrm, real(Infinity)))).toBe(NaN);
      expect(machine.state('fsw') & (C2 | IE)).toBe(IE);
    }
  });

  it('the sine of a zero is that zero, its cosine one', () => {
    expect(double(execute(FUNCTION.FSIN, real(-0)))).toBe(-0);
    expect(double(execute(FUNCTION.FCOS, real(-0)))).toBe(1);
    expect([double(execute(FUNCTION.FSINCOS, real(-0))), double(machine.st(1))]).toEqual([1, -0]);
    expect([double(execute(FUNCTION.FPTAN, real(-0))), double(machine.st(1))]).toEqual([1, -0]);
  });
});
