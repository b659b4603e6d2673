import { EXCEPTION, FLAG, STATE } from '../cpu-state.js';
import type { I32 } from '../ir/expr.js';
import { i32, i64, select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Semantics, SemanticsFn } from '../semantics.js';

const AH = 4;
const ARITHMETIC = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

/** EFLAGS but for the arithmetic flags. */
const restOfFlags = (): I32 => i32.load(0, STATE.eflagsRest);
function setRestOfFlags(c: Semantics, value: I32): void {
  c.store(0, value, STATE.eflagsRest);
}

const iopl = (rest: I32): I32 => i32.and(i32.shr_u(rest, 12), 3);

/** 0/1: the program may change IF. Holds in real mode (CPL 0) and in V86 mode with IOPL 3 too. */
function mayChangeInterrupts(c: Semantics, rest: I32): I32 {
  return c.let(i32.le_u(c.cpl(), iopl(rest)));
}

/** PUSHF and POPF in V86 mode need IOPL 3; there is no VME. */
function checkV86(c: Semantics, rest: I32): void {
  c.raiseIf(i32.and(c.v86Mode(), i32.lt_u(iopl(rest), 3)), EXCEPTION.GP, 0);
}

/** VM and RF are pushed as 0. */
const pushf: SemanticsFn = (c) => {
  const rest = c.let(restOfFlags());
  checkV86(c, rest);
  const image = i32.or(i32.and(rest, ~(FLAG.VM | FLAG.RF)), c.flags.arithmetic());
  c.push(c.operandSize, c.let(image));
};

/**
 * The usual case is decided here: arithmetic flags, DF, and IF where the program may change it and no interrupt
 * waits for it. Everything else goes to the system routine.
 */
const popf: SemanticsFn = (c) => {
  const rest = c.let(restOfFlags());
  checkV86(c, rest);
  const value = c.let(c.pop(c.operandSize));
  const ruled = FLAG.TF | FLAG.IOPL | FLAG.NT | (c.operandSize === 32 ? FLAG.AC | FLAG.ID : 0);
  const source = select(mayChangeInterrupts(c, rest), value, rest);
  const next = c.let(i32.or(i32.and(rest, ~(FLAG.IF | FLAG.DF)), i32.and(value, FLAG.DF)));
  const interrupts = c.let(i32.and(source, FLAG.IF));
  const enabling = i32.and(interrupts, i32.not(rest));
  const unusual = i32.or(
    i32.or(i32.and(i32.xor(value, rest), ruled), i32.and(rest, FLAG.RF | FLAG.VIF | FLAG.VIP)),
    i32.and(i32.ne(enabling, 0), i32.ne(i32.load(0, STATE.interruptPending), 0)),
  );
  c.if(
    unusual,
    () => c.system('popf', value, c.operandSize),
    () => {
      setRestOfFlags(c, i32.or(next, interrupts));
      c.flags.load(value, ARITHMETIC);
    },
  );
};

const cli: SemanticsFn = (c) => {
  const rest = c.let(restOfFlags());
  c.if(
    mayChangeInterrupts(c, rest),
    () => setRestOfFlags(c, i32.and(rest, ~FLAG.IF)),
    () => c.system('cli'),
  );
};

/**
 * Without effect when interrupts are on already: then there is no interrupt shadow either. An interrupt that waits for
 * this is the system routine's business.
 */
const sti: SemanticsFn = (c) => {
  const rest = c.let(restOfFlags());
  const already = c.let(i32.ne(i32.and(rest, FLAG.IF), 0));
  const isQuiet = i32.or(already, i32.eqz(i32.load(0, STATE.interruptPending)));
  c.if(
    i32.and(mayChangeInterrupts(c, rest), isQuiet),
    () =>
      c.if(i32.eqz(already), () => {
        setRestOfFlags(c, i32.or(rest, FLAG.IF));
        c.store(0, 1, STATE.interruptShadow);
        c.store64(0, i64.add(c.tick(), 1n), STATE.shadowTick);
      }),
    () => c.system('sti'),
  );
};

const lahf: SemanticsFn = (c) => c.setReg(AH, 8, i32.or(i32.and(c.flags.arithmetic(), ARITHMETIC & 0xff), 2));

/** OF is not in AH and stays. */
const sahf: SemanticsFn = (c) => {
  const low = i32.and(c.reg(AH, 8), ARITHMETIC & 0xff);
  c.flags.load(c.let(i32.or(low, i32.and(c.flags.arithmetic(), FLAG.OF))), ARITHMETIC);
};

const cmc: SemanticsFn = (c) => c.flags.set({ cf: c.let(i32.xor(c.flags.get('cf'), 1)) });

export const FLAGS: readonly Instruction[] = [
  instruction('PUSHF/PUSHFD', '9C', '', pushf),
  instruction('POPF/POPFD', '9D', '', popf),
  instruction('SAHF', '9E', '', sahf),
  instruction('LAHF', '9F', '', lahf),
  instruction('CMC', 'F5', '', cmc),
  instruction('CLC', 'F8', '', (c) => c.flags.set({ cf: 0 })),
  instruction('STC', 'F9', '', (c) => c.flags.set({ cf: 1 })),
  instruction('CLI', 'FA', '', cli),
  instruction('STI', 'FB', '', sti),
  instruction('CLD', 'FC', '', (c) => setRestOfFlags(c, i32.and(restOfFlags(), ~FLAG.DF))),
  instruction('STD', 'FD', '', (c) => setRestOfFlags(c, i32.or(restOfFlags(), FLAG.DF))),
];
