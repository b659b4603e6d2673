import { routine } from '../ir/body.js';
import type { I64 } from '../ir/expr.js';
import { i32, i64 } from '../ir/expr.js';

const LOW = 0xffff_ffffn;

/** multiplyHigh(a, b): the upper 64 bits of the unsigned product; i64.mul gives the lower ones. */
export const multiplyHigh = routine('multiplyHigh', ['i64', 'i64'], 'i64', (b, x, y) => {
  const [x0, x1] = [b.let(i64.and(x, LOW)), b.let(i64.shr_u(x, 32n))];
  const [y0, y1] = [b.let(i64.and(y, LOW)), b.let(i64.shr_u(y, 32n))];
  const middle = b.let(i64.add(i64.mul(x1, y0), i64.shr_u(i64.mul(x0, y0), 32n)));
  const middle2 = b.let(i64.add(i64.mul(x0, y1), i64.and(middle, LOW)));
  b.return(i64.add(i64.add(i64.mul(x1, y1), i64.shr_u(middle, 32n)), i64.shr_u(middle2, 32n)));
});

/** shiftRightJam(value, count): bits shifted out are ORed into bit 0. */
export const shiftRightJam = routine('shiftRightJam', ['i64', 'i32'], 'i64', (b, value, count) => {
  b.if(i32.ge_u(count, 64), () => b.return(jam(value)));
  const n = b.let(i64.extend_u(count));
  const lost = i64.and(value, i64.sub(i64.shl(1n, n), 1n));
  b.return(i64.or(i64.shr_u(value, n), jam(lost)));
});

/** 1 when any bit is set. */
export function jam(value: I64): I64 {
  return i64.extend_u(i64.ne(value, 0n));
}

/**
 * divideDigit(remainder, divisor, next): (remainder * 2^32 + next) / divisor, which is below 2^32, for a divisor with
 * bit 63 set and a remainder below it (Knuth, TAOCP 2, 4.3.1, algorithm D: the estimate is at most two too large).
 */
export const divideDigit = routine('divideDigit', ['i64', 'i64', 'i64'], 'i64', (b, remainder, divisor, next) => {
  const upper = b.let(i64.shr_u(divisor, 32n));
  const lower = b.let(i64.and(divisor, LOW));
  const digit = b.var(i64.div_u(remainder, upper));
  const rest = b.var(i64.sub(remainder, i64.mul(digit, upper)));
  b.loop((again) => {
    const tooLarge = i32.or(i64.gt_u(digit, LOW), i64.gt_u(i64.mul(digit, lower), i64.or(i64.shl(rest, 32n), next)));
    b.if(tooLarge, () => {
      b.set(digit, i64.sub(digit, 1n));
      b.set(rest, i64.add(rest, upper));
      // Once the rest has 33 bits the digit is right.
      b.brIf(again, i64.le_u(rest, LOW));
    });
  });
  b.return(digit);
});
