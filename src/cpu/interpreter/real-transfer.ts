import { CS, ESP, FLAG, SS, STATE, gprSlot } from '../../isa/cpu-state.js';
import type { Body, Routine } from '../../isa/ir/body.js';
import { routine } from '../../isa/ir/body.js';
import type { I32, I32Like } from '../../isa/ir/expr.js';
import { call, i32, select } from '../../isa/ir/expr.js';
import type { SystemRoutine } from '../../isa/semantics.js';
import { tlbAddress, withinPage, writeLinear } from '../memory/access.js';
import { LAYOUT, TLB_BIAS, TLB_CAREFUL, TLB_FAST } from '../memory/layout.js';
import { CellFlags } from './flags.js';

/*
 * The usual far transfers of real and V86 mode, as far-transfer.ts, far-return.ts and deliver.ts in cpu/system do them.
 * Each routine returns 1 when it is done, EIP included. It returns 0, with nothing done, for everything else: protected
 * mode, faults, a stack that is not in the TLB or wraps, single-stepping, whatever makes an interrupt due.
 */

/** Bits of access rights. See ACCESS in descriptor.ts. */
const EXPAND_DOWN = 4;
const BIG = 0x4000;
const UNUSABLE = 0x1_0000;
/** CS in V86 mode. */
const V86_LIMIT = 0xffff;
const V86_ACCESS = 0xf3;

const ARITHMETIC = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

type Size = 16 | 32;
type Quick = Routine & { readonly result: 'i32' };

function refuseIf(b: Body, cond: I32): void {
  b.if(cond, () => b.return(i32.const(0)));
}

const codeCell = (field: 'segSelector' | 'segBase' | 'segLimit' | 'segAccess'): I32 => i32.load(STATE[field] + 4 * CS);

/** EFLAGS but for the arithmetic flags, once mode and flags are known to be usual. */
function usualFlags(b: Body): I32 {
  const rest = b.let(i32.load(STATE.eflagsRest));
  const isVirtual = b.let(i32.and(i32.shr_u(rest, 17), 1));
  const hasOtherMode = i32.ne(i32.and(i32.load(STATE.cr0), 1), isVirtual);
  refuseIf(b, i32.or(hasOtherMode, i32.and(rest, FLAG.TF | FLAG.RF)));
  const differs = i32.or(i32.xor(codeCell('segLimit'), V86_LIMIT), i32.xor(codeCell('segAccess'), V86_ACCESS));
  // What loading CS leaves alone in real mode, and what it sets in V86 mode.
  refuseIf(b, select(isVirtual, differs, i32.or(i32.and(codeCell('segAccess'), UNUSABLE), i32.load(STATE.cpl))));
  return rest;
}

/** The offset lies beyond the limit of CS, which is the one before the transfer. */
const isBeyondCode = (eip: I32): I32 => i32.gt_u(eip, codeCell('segLimit'));

function enterCode(b: Body, selector: I32, eip: I32): void {
  b.store(STATE.segSelector + 4 * CS, selector);
  b.store(STATE.segBase + 4 * CS, i32.shl(selector, 4));
  b.store(STATE.eip, eip);
}

/** Some bytes at SS:`offset` that lie in one page. */
interface Frame {
  readonly offset: I32;
  readonly linear: I32;
  readonly entry: I32;
}

const stackMask = (b: Body): I32 =>
  b.let(select(i32.and(i32.load(STATE.segAccess + 4 * SS), BIG), i32.const(-1), i32.const(0xffff)));

/** The frame of `bytes` bytes at the stack pointer plus `displacement`. */
function stackFrame(b: Body, displacement: number, bytes: number, table: 'tlbRead' | 'tlbWrite'): Frame {
  const mask = stackMask(b);
  const offset = b.let(i32.and(i32.add(i32.load(gprSlot(ESP)), displacement), mask));
  const last = b.let(i32.add(offset, bytes - 1));
  const wraps = i32.or(i32.gt_u(last, mask), i32.lt_u(last, offset));
  const isBeyond = i32.gt_u(last, i32.load(STATE.segLimit + 4 * SS));
  refuseIf(b, i32.or(i32.or(wraps, isBeyond), i32.and(i32.load(STATE.segAccess + 4 * SS), EXPAND_DOWN)));
  const linear = b.let(i32.add(i32.load(STATE.segBase + 4 * SS), offset));
  const entry = b.let(i32.load(tlbAddress(i32.load(STATE[table]), linear)));
  const known = table === 'tlbRead' ? TLB_FAST : TLB_FAST | TLB_CAREFUL;
  refuseIf(b, i32.eqz(i32.and(i32.ne(i32.and(entry, known), 0), withinPage(linear, bytes))));
  return { offset, linear, entry };
}

/** Fills a frame, the last value at its lowest address, and makes it the top of the stack. */
function pushAll(b: Body, size: Size, values: readonly I32[]): void {
  const bytes = size / 8;
  const pinned = values.map((v) => b.let(v));
  const { offset, linear, entry } = stackFrame(b, -bytes * values.length, bytes * values.length, 'tlbWrite');
  const displacement = (i: number): number => bytes * (values.length - 1 - i);
  b.if(
    i32.and(entry, TLB_FAST),
    () => {
      const host = b.let(i32.add(linear, entry));
      pinned.forEach((value, i) => {
        if (size === 16) b.store16(host, value, TLB_BIAS + displacement(i));
        else b.store(host, value, TLB_BIAS + displacement(i));
      });
    },
    // Code or page tables in the same page: nothing here can fault.
    () => pinned.forEach((value, i) => b.do(writeLinear[size === 16 ? 2 : 4], i32.add(linear, displacement(i)), value)),
  );
  setStackPointer(b, offset);
}

/** `count` values from the top of the stack, which stays where it is. */
function peekAll(b: Body, size: Size, count: number): { readonly offset: I32; readonly values: readonly I32[] } {
  const bytes = size / 8;
  const { offset, linear, entry } = stackFrame(b, 0, bytes * count, 'tlbRead');
  const host = b.let(i32.add(linear, entry));
  const load = size === 16 ? i32.load16_u : i32.load;
  const values = Array.from({ length: count }, (_, i) => b.let(load(host, TLB_BIAS + bytes * i)));
  return { offset, values };
}

function setStackPointer(b: Body, pointer: I32): void {
  const isBig = i32.and(i32.load(STATE.segAccess + 4 * SS), BIG);
  b.if(
    isBig,
    () => b.store(gprSlot(ESP), pointer),
    () => b.store16(gprSlot(ESP), pointer),
  );
}

/** quickInterrupt(vector): INT n and its kin in real mode. */
const quickInterrupt: Quick = routine('quickInterrupt', ['i32'], 'i32', (b, vector) => {
  const rest = usualFlags(b);
  refuseIf(b, i32.or(i32.and(rest, FLAG.VM), i32.load(STATE.pendingDebug)));
  const offset = b.let(i32.shl(i32.and(vector, 0xff), 2));
  refuseIf(b, i32.gt_u(i32.add(offset, 3), i32.load(STATE.idtrLimit)));
  const linear = b.let(i32.add(i32.load(STATE.idtrBase), offset));
  const entry = b.let(i32.load(tlbAddress(i32.const(LAYOUT.tlbReadSupervisor), linear)));
  refuseIf(b, i32.eqz(i32.and(i32.and(entry, TLB_FAST), withinPage(linear, 4))));
  const target = b.let(i32.load(i32.add(linear, entry), TLB_BIAS));
  const eip = b.let(i32.and(target, 0xffff));
  refuseIf(b, isBeyondCode(eip));
  const flags = new CellFlags(
    b,
    () => null,
    () => i32.const(0),
  );
  pushAll(b, 16, [i32.or(rest, flags.arithmetic()), codeCell('segSelector'), i32.load(STATE.nextEip)]);
  enterCode(b, i32.shr_u(target, 16), eip);
  b.store(STATE.eflagsRest, i32.and(rest, ~(FLAG.IF | FLAG.AC)));
  b.return(i32.const(1));
});

/** quickFarJump(selector, offset) */
const quickFarJump: Quick = routine('quickFarJump', ['i32', 'i32'], 'i32', (b, selector, eip) => {
  usualFlags(b);
  refuseIf(b, isBeyondCode(eip));
  enterCode(b, i32.and(selector, 0xffff), eip);
  b.return(i32.const(1));
});

/** quickFarCall(selector, offset) */
const makeFarCall = (size: Size): Quick =>
  routine(`quickFarCall${size}`, ['i32', 'i32'], 'i32', (b, selector, eip) => {
    usualFlags(b);
    refuseIf(b, isBeyondCode(eip));
    pushAll(b, size, [codeCell('segSelector'), i32.load(STATE.nextEip)]);
    enterCode(b, i32.and(selector, 0xffff), eip);
    b.return(i32.const(1));
  });

/** quickFarReturn(bytesToPop) */
const makeFarReturn = (size: Size): Quick =>
  routine(`quickFarReturn${size}`, ['i32'], 'i32', (b, release) => {
    usualFlags(b);
    const { offset, values } = peekAll(b, size, 2);
    const [eip, selector] = values;
    refuseIf(b, isBeyondCode(eip));
    setStackPointer(b, i32.add(i32.add(offset, (2 * size) / 8), i32.and(release, 0xffff)));
    enterCode(b, i32.and(selector, 0xffff), eip);
    b.return(i32.const(1));
  });

/** quickInterruptReturn() */
const makeInterruptReturn = (size: Size): Quick =>
  routine(`quickInterruptReturn${size}`, [], 'i32', (b) => {
    const rest = usualFlags(b);
    const isVirtual = b.let(i32.and(rest, FLAG.VM));
    const isRestricted = i32.and(i32.ne(isVirtual, 0), i32.ne(i32.and(rest, FLAG.IOPL), FLAG.IOPL));
    refuseIf(b, i32.or(isRestricted, i32.load(STATE.nmiBlocked)));
    const { offset, values } = peekAll(b, size, 3);
    const [eip, selector, image] = values;
    const isDue = i32.and(i32.ne(i32.and(image, FLAG.IF), 0), i32.ne(i32.load(STATE.interruptPending), 0));
    refuseIf(b, i32.or(i32.or(isBeyondCode(eip), isDue), i32.and(image, size === 32 ? FLAG.TF | FLAG.RF : FLAG.TF)));
    const always = FLAG.IF | FLAG.DF | FLAG.NT | (size === 32 ? FLAG.AC | FLAG.ID : 0);
    const mask = b.let(select(isVirtual, i32.const(always), i32.const(always | FLAG.IOPL)));
    setStackPointer(b, i32.add(offset, (3 * size) / 8));
    enterCode(b, i32.and(selector, 0xffff), eip);
    b.store(STATE.eflagsRest, i32.or(i32.and(rest, i32.not(mask)), i32.and(image, mask)));
    new CellFlags(
      b,
      () => null,
      () => i32.const(0),
    ).load(image, ARITHMETIC);
    b.return(i32.const(1));
  });

const both = (make: (size: Size) => Quick): Readonly<Record<number, Quick>> => ({ 16: make(16), 32: make(32) });
const FAR_CALL = both(makeFarCall);
const FAR_RETURN = both(makeFarReturn);
const INTERRUPT_RETURN = both(makeInterruptReturn);

/** Target offset cut to the operand size. */
const cutTo = (size: I32Like, offset: I32Like): I32 => i32.and(i32.add(offset, 0), size === 16 ? 0xffff : -1);

/** 0/1: the system routine's work, with the arguments of SYSTEM_ROUTINES, has been done here. */
export const QUICK_TRANSFERS: { readonly [N in SystemRoutine]?: (...args: I32Like[]) => I32 } = {
  softwareInterrupt: (vector) => call(quickInterrupt, i32.add(vector, 0)),
  farJump: (selector, offset, size) => call(quickFarJump, selector, cutTo(size, offset)),
  farCall: (selector, offset, size) => call(FAR_CALL[size as Size], selector, cutTo(size, offset)),
  farReturn: (size, release) => call(FAR_RETURN[size as Size], release),
  iret: (size) => call(INTERRUPT_RETURN[size as Size]),
};
