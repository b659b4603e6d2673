import { describe, expect, it } from 'vitest';
import { ArithmeticUnit } from './arithmetic-unit.js';
import type { Real } from './generator.js';

const SIGN = 0x8000;
const BIAS = 0x3fff;
const C1 = 0x200;
const PE = 0x20;
const TOP_BIT = 1n << 63n;
const LONG = (1n << 64n) - 1n;
const unit = new ArithmeticUnit();
const text = ({ significand, signExponent }: Real): string =>
  `${signExponent.toString(16).padStart(4, '0')}:${significand.toString(16).padStart(16, '0')}`;

/** Numbers that look random and never change. */
class Draw {
  #x: number;
  constructor(seed: number) {
    this.#x = seed;
  }
  below(n: number): number {
    let x = this.#x;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#x = x;
    return (x >>> 0) % n;
  }
  long(): bigint {
    return (BigInt(this.below(2 ** 32)) << 32n) | BigInt(this.below(2 ** 32));
  }
  pick<T>(...of: readonly T[]): T {
    return of[this.below(of.length)];
  }
  /** Significands that are random, short, near powers of two, or of few bits. */
  significand(): bigint {
    const kind = this.below(8);
    let s = this.long();
    if (kind === 0) s = TOP_BIT | BigInt(this.below(4));
    else if (kind === 1) s = LONG - BigInt(this.below(4));
    else if (kind === 2) s &= LONG << BigInt(this.below(64));
    else if (kind === 3) s = TOP_BIT | (1n << BigInt(this.below(64))) | (1n << BigInt(this.below(64)));
    else if (kind === 4) s |= (1n << BigInt(this.below(64))) - 1n;
    return (s & LONG) | TOP_BIT;
  }
  normal(spread: number): Real {
    const exponent = BIAS - (spread >> 1) + this.below(spread + 1);
    return { significand: this.significand(), signExponent: exponent | this.pick(0, SIGN) };
  }
  /** Anything that the format has, and what it does not have. */
  any(): Real {
    const signExponent = this.pick(0, 1, 2, 0x3fff, 0x3ffe, 0x4000, 0x7ffd, 0x7ffe, 0x7fff, this.below(0x8000));
    const significand = this.pick(0n, 1n, TOP_BIT, LONG, LONG >> 1n, 3n << 62n, this.significand(), this.long());
    return { significand, signExponent: signExponent | this.pick(0, SIGN) };
  }
  control(): number {
    const masks = this.pick(0x3f, 0x3f, 0x1f, this.below(64));
    return masks | 0x40 | (this.pick(3, 3, 2, 0) << 8) | (this.below(4) << 10);
  }
}

interface Rounded {
  readonly value: Real;
  readonly flags: number;
}
/** numerator / denominator, neither 0, in the 80-bit format; null where the exponent is out of range. */
function rounded(isNegative: boolean, numerator: bigint, denominator: bigint, control: number): Rounded | null {
  const places = [24, 0, 53, 64][(control >> 8) & 3];
  const bits = (n: bigint): number => n.toString(2).length;
  // A quotient of two more bits than places, at least, and a rest.
  let shift = places + 2 - (bits(numerator) - bits(denominator));
  let n = numerator;
  let d = denominator;
  if (shift >= 0) n <<= BigInt(shift);
  else d <<= BigInt(-shift);
  let q = n / d;
  let sticky = q * d !== n;
  const extra = BigInt(bits(q) - places);
  const rest = q & ((1n << extra) - 1n);
  q >>= extra;
  shift -= Number(extra);
  const half = 1n << (extra - 1n);
  sticky ||= rest !== 0n;
  const restBits = rest * 2n + (n % d !== 0n ? 1n : 0n);
  const direction = (control >> 10) & 3;
  const above = restBits > 2n * half || (restBits === 2n * half && (q & 1n) === 1n);
  const up = sticky && [above, isNegative, !isNegative, false][direction];
  if (up) q++;
  if (bits(q) > places) {
    q >>= 1n;
    shift--;
  }
  const exponent = BIAS + places - 1 - shift;
  if (exponent < 1 || exponent > 0x7ffe) return null;
  const value = { significand: q << BigInt(64 - places), signExponent: exponent | (isNegative ? SIGN : 0) };
  return { value, flags: (sticky ? PE : 0) | (up ? C1 : 0) };
}

/** ST(0) op ST(i) by exact arithmetic. */
function model(name: string, x: Real, y: Real, control: number): Rounded | null {
  const [ex, ey] = [x, y].map((v) => BigInt(v.signExponent & 0x7fff));
  const sign = ((x.signExponent ^ y.signExponent) & SIGN) !== 0;
  if (name === 'FMUL' || name.startsWith('FDIV')) {
    const [n, d, e] =
      name === 'FMUL'
        ? [x.significand * y.significand, 1n, ex + ey - 2n * BigInt(BIAS + 63)]
        : name === 'FDIV'
          ? [x.significand, y.significand, ex - ey]
          : [y.significand, x.significand, ey - ex];
    return e >= 0n ? rounded(sign, n << e, d, control) : rounded(sign, n, d << -e, control);
  }
  const lowest = ex < ey ? ex : ey;
  const signed = (v: Real, e: bigint): bigint => {
    const magnitude = v.significand << (e - lowest);
    return v.signExponent & SIGN ? -magnitude : magnitude;
  };
  const [p, q] = [signed(x, ex), signed(y, ey)];
  const sum = name === 'FADD' ? p + q : name === 'FSUB' ? p - q : q - p;
  if (sum === 0n) return null;
  const scale = lowest - BigInt(BIAS + 63);
  const magnitude = sum < 0n ? -sum : sum;
  return scale >= 0n
    ? rounded(sum < 0n, magnitude << scale, 1n, control)
    : rounded(sum < 0n, magnitude, 1n << -scale, control);
}

const NAMES = ['FADD', 'FSUB', 'FSUBR', 'FMUL', 'FDIV', 'FDIVR'] as const;
type Name = (typeof NAMES)[number];
const TOP = 6;
const OTHER = 3;
const STATUS = TOP << 11;
const PLACE = (OTHER - TOP) & 7;

/** The state in which an operation starts: C1 set, and everything that could leak. */
function begin(control: number, status: number, x: Real, y: Real): void {
  unit.setWords(control, STATUS | C1 | status, (1 << TOP) | (1 << OTHER));
  unit.setRegister(TOP, x);
  unit.setRegister(OTHER, y);
}
const end = (): string => `${text(unit.register(TOP))} ${text(unit.register(OTHER))} ${unit.status.toString(16)}`;

/** What the general routine does to the same state; the registers' tags as they were. */
function general(name: Name, target: number, control: number, x: Real, y: Real): number {
  const { routines } = unit;
  const [first, second] = name.endsWith('R') ? [y, x] : [x, y];
  const args = [
    ArithmeticUnit.address(target),
    BigInt.asIntN(64, first.significand),
    first.signExponent,
    BigInt.asIntN(64, second.significand),
    second.signExponent,
  ] as const;
  unit.setWords(control, unit.status & ~C1, unit.tags);
  if (name === 'FMUL') return routines.x87Multiply(...args);
  if (name.startsWith('FDIV')) return routines.x87Divide(...args);
  return routines.x87Add(...args, name === 'FADD' ? 0 : SIGN);
}

describe('x87 arithmetic', () => {
  for (const name of NAMES) {
    it(`${name} of normal numbers is the exact result, rounded, in every mode`, () => {
      const draw = new Draw(0x1234567);
      const failures: string[] = [];
      for (let i = 0; i < 12_000; i++) {
        const control = i % 4 ? 0x37f : 0x7f | (draw.pick(0, 2, 3) << 8) | (draw.below(4) << 10);
        const [x, y] = [draw.normal(draw.pick(2, 70, 140)), draw.normal(draw.pick(0, 70))];
        const wanted = model(name, x, y, control);
        if (wanted === null) continue;
        begin(control, 0, x, y);
        unit.run(`${name}Top`, PLACE);
        const status = STATUS | wanted.flags;
        const actual = `${text(unit.register(TOP))} ${unit.status.toString(16)}`;
        if (actual !== `${text(wanted.value)} ${status.toString(16)}`) {
          failures.push(`${text(x)} ${text(y)} cw ${control.toString(16)}: ${actual}, should be ${text(wanted.value)}`);
        }
      }
      expect(failures.slice(0, 5)).toEqual([]);
    });

    it(`${name} does the same in place and in the general routine, whatever the operands, masks and modes`, () => {
      const draw = new Draw(0x7654321);
      const failures: string[] = [];
      for (let i = 0; i < 40_000; i++) {
        const control = i % 2 ? 0x37f : draw.control();
        const status = draw.pick(0, PE, 0x4500);
        const one = (): Real => (draw.below(3) ? draw.normal(draw.pick(4, 130, 0x7f00)) : draw.any());
        const [x, y] = [one(), one()];
        begin(control, status, x, y);
        const into = draw.pick('Top', 'Other', 'OtherPop', 'Operand');
        const target = into.startsWith('Other') ? OTHER : TOP;
        const outcome = general(name, target, control, x, y);
        let wanted = `${end()} ${outcome}`;
        let tags = (1 << TOP) | (1 << OTHER);
        if (into === 'OtherPop' && outcome === 1) {
          const popped = (unit.status & ~0x3800) | (((TOP + 1) & 7) << 11);
          wanted = `${text(unit.register(TOP))} ${text(unit.register(OTHER))} ${popped.toString(16)} 1`;
          tags = 1 << OTHER;
        }
        begin(control, status, x, y);
        const args = into === 'Operand' ? [BigInt.asIntN(64, y.significand), y.signExponent] : [PLACE];
        const actual = `${unit.run(`${name}${into}`, ...args)}`;
        if (`${end()} ${actual}` !== wanted || unit.tags !== tags) {
          failures.push(`${into} ${text(x)} ${text(y)} cw ${control.toString(16)}: ${end()}, should be ${wanted}`);
        }
      }
      expect(failures.slice(0, 5)).toEqual([]);
    });
  }

  it('quotients on and next to the middle between two digits are exact', () => {
    const draw = new Draw(0x2468ace);
    const failures: string[] = [];
    for (let i = 0; i < 20_000; i++) {
      // q * y + r with a first digit that is followed by 100... or 011...
      const y = draw.significand();
      const digit = BigInt(draw.below(2 ** 31)) | 0x8000_0000n;
      const q = (digit << 32n) | draw.pick(0x8000_0000n, 0x7fff_ffffn, 0x8000_0001n, BigInt(draw.below(2 ** 32)));
      const x = (q * y) >> 64n;
      if (x < TOP_BIT) continue;
      const [a, b] = [x + BigInt(draw.below(2)), y].map((s) => ({ significand: s & LONG, signExponent: BIAS }));
      if (a.significand < TOP_BIT) continue;
      const wanted = model('FDIV', a, b, 0x37f)!;
      begin(0x37f, 0, a, b);
      unit.run('FDIVTop', PLACE);
      if (text(unit.register(TOP)) !== text(wanted.value) || unit.status !== (STATUS | wanted.flags)) {
        failures.push(`${text(a)} / ${text(b)}: ${end()}, should be ${text(wanted.value)}`);
      }
    }
    expect(failures.slice(0, 5)).toEqual([]);
  });

  it('square roots are exact, rounded, in every mode', () => {
    const draw = new Draw(0x1357bdf);
    const failures: string[] = [];
    for (let i = 0; i < 12_000; i++) {
      const control = 0x7f | (draw.pick(3, 3, 2, 0) << 8) | (draw.below(4) << 10);
      let x: Real = { ...draw.normal(200), signExponent: BIAS - 100 + draw.below(200) };
      const root = draw.long() >> BigInt(32 + draw.below(16));
      if (draw.below(3) === 0 && root !== 0n) {
        // Squares, and what is next to them.
        let s = root * root + BigInt(draw.below(3)) - 1n;
        if (s <= 0n) s = 1n;
        const zeros = 64 - s.toString(2).length;
        x = { significand: (s << BigInt(zeros)) & LONG, signExponent: BIAS + 63 - zeros };
      }
      const e = BigInt((x.signExponent & 0x7fff) - BIAS - 63);
      // The root in units of 2^-300, and whether there is more of it.
      const scaled = x.significand << (e + 600n);
      let q = 1n << BigInt((scaled.toString(2).length + 1) >> 1);
      for (let better = (q + scaled / q) >> 1n; better < q; better = (q + scaled / q) >> 1n) q = better;
      const exact = q * q === scaled;
      const wanted = rounded(false, q * 2n + (exact ? 0n : 1n), 1n << 301n, control)!;
      unit.setWords(control, STATUS, 1 << TOP);
      unit.routines.x87SquareRoot(ArithmeticUnit.address(TOP), BigInt.asIntN(64, x.significand), x.signExponent);
      if (text(unit.register(TOP)) !== text(wanted.value) || unit.status !== (STATUS | wanted.flags)) {
        failures.push(`${text(x)}: ${end()}, should be ${text(wanted.value)} ${wanted.flags.toString(16)}`);
      }
    }
    expect(failures.slice(0, 5)).toEqual([]);
  });
});

describe('x87 conversions in place do what the general ones do', () => {
  for (const name of ['Single', 'Double'] as const) {
    it(`to ${name.toLowerCase()}`, () => {
      const draw = new Draw(0xbeef);
      const failures: string[] = [];
      let fitting = 0;
      for (let i = 0; i < 40_000; i++) {
        const x = draw.below(4) ? draw.normal(draw.pick(20, 260, 2100)) : draw.any();
        unit.setWords(0x37f, C1, 1);
        unit.setRegister(0, x);
        const flags = unit.routines[`narrow${name}`]();
        const actual = `${unit.result.toString(16)} ${flags.toString(16)}`;
        if (flags < 0) continue;
        fitting++;
        unit.routines[`x87Store${name}`]();
        const wanted = `${unit.result.toString(16)} ${unit.status.toString(16)}`;
        if (actual !== wanted) failures.push(`${text(x)}: ${actual}, should be ${wanted}`);
      }
      expect(failures.slice(0, 5)).toEqual([]);
      expect(fitting).toBeGreaterThan(10_000);
    });

    it(`from ${name.toLowerCase()}`, () => {
      const draw = new Draw(0xf00d);
      for (let i = 0; i < 20_000; i++) {
        const bits = draw.long() & draw.pick(LONG, LONG << 23n, LONG << 52n, 0x8000_0000_8000_0000n, 0xf_ffffn);
        if (name === 'Single') unit.routines.x87LoadSingle(Number(BigInt.asIntN(32, bits)));
        else unit.routines.x87LoadDouble(BigInt.asIntN(64, bits));
        const wanted = text(unit.operand);
        if (name === 'Single') unit.routines.convertSingle(BigInt.asUintN(32, bits));
        else unit.routines.convertDouble(BigInt.asIntN(64, bits));
        expect(`${bits.toString(16)} ${text(unit.operand)}`).toBe(`${bits.toString(16)} ${wanted}`);
      }
    });
  }

  it('from integers', () => {
    const draw = new Draw(0xcafe);
    for (let i = 0; i < 20_000; i++) {
      const value = BigInt.asIntN(64, draw.pick(0n, 1n, -1n, TOP_BIT, draw.long() >> BigInt(draw.below(64))));
      unit.routines.x87LoadInteger(value);
      const wanted = text(unit.operand);
      unit.routines.convertInteger(value);
      expect(`${value} ${text(unit.operand)}`).toBe(`${value} ${wanted}`);
    }
  });

  it('to integers, rounded in every mode', () => {
    const draw = new Draw(0xd1ce);
    const failures: string[] = [];
    for (let i = 0; i < 40_000; i++) {
      const bits = draw.pick(16n, 32n, 64n);
      const control = 0x7f | (draw.pick(3, 0) << 8) | (draw.below(4) << 10);
      const significand = draw.significand();
      const power = draw.below(Number(bits) + 2) - 2;
      const x = { significand, signExponent: (BIAS + power) | draw.pick(0, SIGN) };
      const isNegative = x.signExponent >= SIGN;
      // In halves, with a bit that says whether there is more.
      const cut = BigInt(63 - power);
      const halves = (significand << 1n) >> cut;
      const more = halves << cut !== significand << 1n;
      const odd = ((halves >> 1n) & 1n) === 1n;
      const inexact = more || (halves & 1n) === 1n;
      const above = (halves & 1n) === 1n && (more || odd);
      const up = inexact && [above, isNegative, !isNegative, false][control >> 10];
      const magnitude = (halves >> 1n) + (up ? 1n : 0n);
      const limit = 1n << (bits - 1n);
      const fits = magnitude < limit || (isNegative && magnitude === limit);
      const value = BigInt.asIntN(64, fits ? (isNegative ? -magnitude : magnitude) : -limit);
      const flags = fits ? (inexact ? PE : 0) | (up ? C1 : 0) : 1;
      unit.setWords(control, C1, 1);
      unit.setRegister(0, x);
      unit.routines.x87StoreInteger(limit - 1n, 0, control);
      const [actual, wanted] = [`${BigInt.asIntN(64, unit.result)} ${unit.status}`, `${value} ${flags}`];
      if (actual !== wanted)
        failures.push(`${text(x)} to ${bits} cw ${control.toString(16)}: ${actual}, not ${wanted}`);
    }
    expect(failures.slice(0, 5)).toEqual([]);
  });
});
