import { EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP, SS, STATE } from '../cpu-state.js';
import type { I32, I32Like } from '../ir/expr.js';
import { i32, select } from '../ir/expr.js';
import type { Instruction } from '../instruction.js';
import { instruction } from '../instruction.js';
import type { Semantics, SemanticsFn, Width } from '../semantics.js';
import { widthOf } from './bits.js';

/** D/B bit of a segment's access rights. */
const BIG = 0x4000;

/** FFFFFFFF or FFFF, by the stack segment's B bit. */
function stackMask(c: Semantics): I32 {
  const access = i32.load(0, STATE.segAccess + 4 * SS);
  return c.let(select(i32.and(access, BIG), i32.const(-1), i32.const(0xffff)));
}

const push: SemanticsFn = (c, [src]) => c.push(c.operandSize, c.let(c.read(src)));

const popRegister: SemanticsFn = (c, [dst]) => {
  const value = c.let(c.pop(c.operandSize));
  c.write(dst, value);
};

/**
 * POP to memory: an address based on ESP uses the value after the pop (SDM volume 2, POP), but ESP itself may change
 * only once the write can no longer fault. So ESP is moved for the address computation alone.
 */
const popMemory: SemanticsFn = (c, [dst]) => {
  const w = widthOf(dst);
  const sp = c.let(c.stackPointer());
  const value = c.let(c.loadMemory(SS, sp, w));
  const before = c.let(c.reg(ESP, 32));
  c.setStackPointer(i32.add(sp, w / 8));
  const after = c.let(c.reg(ESP, 32));
  const offset = c.let(c.effectiveAddress(dst));
  c.setReg(ESP, 32, before);
  c.storeMemory(dst, offset, w, value);
  c.setReg(ESP, 32, after);
};

const pop: SemanticsFn = (c, ops, w) => (ops[0].kind === 'memory' ? popMemory : popRegister)(c, ops, w);

/** Slots from the highest address down, as PUSHA writes them; a fault leaves what was written and no register changed. */
const PUSHA_ORDER = [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI];

const pusha: SemanticsFn = (c) => {
  const size = c.operandSize;
  const mask = stackMask(c);
  const sp = c.let(c.stackPointer());
  const slot = (n: number) => c.let(i32.and(i32.sub(sp, ((n + 1) * size) / 8), mask));
  PUSHA_ORDER.forEach((register, n) => c.storeMemory(SS, slot(n), size, c.let(c.reg(register, size))));
  c.setStackPointer(slot(PUSHA_ORDER.length - 1));
};

/**
 * Processors load register after register, so that a fault half-way leaves the earlier ones changed; ESP changes last,
 * which keeps the instruction restartable. The slot of ESP is read, and may fault, but its value is dropped.
 */
const popa: SemanticsFn = (c) => {
  const size = c.operandSize;
  const mask = stackMask(c);
  const sp = c.let(c.stackPointer());
  [...PUSHA_ORDER].reverse().forEach((register, n) => {
    const offset = c.let(i32.and(i32.add(sp, (n * size) / 8), mask));
    const value = c.let(c.loadMemory(SS, offset, size));
    if (register !== ESP) c.setReg(register, size, value);
  });
  c.setStackPointer(i32.add(sp, size));
};

/** ENTER (SDM volume 2): nothing but memory changes until the new stack pointer has been probed for writing. */
const enter: SemanticsFn = (c, [allocation, nesting]) => {
  const size = c.operandSize;
  const bytes = size / 8;
  const mask = stackMask(c);
  const below = (offset: I32, count: I32Like) => i32.and(i32.sub(offset, count), mask);
  const level = c.let(i32.and(c.read(nesting), 31));
  const sp = c.var(below(c.stackPointer(), bytes));
  c.storeMemory(SS, c.let(sp), size, c.let(c.reg(EBP, size)));
  // The frame pointer is the whole of ESP as it is after this push.
  const upper = i32.and(c.reg(ESP, 32), i32.not(mask));
  const frame = c.let(i32.or(upper, sp));
  c.if(level, () => {
    const outer = c.var(i32.and(c.reg(EBP, 32), mask));
    const left = c.var(i32.sub(level, 1));
    const pushNext = (value: I32) => {
      c.set(sp, below(sp, bytes));
      c.storeMemory(SS, c.let(sp), size, value);
    };
    c.block((done) => {
      c.loop((next) => {
        c.brIf(done, i32.eqz(left));
        c.set(outer, below(outer, bytes));
        pushNext(c.let(c.loadMemory(SS, c.let(outer), size)));
        c.set(left, i32.sub(left, 1));
        c.br(next);
      });
    });
    pushNext(frame);
  });
  const top = c.let(below(sp, c.read(allocation)));
  c.updateMemory(SS, top, size, (old) => old);
  c.setStackPointer(top);
  c.setReg(EBP, size, frame);
};

const leave: SemanticsFn = (c) => {
  const size = c.operandSize;
  const frame = c.let(i32.and(c.reg(EBP, 32), stackMask(c)));
  const value = c.let(c.loadMemory(SS, frame, size));
  c.setStackPointer(i32.add(frame, size / 8));
  c.setReg(EBP, size, value);
};

/** Offsets that branch.ts needs as well: the value on top of the stack, without popping it. */
export function stackTop(c: Semantics, width: Width): { readonly pointer: I32; readonly value: I32 } {
  const pointer = c.let(c.stackPointer());
  return { pointer, value: c.let(c.loadMemory(SS, pointer, width)) };
}

export const STACK: readonly Instruction[] = [
  instruction('PUSH', '50+r', 'Zv', push),
  instruction('PUSH', '68', 'Iz', push),
  instruction('PUSH', '6A', 'sIb', push),
  instruction('PUSH', 'FF /6', 'Ev', push),
  instruction('POP', '58+r', 'Zv', pop),
  instruction('POP', '8F /0', 'Ev', pop),
  instruction('PUSHA/PUSHAD', '60', '', pusha),
  instruction('POPA/POPAD', '61', '', popa),
  instruction('ENTER', 'C8', 'Iw, Ib', enter),
  instruction('LEAVE', 'C9', '', leave),
];
