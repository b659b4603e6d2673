import { routine } from '../ir/body.js';
import { call, i32, i64 } from '../ir/expr.js';
import { BIAS, CLASS, INTEGER_BIT, SIGN, checkDenormal, classOf, loadReal, normalize, storeReal } from './format.js';
import { screenOperand } from './nan.js';
import { EXPONENTIAL } from './series.js';
import { isFilled, registerAddress, stackUnderflow } from './stack.js';
import { SW, clearC1, raiseX87 } from './status.js';
import { WIDE, setWide, setWideConstant, storeWide, wideMultiply, widePolynomial } from './wide-float.js';

const LN2 = { significand: 0xb17217f7_d1cf79ab_c9e3b398_03f2f6afn, exponent: -1 } as const;
/** What ST(0) = 1 and ST(0) = -1 give: 1 and -1/2. */
const HALF_EXPONENT = BIAS - 1;

/** x87Exponential(): F2XM1, ST(0) = 2^ST(0) - 1. An operand beyond -1..1 stays as it is, with PE, as on processors. */
export const exponential = routine('x87Exponential', [], 'i32', (b) => {
  clearC1(b);
  b.if(i32.eqz(isFilled(0)), () => b.return(call(stackUnderflow, 0)));
  const target = b.let(registerAddress(0));
  const x = loadReal(b, target);
  const kind = b.let(classOf(x));
  screenOperand(b, target, { ...x, class: kind });
  b.if(i32.eqz(kind), () => b.return(i32.const(1)));
  const negative = b.let(i32.and(x.signExponent, SIGN));
  b.if(i32.eq(kind, CLASS.INFINITY), () => {
    b.if(negative, () => storeReal(b, target, INTEGER_BIT, SIGN | BIAS));
    b.return(i32.const(1));
  });
  checkDenormal(b, kind);
  const { exponent, significand, sign } = normalize(b, x);
  b.if(i32.ge_s(exponent, BIAS), () => {
    const one = b.let(i32.and(i32.eq(exponent, BIAS), i64.eq(significand, INTEGER_BIT)));
    // Even where the result is exact.
    b.do(raiseX87, SW.PE);
    b.if(i32.and(one, i32.ne(negative, 0)), () => storeReal(b, target, INTEGER_BIT, SIGN | HALF_EXPONENT));
    b.return(i32.const(1));
  });
  setWide(b, WIDE.A, significand, 0n, i32.sub(exponent, BIAS));
  setWideConstant(b, WIDE.B, LN2.significand, LN2.exponent);
  b.do(wideMultiply, WIDE.A, WIDE.A, WIDE.B);
  widePolynomial(b, WIDE.C, WIDE.A, EXPONENTIAL, negative);
  b.do(wideMultiply, WIDE.C, WIDE.C, WIDE.A);
  storeWide(b, target, sign, WIDE.C);
  b.return(i32.const(1));
});
