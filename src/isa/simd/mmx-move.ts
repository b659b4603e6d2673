import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import { i32, i64 } from '../ir/expr.js';
import type { SemanticsFn } from '../semantics.js';
import { enterMmx, leaveMmx, readMmx, writeMmx } from './mmx-register.js';
import { SSE2, mmxOptions, withMmx } from './packed-operation.js';

const load: SemanticsFn = (c, [dst, src]) => writeMmx(c, dst, readMmx(c, src));
const store: SemanticsFn = (c, [dst, src]) => {
  if (dst.kind === 'mmx') {
    load(c, [dst, src], 32);
    return;
  }
  c.write64(dst, c.let(c.read64(src)));
  enterMmx(c);
};
const loadDword: SemanticsFn = (c, [dst, src]) => writeMmx(c, dst, i64.extend_u(c.let(c.read(src))));
const storeDword: SemanticsFn = (c, [dst, src]) => {
  c.write(dst, c.let(i32.wrap(c.read64(src))));
  enterMmx(c);
};
/** MOVQ2DQ: zero-extends. */
const mmxToXmm: SemanticsFn = (c, [dst, src]) => {
  c.store64(c.slot(dst), c.read64(src));
  c.store64(c.slot(dst), 0n, 8);
  enterMmx(c);
};

export const MMX_MOVE: readonly Instruction[] = [
  instruction('MOVD', 'NP 0F 6E /r', 'Pq, Ed', loadDword, mmxOptions('MMX')),
  instruction('MOVD', 'NP 0F 7E /r', 'Ed, Pq', storeDword, mmxOptions('MMX')),
  instruction('MOVQ', 'NP 0F 6F /r', 'Pq, Qq', load, mmxOptions('MMX')),
  instruction('MOVQ', 'NP 0F 7F /r', 'Qq, Pq', store, mmxOptions('MMX')),
  instruction('MOVNTQ', 'NP 0F E7 /r', 'Mq, Pq', store, mmxOptions('SSE')),
  instruction('EMMS', 'NP 0F 77', '', (c) => leaveMmx(c), mmxOptions('MMX')),
  instruction('MOVQ2DQ', 'F3 0F D6 /r', 'Vdq, Nq', mmxToXmm, withMmx(SSE2)),
  // The lower half of the XMM register.
  instruction('MOVDQ2Q', 'F2 0F D6 /r', 'Pq, Udq', load, withMmx(SSE2)),
];
