import { STATE } from '../cpu-state.js';
import type { Body, Routine } from '../ir/body.js';
import { routine } from '../ir/body.js';
import type { Callable, I32 } from '../ir/expr.js';
import { call, i32, i64, select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Operand, Semantics, SemanticsFn } from '../semantics.js';
import { loadBcd, storeBcd } from './bcd.js';
import type { ShortFormat } from './convert-float.js';
import { DOUBLE, SINGLE, narrowPlain, storeDouble, storeSingle } from './convert-float.js';
import { storeInteger } from './convert-int.js';
import { isPlainRounding } from './fast-path.js';
import type { Real } from './format.js';
import {
  CLASS,
  QUIET_BIT,
  SIGN_EXPONENT_OFFSET,
  classOf,
  isNormal,
  loadReal,
  storeIndefinite,
  storeReal,
} from './format.js';
import type { MemoryFormat } from './memory-operand.js';
import { M16INT, M32INT, M32REAL, M64INT, M64REAL } from './memory-operand.js';
import { X87, X87_CMOV } from './option.js';
import { rememberInstruction } from './pointer.js';
import {
  addressOfPhysical,
  isFilled,
  isFilledIn,
  markFilled,
  numberOf,
  pop,
  push,
  readStack,
  registerAddress,
  stackUnderflow,
  writePushed,
  writeStack,
} from './stack.js';
import { CW, ROUNDING, SW, clearC1, controlWord, raiseX87, roundingOf } from './status.js';
import { WORK, result, setOperand } from './work.js';

/** Leaves a routine having pushed a value; falls through where the stack is full. */
function pushPlain(b: Body, { significand, signExponent }: Real, condition = i32.const(1)): void {
  const stack = readStack(b);
  const above = b.let(numberOf(stack, -1));
  b.if(i32.and(i32.not(isFilledIn(stack, above)), condition), () => {
    storeReal(b, addressOfPhysical(above), significand, signExponent);
    writePushed(b, stack, above);
    b.return();
  });
}

/**
 * x87PushOperand(significand, signExponent): pushes a converted operand. A signalling NaN becomes quiet, and is not
 * pushed when IE is unmasked; a denormal is pushed whether DE is masked or not.
 */
const pushOperand = routine('x87PushOperand', ['i64', 'i32'], null, (b, significand, signExponent) => {
  const x = { significand, signExponent };
  const kind = b.let(classOf(x));
  const signalling = b.let(i32.eq(kind, CLASS.SIGNALLING_NAN));
  const unmasked = i32.eqz(i32.and(controlWord(), SW.IE));
  b.if(i32.and(i32.and(signalling, unmasked), i32.eqz(isFilled(-1))), () => {
    clearC1(b);
    b.do(raiseX87, SW.IE);
    b.return();
  });
  b.if(call(push), () => {
    b.if(signalling, () => b.do(raiseX87, SW.IE));
    b.if(i32.eq(kind, CLASS.DENORMAL), () => b.do(raiseX87, SW.DE));
    const quiet = select(signalling, i64.const(QUIET_BIT), i64.const(0n));
    storeReal(b, registerAddress(0), i64.or(x.significand, quiet), x.signExponent);
  });
});

/** name(bits): pushes a memory operand. Normal numbers and zeros are pushed as they are. */
function pushRoutine(name: string, { convert }: MemoryFormat): Routine {
  return routine(name, ['i64'], null, (b, bits) => {
    const x = convert(b, bits);
    pushPlain(b, x, i32.or(isNormal(x), i64.eqz(x.significand)));
    b.do(pushOperand, x.significand, x.signExponent);
  });
}
const pushSingle = pushRoutine('x87PushSingle', M32REAL);
const pushDouble = pushRoutine('x87PushDouble', M64REAL);
const pushInteger = pushRoutine('x87PushInteger', M64INT);

/** x87PushReal(significand, signExponent): pushes a value as it is. */
const pushReal = routine('x87PushReal', ['i64', 'i32'], null, (b, significand, signExponent) => {
  pushPlain(b, { significand, signExponent });
  // The stack is full.
  b.do(push);
});

/** x87PushRegister(i): FLD ST(i). */
const pushRegister = routine('x87PushRegister', ['i32'], null, (b, i) => {
  b.if(i32.eqz(isFilled(i)), () => {
    clearC1(b);
    b.if(call(raiseX87, SW.IE | SW.SF), () => b.return());
    setOperand(b, 0n, 0);
    b.if(call(push), () => storeIndefinite(b, registerAddress(0)));
    b.return();
  });
  const x = loadReal(b, b.let(registerAddress(i)));
  b.do(pushReal, x.significand, x.signExponent);
});

/** x87PushConstant(truncated, nearest, signExponent): a constant in the direction of rounding control; C1 stays 0. */
const pushConstant = routine('x87PushConstant', ['i64', 'i64', 'i32'], null, (b, truncated, nearest, signExponent) => {
  const rc = b.let(roundingOf(controlWord()));
  const up = i64.add(truncated, i64.extend_u(i32.eq(rc, ROUNDING.UP)));
  b.do(pushReal, select(i32.eq(rc, ROUNDING.NEAREST), nearest, up), signExponent);
});

/** x87CopyTop(i): FST ST(i). */
const copyTop = routine('x87CopyTop', ['i32'], 'i32', (b, i) => {
  clearC1(b);
  b.if(i32.eqz(isFilled(0)), () => b.return(call(stackUnderflow, i)));
  const x = loadReal(b, b.let(registerAddress(0)));
  storeReal(b, registerAddress(i), x.significand, x.signExponent);
  markFilled(b, i);
  b.return(i32.const(1));
});

/** x87Exchange(i): FXCH. After a stack fault the empty ones are default NaNs. */
const exchange = routine('x87Exchange', ['i32'], null, (b, i) => {
  clearC1(b);
  b.if(i32.eqz(i32.and(isFilled(0), isFilled(i))), () => {
    b.if(call(raiseX87, SW.IE | SW.SF), () => b.return());
    for (const register of [i32.const(0), i]) {
      b.if(i32.eqz(isFilled(register)), () => b.do(stackUnderflow, register));
    }
  });
  const x = loadReal(b, b.let(registerAddress(0)));
  const y = loadReal(b, b.let(registerAddress(i)));
  storeReal(b, registerAddress(i), x.significand, x.signExponent);
  storeReal(b, registerAddress(0), y.significand, y.signExponent);
});

/** x87ConditionalMove(i, condition): FCMOVcc. An empty register is a stack fault whatever the condition. */
const conditionalMove = routine('x87ConditionalMove', ['i32', 'i32'], null, (b, i, condition) => {
  b.if(i32.eqz(i32.and(isFilled(0), isFilled(i))), () => {
    clearC1(b);
    b.do(stackUnderflow, 0);
    b.return();
  });
  b.if(condition, () => {
    const y = loadReal(b, b.let(registerAddress(i)));
    storeReal(b, registerAddress(0), y.significand, y.signExponent);
  });
});

/** x87StoreReal80(): ST(0) as it is; returns 1 when it is to be stored. */
const storeReal80 = routine('x87StoreReal80', [], 'i32', (b) => {
  clearC1(b);
  b.if(i32.eqz(isFilled(0)), () => {
    b.if(call(raiseX87, SW.IE | SW.SF), () => b.return(i32.const(0)));
    storeIndefinite(b, WORK.RESULT);
    b.return(i32.const(1));
  });
  const x = loadReal(b, b.let(registerAddress(0)));
  storeReal(b, WORK.RESULT, x.significand, x.signExponent);
  b.return(i32.const(1));
});

const load =
  (format: MemoryFormat, f: Routine): SemanticsFn =>
  (c, [m]) => {
    const bits = format.read(c, m);
    rememberInstruction(c, m);
    c.do(f, bits);
  };

/** The two pieces of ten bytes of memory. */
function loadTen(c: Semantics, m: Operand): [ReturnType<typeof result>, I32] {
  return [c.load64At(m, 0), c.loadAt(m, 8, 16)];
}

/** Faults come first, then what `compute` finds is stored; an unmasked exception leaves memory and stack alone. */
function store(
  bytes: number,
  compute: (c: Semantics) => I32,
  write: (c: Semantics, m: Operand) => void,
  popsAfter: boolean,
): SemanticsFn {
  return (c, [m]) => {
    c.probeWrite(m, bytes);
    rememberInstruction(c, m);
    c.if(compute(c), () => {
      write(c, m);
      if (popsAfter) c.do(pop);
    });
  };
}

const writeWord = (c: Semantics, m: Operand): void => c.write(m, i32.wrap(result()));
const writeLong = (c: Semantics, m: Operand): void => c.write64(m, result());
const writeTen = (c: Semantics, m: Operand): void => {
  c.store64At(m, 0, result());
  c.storeAt(m, 8, 16, i32.load16_u(WORK.RESULT, SIGN_EXPONENT_OFFSET));
};

/** FST and FSTP to m32 and m64: like store(), what is normal and rounded to nearest in place. */
function storeShort(format: ShortFormat, f: Callable & { readonly result: 'i32' }, popsAfter: boolean): SemanticsFn {
  const isSingle = format === SINGLE;
  return (c, [m]) => {
    c.probeWrite(m, isSingle ? 4 : 8);
    rememberInstruction(c, m);
    const stack = readStack(c);
    const { fits, value, flags } = narrowPlain(c, format, loadReal(c, c.let(addressOfPhysical(stack.top))));
    const bits = c.var('i64');
    const stores = c.var(i32.const(1));
    c.if(
      i32.and(i32.and(isFilledIn(stack, stack.top), isPlainRounding()), fits),
      () => {
        c.set(bits, value);
        writeStack(c, stack, flags, popsAfter);
      },
      () => {
        c.set(stores, call(f));
        c.set(bits, result());
        if (popsAfter) c.if(stores, () => c.do(pop));
      },
    );
    c.if(stores, () => (isSingle ? c.write(m, i32.wrap(bits)) : c.write64(m, bits)));
  };
}
const real = (f: Callable & { readonly result: 'i32' }) => (): I32 => call(f);
const integer = (bits: number, truncate: boolean) => (): I32 =>
  call(storeInteger, (1n << BigInt(bits - 1)) - 1n, 0, truncate ? i32.or(controlWord(), CW.RC) : controlWord());
const storeInt = (bits: number, popsAfter: boolean, truncate = false): SemanticsFn =>
  store(bits / 8, integer(bits, truncate), bits === 64 ? writeLong : writeWord, popsAfter);

/** FST ST(i), FSTP ST(i). */
const fst =
  (popsAfter: boolean): SemanticsFn =>
  (c, [st]) => {
    rememberInstruction(c);
    const stack = readStack(c);
    c.if(
      i32.and(isFilledIn(stack, stack.top), 1),
      () => {
        const other = c.let(numberOf(stack, c.index(st)));
        const x = loadReal(c, c.let(addressOfPhysical(stack.top)));
        storeReal(c, addressOfPhysical(other), x.significand, x.signExponent);
        const tags = c.let(i32.or(stack.tags, i32.shl(1, other)));
        c.store(STATE.ftag, tags);
        writeStack(c, { ...stack, tags }, 0, popsAfter);
      },
      () => {
        if (popsAfter) c.if(call(copyTop, c.index(st)), () => c.do(pop));
        else c.do(copyTop, c.index(st));
      },
    );
  };
/** FSTPNCE, undocumented: from an empty register nothing is copied, and that is no exception. */
const fstpnce: SemanticsFn = (c, [st]) => {
  rememberInstruction(c);
  clearC1(c);
  c.if(isFilled(0), () => c.do(copyTop, c.index(st)));
  c.do(pop);
};
const fxch: SemanticsFn = (c, [st]) => {
  rememberInstruction(c);
  const stack = readStack(c);
  const other = c.let(numberOf(stack, c.index(st)));
  c.if(
    i32.and(i32.and(isFilledIn(stack, stack.top), isFilledIn(stack, other)), 1),
    () => {
      const [topAddress, otherAddress] = [stack.top, other].map((n) => c.let(addressOfPhysical(n)));
      const x = loadReal(c, topAddress);
      const y = loadReal(c, otherAddress);
      storeReal(c, topAddress, y.significand, y.signExponent);
      storeReal(c, otherAddress, x.significand, x.signExponent);
      writeStack(c, stack, 0, false);
    },
    () => c.do(exchange, c.index(st)),
  );
};
const fldRegister: SemanticsFn = (c, [st]) => {
  rememberInstruction(c);
  const stack = readStack(c);
  const other = c.let(numberOf(stack, c.index(st)));
  const above = c.let(numberOf(stack, -1));
  c.if(
    i32.and(i32.and(isFilledIn(stack, other), i32.not(isFilledIn(stack, above))), 1),
    () => {
      const x = loadReal(c, c.let(addressOfPhysical(other)));
      storeReal(c, addressOfPhysical(above), x.significand, x.signExponent);
      writePushed(c, stack, above);
    },
    () => c.do(pushRegister, c.index(st)),
  );
};
const fcmov =
  (condition: number): SemanticsFn =>
  (c, [, st]) => {
    rememberInstruction(c);
    c.do(conditionalMove, c.index(st), c.flags.condition(condition));
  };
const constant =
  (truncated: bigint, nearest: bigint, signExponent: number): SemanticsFn =>
  (c) => {
    const exact = (truncated & 0xffff_ffffn) === 0n;
    rememberInstruction(c);
    if (exact) c.do(pushReal, truncated, signExponent);
    else c.do(pushConstant, truncated, nearest, signExponent);
  };

/** FCMOVcc by opcode and first ModRM byte, with the condition's number. */
const CONDITIONAL_MOVES = [
  ['FCMOVB', 'DA C0', 2],
  ['FCMOVE', 'DA C8', 4],
  ['FCMOVBE', 'DA D0', 6],
  ['FCMOVU', 'DA D8', 10],
  ['FCMOVNB', 'DB C0', 3],
  ['FCMOVNE', 'DB C8', 5],
  ['FCMOVNBE', 'DB D0', 7],
  ['FCMOVNU', 'DB D8', 11],
] as const;

/** ModRM byte; significand cut off and rounded to nearest; sign and exponent (SDM 2, FLD1). */
const CONSTANTS = [
  ['FLD1', 'E8', 0x8000_0000_0000_0000n, 0x8000_0000_0000_0000n, 0x3fff],
  ['FLDL2T', 'E9', 0xd49a_784b_cd1b_8afen, 0xd49a_784b_cd1b_8afen, 0x4000],
  ['FLDL2E', 'EA', 0xb8aa_3b29_5c17_f0bbn, 0xb8aa_3b29_5c17_f0bcn, 0x3fff],
  ['FLDPI', 'EB', 0xc90f_daa2_2168_c234n, 0xc90f_daa2_2168_c235n, 0x4000],
  ['FLDLG2', 'EC', 0x9a20_9a84_fbcf_f798n, 0x9a20_9a84_fbcf_f799n, 0x3ffd],
  ['FLDLN2', 'ED', 0xb172_17f7_d1cf_79abn, 0xb172_17f7_d1cf_79acn, 0x3ffe],
  ['FLDZ', 'EE', 0n, 0n, 0],
] as const;

export const TRANSFER: readonly Instruction[] = [
  instruction('FLD', 'D9 /0', M32REAL.notation, load(M32REAL, pushSingle), X87),
  instruction('FLD', 'DD /0', M64REAL.notation, load(M64REAL, pushDouble), X87),
  instruction('FILD', 'DF /0', M16INT.notation, load(M16INT, pushInteger), X87),
  instruction('FILD', 'DB /0', M32INT.notation, load(M32INT, pushInteger), X87),
  instruction('FILD', 'DF /5', M64INT.notation, load(M64INT, pushInteger), X87),
  instruction(
    'FLD',
    'DB /5',
    'Mt',
    (c, [m]) => {
      const [significand, signExponent] = loadTen(c, m);
      rememberInstruction(c, m);
      c.do(pushReal, significand, signExponent);
    },
    X87,
  ),
  instruction(
    'FBLD',
    'DF /4',
    'Mt',
    (c, [m]) => {
      const [low, high] = loadTen(c, m);
      rememberInstruction(c, m);
      c.do(loadBcd, low, high);
      c.do(pushOperand, i64.load(WORK.OPERAND), i32.load(WORK.OPERAND, SIGN_EXPONENT_OFFSET));
    },
    X87,
  ),
  instruction('FLD', 'D9 C0+i', 'STi', fldRegister, X87),
  instruction('FST', 'D9 /2', 'Md', storeShort(SINGLE, storeSingle, false), X87),
  instruction('FSTP', 'D9 /3', 'Md', storeShort(SINGLE, storeSingle, true), X87),
  instruction('FST', 'DD /2', 'Mq', storeShort(DOUBLE, storeDouble, false), X87),
  instruction('FSTP', 'DD /3', 'Mq', storeShort(DOUBLE, storeDouble, true), X87),
  instruction('FSTP', 'DB /7', 'Mt', store(10, real(storeReal80), writeTen, true), X87),
  instruction('FBSTP', 'DF /6', 'Mt', store(10, real(storeBcd), writeTen, true), X87),
  instruction('FIST', 'DF /2', 'Mw', storeInt(16, false), X87),
  instruction('FISTP', 'DF /3', 'Mw', storeInt(16, true), X87),
  instruction('FIST', 'DB /2', 'Md', storeInt(32, false), X87),
  instruction('FISTP', 'DB /3', 'Md', storeInt(32, true), X87),
  instruction('FISTP', 'DF /7', 'Mq', storeInt(64, true), X87),
  // Of SSE3, but not tied to it: programs that do not ask for it do not miss the #UD.
  instruction('FISTTP', 'DF /1', 'Mw', storeInt(16, true, true), X87),
  instruction('FISTTP', 'DB /1', 'Md', storeInt(32, true, true), X87),
  instruction('FISTTP', 'DD /1', 'Mq', storeInt(64, true, true), X87),
  instruction('FST', 'DD D0+i', 'STi', fst(false), X87),
  instruction('FSTP', 'DD D8+i', 'STi', fst(true), X87),
  // Undocumented further encodings.
  instruction('FSTPNCE', 'D9 D8+i', 'STi', fstpnce, X87),
  ...['DF D0+i', 'DF D8+i'].map((pattern) => instruction('FSTP', pattern, 'STi', fst(true), X87)),
  instruction('FXCH', 'D9 C8+i', 'STi', fxch, X87),
  ...['DD C8+i', 'DF C8+i'].map((pattern) => instruction('FXCH', pattern, 'STi', fxch, X87)),
  ...CONDITIONAL_MOVES.map(([mnemonic, pattern, condition]) =>
    instruction(mnemonic, `${pattern}+i`, 'ST, STi', fcmov(condition), X87_CMOV),
  ),
  ...CONSTANTS.map(([mnemonic, byte, truncated, nearest, signExponent]) =>
    instruction(mnemonic, `D9 ${byte}`, '', constant(truncated, nearest, signExponent), X87),
  ),
];
