import { EXCEPTION, STATE } from '../cpu-state.js';
import type { I32 } from '../ir/expr.js';
import { i32, i64, select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Operand, Semantics, SemanticsFn } from '../semantics.js';
import { MXCSR_WRITABLE } from './float/mxcsr.js';
import { SSE } from './packed-operation.js';

/** Offsets in the FXSAVE image (SDM 1, table 10-2). Bytes from 288 on are not written outside 64-bit mode. */
const IMAGE = {
  FCW: 0,
  FSW: 2,
  FTW: 4,
  FOP: 6,
  FIP: 8,
  FCS: 12,
  FDP: 16,
  FDS: 20,
  MXCSR: 24,
  MXCSR_MASK: 28,
  ST: 32,
  XMM: 160,
  SIZE: 512,
} as const;
const REGISTER_BYTES = 16;
const FOP_BITS = 0x7ff;
/** Control-word bits that can be set; bit 6 reads as 1. */
const FCW_BITS = 0x1f3f;
const FCW_ALWAYS = 0x40;
const EXCEPTION_BITS = 0x3f;
/** ES and B of the status word. */
const SUMMARY_BITS = 0x8080;

/** Runs `body` for the numbers 0 to 7. */
function forEachRegister(c: Semantics, body: (index: I32) => void): void {
  const index = c.var(i32.const(0));
  c.loop((again) => {
    body(index);
    c.set(index, i32.add(index, 1));
    c.brIf(again, i32.lt_u(index, 8));
  });
}
const nth = (index: I32): I32 => i32.mul(index, REGISTER_BYTES);
/** Offset of physical register R(TOP + index) from STATE.fpr. */
const stackRegister = (index: I32): I32 => nth(i32.and(i32.add(i32.shr_u(i32.load(STATE.fsw), 11), index), 7));

function checkAlignment(c: Semantics, image: Operand): void {
  c.raiseIf(i32.and(c.linearAddress(image), REGISTER_BYTES - 1), EXCEPTION.GP, 0);
}

/** The XMM registers and MXCSR are saved and restored whether or not CR4.OSFXSR is set, as processors do. */
const fxsave: SemanticsFn = (c, [image]) => {
  checkAlignment(c, image);
  c.probeWrite(image, IMAGE.SIZE);
  const words = (offset: number, low: I32, high: I32): void =>
    c.storeAt(image, offset, 32, c.let(i32.or(i32.and(low, 0xffff), i32.shl(high, 16))));
  words(IMAGE.FCW, i32.load(STATE.fcw), i32.load(STATE.fsw));
  words(IMAGE.FTW, i32.and(i32.load(STATE.ftag), 0xff), i32.and(i32.load(STATE.fop), FOP_BITS));
  c.storeAt(image, IMAGE.FIP, 32, i32.load(STATE.fip));
  words(IMAGE.FCS, i32.load(STATE.fcs), i32.const(0));
  c.storeAt(image, IMAGE.FDP, 32, i32.load(STATE.fdp));
  words(IMAGE.FDS, i32.load(STATE.fds), i32.const(0));
  c.storeAt(image, IMAGE.MXCSR, 32, i32.load(STATE.mxcsr));
  c.storeAt(image, IMAGE.MXCSR_MASK, 32, i32.const(MXCSR_WRITABLE));
  forEachRegister(c, (index) => {
    const register = c.let(stackRegister(index));
    c.store64At(image, i32.add(nth(index), IMAGE.ST), i64.load(register, STATE.fpr));
    c.store64At(image, i32.add(nth(index), IMAGE.ST + 8), i64.load16_u(register, STATE.fpr + 8));
    c.store64At(image, i32.add(nth(index), IMAGE.XMM), i64.load(nth(index), STATE.xmm));
    c.store64At(image, i32.add(nth(index), IMAGE.XMM + 8), i64.load(nth(index), STATE.xmm + 8));
  });
};

const fxrstor: SemanticsFn = (c, [image]) => {
  checkAlignment(c, image);
  // Both ends of the image are read first: it touches two pages at most, so that later reads cannot fault.
  c.let(c.loadAt(image, IMAGE.SIZE - 4, 32));
  const control = c.let(c.loadAt(image, IMAGE.FCW, 32));
  const csr = c.let(c.loadAt(image, IMAGE.MXCSR, 32));
  c.raiseIf(i32.and(csr, ~MXCSR_WRITABLE), EXCEPTION.GP, 0);
  const fcw = c.let(i32.or(i32.and(control, FCW_BITS), FCW_ALWAYS));
  const loaded = c.let(i32.and(i32.shr_u(control, 16), ~SUMMARY_BITS));
  // ES and B follow from the flags and masks, whatever the image says.
  const pending = i32.and(i32.and(loaded, i32.not(fcw)), EXCEPTION_BITS);
  c.store(STATE.fcw, fcw);
  c.store(STATE.fsw, i32.or(loaded, select(pending, i32.const(SUMMARY_BITS), i32.const(0))));
  const tagAndOpcode = c.let(c.loadAt(image, IMAGE.FTW, 32));
  c.store(STATE.ftag, i32.and(tagAndOpcode, 0xff));
  c.store(STATE.fop, i32.and(i32.shr_u(tagAndOpcode, 16), FOP_BITS));
  c.store(STATE.fip, c.loadAt(image, IMAGE.FIP, 32));
  c.store(STATE.fcs, c.loadAt(image, IMAGE.FCS, 16));
  c.store(STATE.fdp, c.loadAt(image, IMAGE.FDP, 32));
  c.store(STATE.fds, c.loadAt(image, IMAGE.FDS, 16));
  c.store(STATE.mxcsr, csr);
  forEachRegister(c, (index) => {
    const register = c.let(stackRegister(index));
    c.store64(register, c.load64At(image, i32.add(nth(index), IMAGE.ST)), STATE.fpr);
    c.store16(register, c.loadAt(image, i32.add(nth(index), IMAGE.ST + 8), 16), STATE.fpr + 8);
    c.store64(nth(index), c.load64At(image, i32.add(nth(index), IMAGE.XMM)), STATE.xmm);
    c.store64(nth(index), c.load64At(image, i32.add(nth(index), IMAGE.XMM + 8)), STATE.xmm + 8);
  });
};

const ldmxcsr: SemanticsFn = (c, [src]) => {
  const value = c.let(c.read(src));
  c.raiseIf(i32.and(value, ~MXCSR_WRITABLE), EXCEPTION.GP, 0);
  c.store(STATE.mxcsr, value);
};
const stmxcsr: SemanticsFn = (c, [dst]) => c.write(dst, i32.load(STATE.mxcsr));

/** Memory is seen in program order by everyone: fences have nothing to do. */
const fence: SemanticsFn = () => {};
/** CLFLUSH: no caches, but the faults of a byte read. */
const clflush: SemanticsFn = (c, [line]) => {
  c.let(c.read(line));
};

export const SIMD_STATE: readonly Instruction[] = [
  // #NM by EM or TS, as x87 instructions, and no check for pending exceptions.
  instruction('FXSAVE', 'NP 0F AE /0', 'M', fxsave, { unit: 'x87', feature: 'FXSR' }),
  instruction('FXRSTOR', 'NP 0F AE /1', 'M', fxrstor, { unit: 'x87', feature: 'FXSR' }),
  instruction('LDMXCSR', 'NP 0F AE /2', 'Md', ldmxcsr, SSE),
  instruction('STMXCSR', 'NP 0F AE /3', 'Md', stmxcsr, SSE),
  // The r/m field of fences is ignored.
  instruction('LFENCE', 'NP 0F AE /5', 'Rd', fence, { feature: 'SSE2' }),
  instruction('MFENCE', 'NP 0F AE /6', 'Rd', fence, { feature: 'SSE2' }),
  instruction('SFENCE', 'NP 0F AE /7', 'Rd', fence, { feature: 'SSE' }),
  instruction('CLFLUSH', 'NP 0F AE /7', 'Mb', clflush, { feature: 'SSE2' }),
];
