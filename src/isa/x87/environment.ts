import { STATE } from '../cpu-state.js';
import { routine } from '../ir/body.js';
import type { I32, I32Like } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Operand, Semantics, SemanticsFn } from '../semantics.js';
import { initialize } from './control.js';
import { CLASS, SIGN_EXPONENT_OFFSET, classOf, loadReal } from './format.js';
import { X87, X87_NO_WAIT } from './option.js';
import { addressOfPhysical, registerAddress } from './stack.js';
import { EXCEPTIONS, SW, controlWord, loadX87Words, statusWord } from './status.js';

/** Values of a register's field in the full tag word (SDM 1, 8.1.7). */
const TAG = { VALID: 0, ZERO: 1, SPECIAL: 2, EMPTY: 3 } as const;
const REGISTER_BYTES = 10;
const FOP_BITS = 0x7ff;

/** Runs `body` for the numbers 0 to 7. */
function forEachRegister(c: Pick<Semantics, 'var' | 'loop' | 'set' | 'brIf'>, body: (index: I32) => void): void {
  const index = c.var(i32.const(0));
  c.loop((again) => {
    body(index);
    c.set(index, i32.add(index, 1));
    c.brIf(again, i32.lt_u(index, 8));
  });
}

/** x87TagWord(): the full tag word. */
const tagWord = routine('x87TagWord', [], 'i32', (b) => {
  const word = b.var(i32.const(0));
  forEachRegister(b, (index) => {
    const kind = b.let(classOf(loadReal(b, b.let(addressOfPhysical(index)))));
    const normal = select(i32.eq(kind, CLASS.NORMAL), i32.const(TAG.VALID), i32.const(TAG.SPECIAL));
    const tag = select(i32.eqz(kind), i32.const(TAG.ZERO), normal);
    const filled = i32.and(i32.shr_u(i32.load(STATE.ftag), index), 1);
    const shown = select(filled, tag, i32.const(TAG.EMPTY));
    b.set(word, i32.or(word, i32.shl(shown, i32.shl(index, 1))));
  });
  b.return(word);
});

/** x87LoadTagWord(word): of a full tag word only what is empty counts. */
const loadTagWord = routine('x87LoadTagWord', ['i32'], null, (b, word) => {
  const filled = b.var(i32.const(0));
  forEachRegister(b, (index) => {
    const tag = i32.and(i32.shr_u(word, i32.shl(index, 1)), 3);
    b.set(filled, i32.or(filled, i32.shl(i32.ne(tag, TAG.EMPTY), index)));
  });
  b.store(STATE.ftag, filled);
});

/** Bytes of the environment, by operand size. */
const sizeOf = (c: Semantics): number => (c.operandSize === 32 ? 28 : 14);

/**
 * Stores the environment (SDM 1, figures 8-9 to 8-12). Real and V86 mode have linear addresses in the place of selectors
 * and offsets; the opcode is missing from the 16-bit protected-mode layout.
 */
function storeEnvironment(c: Semantics, m: Operand): void {
  const isProtected = c.let(c.protectedMode());
  const linear = (selector: number, offset: number): I32 =>
    c.let(i32.add(i32.shl(i32.load(selector), 4), i32.load(offset)));
  const code = linear(STATE.fcs, STATE.fip);
  const data = linear(STATE.fds, STATE.fdp);
  const fop = c.let(i32.and(i32.load(STATE.fop), FOP_BITS));
  const byMode = (inProtected: I32, otherwise: I32): I32 => c.let(select(isProtected, inProtected, otherwise));
  const words = [controlWord(), statusWord(), call(tagWord)];
  if (c.operandSize === 32) {
    const padded = (word: I32): I32 => i32.or(i32.and(word, 0xffff), 0xffff_0000);
    const upper = (address: I32): I32 => i32.shr_u(i32.and(address, 0xffff_0000), 4);
    words.forEach((word, i) => c.storeAt(m, 4 * i, 32, c.let(padded(word))));
    c.storeAt(m, 12, 32, byMode(i32.load(STATE.fip), padded(code)));
    c.storeAt(m, 16, 32, byMode(i32.or(i32.load(STATE.fcs), i32.shl(fop, 16)), i32.or(upper(code), fop)));
    c.storeAt(m, 20, 32, byMode(i32.load(STATE.fdp), padded(data)));
    c.storeAt(m, 24, 32, byMode(padded(i32.load(STATE.fds)), upper(data)));
  } else {
    const upper = (address: I32): I32 => i32.and(i32.shr_u(address, 4), 0xf000);
    words.forEach((word, i) => c.storeAt(m, 2 * i, 16, c.let(word)));
    c.storeAt(m, 6, 16, byMode(i32.load(STATE.fip), code));
    c.storeAt(m, 8, 16, byMode(i32.load(STATE.fcs), i32.or(upper(code), fop)));
    c.storeAt(m, 10, 16, byMode(i32.load(STATE.fdp), data));
    c.storeAt(m, 12, 16, byMode(i32.load(STATE.fds), upper(data)));
  }
}

/** Reads the whole environment, then takes it over. Linear addresses come back as offsets from 0. */
function loadEnvironment(c: Semantics, m: Operand): void {
  const isProtected = c.let(c.protectedMode());
  const wide = c.operandSize === 32;
  const at = (index: number): I32 => c.let(c.loadAt(m, (c.operandSize / 8) * index, c.operandSize));
  const [control, status, tags, ip, codeSelector, dataOffset, dataSelector] = [0, 1, 2, 3, 4, 5, 6].map(at);
  const low = (value: I32): I32 => i32.and(value, 0xffff);
  const joined = (offset: I32, upper: I32): I32 =>
    i32.or(low(offset), i32.shl(i32.and(upper, wide ? 0x0fff_f000 : 0xf000), 4));
  const byMode = (field: number, inProtected: I32, otherwise: I32Like): void =>
    c.store(field, select(isProtected, inProtected, i32.add(otherwise, 0)));
  c.do(loadX87Words, low(control), low(status));
  c.do(loadTagWord, tags);
  byMode(STATE.fip, ip, joined(ip, codeSelector));
  byMode(STATE.fcs, low(codeSelector), 0);
  byMode(STATE.fdp, dataOffset, joined(dataOffset, dataSelector));
  byMode(STATE.fds, low(dataSelector), 0);
  const fop = wide ? i32.and(i32.shr_u(codeSelector, 16), FOP_BITS) : i32.const(0);
  byMode(STATE.fop, fop, i32.and(codeSelector, FOP_BITS));
}

const fnstenv: SemanticsFn = (c, [m]) => {
  c.probeWrite(m, sizeOf(c));
  storeEnvironment(c, m);
  // Masked exceptions are not pending.
  c.store(STATE.fcw, i32.or(controlWord(), EXCEPTIONS));
  c.store(STATE.fsw, i32.and(statusWord(), 0xffff & ~(SW.ES | SW.B)));
};

const fldenv: SemanticsFn = (c, [m]) => loadEnvironment(c, m);

const fnsave: SemanticsFn = (c, [m]) => {
  c.probeWrite(m, sizeOf(c) + 8 * REGISTER_BYTES);
  storeEnvironment(c, m);
  forEachRegister(c, (index) => {
    const register = c.let(registerAddress(index));
    const offset = c.let(i32.add(i32.mul(index, REGISTER_BYTES), sizeOf(c)));
    c.store64At(m, offset, i64.load(register));
    c.storeAt(m, i32.add(offset, 8), 16, i32.load16_u(register, SIGN_EXPONENT_OFFSET));
  });
  c.do(initialize);
};

const frstor: SemanticsFn = (c, [m]) => {
  // The image touches two pages at most: with its end and its beginning readable nothing below faults.
  c.let(c.loadAt(m, sizeOf(c) + 8 * REGISTER_BYTES - 2, 16));
  loadEnvironment(c, m);
  forEachRegister(c, (index) => {
    const register = c.let(registerAddress(index));
    const offset = c.let(i32.add(i32.mul(index, REGISTER_BYTES), sizeOf(c)));
    c.store64(register, c.load64At(m, offset));
    c.store16(register, c.loadAt(m, i32.add(offset, 8), 16), SIGN_EXPONENT_OFFSET);
  });
};

export const ENVIRONMENT: readonly Instruction[] = [
  instruction('FLDENV', 'D9 /4', 'M', fldenv, X87),
  instruction('FNSTENV', 'D9 /6', 'M', fnstenv, X87_NO_WAIT),
  instruction('FRSTOR', 'DD /4', 'M', frstor, X87),
  instruction('FNSAVE', 'DD /6', 'M', fnsave, X87_NO_WAIT),
];
