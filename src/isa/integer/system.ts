import { EAX, EDX, EXCEPTION, LDTR, STATE, TR } from '../cpu-state.js';
import { i32, i64 } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { SemanticsFn, SystemRoutine } from '../semantics.js';

/** CR4.TSD. */
const CR4_TSD = 4;

/** System routines without arguments. */
const run =
  (routine: SystemRoutine): SemanticsFn =>
  (c) =>
    c.system(routine);

/** System routines that take a 16-bit operand. */
const runWith =
  (routine: SystemRoutine): SemanticsFn =>
  (c, [operand]) =>
    c.system(routine, c.let(c.read(operand)));

/** SLDT, STR, SMSW: a register gets the value zero-extended, memory its low 16 bits. */
const storeCell =
  (address: number): SemanticsFn =>
  (c, [dst]) =>
    c.write(dst, i32.load(0, address));

const storeTable =
  (base: number, limit: number): SemanticsFn =>
  (c, [dst]) => {
    c.probeWrite(dst, 6);
    c.storeAt(dst, 0, 16, i32.load(0, limit));
    // All 32 bits of the base, whatever the operand size (the 24-bit form is the 80286's).
    c.storeAt(dst, 2, 32, i32.load(0, base));
  };

/** With a 16-bit operand size the base has 24 bits. */
const loadTable =
  (routine: 'lgdt' | 'lidt'): SemanticsFn =>
  (c, [src]) => {
    const limit = c.let(c.loadAt(src, 0, 16));
    const base = c.loadAt(src, 2, 32);
    c.system(routine, c.let(c.operandSize === 16 ? i32.and(base, 0xffffff) : base), limit);
  };

const readDescriptor =
  (routine: 'lar' | 'lsl'): SemanticsFn =>
  (c, [dst, selector]) =>
    c.system(routine, c.let(c.read(selector)), c.slot(dst), c.operandSize);

/** ZF says whether the RPL had to be raised; memory is written only then. */
const arpl: SemanticsFn = (c, [dst, src]) => {
  const value = c.let(c.read(dst));
  const rpl = c.let(i32.and(c.read(src), 3));
  const below = c.let(i32.lt_u(i32.and(value, 3), rpl));
  c.if(below, () => c.write(dst, c.let(i32.or(i32.and(value, ~3), rpl))));
  c.flags.set({ zf: below });
};

const movFromSpecial =
  (routine: 'readControl' | 'readDebug'): SemanticsFn =>
  (c, [dst, register]) =>
    c.system(routine, c.index(register), c.index(dst));
const movToSpecial =
  (routine: 'writeControl' | 'writeDebug'): SemanticsFn =>
  (c, [register, src]) =>
    c.system(routine, c.index(register), c.let(c.read(src)));

/** The TLB never holds what a walk would not find, so there is nothing to invalidate. */
const invlpg: SemanticsFn = () => {};

const undefinedOpcode: SemanticsFn = (c) => c.raise(EXCEPTION.UD);

const PROTECTED = { protectedOnly: true } as const;
const PRIVILEGED = { privileged: true } as const;
const PROTECTED_PRIVILEGED = { protectedOnly: true, privileged: true } as const;

/** The time-stamp counter counts ticks. CR4.TSD keeps it from rings 1 to 3. */
const rdtsc: SemanticsFn = (c) => {
  const restricted = i32.and(i32.load(STATE.cr4), CR4_TSD);
  c.raiseIf(i32.and(i32.ne(restricted, 0), i32.ne(c.cpl(), 0)), EXCEPTION.GP, 0);
  const value = c.let(i64.add(c.tick(), i64.load(STATE.tscOffset)));
  c.store(STATE.clockReads, i32.add(i32.load(STATE.clockReads), 1));
  c.setReg(EAX, 32, i32.wrap(value));
  c.setReg(EDX, 32, i32.wrap(i64.shr_u(value, 32n)));
};

export const SYSTEM: readonly Instruction[] = [
  instruction('SLDT', '0F 00 /0', 'Rv/Mw', storeCell(STATE.segSelector + 4 * LDTR), PROTECTED),
  instruction('STR', '0F 00 /1', 'Rv/Mw', storeCell(STATE.segSelector + 4 * TR), PROTECTED),
  instruction('LLDT', '0F 00 /2', 'Ew', runWith('lldt'), PROTECTED_PRIVILEGED),
  instruction('LTR', '0F 00 /3', 'Ew', runWith('ltr'), PROTECTED_PRIVILEGED),
  instruction('VERR', '0F 00 /4', 'Ew', runWith('verr'), PROTECTED),
  instruction('VERW', '0F 00 /5', 'Ew', runWith('verw'), PROTECTED),
  instruction('SGDT', '0F 01 /0', 'M', storeTable(STATE.gdtrBase, STATE.gdtrLimit)),
  instruction('SIDT', '0F 01 /1', 'M', storeTable(STATE.idtrBase, STATE.idtrLimit)),
  instruction('LGDT', '0F 01 /2', 'M', loadTable('lgdt'), PRIVILEGED),
  instruction('LIDT', '0F 01 /3', 'M', loadTable('lidt'), PRIVILEGED),
  instruction('SMSW', '0F 01 /4', 'Rv/Mw', storeCell(STATE.cr0)),
  instruction('LMSW', '0F 01 /6', 'Ew', runWith('lmsw'), PRIVILEGED),
  instruction('INVLPG', '0F 01 /7', 'M', invlpg, PRIVILEGED),
  instruction('LAR', '0F 02 /r', 'Gv, Ew', readDescriptor('lar'), PROTECTED),
  instruction('LSL', '0F 03 /r', 'Gv, Ew', readDescriptor('lsl'), PROTECTED),
  instruction('ARPL', '63 /r', 'Ew, Gw', arpl, PROTECTED),
  instruction('CLTS', '0F 06', '', run('clts'), PRIVILEGED),
  // Caches are not modelled: both write back and invalidate nothing.
  instruction('INVD', '0F 08', '', run('wbinvd'), PRIVILEGED),
  instruction('WBINVD', '0F 09', '', run('wbinvd'), PRIVILEGED),
  instruction('MOV', '0F 20 /r', 'Rd, Cd', movFromSpecial('readControl'), PRIVILEGED),
  instruction('MOV', '0F 21 /r', 'Rd, Dd', movFromSpecial('readDebug'), PRIVILEGED),
  instruction('MOV', '0F 22 /r', 'Cd, Rd', movToSpecial('writeControl'), PRIVILEGED),
  instruction('MOV', '0F 23 /r', 'Dd, Rd', movToSpecial('writeDebug'), PRIVILEGED),
  instruction('WRMSR', '0F 30', '', run('wrmsr'), { privileged: true, feature: 'MSR' }),
  instruction('RDTSC', '0F 31', '', rdtsc, { feature: 'TSC' }),
  instruction('RDMSR', '0F 32', '', run('rdmsr'), { privileged: true, feature: 'MSR' }),
  instruction('RDPMC', '0F 33', '', run('rdpmc')),
  instruction('SYSENTER', '0F 34', '', run('sysenter'), { feature: 'SEP', branch: 'far' }),
  instruction('SYSEXIT', '0F 35', '', run('sysexit'), { feature: 'SEP', branch: 'far', privileged: true }),
  instruction('CPUID', '0F A2', '', run('cpuid')),
  instruction('HLT', 'F4', '', run('hlt'), PRIVILEGED),
  // A pending x87 exception is raised by the engine's checks (`unit`, `fpuWait`).
  instruction('WAIT', '9B', '', () => {}, { unit: 'wait', fpuWait: true }),
  // There is no system-management mode to return from.
  instruction('RSM', '0F AA', '', undefinedOpcode),
  instruction('UD2', '0F 0B', '', undefinedOpcode),
  instruction('UD1', '0F B9 /r', 'Gv, Ev', undefinedOpcode),
  instruction('UD0', '0F FF /r', 'Gv, Ev', undefinedOpcode),
];
