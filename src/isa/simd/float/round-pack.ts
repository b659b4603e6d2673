import { routine } from '../../ir/body.js';
import { call, i32, i64, select } from '../../ir/expr.js';
import { DOUBLE, Format, SIGN } from './format.js';
import { MXCSR, ROUNDING, mxcsr, noteSseFlags, roundingControl } from './mxcsr.js';

/** shiftRightSticky(value, count): bits shifted out are ORed into bit 0. */
export const shiftRightSticky = routine('shiftRightSticky', ['i64', 'i32'], 'i64', (b, value, count) => {
  b.if(i32.ge_u(count, 64), () => b.return(i64.extend_u(i64.ne(value, 0n))));
  const n = b.let(i64.extend_u(count));
  const lost = i64.and(value, i64.sub(i64.shl(1n, n), 1n));
  b.return(i64.or(i64.shr_u(value, n), i64.extend_u(i64.ne(lost, 0n))));
});

/**
 * roundPack(e, sign, exponent, significand): the number sign * significand * 2^(exponent - bias - 63) in the format
 * with `e` exponent bits, rounded as MXCSR says. The significand has bit 63 set; its bit 0 may stand for anything
 * that was lost below. `sign` has only bit 63. Notes OE, UE and PE (SDM 1, 11.5.2.4 - 11.5.2.6).
 */
export const roundPack = routine(
  'roundPack',
  ['i32', 'i64', 'i32', 'i64'],
  'i64',
  (b, e, sign, exponent0, significand0) => {
    const exponent = b.var(exponent0);
    const significand = b.var(significand0);
    const csr = b.let(mxcsr());
    const rc = b.let(roundingControl());
    const negative = b.let(i64.ne(sign, 0n));
    // Bits below the last place.
    const rest = b.let(select(i32.eq(e, DOUBLE), i64.const((1n << 11n) - 1n), i64.const((1n << 40n) - 1n)));
    const half = b.let(i64.add(i64.shr_u(rest, 1n), 1n));
    const awayFromZero = i32.eq(rc, select(negative, i32.const(ROUNDING.DOWN), i32.const(ROUNDING.UP)));
    const increment = b.let(select(i32.eq(rc, ROUNDING.NEAREST), half, select(awayFromZero, rest, i64.const(0n))));
    const tiny = b.var(i32.const(0));
    b.if(i32.le_s(exponent, 0), () => {
      // Tiny is judged after rounding to the full precision: exponent 0 with a carry is not.
      const carries = i64.lt_u(i64.add(significand, increment), significand);
      b.set(tiny, i32.eqz(i32.and(i32.eqz(exponent), carries)));
      b.if(tiny, () => {
        b.if(i32.eqz(i32.and(csr, MXCSR.UM)), () => {
          // Unmasked: raised even if exact; the destination stays, so the value does not matter.
          const inexact = i64.ne(i64.and(significand, rest), 0n);
          b.do(noteSseFlags, i32.or(MXCSR.UE, select(inexact, i32.const(MXCSR.PE), i32.const(0))));
          b.return(sign);
        });
        b.if(i32.and(csr, MXCSR.FZ), () => {
          b.do(noteSseFlags, MXCSR.UE | MXCSR.PE);
          b.return(sign);
        });
      });
      b.set(significand, call(shiftRightSticky, significand, i32.sub(1, exponent)));
      b.set(exponent, i32.const(1));
    });
    const below = b.let(i64.and(significand, rest));
    b.if(i64.ne(below, 0n), () =>
      b.do(noteSseFlags, select(tiny, i32.const(MXCSR.PE | MXCSR.UE), i32.const(MXCSR.PE))),
    );
    const rounded = b.let(i64.add(significand, increment));
    b.if(
      i64.lt_u(rounded, significand),
      () => {
        b.set(significand, i64.const(SIGN));
        b.set(exponent, i32.add(exponent, 1));
      },
      () => {
        // A tie goes to even: its last bit is cleared with the rest.
        const tie = i32.and(i32.eq(rc, ROUNDING.NEAREST), i64.eq(below, half));
        b.set(significand, i64.and(rounded, i64.not(i64.or(rest, select(tie, i64.add(rest, 1n), i64.const(0n))))));
      },
    );
    b.if(i32.ge_s(exponent, i32.sub(i32.shl(1, e), 1)), () => {
      b.do(noteSseFlags, select(i32.and(csr, MXCSR.OM), i32.const(MXCSR.OE | MXCSR.PE), i32.const(MXCSR.OE)));
      const infinity = b.let(new Format(b, e).infinity());
      const toInfinity = i32.or(i32.eq(rc, ROUNDING.NEAREST), awayFromZero);
      b.return(
        i64.or(
          sign,
          select(
            toInfinity,
            infinity,
            i64.sub(infinity, select(i32.eq(e, DOUBLE), i64.const(1n), i64.const(1n << 32n))),
          ),
        ),
      );
    });
    // The leading bit of the significand adds one to the exponent field; a denormal number has none.
    const fraction = i64.shr_u(significand, i64.extend_u(e));
    const field = i64.shl(i64.extend_u(i32.sub(exponent, 1)), i64.sub(63n, i64.extend_u(e)));
    b.return(i64.add(i64.or(sign, field), fraction));
  },
);
