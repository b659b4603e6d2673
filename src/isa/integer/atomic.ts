import { EAX, EBX, ECX, EDX } from '../cpu-state.js';
import { i32, i64, select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn } from '../semantics.js';
import { widthOf } from './bits.js';

/** With a memory operand the register changes last, when nothing can fault any more. */
const xchg: SemanticsFn = (c, [dst, src]) => {
  const b = c.let(c.read(src));
  if (dst.kind !== 'memory') {
    const a = c.let(c.read(dst));
    c.write(dst, b);
    c.write(src, a);
    return;
  }
  const a = c.var('i32');
  c.update(dst, (old) => {
    c.set(a, old);
    return b;
  });
  c.write(src, a);
};

/** When both operands are the same register it ends up with the sum. */
const xadd: SemanticsFn = (c, [dst, src]) => {
  const w = widthOf(dst);
  const b = c.let(c.read(src));
  const a = c.var('i32');
  if (dst.kind !== 'memory') {
    c.set(a, c.read(dst));
    const r = c.let(i32.add(a, b));
    c.flags.add(w, a, b, r);
    c.write(src, a);
    c.write(dst, r);
    return;
  }
  c.update(dst, (old) => {
    c.set(a, old);
    const r = c.let(i32.add(a, b));
    c.flags.add(w, a, b, r);
    return r;
  });
  c.write(src, a);
};

/** The destination is written, and must be writable, even when the comparison fails. */
const cmpxchg: SemanticsFn = (c, [dst, src]) => {
  const w = widthOf(dst);
  const accumulator = c.let(c.reg(EAX, w));
  const replacement = c.let(c.read(src));
  const old = c.var('i32');
  c.update(dst, (value) => {
    c.set(old, value);
    c.flags.sub(w, accumulator, old, c.let(i32.sub(accumulator, old)));
    return select(i32.eq(accumulator, old), replacement, old);
  });
  c.if(i32.ne(accumulator, old), () => c.setReg(EAX, w, old));
};

/** Only ZF changes. */
const cmpxchg8b: SemanticsFn = (c, [dst]) => {
  c.probeWrite(dst, 8);
  const old = c.let(c.read64(dst));
  const pair = (high: number, low: number) =>
    i64.or(i64.shl(i64.extend_u(c.reg(high, 32)), 32), i64.extend_u(c.reg(low, 32)));
  const equal = c.let(i64.eq(old, pair(EDX, EAX)));
  c.write64(dst, select(equal, pair(ECX, EBX), old));
  c.flags.set({ zf: equal });
  c.if(i32.eqz(equal), () => {
    c.setReg(EAX, 32, i32.wrap(old));
    c.setReg(EDX, 32, i32.wrap(i64.shr_u(old, 32)));
  });
};

export const ATOMIC: readonly Instruction[] = [
  instruction('XCHG', '86 /r', 'Eb, Gb', xchg, { lock: true }),
  instruction('XCHG', '87 /r', 'Ev, Gv', xchg, { lock: true }),
  instruction('XCHG', '90+r', 'Zv, eAX', xchg),
  instruction('CMPXCHG', '0F B0 /r', 'Eb, Gb', cmpxchg, { lock: true }),
  instruction('CMPXCHG', '0F B1 /r', 'Ev, Gv', cmpxchg, { lock: true }),
  instruction('XADD', '0F C0 /r', 'Eb, Gb', xadd, { lock: true }),
  instruction('XADD', '0F C1 /r', 'Ev, Gv', xadd, { lock: true }),
  instruction('CMPXCHG8B', '0F C7 /1', 'Mq', cmpxchg8b, { lock: true, feature: 'CX8' }),
];
