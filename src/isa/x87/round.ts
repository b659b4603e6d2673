import type { Body } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { I32, I64, Local } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import { INTEGER_BIT, MAX_EXPONENT, storeInfinity, storeReal } from './format.js';
import { CW, ROUNDING, SW, controlWord, raiseX87, roundingOf } from './status.js';
import { jam, shiftRightJam } from './wide-integer.js';

/** Added to or taken from the exponent of a result whose overflow or underflow is unmasked (SDM 1, 8.5.4, 8.5.5). */
const BIAS_ADJUSTMENT = 0x6000;
const HALF = 1n << 63n;
const PC_SHIFT = 8;
/** Precision control: bits of the significand that do not count. */
const SINGLE = { control: 0, unused: 40n } as const;
const DOUBLE = { control: 2, unused: 11n } as const;

/** roundsUp(control, sign, odd, fraction): whether what lies below the last place adds one to it; fraction is not 0. */
export const roundsUp = routine(
  'x87RoundsUp',
  ['i32', 'i32', 'i32', 'i64'],
  'i32',
  (b, control, sign, odd, fraction) => {
    const rc = b.let(roundingOf(control));
    b.if(i32.eq(rc, ROUNDING.NEAREST), () =>
      b.return(i32.or(i64.gt_u(fraction, HALF), i32.and(i64.eq(fraction, HALF), odd))),
    );
    b.return(i32.eq(rc, select(sign, i32.const(ROUNDING.DOWN), i32.const(ROUNDING.UP))));
  },
);

/** The weight of the last place in units of bit 0, by precision control. */
export function lastPlace(control: I32): I64 {
  const pc = i32.and(i32.shr_u(control, PC_SHIFT), 3);
  return select(
    i32.eq(pc, SINGLE.control),
    i64.const(1n << SINGLE.unused),
    select(i32.eq(pc, DOUBLE.control), i64.const(1n << DOUBLE.unused), i64.const(1n)),
  );
}

/** Moves what lies below the last place of high:low from `high` to the top of `low`. */
export function cutAtLastPlace(b: Body, high: Local<'i64'>, low: Local<'i64'>, place: I64): void {
  b.if(i64.ne(place, 1n), () => {
    const unused = i64.ctz(place);
    b.set(low, i64.or(i64.shl(high, i64.sub(64n, unused)), jam(low)));
    b.set(high, i64.and(high, i64.neg(place)));
  });
}

/**
 * x87RoundTiny(target, sign, exponent, high, low, control): x87Round for an exponent below 1. Tiny is judged after
 * rounding: what rounds up to the least normal number is not.
 */
const roundTiny = routine(
  'x87RoundTiny',
  ['i32', 'i32', 'i32', 'i64', 'i64', 'i32'],
  'i32',
  (b, target, sign, exponent, high0, low0, control) => {
    const place = b.let(lastPlace(control));
    const high = b.var(high0);
    const low = b.var(low0);
    cutAtLastPlace(b, high, low, place);
    const odd = (): I32 => i64.ne(i64.and(high, place), 0n);
    const all = i32.and(i32.eqz(exponent), i64.eq(i64.add(high, place), 0n));
    b.if(i32.and(all, i64.ne(low, 0n)), () =>
      b.if(call(roundsUp, control, sign, odd(), low), () => {
        b.do(raiseX87, SW.PE | SW.C1);
        storeReal(b, target, INTEGER_BIT, i32.or(sign, 1));
        b.return(i32.const(1));
      }),
    );
    b.if(i32.eqz(i32.and(controlWord(), SW.UE)), () => {
      b.do(raiseX87, SW.UE);
      b.return(i32.const(0));
    });
    // From the start: the places that count are now fewer.
    b.set(high, high0);
    b.set(low, low0);
    const shift = b.let(i32.sub(1, exponent));
    b.if(
      i32.lt_u(shift, 64),
      () => {
        const n = b.let(i64.extend_u(shift));
        b.set(low, i64.or(i64.shl(high, i64.sub(64n, n)), jam(low)));
        b.set(high, i64.shr_u(high, n));
      },
      () => {
        b.set(low, i64.or(call(shiftRightJam, high, i32.sub(shift, 64)), jam(low)));
        b.set(high, i64.const(0n));
      },
    );
    cutAtLastPlace(b, high, low, place);
    b.if(i64.ne(low, 0n), () => {
      b.do(raiseX87, SW.UE | SW.PE);
      b.if(call(roundsUp, control, sign, odd(), low), () => {
        b.do(raiseX87, SW.C1);
        b.set(high, i64.add(high, place));
      });
    });
    storeReal(b, target, high, i32.or(sign, i64.lt_s(high, 0n)));
    b.return(i32.const(1));
  },
);

/**
 * x87Overflow(target, sign, exponent, high, control, flags): a rounded result with an exponent beyond the largest. `flags`: what
 * rounding met.
 */
const overflow = routine(
  'x87Overflow',
  ['i32', 'i32', 'i32', 'i64', 'i32', 'i32'],
  null,
  (b, target, sign, exponent, high, control, flags) => {
    b.if(i32.eqz(i32.and(controlWord(), SW.OE)), () => {
      const wrapped = b.let(i32.sub(exponent, BIAS_ADJUSTMENT));
      b.if(i32.ge_s(wrapped, MAX_EXPONENT), () => {
        // Beyond even the adjusted range: only FSCALE gets that far.
        b.do(raiseX87, SW.OE | SW.PE | SW.C1);
        storeInfinity(b, target, sign);
        b.return();
      });
      b.do(raiseX87, i32.or(flags, SW.OE));
      storeReal(b, target, high, i32.or(sign, wrapped));
      b.return();
    });
    const rc = b.let(roundingOf(control));
    const awayFromZero = i32.eq(rc, select(sign, i32.const(ROUNDING.DOWN), i32.const(ROUNDING.UP)));
    b.if(
      i32.or(i32.eq(rc, ROUNDING.NEAREST), awayFromZero),
      () => {
        b.do(raiseX87, SW.OE | SW.PE | SW.C1);
        storeInfinity(b, target, sign);
      },
      () => {
        b.do(raiseX87, SW.OE | SW.PE);
        storeReal(b, target, i64.neg(lastPlace(control)), i32.or(sign, MAX_EXPONENT - 1));
      },
    );
  },
);

/**
 * x87Round(target, sign, exponent, high, low, control): stores the number sign * high:low * 2^(exponent - bias - 127),
 * rounded to the precision and in the direction of `control`, and raises OE, UE and PE. Bit 63 of `high` is set; bit 0
 * of `low` stands for anything that was lost below it. `sign` is 0 or SIGN. Sets C1 when the magnitude was rounded up.
 */
export const round = routine(
  'x87Round',
  ['i32', 'i32', 'i32', 'i64', 'i64', 'i32'],
  null,
  (b, target, sign, exponent0, high0, low0, control) => {
    const exponent = b.var(exponent0);
    b.if(i32.le_s(exponent, 0), () => {
      b.if(call(roundTiny, target, sign, exponent, high0, low0, control), () => b.return());
      b.set(exponent, i32.add(exponent, BIAS_ADJUSTMENT));
      b.if(i32.le_s(exponent, 0), () => {
        // Beyond even the adjusted range.
        b.do(raiseX87, SW.PE);
        storeReal(b, target, 0n, sign);
        b.return();
      });
    });
    const high = b.var(high0);
    const low = b.var(low0);
    const place = b.let(lastPlace(control));
    cutAtLastPlace(b, high, low, place);
    const flags = b.var(i32.const(0));
    b.if(i64.ne(low, 0n), () => {
      b.set(flags, i32.const(SW.PE));
      b.if(call(roundsUp, control, sign, i64.ne(i64.and(high, place), 0n), low), () => {
        b.set(flags, i32.const(SW.PE | SW.C1));
        b.set(high, i64.add(high, place));
        b.if(i64.eqz(high), () => {
          b.set(high, i64.const(INTEGER_BIT));
          b.set(exponent, i32.add(exponent, 1));
        });
      });
    });
    b.if(i32.ge_s(exponent, MAX_EXPONENT), () => {
      b.do(overflow, target, sign, exponent, high, control, flags);
      b.return();
    });
    b.if(flags, () => b.do(raiseX87, flags));
    storeReal(b, target, high, i32.or(sign, exponent));
  },
);

/** x87NormalizeRound(target, sign, exponent, high, low, control): x87Round without bit 63 set; high:low is not 0. */
export const normalizeRound = routine(
  'x87NormalizeRound',
  ['i32', 'i32', 'i32', 'i64', 'i64', 'i32'],
  null,
  (b, target, sign, exponent0, high0, low0, control) => {
    const exponent = b.var(exponent0);
    const high = b.var(high0);
    const low = b.var(low0);
    b.if(i64.eqz(high), () => {
      b.set(high, low);
      b.set(low, i64.const(0n));
      b.set(exponent, i32.sub(exponent, 64));
    });
    const shift = b.let(i64.clz(high));
    // In two steps: a shift by 64 would be none.
    const carried = i64.shr_u(i64.shr_u(low, 1n), i64.sub(63n, shift));
    b.set(high, i64.or(i64.shl(high, shift), carried));
    b.set(low, i64.shl(low, shift));
    b.do(round, target, sign, i32.sub(exponent, i32.wrap(shift)), high, low, control);
  },
);

/** The control word for results that precision control does not concern (SDM 1, 8.1.5.2). */
export function fullPrecision(): I32 {
  return i32.or(controlWord(), CW.PC);
}
