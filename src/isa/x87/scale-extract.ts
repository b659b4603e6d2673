import { routine } from '../ir/body.js';
import { call, i32, i64, select } from '../ir/expr.js';
import {
  BIAS,
  CLASS,
  SIGN,
  checkDenormal,
  classOf,
  loadReal,
  normalize,
  returnInvalid,
  signOf,
  storeInfinity,
  storeReal,
} from './format.js';
import { screenOperand, screenOperands } from './nan.js';
import { fullPrecision, round } from './round.js';
import { beginTwoResults, isFilled, registerAddress, stackUnderflow } from './stack.js';
import { SW, clearC1, raiseX87 } from './status.js';

/** Scaling further than this is as good as infinitely far. */
const FARTHEST = 0x1_0000;

/** x87Scale(): FSCALE, ST(0) = ST(0) * 2^trunc(ST(1)). */
export const scale = routine('x87Scale', [], 'i32', (b) => {
  clearC1(b);
  b.if(i32.eqz(i32.and(isFilled(0), isFilled(1))), () => b.return(call(stackUnderflow, 0)));
  const target = b.let(registerAddress(0));
  const x = loadReal(b, target);
  const y = loadReal(b, registerAddress(1));
  const classX = b.let(classOf(x));
  const classY = b.let(classOf(y));
  screenOperands(b, target, { ...x, class: classX }, { ...y, class: classY });
  const sign = b.let(signOf(x.signExponent));
  const down = b.let(signOf(y.signExponent));
  b.if(i32.eq(classY, CLASS.INFINITY), () => {
    // 0 * 2^inf and inf * 2^-inf have no value.
    const bad = select(down, i32.eq(classX, CLASS.INFINITY), i32.eqz(classX));
    b.if(bad, () => returnInvalid(b, target));
    checkDenormal(b, classX);
    b.if(
      down,
      () => storeReal(b, target, 0n, sign),
      () => storeInfinity(b, target, sign),
    );
    b.return(i32.const(1));
  });
  checkDenormal(b, classX, classY);
  b.if(i32.or(i32.eqz(classX), i32.eq(classX, CLASS.INFINITY)), () => b.return(i32.const(1)));
  const p = normalize(b, x);
  const q = normalize(b, y);
  const power = b.let(i32.sub(q.exponent, BIAS));
  const by = b.var(i32.const(0));
  b.if(i32.and(i32.ne(classY, CLASS.ZERO), i32.ge_s(power, 0)), () =>
    b.if(
      i32.ge_s(power, 16),
      () => b.set(by, i32.const(FARTHEST)),
      () => b.set(by, i32.wrap(i64.shr_u(q.significand, i64.extend_u(i32.sub(63, power))))),
    ),
  );
  const exponent = select(down, i32.sub(p.exponent, by), i32.add(p.exponent, by));
  b.do(round, target, p.sign, exponent, p.significand, 0n, fullPrecision());
  b.return(i32.const(1));
});

/** x87Extract(): FXTRACT, ST(0) becomes the exponent, and the significand is pushed. */
export const extract = routine('x87Extract', [], null, (b) => {
  const { target, pushed, accept } = beginTwoResults(b);
  const x = loadReal(b, target);
  const kind = b.let(classOf(x));
  const outcome = b.let(call(extractSpecial, target, x.significand, x.signExponent, kind));
  b.if(i32.eqz(outcome), () => b.return());
  b.if(i32.eq(outcome, 1), () => {
    // Both results are the same NaN, or zero or infinity of the operand's sign is the significand.
    const number = i32.or(i32.eqz(kind), i32.eq(kind, CLASS.INFINITY));
    const same = loadReal(b, target);
    storeReal(
      b,
      pushed,
      select(number, x.significand, same.significand),
      select(number, x.signExponent, same.signExponent),
    );
    accept();
  });
  const p = normalize(b, x);
  storeReal(b, pushed, p.significand, i32.or(p.sign, BIAS));
  const power = b.let(i32.sub(p.exponent, BIAS));
  const magnitude = b.let(i64.extend_u(select(i32.lt_s(power, 0), i32.sub(0, power), power)));
  const shift = b.let(i64.clz(magnitude));
  b.if(
    i32.eqz(power),
    () => storeReal(b, target, 0n, 0),
    () => {
      const exponent = i32.sub(BIAS + 63, i32.wrap(shift));
      const sign = select(i32.lt_s(power, 0), i32.const(SIGN), i32.const(0));
      storeReal(b, target, i64.shl(magnitude, shift), i32.or(exponent, sign));
    },
  );
  accept();
});

/** x87ExtractSpecial(target, a, class): 0 abandoned, 1 the exponent of what is no finite number is stored, 2 go on. */
const extractSpecial = routine(
  'x87ExtractSpecial',
  ['i32', 'i64', 'i32', 'i32'],
  'i32',
  (b, target, significand, signExponent, kind) => {
    screenOperand(b, target, { significand, signExponent, class: kind });
    b.if(i32.eqz(kind), () => {
      b.if(call(raiseX87, SW.ZE), () => b.return(i32.const(0)));
      storeInfinity(b, target, i32.const(SIGN));
      b.return(i32.const(1));
    });
    b.if(i32.eq(kind, CLASS.INFINITY), () => {
      storeInfinity(b, target, i32.const(0));
      b.return(i32.const(1));
    });
    checkDenormal(b, kind);
    b.return(i32.const(2));
  },
);
