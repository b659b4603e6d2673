import { routine } from '../ir/body.js';
import type { I32, I64 } from '../ir/expr.js';
import { call, i32, i64 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Semantics, SemanticsFn } from '../semantics.js';
import {
  RELATION,
  doubleCompare,
  outcome,
  relationOfDoubles,
  relationOfSingles,
  signalsQuiet,
  singleCompare,
} from './float/compare.js';
import { settle } from './float/mxcsr.js';
import { USUAL_DOUBLE, USUAL_SINGLE, areUsual } from './float/usual.js';
import { lane32, lane64, vectorOf } from './lane.js';
import { SSE, SSE2 } from './packed-operation.js';

/** compareSingles(x, y, predicate): all ones or zero. */
const compareSingles = routine('compareSingles', ['i32', 'i32', 'i32'], 'i32', (b, x, y, predicate) => {
  const relation = call(singleCompare, x, y, signalsQuiet(predicate));
  b.return(i32.neg(outcome(predicate, relation)));
});
const compareDoubles = routine('compareDoubles', ['i64', 'i64', 'i32'], 'i64', (b, x, y, predicate) => {
  const relation = call(doubleCompare, x, y, signalsQuiet(predicate));
  b.return(i64.extend_s(i32.neg(outcome(predicate, relation))));
});
const comparePackedSingles = routine('comparePackedSingles', ['v128', 'v128', 'i32'], 'v128', (b, x, y, predicate) =>
  b.return(vectorOf([0, 1, 2, 3].map((i) => call(compareSingles, lane32(x, i), lane32(y, i), predicate)))),
);
const comparePackedDoubles = routine('comparePackedDoubles', ['v128', 'v128', 'i32'], 'v128', (b, x, y, predicate) =>
  b.return(vectorOf([0, 1].map((i) => call(compareDoubles, lane64(x, i), lane64(y, i), predicate)))),
);

/** Bits 3-7 of the immediate are ignored. */
const predicateOf = (immediate: I32): I32 => i32.and(immediate, 7);

const packed =
  (compare: typeof comparePackedSingles): SemanticsFn =>
  (c, [dst, src, predicate]) => {
    const y = c.let(c.read128(src, true));
    const r = c.let(call(compare, c.read128(dst), y, predicateOf(c.read(predicate))));
    settle(c);
    c.write128(dst, r);
  };
const cmpss: SemanticsFn = (c, [dst, src, predicate]) => {
  const y = c.let(c.read(src));
  const r = c.let(call(compareSingles, i32.load(c.slot(dst)), y, predicateOf(c.read(predicate))));
  settle(c);
  c.store(c.slot(dst), r);
};
const cmpsd: SemanticsFn = (c, [dst, src, predicate]) => {
  const y = c.let(c.read64(src));
  const r = c.let(call(compareDoubles, i64.load(c.slot(dst)), y, predicateOf(c.read(predicate))));
  settle(c);
  c.store64(c.slot(dst), r);
};

/** ZF PF CF: 000 greater, 001 less, 100 equal, 111 unordered; OF SF AF cleared. */
function setFlags(c: Semantics, relation: I32): void {
  c.flags.set({
    cf: i32.and(relation, 1),
    zf: i32.shr_u(relation, 1),
    pf: i32.eq(relation, RELATION.UNORDERED),
    of: 0,
    sf: 0,
    af: 0,
  });
}
/** COMISS and COMISD signal for every NaN, UCOMIS. only for signalling ones. */
const comparesSingle =
  (signalQuiet: 0 | 1): SemanticsFn =>
  (c, [x, src]) => {
    const y = c.let(c.read(src));
    const a = c.let(i32.load(c.slot(x)));
    const relation = c.var(relationOfSingles(a, y));
    c.if(i32.eqz(areUsual(USUAL_SINGLE, a, y)), () => {
      c.set(relation, call(singleCompare, a, y, signalQuiet));
      settle(c);
    });
    setFlags(c, relation);
  };
const comparesDouble =
  (signalQuiet: 0 | 1): SemanticsFn =>
  (c, [x, src]) => {
    const y = c.let(c.read64(src));
    const a = c.let(i64.load(c.slot(x)));
    const relation = c.var(relationOfDoubles(a, y));
    const upper = (v: I64): I32 => c.let(i32.wrap(i64.shr_u(v, 32n)));
    c.if(i32.eqz(areUsual(USUAL_DOUBLE, upper(a), upper(y))), () => {
      c.set(relation, call(doubleCompare, a, y, signalQuiet));
      settle(c);
    });
    setFlags(c, relation);
  };

export const FLOAT_COMPARE: readonly Instruction[] = [
  instruction('CMPPS', 'NP 0F C2 /r', 'Vdq, Wdq, Ib', packed(comparePackedSingles), SSE),
  instruction('CMPSS', 'F3 0F C2 /r', 'Vdq, Wd, Ib', cmpss, SSE),
  instruction('CMPPD', '66 0F C2 /r', 'Vdq, Wdq, Ib', packed(comparePackedDoubles), SSE2),
  instruction('CMPSD', 'F2 0F C2 /r', 'Vdq, Wq, Ib', cmpsd, SSE2),
  instruction('UCOMISS', 'NP 0F 2E /r', 'Vdq, Wd', comparesSingle(0), SSE),
  instruction('COMISS', 'NP 0F 2F /r', 'Vdq, Wd', comparesSingle(1), SSE),
  instruction('UCOMISD', '66 0F 2E /r', 'Vdq, Wq', comparesDouble(0), SSE2),
  instruction('COMISD', '66 0F 2F /r', 'Vdq, Wq', comparesDouble(1), SSE2),
];
