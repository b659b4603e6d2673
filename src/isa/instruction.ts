import type { SemanticsFn } from './semantics.js';

/**
 * One instruction form. `pattern` and `operands` use the notation of the Intel SDM (volume 2, chapters 2-3 and the
 * opcode map of appendix A).
 *
 * Pattern: optional mandatory prefix (NP 66 F3 F2), opcode bytes in hex, then at most one of
 *   /r      ModRM follows, reg is an operand        /0../7  ModRM follows, reg extends the opcode
 *   +r      register in the low 3 bits of the last opcode byte   +cc  condition in its low 4 bits (may be followed by /r)
 *   +i      x87: st(i) in the low 3 bits of the byte behind D8..DF (e.g. "D8 C0+i")
 * A second byte behind D8..DF or 0F 01 that is written out ("D9 E0") is a ModRM byte matched exactly.
 *
 * Operands, comma separated, one of
 *   Eb Ew Ed Ev   ModRM r/m: register or memory          Gb Gw Gd Gv   ModRM reg
 *   Mb Mw Md Mq Mdq Mt M  ModRM memory only (b 8, w 16, d 32, q 64, t 80, dq 128 bits; M: address only; Mp far pointer 16:16/32)
 *   Rd Rw Rv      ModRM r/m, register only               Zb Zv         register in the opcode (+r)
 *   Ib Iw Iz Iv   immediate (z, v: 16 or 32 by operand size)   sIb  sign-extended imm8
 *   Jb Jz         branch target                          Ap            immediate far pointer
 *   Rv/Mw         register of operand size, or 16 bits of memory
 *   Ob Ov         memory at an immediate offset          Sw Cd Dd      segment, control, debug register (ModRM reg)
 *   AL CL eAX AX DX 1 3   fixed                          ES CS SS DS FS GS fixed segment registers
 *   Pq Qq Qd Nq   MMX: reg, r/m 64, r/m with 32-bit memory, r/m register only
 *   Vdq Wdq Wq Wd Ww Udq   XMM: reg, r/m with 128/64/32/16-bit memory, r/m register only
 *   ST STi        x87 stack
 * `v` and `z` forms stand for two instructions, one of 16 and one of 32 bits, selected by the operand size.
 */
export interface Instruction {
  /** Intel SDM name, e.g. `ADD`. */
  readonly mnemonic: string;
  readonly pattern: string;
  readonly operands: string;
  readonly semantics: SemanticsFn;
  readonly options: InstructionOptions;
}

/**
 * How an instruction goes on: near jumps and calls to a relative or computed target; `conditional` may fall through;
 * `far` is a system routine that decides.
 */
export type BranchKind = 'jump' | 'conditional' | 'call' | 'return' | 'far';

export interface InstructionOptions {
  /** LOCK is allowed on the memory form. */
  readonly lock?: boolean;
  /** String instruction: REP prefixes repeat it; 'compare' also tests ZF. `semantics` is one iteration. */
  readonly string?: 'plain' | 'compare';
  /** What repeated iterations amount to: a copy from DS:ESI or a fill with EAX, to ES:EDI, of elements this wide. */
  readonly bulk?: { readonly operation: 'copy' | 'fill'; readonly element: 'byte' | 'operand size' };
  /** The instruction may write EIP: a block ends behind it. */
  readonly branch?: BranchKind;
  /** CR0.EM/TS checks that run before the instruction: x87 -> #NM by EM|TS; wait -> MP&TS; mmx -> #UD by EM, #NM by TS; sse -> #UD by EM or !OSFXSR, #NM by TS. */
  readonly unit?: 'x87' | 'wait' | 'mmx' | 'sse';
  /** x87: raises a pending unmasked exception first (all but the no-wait forms). */
  readonly fpuWait?: boolean;
  /** Not recognised (#UD) in real and V86 mode. */
  readonly protectedOnly?: boolean;
  /** #GP(0) unless CPL is 0. */
  readonly privileged?: boolean;
  /** Present only when this CPUID feature is on (FPU CX8 CMOV SEP MMX SSE SSE2 SSE3 TSC MSR FXSR); #UD otherwise. */
  readonly feature?: string;
}

export function instruction(
  mnemonic: string,
  pattern: string,
  operands: string,
  semantics: SemanticsFn,
  options: InstructionOptions = {},
): Instruction {
  return { mnemonic, pattern, operands, semantics, options };
}
