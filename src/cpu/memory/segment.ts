import { CS, FLAG, FS, SS, STATE } from '../../isa/cpu-state.js';
import { routine } from '../../isa/ir/body.js';
import { i32, select } from '../../isa/ir/expr.js';
import { tlbAddress, withinPage } from './access.js';
import { LAYOUT, TLB_BIAS, TLB_FAST } from './layout.js';

/** Bits of access rights that data segments share: S set, code clear, present, accessed. See ACCESS in descriptor.ts. */
const KIND_MASK = 0x99;
const ACCESSED_DATA = 0x91;
const GRANULARITY = 0x8000;
const UNUSABLE = 0x1_0000;

/**
 * quickLoadSegment(segment, selector): the usual loads of data segment registers in real and protected mode, as
 * loadSegmentRegister() in cpu/system does them. 1 when it is done; 0, with nothing done, for everything else: faults,
 * V86 mode, local descriptors, code segments, descriptors not yet accessed or not in the TLB, SS, and a DS or ES
 * that becomes another one, because that may change what the fast paths assume.
 */
export const quickLoadSegment = routine('quickLoadSegment', ['i32', 'i32'], 'i32', (b, segment, selector) => {
  const no = i32.const(0);
  b.if(i32.or(i32.eq(segment, SS), i32.eq(segment, CS)), () => b.return(no));
  const at = b.let(i32.shl(segment, 2));
  // Real mode leaves limit and rights alone, and fast paths for flat segments have no part in it.
  b.if(i32.eqz(i32.and(i32.load(STATE.cr0), 1)), () => {
    b.store(at, selector, STATE.segSelector);
    b.store(at, i32.shl(selector, 4), STATE.segBase);
    b.return(i32.const(1));
  });
  b.if(i32.and(i32.load(STATE.eflagsRest), FLAG.VM), () => b.return(no));
  const isFree = b.let(i32.ge_u(segment, FS));
  b.if(i32.eqz(i32.and(selector, 0xfffc)), () => {
    b.if(i32.eqz(isFree), () => b.return(no));
    b.store(at, selector, STATE.segSelector);
    b.store(at, 0, STATE.segBase);
    b.store(at, 0, STATE.segLimit);
    b.store(at, UNUSABLE, STATE.segAccess);
    b.return(i32.const(1));
  });
  const offset = b.let(i32.and(selector, 0xfff8));
  const isOutside = i32.or(i32.and(selector, 4), i32.gt_u(i32.add(offset, 7), i32.load(STATE.gdtrLimit)));
  b.if(isOutside, () => b.return(no));
  const linear = b.let(i32.add(i32.load(STATE.gdtrBase), offset));
  const entry = b.let(i32.load(tlbAddress(i32.const(LAYOUT.tlbReadSupervisor), linear)));
  b.if(i32.eqz(i32.and(i32.and(entry, TLB_FAST), withinPage(linear, 8))), () => b.return(no));
  const host = b.let(i32.add(linear, entry));
  const low = b.let(i32.load(host, TLB_BIAS));
  const high = b.let(i32.load(host, TLB_BIAS + 4));
  const access = b.let(i32.and(i32.shr_u(high, 8), 0xf0ff));
  const dpl = b.let(i32.and(i32.shr_u(access, 5), 3));
  const isLess = i32.or(i32.gt_u(i32.and(selector, 3), dpl), i32.gt_u(i32.load(STATE.cpl), dpl));
  b.if(i32.or(i32.ne(i32.and(access, KIND_MASK), ACCESSED_DATA), isLess), () => b.return(no));
  const base = b.let(
    i32.or(i32.or(i32.shr_u(low, 16), i32.shl(i32.and(high, 0xff), 16)), i32.and(high, 0xff00_0000 | 0)),
  );
  const units = b.let(i32.or(i32.and(low, 0xffff), i32.and(high, 0xf_0000)));
  const limit = b.let(select(i32.and(access, GRANULARITY), i32.or(i32.shl(units, 12), 0xfff), units));
  b.if(
    isFree,
    () => {
      b.store(at, base, STATE.segBase);
      b.store(at, limit, STATE.segLimit);
      b.store(at, access, STATE.segAccess);
    },
    () => {
      const differs = i32.or(
        i32.or(i32.xor(base, i32.load(at, STATE.segBase)), i32.xor(limit, i32.load(at, STATE.segLimit))),
        i32.xor(access, i32.load(at, STATE.segAccess)),
      );
      b.if(differs, () => b.return(no));
    },
  );
  b.store(at, selector, STATE.segSelector);
  b.return(i32.const(1));
});
