import { DS, EAX, ECX, EDI, ESI, FLAG, STATE, gprSlot } from '../../isa/cpu-state.js';
import type { I32 } from '../../isa/ir/expr.js';
import { i32, select } from '../../isa/ir/expr.js';
import { tlbAddress } from '../memory/access.js';
import { TLB_BIAS, TLB_FAST } from '../memory/layout.js';
import type { GenericContext } from './generic-context.js';

/** log2 of an element's bytes. */
const SHIFT = { 1: 0, 2: 1, 4: 2 } as const;
/** Fewer iterations than this are not worth the preparation. */
const LEAST = 4;

const minimum = (c: GenericContext, a: I32, b: I32): I32 => {
  const [x, y] = [c.let(a), c.let(b)];
  return c.let(select(i32.lt_u(x, y), x, y));
};

/**
 * Many iterations of REP MOVS or REP STOS at once: upwards, 32-bit addresses in flat segments, within the pages that
 * the TLB knows, no further than the ticks reach. The tick of the first iteration has been taken already. Calls `done`
 * with the number of iterations when it did some; nothing can fault or be noticed in between.
 */
export function bulkIterations(
  c: GenericContext,
  bulk: { readonly operation: 'copy' | 'fill'; readonly bytes: 1 | 2 | 4 },
  fields: { readonly segment: I32; readonly addressMask: I32 },
  done: (iterations: I32) => void,
): void {
  const { operation, bytes } = bulk;
  const shift = SHIFT[bytes];
  const up = i32.eqz(i32.and(i32.load(STATE.eflagsRest), FLAG.DF));
  const flat = i32.and(i32.load(STATE.flat), i32.le_u(fields.segment, DS));
  c.if(i32.and(i32.and(up, flat), i32.eq(fields.addressMask, -1)), () => {
    const count = c.let(i32.load(gprSlot(ECX)));
    const to = c.let(i32.load(gprSlot(EDI)));
    const inPage = (linear: I32): I32 => i32.shr_u(i32.sub(4096, i32.and(linear, 0xfff)), shift);
    let n = minimum(c, minimum(c, count, i32.add(i32.load(STATE.budget), 1)), inPage(to));
    const from = operation === 'copy' ? c.let(i32.load(gprSlot(ESI))) : null;
    if (from !== null) n = minimum(c, n, inPage(from));
    const write = c.let(i32.load(tlbAddress(i32.load(STATE.tlbWrite), to)));
    const target = c.let(i32.add(i32.add(to, write), TLB_BIAS));
    const size = c.let(i32.shl(n, shift));
    let possible = i32.and(i32.ge_u(n, LEAST), i32.and(write, TLB_FAST));
    if (from === null) {
      c.if(possible, () => {
        fill(c, bytes, target, n);
        c.store(gprSlot(EDI), i32.add(to, size));
        done(n);
      });
      return;
    }
    const read = c.let(i32.load(tlbAddress(i32.load(STATE.tlbRead), from)));
    const source = c.let(i32.add(i32.add(from, read), TLB_BIAS));
    // A target inside the source behind its start would be read again as it is written.
    possible = i32.and(i32.and(possible, read), i32.ge_u(i32.sub(target, source), size));
    c.if(possible, () => {
      c.memoryCopy(target, source, size);
      c.store(gprSlot(ESI), i32.add(from, size));
      c.store(gprSlot(EDI), i32.add(to, size));
      done(n);
    });
  });
}

function fill(c: GenericContext, bytes: 1 | 2 | 4, target: I32, count: I32): void {
  const value = c.let(i32.load(gprSlot(EAX)));
  const size = c.let(i32.shl(count, SHIFT[bytes]));
  const low = i32.and(value, 0xff);
  const uniform =
    bytes === 1
      ? i32.const(1)
      : bytes === 2
        ? i32.eq(i32.and(i32.shr_u(value, 8), 0xff), low)
        : i32.eq(value, i32.mul(low, 0x01010101));
  c.if(
    uniform,
    () => c.memoryFill(target, low, size),
    () => {
      const at = c.var(target);
      const end = c.let(i32.add(target, size));
      c.loop((next) => {
        if (bytes === 2) c.store16(at, value);
        else c.store(at, value);
        c.set(at, i32.add(at, bytes));
        c.brIf(next, i32.ne(at, end));
      });
    },
  );
}
