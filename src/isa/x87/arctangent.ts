import { routine } from '../ir/body.js';
import { call, i32, i64, select } from '../ir/expr.js';
import { CLASS, INTEGER_BIT, checkDenormal, classOf, loadReal, normalize, signOf, storeReal } from './format.js';
import { screenOperands } from './nan.js';
import { ARC_TANGENT } from './series.js';
import { isFilled, registerAddress, stackUnderflow } from './stack.js';
import { clearC1 } from './status.js';
import {
  WIDE,
  setWide,
  setWideConstant,
  storeWide,
  wideAdd,
  wideDivide,
  wideExponent,
  wideHigh,
  wideMultiply,
  widePolynomial,
  wideSubtract,
} from './wide-float.js';

/** pi, with the exponents of pi / 4, pi / 2 and pi. */
const PI = 0xc90fdaa2_2168c234_c4c6628b_80dc1cd1n;
const QUARTER = -1;
const HALF = 0;
const WHOLE = 1;
/** tan(pi / 8) = sqrt 2 - 1, in -2's exponent. */
const TAN_EIGHTH = { high: 0xd413cccf_e7799211n, exponent: -2 } as const;

/** wideArcTangent(): C = arctan(A), 0 < A <= 1. Above tan(pi / 8) it is pi / 4 - arctan((1 - A) / (1 + A)). */
const wideArcTangent = routine('wideArcTangent', [], null, (b) => {
  const above = i64.gt_u(wideHigh(WIDE.A), TAN_EIGHTH.high);
  const exponent = b.let(wideExponent(WIDE.A));
  const large = b.let(
    i32.or(i32.gt_s(exponent, TAN_EIGHTH.exponent), i32.and(i32.eq(exponent, TAN_EIGHTH.exponent), above)),
  );
  b.if(large, () => {
    setWideConstant(b, WIDE.C, PI, QUARTER);
    b.if(i32.eqz(exponent), () => b.return());
    setWide(b, WIDE.B, INTEGER_BIT, 0n, 0);
    b.do(wideAdd, WIDE.D, WIDE.B, WIDE.A);
    b.do(wideSubtract, WIDE.A, WIDE.B, WIDE.A);
    b.do(wideDivide, WIDE.A, WIDE.A, WIDE.D);
  });
  b.do(wideMultiply, WIDE.B, WIDE.A, WIDE.A);
  widePolynomial(b, WIDE.C, WIDE.B, ARC_TANGENT, 1);
  b.do(wideMultiply, WIDE.C, WIDE.C, WIDE.A);
  b.if(large, () => {
    setWideConstant(b, WIDE.B, PI, QUARTER);
    b.do(wideSubtract, WIDE.C, WIDE.B, WIDE.C);
  });
});

/** x87ArcTangent(): FPATAN, ST(1) = the angle of the point (ST(0), ST(1)); the caller pops (SDM 2, FPATAN, has the table). */
export const arcTangent = routine('x87ArcTangent', [], 'i32', (b) => {
  clearC1(b);
  b.if(i32.eqz(i32.and(isFilled(0), isFilled(1))), () => b.return(call(stackUnderflow, 1)));
  const target = b.let(registerAddress(1));
  const x = loadReal(b, registerAddress(0));
  const y = loadReal(b, target);
  const classX = b.let(classOf(x));
  const classY = b.let(classOf(y));
  screenOperands(b, target, { ...x, class: classX }, { ...y, class: classY });
  checkDenormal(b, classX, classY);
  const left = b.let(i32.ne(signOf(x.signExponent), 0));
  const sign = b.let(signOf(y.signExponent));
  const infiniteX = b.let(i32.eq(classX, CLASS.INFINITY));
  const infiniteY = b.let(i32.eq(classY, CLASS.INFINITY));
  const onAxis = i32.or(i32.eqz(classY), i32.and(infiniteX, i32.eqz(infiniteY)));
  b.if(onAxis, () => {
    b.if(i32.eqz(left), () => {
      storeReal(b, target, 0n, sign);
      b.return(i32.const(1));
    });
    setWideConstant(b, WIDE.C, PI, WHOLE);
    storeWide(b, target, sign, WIDE.C);
    b.return(i32.const(1));
  });
  setWideConstant(b, WIDE.C, PI, HALF);
  b.if(i32.or(infiniteY, i32.eqz(classX)), () => {
    // pi / 2; between the axes pi / 4 or 3 pi / 4.
    b.if(infiniteX, () => {
      setWideConstant(b, WIDE.A, PI, QUARTER);
      b.if(
        left,
        () => b.do(wideAdd, WIDE.C, WIDE.C, WIDE.A),
        () => setWideConstant(b, WIDE.C, PI, QUARTER),
      );
    });
    storeWide(b, target, sign, WIDE.C);
    b.return(i32.const(1));
  });
  const p = normalize(b, x);
  const q = normalize(b, y);
  const steep = b.let(
    i32.or(
      i32.gt_s(q.exponent, p.exponent),
      i32.and(i32.eq(q.exponent, p.exponent), i64.gt_u(q.significand, p.significand)),
    ),
  );
  setWide(b, WIDE.A, select(steep, p.significand, q.significand), 0n, select(steep, p.exponent, q.exponent));
  setWide(b, WIDE.B, select(steep, q.significand, p.significand), 0n, select(steep, q.exponent, p.exponent));
  b.do(wideDivide, WIDE.A, WIDE.A, WIDE.B);
  b.do(wideArcTangent);
  const subtractFrom = (exponent: number): void => {
    setWideConstant(b, WIDE.A, PI, exponent);
    b.do(wideSubtract, WIDE.C, WIDE.A, WIDE.C);
  };
  b.if(steep, () => subtractFrom(HALF));
  b.if(left, () => subtractFrom(WHOLE));
  storeWide(b, target, sign, WIDE.C);
  b.return(i32.const(1));
});
