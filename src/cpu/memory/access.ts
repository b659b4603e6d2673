import { CS, EXCEPTION, FLAG, SS, STATE } from '../../isa/cpu-state.js';
import type { Body, Routine } from '../../isa/ir/body.js';
import { hostFunction, routine } from '../../isa/ir/body.js';
import type { Expr, I32, I64, Local, ValType, V128 } from '../../isa/ir/expr.js';
import { call, i32, i64, select, v128 } from '../../isa/ir/expr.js';
import { LAYOUT, PAGE_FLAG, TLB_BIAS, TLB_CAREFUL, TLB_FAST } from './layout.js';

/**
 * Guest memory accesses as routines. A fault leaves STATE.faultVector set and returns 0: callers test it. The host
 * functions translate on a TLB miss; they return a host address, 0 for a device (whose address they remember for the
 * mmio call that follows), or -1 after raising a fault.
 */
export const mapRead = hostFunction('mapRead', ['i32', 'i32'], 'i32');
export const mapWrite = hostFunction('mapWrite', ['i32', 'i32'], 'i32');
export const mmioRead = hostFunction('mmioRead', ['i32'], 'i32');
export const mmioWrite = hostFunction('mmioWrite', ['i32', 'i32'], null);
/** Bytes at a host address were written on a page whose flags need attention. */
export const pageWritten = hostFunction('pageWritten', ['i32', 'i32'], null);

export const faulted = (): I32 => i32.load(STATE.faultVector);

interface AccessType<T extends ValType> {
  readonly type: T;
  readonly bytes: number;
  readonly load: (address: I32, offset: number) => Expr<T>;
  readonly store: (b: Body, address: I32, value: Expr<T>, offset: number) => void;
  readonly zero: Expr<T>;
}
const INT = (bytes: number): AccessType<'i32'> => ({
  type: 'i32',
  bytes,
  load: bytes === 1 ? i32.load8_u : bytes === 2 ? i32.load16_u : i32.load,
  store: (b, a, v, o) => (bytes === 1 ? b.store8(a, v, o) : bytes === 2 ? b.store16(a, v, o) : b.store(a, v, o)),
  zero: i32.const(0),
});
const LONG: AccessType<'i64'> = {
  type: 'i64',
  bytes: 8,
  load: i64.load,
  store: (b, a, v, o) => b.store64(a, v, o),
  zero: i64.const(0n),
};
const VECTOR: AccessType<'v128'> = {
  type: 'v128',
  bytes: 16,
  load: v128.load,
  store: (b, a, v, o) => b.storeV128(a, v, o),
  zero: v128.const(new Array<number>(16).fill(0)),
};
export const ACCESS = { 1: INT(1), 2: INT(2), 4: INT(4), 8: LONG, 16: VECTOR } as const;
export type AccessBytes = keyof typeof ACCESS;
type TypeOf<N extends AccessBytes> = N extends 8 ? 'i64' : N extends 16 ? 'v128' : 'i32';

/** Address of the TLB entry for `linear` in the table at `table`. */
export function tlbAddress(table: I32, linear: I32): I32 {
  return i32.add(table, i32.shl(i32.shr_u(linear, 12), 2));
}

/** 1 when all `bytes` lie in one page. */
export function withinPage(linear: I32, bytes: number): I32 {
  return bytes === 1 ? i32.const(1) : i32.le_u(i32.and(linear, 0xfff), 0x1000 - bytes);
}

/** A wider device or page-crossing access in two halves, the lower first. */
function readParts(b: Body, bytes: AccessBytes, linear: I32): void {
  if (bytes === 8) {
    const low = b.let(call(readLinear[4], linear));
    b.if(faulted(), () => b.return(i64.const(0n)));
    const high = b.let(call(readLinear[4], i32.add(linear, 4)));
    b.return(i64.or(i64.extend_u(low), i64.shl(i64.extend_u(high), 32n)));
  } else if (bytes === 16) {
    const low = b.let(call(readLinear[8], linear));
    b.if(faulted(), () => b.return(VECTOR.zero));
    const high = b.let(call(readLinear[8], i32.add(linear, 8)));
    b.return(v128.replace('i64x2.replace_lane', v128.splat('i64x2', low), 1, high));
  } else {
    const value = b.var(i32.const(0));
    for (let i = 0; i < bytes; i++) {
      const byte = b.let(call(readLinear[1], i32.add(linear, i)));
      b.if(faulted(), () => b.return(i32.const(0)));
      b.set(value, i32.or(value, i32.shl(byte, 8 * i)));
    }
    b.return(value);
  }
}

function makeRead<N extends AccessBytes>(bytes: N): Routine & { result: TypeOf<N> } {
  const access = ACCESS[bytes] as unknown as AccessType<TypeOf<N>>;
  return routine(`readLinear${bytes * 8}`, ['i32'], access.type, (b, linear) => {
    const entry = b.let(i32.load(tlbAddress(i32.load(STATE.tlbRead), linear)));
    b.if(i32.and(i32.and(entry, TLB_FAST), withinPage(linear, bytes)), () =>
      b.return(access.load(i32.add(linear, entry), TLB_BIAS)),
    );
    const host = b.var('i32');
    b.if(withinPage(linear, bytes), () => {
      b.set(host, call(mapRead, linear, bytes));
      b.if(i32.eq(host, -1), () => b.return(access.zero));
      b.if(host, () => b.return(access.load(host, 0)));
      if (bytes <= 4) b.return(call(mmioRead, bytes));
    });
    readParts(b, bytes, linear);
  }) as Routine & { result: TypeOf<N> };
}

/** readLinear[n](linear): n bytes with the current privilege. */
export const readLinear = {
  1: makeRead(1),
  2: makeRead(2),
  4: makeRead(4),
  8: makeRead(8),
  16: makeRead(16),
};

/** probeLinearWrite(linear, bytes): raises what a write would raise. At most one page boundary is crossed. */
export const probeLinearWrite = routine('probeLinearWrite', ['i32', 'i32'], null, (b, linear, bytes) => {
  const entry = b.let(i32.load(tlbAddress(i32.load(STATE.tlbWrite), linear)));
  b.if(i32.eqz(i32.and(entry, TLB_FAST | TLB_CAREFUL)), () => {
    b.do(mapWrite, linear, 1);
    b.if(faulted(), () => b.return());
  });
  const last = b.let(i32.add(linear, i32.sub(bytes, 1)));
  b.if(i32.shr_u(i32.xor(last, linear), 12), () => b.do(mapWrite, i32.and(last, ~0xfff), 1));
});

function writeParts(b: Body, bytes: AccessBytes, linear: I32, value: Expr): void {
  if (bytes === 8) {
    b.do(writeLinear[4], linear, i32.wrap(value as I64));
    b.do(writeLinear[4], i32.add(linear, 4), i32.wrap(i64.shr_u(value as I64, 32n)));
  } else if (bytes === 16) {
    b.do(writeLinear[8], linear, v128.extract('i64', 'i64x2.extract_lane', value as V128, 0));
    b.do(writeLinear[8], i32.add(linear, 8), v128.extract('i64', 'i64x2.extract_lane', value as V128, 1));
  } else {
    for (let i = 0; i < bytes; i++) b.do(writeLinear[1], i32.add(linear, i), i32.shr_u(value as I32, 8 * i));
  }
}

function makeWrite<N extends AccessBytes>(bytes: N): Routine {
  const access = ACCESS[bytes] as unknown as AccessType<ValType>;
  return routine(`writeLinear${bytes * 8}`, ['i32', access.type], null, (b, linear, value) => {
    const at = b.let(tlbAddress(i32.load(STATE.tlbWrite), linear));
    const entry = b.let(i32.load(at));
    b.if(i32.and(i32.and(entry, TLB_FAST), withinPage(linear, bytes)), () => {
      access.store(b, i32.add(linear, entry), value, TLB_BIAS);
      b.return();
    });
    b.if(i32.eqz(withinPage(linear, bytes)), () => {
      // Both pages first: nothing is written when the second one faults.
      b.do(probeLinearWrite, linear, bytes);
      b.if(faulted(), () => b.return());
      writeParts(b, bytes, linear, value);
      b.return();
    });
    const host = b.var('i32');
    b.if(
      i32.and(entry, TLB_CAREFUL),
      () => b.set(host, i32.add(i32.add(linear, entry), TLB_BIAS - 1)),
      () => {
        b.set(host, call(mapWrite, linear, bytes));
        b.if(i32.eq(host, -1), () => b.return());
        b.if(i32.eqz(host), () => {
          if (bytes <= 4) b.do(mmioWrite, bytes, value);
          else writeParts(b, bytes, linear, value);
          b.return();
        });
      },
    );
    const page = b.let(i32.shr_u(i32.sub(host, LAYOUT.ram), 12));
    const flags = b.let(i32.load8_u(page, LAYOUT.pageFlags));
    b.if(i32.and(flags, PAGE_FLAG.ROM), () => b.return());
    access.store(b, host, value, 0);
    b.if(
      flags,
      () => {
        // Code elsewhere on the page stays valid: only lines that hold code matter.
        b.if(i32.eq(flags, PAGE_FLAG.CODE), () => {
          const lines = b.let(i64.load(i32.shl(page, 3), LAYOUT.codeLines));
          const first = b.let(i64.extend_u(i32.and(i32.shr_u(host, 6), 63)));
          const last = b.let(i64.extend_u(i32.and(i32.shr_u(i32.add(host, bytes - 1), 6), 63)));
          const touched = i64.or(i64.shr_u(lines, first), i64.shr_u(lines, last));
          b.if(i32.eqz(i32.and(i32.wrap(touched), 1)), () => b.return());
        });
        b.do(pageWritten, host, bytes);
      },
      () => b.if(i32.and(entry, TLB_CAREFUL), () => b.store(at, i32.sub(entry, TLB_CAREFUL - TLB_FAST))),
    );
  });
}

/** writeLinear[n](linear, value). */
export const writeLinear = {
  1: makeWrite(1),
  2: makeWrite(2),
  4: makeWrite(4),
  8: makeWrite(8),
  16: makeWrite(16),
};

/** raise(vector, errorCode): leaves a fault pending. */
export const raiseFault = routine('raiseFault', ['i32', 'i32'], null, (b, vector, errorCode) => {
  b.store(STATE.faultVector, i32.or(vector, 0x100));
  b.store(STATE.faultError, errorCode);
});

/**
 * checkSegment(segment, offset, bytes, write): limit and type checks of SDM 3, 5.3-5.5; raises #GP(0) or #SS(0).
 * Skipped by callers when the segment is known to be flat.
 */
export const checkSegment = routine(
  'checkSegment',
  ['i32', 'i32', 'i32', 'i32'],
  null,
  (b, segment, offset, bytes, write) => {
    const access = b.let(i32.load(i32.shl(segment, 2), STATE.segAccess));
    const limit = b.let(i32.load(i32.shl(segment, 2), STATE.segLimit));
    const last = b.let(i32.add(offset, i32.sub(bytes, 1)));
    const bad = b.var(i32.lt_u(last, offset));
    const typed = i32.and(i32.and(i32.load(STATE.cr0), 1), i32.eqz(i32.and(i32.load(STATE.eflagsRest), FLAG.VM)));
    const isCode = i32.and(access, 8);
    b.if(typed, () => {
      // Null, not writable, or execute-only.
      b.set(bad, i32.or(bad, i32.ne(i32.and(access, 0x10000), 0)));
      b.if(
        write,
        () => b.set(bad, i32.or(bad, i32.ne(i32.and(access, 0x0a), 0x02))),
        () => b.set(bad, i32.or(bad, i32.eq(i32.and(access, 0x0a), 0x08))),
      );
    });
    b.if(
      i32.and(i32.eqz(isCode), i32.ne(i32.and(access, 4), 0)),
      () => {
        const top = select(i32.and(access, 0x4000), i32.const(-1), i32.const(0xffff));
        b.set(bad, i32.or(bad, i32.or(i32.le_u(offset, limit), i32.gt_u(last, top))));
      },
      () => b.set(bad, i32.or(bad, i32.gt_u(last, limit))),
    );
    b.if(bad, () => b.do(raiseFault, select(i32.eq(segment, SS), i32.const(EXCEPTION.SS), i32.const(EXCEPTION.GP)), 0));
  },
);

/** Segment checks unless the engine knows the segment to be flat; returns the linear address. */
function linearOf(
  b: Body,
  segment: Local<'i32'>,
  offset: Local<'i32'>,
  bytes: I32 | number,
  write: number,
  fail: () => void,
): I32 {
  b.if(i32.or(i32.gt_u(segment, 3), i32.eqz(i32.load(STATE.flat))), () => {
    b.do(checkSegment, segment, offset, bytes, write);
    b.if(faulted(), fail);
  });
  return b.let(i32.add(offset, i32.load(i32.shl(segment, 2), STATE.segBase)));
}

function makeSegmentRead<N extends AccessBytes>(bytes: N): Routine & { result: TypeOf<N> } {
  const access = ACCESS[bytes] as unknown as AccessType<TypeOf<N>>;
  return routine(`readSegment${bytes * 8}`, ['i32', 'i32'], access.type, (b, segment, offset) => {
    const linear = linearOf(b, segment, offset, bytes, 0, () => b.return(access.zero));
    b.return(call(readLinear[bytes] as unknown as Routine & { result: ValType }, linear));
  }) as Routine & { result: TypeOf<N> };
}
/** readSegment[n](segment, offset). */
export const readSegment = {
  1: makeSegmentRead(1),
  2: makeSegmentRead(2),
  4: makeSegmentRead(4),
  8: makeSegmentRead(8),
  16: makeSegmentRead(16),
};

function makeSegmentWrite(bytes: AccessBytes): Routine {
  return routine(`writeSegment${bytes * 8}`, ['i32', 'i32', ACCESS[bytes].type], null, (b, segment, offset, value) => {
    const linear = linearOf(b, segment, offset, bytes, 1, () => b.return());
    b.do(writeLinear[bytes], linear, value);
  });
}
/** writeSegment[n](segment, offset, value). */
export const writeSegment = {
  1: makeSegmentWrite(1),
  2: makeSegmentWrite(2),
  4: makeSegmentWrite(4),
  8: makeSegmentWrite(8),
  16: makeSegmentWrite(16),
};

/** probeSegmentWrite(segment, offset, bytes). */
export const probeSegmentWrite = routine(
  'probeSegmentWrite',
  ['i32', 'i32', 'i32'],
  null,
  (b, segment, offset, bytes) => {
    const linear = linearOf(b, segment, offset, bytes, 1, () => b.return());
    b.do(probeLinearWrite, linear, bytes);
  },
);

/** checkCodeLimit(target): #GP(0) beyond the CS limit. */
export const checkCodeLimit = routine('checkCodeLimit', ['i32'], null, (b, target) => {
  b.if(i32.gt_u(target, i32.load(STATE.segLimit + 4 * CS)), () => b.do(raiseFault, EXCEPTION.GP, 0));
});
