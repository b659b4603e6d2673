import type { Body } from './ir/body.js';
import type { Expr, I32, I32Like, I64, V128 } from './ir/expr.js';

/** Width of an integer operand in bits. */
export type Width = 8 | 16 | 32;

/** Condition code numbers as in Jcc (0 = O, 1 = NO, 2 = B ... 15 = G). Either a number or 'record': taken from the opcode. */
export type ConditionCode = number;

/**
 * One operand of the instruction being described. Which of register and memory it is, is fixed: semantics are run once
 * for the register form and once for the memory form, so `kind` may steer them.
 */
export interface Operand {
  readonly kind:
    | 'gpr'
    | 'memory'
    | 'immediate'
    | 'relative'
    | 'farPointer'
    | 'segment'
    | 'control'
    | 'debug'
    | 'mmx'
    | 'xmm'
    | 'st'
    | 'implied';
  /** Bits. */
  readonly width: number;
}

/** Segment of a memory access: a register number (isa/cpu-state.ts), or the one of a memory operand incl. overrides. */
export type SegmentRef = number | Operand;

/** Arithmetic flags: semantics say what happened, the engine chooses the representation. Upper bits beyond `w` are ignored. */
export interface FlagSemantics {
  /** r = a + b, or with `carryIn` one more: CF PF AF ZF SF OF. */
  add(w: Width, a: I32, b: I32, r: I32, carryIn?: 'carry-in'): void;
  /** r = a - b, or with `carryIn` one less: CF PF AF ZF SF OF. */
  sub(w: Width, a: I32, b: I32, r: I32, carryIn?: 'carry-in'): void;
  /** Like add(.., 1) and sub(.., 1), CF unchanged. `a` is the value before. */
  inc(w: Width, a: I32, r: I32): void;
  dec(w: Width, a: I32, r: I32): void;
  /** CF = OF = AF = 0; PF ZF SF from r. */
  logic(w: Width, r: I32): void;
  /** PF ZF SF from r; the others unchanged. */
  result(w: Width, r: I32): void;
  /** Sets the named flags to 0/1 expressions; the others unchanged. */
  set(flags: { cf?: I32Like; of?: I32Like; af?: I32Like; zf?: I32Like; sf?: I32Like; pf?: I32Like }): void;
  /** Value 0/1. */
  get(flag: 'cf' | 'pf' | 'af' | 'zf' | 'sf' | 'of'): I32;
  /** CF PF AF ZF SF OF at their places in EFLAGS, all other bits 0. */
  arithmetic(): I32;
  /** Replaces CF PF AF ZF SF OF by the bits of `eflags` that are in constant `mask`. */
  load(eflags: I32, mask: number): void;
  /** 0/1: condition code `cc`; the number comes from the opcode's low four bits when the pattern has `+cc`. */
  condition(cc: ConditionCode): I32;
}

/**
 * What an instruction's semantics may say. It is a Body (locals, if, loop, store to CPU state...) plus operands, guest
 * memory, flags, control flow and exceptions. Implemented by the interpreter generator and by the region compiler.
 *
 * Rules: every check and every guest access that can fault comes before the first change of guest state (use update()
 * and probeWrite()); a fault abandons the instruction at the point where it is raised. 8- and 16-bit values read are
 * zero-extended; values written are truncated.
 */
export interface Semantics extends Body {
  /** Effective operand size of this variant; 32 for instructions that do not depend on it. */
  readonly operandSize: 16 | 32;
  readonly flags: FlagSemantics;
  /** The condition number of a `+cc` pattern. */
  readonly conditionCode: ConditionCode;

  // ---- operands
  read(op: Operand): I32;
  write(op: Operand, value: I32): void;
  /** Read-modify-write: faults as a write before reading; `f` computes the new value and may set flags. */
  update(op: Operand, f: (old: I32) => I32): void;
  /** 64-bit memory, an MMX register or the low half of an XMM register. */
  read64(op: Operand): I64;
  /** Writing the low half of an XMM register keeps the upper half. */
  write64(op: Operand, value: I64): void;
  /** 128-bit memory or an XMM register. `aligned`: a memory address not a multiple of 16 raises #GP(0). */
  read128(op: Operand, aligned?: boolean): V128;
  write128(op: Operand, value: V128, aligned?: boolean): void;
  /** Offset of a memory operand, wrapped to the address size. */
  effectiveAddress(op: Operand): I32;
  /** Linear address (segment base added, no checks). */
  linearAddress(op: Operand): I32;
  /** Byte offset in engine memory of a register operand's slot (gpr incl. AH, mmx, xmm, st as physical index later). */
  slot(op: Operand): I32;
  /** Register number of a register operand, or the `+i`/`+r` number of the opcode. */
  index(op: Operand): I32;
  /** The selector half of a far pointer immediate; read() gives the offset half. */
  farSelector(op: Operand): I32;

  // ---- pieces of a memory operand that has several; `offset` is added to the effective address and wraps with it
  loadAt(op: Operand, offset: I32Like, width: Width): I32;
  load64At(op: Operand, offset: I32Like): I64;
  storeAt(op: Operand, offset: I32Like, width: Width, value: I32): void;
  store64At(op: Operand, offset: I32Like, value: I64): void;
  /** Raises the faults that writing `sizeBytes` bytes would raise, without writing. */
  probeWrite(op: Operand, sizeBytes: number): void;
  /** Selector in the segment register of a memory operand. */
  segmentSelector(op: Operand): I32;

  // ---- guest memory by segment and offset
  loadMemory(segment: SegmentRef, offset: I32, width: Width): I32;
  storeMemory(segment: SegmentRef, offset: I32, width: Width, value: I32): void;
  /** As update(): old value is read through a write translation. */
  updateMemory(segment: SegmentRef, offset: I32, width: Width, f: (old: I32) => I32): void;

  // ---- registers
  reg(index: number, width: Width): I32;
  setReg(index: number, width: Width, value: I32): void;
  /** CX/ECX, SI/ESI ... by the address size of the instruction. */
  addressReg(index: number): I32;
  setAddressReg(index: number, value: I32): void;
  /** Cuts an offset that was computed from addressReg() or effectiveAddress() to the address size. */
  wrapAddress(offset: I32): I32;
  /** Segment that a string source or XLAT uses: DS or the override. */
  readonly dataSegment: SegmentRef;

  // ---- stack; SP or ESP by the stack segment's B bit
  push(width: 16 | 32, value: I32): void;
  /** Faults before ESP changes. */
  pop(width: 16 | 32): I32;
  /** Stack pointer masked to the stack's size. */
  stackPointer(): I32;
  /** Keeps the upper half of ESP on a 16-bit stack. */
  setStackPointer(value: I32): void;

  // ---- x87
  /** Eleven bits of the instruction as the x87 remembers them: low three of the opcode, then ModRM. */
  fpuOpcode(): I32;

  // ---- control flow; targets are offsets in CS, already cut to the operand size
  /** EIP of the next instruction. */
  nextEip(): I32;
  /** EIP of the instruction itself. */
  instructionEip(): I32;
  /** #GP(0) when `target` is beyond the CS limit. Call before changing state; jump() checks as well. */
  checkTarget(target: I32): void;
  jump(target: I32): void;
  /** Ends the instruction with a jump when cond != 0. */
  jumpIf(cond: I32, target: I32): void;

  // ---- exceptions and privilege
  /** Abandons the instruction with a fault. */
  raise(vector: number, errorCode?: I32Like): void;
  raiseIf(cond: I32, vector: number, errorCode?: I32Like): void;
  /** 0..3; 3 in V86 mode, 0 in real mode. */
  cpl(): I32;
  /** 0/1: CR0.PE set and EFLAGS.VM clear. */
  protectedMode(): I32;
  /** 0/1: EFLAGS.VM. */
  v86Mode(): I32;

  // ---- the rest of the machine
  /** Tick of the instruction. */
  tick(): I64;
  /** #GP(0) unless the I/O privilege level or the TSS's permission map allows the port; portIn() and portOut() check as well. */
  checkPort(width: Width, port: I32): void;
  portIn(width: Width, port: I32): I32;
  portOut(width: Width, port: I32, value: I32): void;
  /**
   * Loads a segment register with a selector (16 bits) if that is no more than storing it: 0/1, and 0 has done nothing.
   * Then the system routine must do it.
   */
  quickLoadSegment(segment: I32, selector: I32): I32;
  /**
   * Runs system routine `name` (cpu/system) on the CPU state and ends the instruction: EIP moves on unless the routine
   * changed it, faults are delivered, everything cached about mode and privilege is taken anew.
   */
  system(name: SystemRoutine, ...args: I32Like[]): void;
}

/**
 * Instructions whose work is a procedure over descriptors, tables or control registers rather than an expression:
 * written once in TypeScript in cpu/system and called by every tier. Arguments are i32.
 */
export const SYSTEM_ROUTINES = {
  /** (selector, offset, operandSize) */
  farJump: 3,
  farCall: 3,
  /** (operandSize, bytesToPop) */
  farReturn: 2,
  /** (operandSize) */
  iret: 1,
  /** (vector): INT n; INT3 and INTO use softwareInterrupt(3|4) with the one-byte rules by (vector, kind 0 = INT n, 1 = INT3, 2 = INTO, 3 = INT1) */
  softwareInterrupt: 2,
  /** (segment register number, selector): MOV sreg; sets the interrupt shadow for SS. */
  loadSegment: 2,
  /** (segment register number, operandSize): POP sreg. */
  popSegment: 2,
  /** (segment register number, gpr, selector, offset, operandSize): LES LDS LSS LFS LGS. */
  loadFarPointer: 5,
  lldt: 1,
  ltr: 1,
  /** (base, limit) already read from memory. */
  lgdt: 2,
  lidt: 2,
  /** (value): low 4 bits; cannot clear PE. */
  lmsw: 1,
  clts: 0,
  /** (control register number, value) */
  writeControl: 2,
  /** (control register number, gpr number) */
  readControl: 2,
  writeDebug: 2,
  readDebug: 2,
  hlt: 0,
  cpuid: 0,
  rdpmc: 0,
  rdmsr: 0,
  wrmsr: 0,
  sysenter: 0,
  sysexit: 0,
  cli: 0,
  sti: 0,
  /** (eflags value, operandSize): POPF with all its privilege rules; the value was already popped. */
  popf: 2,
  /** (selector, gpr slot): ZF and the result written by the routine; operandSize */
  lar: 3,
  lsl: 3,
  verr: 1,
  verw: 1,
  wbinvd: 0,
  rsm: 0,
  /** (newEflags pushed by PUSHF) checks only: V86 with IOPL < 3. */
  pushfCheck: 0,
  /** Waits for a pending x87 exception: #MF or IRQ13, #NM rules are the caller's. */
  fpuError: 0,
} as const satisfies Record<string, number>;

export type SystemRoutine = keyof typeof SYSTEM_ROUTINES;

/** The semantics of one instruction form. `w` is the width of its sized operand. */
export type SemanticsFn = (c: Semantics, ops: readonly Operand[], w: Width) => void;

export type { Expr };
