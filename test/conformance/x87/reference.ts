import type { Real } from './generator.js';

/**
 * Functions in fixed point, by other methods than the emulator's: an independent statement of what the results are.
 * Values are bigints in units of 2^-FRACTION_BITS.
 */
export const FRACTION_BITS = 400;
const SCALE = BigInt(FRACTION_BITS);
const ONE = 1n << SCALE;
const multiply = (a: bigint, b: bigint): bigint => (a * b) >> SCALE;
export const divide = (a: bigint, b: bigint): bigint => (a << SCALE) / b;

/** Exact for exponents above -FRACTION_BITS + 64. */
export function fixed({ significand, signExponent }: Real): bigint {
  const shift = BigInt((signExponent & 0x7fff) - 0x3fff - 63) + SCALE;
  const magnitude = shift >= 0n ? significand << shift : significand >> -shift;
  return signExponent & 0x8000 ? -magnitude : magnitude;
}

/** Sum of terms until they vanish; `next` makes term n of term n - 1. */
function sum(first: bigint, next: (term: bigint, n: bigint) => bigint): bigint {
  let total = 0n;
  for (let term = first, n = 1n; term !== 0n && term !== -1n; term = next(term, n++)) total += term;
  return total;
}

/** Newton's iteration. */
function squareRoot(a: bigint): bigint {
  let x = a > ONE ? a : ONE;
  while (true) {
    const better = (x + divide(a, x)) >> 1n;
    if (better >= x) return x;
    x = better;
  }
}

export function exponentialMinusOne(t: bigint): bigint {
  return sum(t, (term, n) => multiply(term, t) / (n + 1n));
}

/** Roots bring the argument near 1, where a series finds the logarithm of what is left. */
export function logarithm(a: bigint): bigint {
  let x = a;
  let doublings = 0n;
  for (; x > ONE + (ONE >> 4n) || x < ONE - (ONE >> 4n); doublings++) x = squareRoot(x);
  const d = x - ONE;
  let total = 0n;
  let power = d;
  for (let n = 1n; power !== 0n && power !== -1n; n++, power = multiply(-power, d)) total += power / n;
  return total << doublings;
}
export const LN2 = logarithm(2n * ONE);

/** Half the angle, twice, then the series. */
export function arcTangent(a: bigint): bigint {
  const halve = (t: bigint): bigint => divide(t, ONE + squareRoot(ONE + multiply(t, t)));
  const t = halve(halve(a));
  const square = multiply(t, t);
  let total = 0n;
  let power = t;
  for (let n = 1n; power !== 0n && power !== -1n; n += 2n, power = multiply(-power, square)) total += power / n;
  return total << 2n;
}
/** Machin's formula. */
export const PI = 4n * (4n * arcTangent(ONE / 5n) - arcTangent(ONE / 239n));

export function sine(r: bigint): bigint {
  const square = multiply(r, r);
  return sum(r, (term, n) => multiply(-term, square) / (2n * n * (2n * n + 1n)));
}
export function cosine(r: bigint): bigint {
  const square = multiply(r, r);
  return sum(ONE, (term, n) => multiply(-term, square) / ((2n * n - 1n) * 2n * n));
}

/** pi cut off after 66 bits, which is what processors reduce angles with. */
const PROCESSOR_PI = (PI >> (SCALE - 64n)) << (SCALE - 64n);
/** An angle as a number of quarters of the processor's turn, modulo 4, and the rest around 0. */
export function quarterTurns(angle: bigint): { rest: bigint; quarters: number } {
  const quarter = PROCESSOR_PI / 2n;
  const above = angle + quarter / 2n;
  const quarters = above / quarter - (above < 0n ? 1n : 0n);
  return { rest: angle - quarters * quarter, quarters: Number(((quarters % 4n) + 4n) % 4n) };
}

/** Distance of `actual` from `exact`, which is not 0, in units of the last place of a 64-bit significand. */
export function unitsOff(actual: Real, exact: bigint): number {
  const magnitude = exact < 0n ? -exact : exact;
  const unit = BigInt(magnitude.toString(2).length - 64);
  const difference = fixed(actual) - exact;
  // In 1/1024 of a unit.
  const scaled = unit >= 10n ? difference >> (unit - 10n) : difference << (10n - unit);
  return Math.abs(Number(scaled)) / 1024;
}
