import { FIXED_ONE } from './wide-float.js';

/**
 * Coefficients of power series, in units of 2^-127, the constant term first. Each series goes on until what is left out
 * is below 2^-80 of the sum in the range where it is used.
 */
function series(length: number, divisor: (k: number) => bigint): readonly bigint[] {
  return Array.from({ length }, (_, k) => FIXED_ONE / divisor(k));
}

function factorial(n: number): bigint {
  return n < 2 ? 1n : BigInt(n) * factorial(n - 1);
}

/** (e^t - 1) / t, |t| <= ln 2 */
export const EXPONENTIAL = series(24, (k) => factorial(k + 1));
/** artanh(s) / s in s^2, |s| <= 3 - sqrt 8 */
export const AREA_TANGENT = series(18, (k) => BigInt(2 * k + 1));
/** arctan(t) / t in -t^2, |t| <= tan(pi / 8) */
export const ARC_TANGENT = series(33, (k) => BigInt(2 * k + 1));
/** sin(r) / r and cos(r) in -r^2, |r| <= pi / 4 */
export const SINE = series(13, (k) => factorial(2 * k + 1));
export const COSINE = series(14, (k) => factorial(2 * k));
