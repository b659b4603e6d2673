/**
 * Where the CPU's state lies in the engine's linear memory: byte offsets below 64 KiB, so that an op record can name
 * any register with 16 bits. GPRs have 8-byte slots (x86-64 comes later); AH is the byte at slot + 1.
 *
 * `STATE_FIELDS` is the one declaration: snapshot, digest and debugger views are derived from it. Fields marked
 * `guest` are architectural; the others are the engine's own and never in a snapshot.
 */
export type FieldType = 'u8' | 'u16' | 'u32' | 'u64' | 'u128' | 'f80';

interface Field {
  readonly type: FieldType;
  /** Array length; elements are `stride` bytes apart. */
  readonly count?: number;
  readonly guest: boolean;
}
const guest = (type: FieldType, count?: number): Field => ({ type, count, guest: true });
const engine = (type: FieldType, count?: number): Field => ({ type, count, guest: false });

export const STATE_FIELDS = {
  /** EAX ECX EDX EBX ESP EBP ESI EDI, as 8-byte slots. */
  gpr: guest('u64', 8),
  /** Always zero: base or index of an address that has none. */
  zero: engine('u64'),
  eip: guest('u32'),
  /**
   * EFLAGS without CF PF AF ZF SF OF, which live in the four cells below. Bit 1 is always set. Read the whole through
   * CpuState.eflags; the snapshot holds the whole.
   */
  eflagsRest: guest('u32'),
  /** ZF = (flagZ == 0). */
  flagZ: guest('u32'),
  /** SF = bit 31 of flagS; PF = even parity of its low byte. */
  flagS: guest('u32'),
  /** Carry vector: CF = bit 31; OF = bit 31 xor bit 30. */
  flagC: guest('u32'),
  /** AF = bit 4. */
  flagA: guest('u32'),
  /** ES CS SS DS FS GS LDTR TR: selector, base, limit (byte granular, inclusive), access rights (see segment.ts). */
  segSelector: guest('u32', 8),
  segBase: guest('u32', 8),
  segLimit: guest('u32', 8),
  /** Bits 0-7: descriptor byte 5 (type, S, DPL, P); bits 12-15: descriptor byte 6 high nibble (AVL, L, D/B, G); bit 16: unusable (null). */
  segAccess: guest('u32', 8),
  gdtrBase: guest('u32'),
  gdtrLimit: guest('u32'),
  idtrBase: guest('u32'),
  idtrLimit: guest('u32'),
  cr0: guest('u32'),
  cr2: guest('u32'),
  cr3: guest('u32'),
  cr4: guest('u32'),
  /** PAE page-directory pointers as loaded by the last CR3 load (SDM 3, 4.4.1). */
  pdpte: guest('u64', 4),
  cpl: guest('u32'),
  dr: guest('u32', 8),
  /** Debug conditions met by the instruction in flight: DR6 bits to report. */
  pendingDebug: guest('u32'),
  /** 1 while interrupts are held off for one instruction after STI, MOV SS, POP SS; 2 also holds off debug traps. */
  interruptShadow: guest('u32'),
  halted: guest('u32'),
  /** NMI in service (until IRET). */
  nmiBlocked: guest('u32'),
  nmiPending: guest('u32'),
  sysenterCs: guest('u32'),
  sysenterEsp: guest('u32'),
  sysenterEip: guest('u32'),
  tscOffset: guest('u64'),
  apicBase: guest('u64'),
  pat: guest('u64'),
  mtrr: guest('u64', 32),
  miscEnable: guest('u64'),
  /** x87: physical registers R0..R7, 16-byte slots (64-bit significand, then sign+exponent). MMX registers alias the significands. */
  fpr: guest('f80', 8),
  fcw: guest('u32'),
  /** Status word with TOP in bits 11-13. */
  fsw: guest('u32'),
  /** Bit i set: R_i is not empty (FXSAVE's abridged tag). */
  ftag: guest('u32'),
  fop: guest('u32'),
  fip: guest('u32'),
  fcs: guest('u32'),
  fdp: guest('u32'),
  fds: guest('u32'),
  xmm: guest('u128', 8),
  mxcsr: guest('u32'),
  // ---- engine cells
  /** Status of the fault a routine wants to raise: vector | 0x100, or 0. */
  faultVector: engine('u32'),
  faultError: engine('u32'),
  faultAddress: engine('u32'),
  /** EIP of the instruction being executed, valid inside routines and host functions. */
  instructionEip: engine('u32'),
  /** EIP behind it. */
  nextEip: engine('u32'),
  /** Instructions left in the slice, valid inside host functions; host code lowers it to end the slice. */
  budget: engine('u32'),
  /** Tick at which the running slice ends. */
  sliceEnd: engine('u64'),
  /** Boundary at which interruptShadow holds; at others it is out of date. */
  shadowTick: engine('u64'),
  /** INTR is asserted: instructions that set IF must leave the interpreter. */
  interruptPending: engine('u32'),
  /** 1 when fast paths may assume CS DS ES SS flat, 32-bit code and stack, protected mode, no V86. */
  flat: engine('u32'),
  /** Base addresses of the TLB tables for the present privilege level. */
  tlbRead: engine('u32'),
  tlbWrite: engine('u32'),
  /** Counts how often decoded code or a translation of code was dropped. */
  codeEpoch: engine('u32'),
  /** Port whose last read still stands, plus 1_0000h, or 0; its value; the tick up to which (cpu/system/steady-port.ts). */
  steadyPort: engine('u32'),
  steadyValue: engine('u32'),
  steadyUntil: engine('u64'),
  /** IN record of a polling loop whose last round read what still stands, and the tick at which its next round begins to. */
  pollRecord: engine('u32'),
  pollTick: engine('u64'),
  /** Counts the reads of the time-stamp counter. */
  clockReads: engine('u32'),
  /** Scratch for routines: 64 bytes. */
  scratch: engine('u64', 8),
  /** SSE exception flags that the instruction in flight has met so far; 0 between instructions. */
  mxcsrPending: engine('u32'),
  /** Operands and intermediate results of the x87 instruction in flight (isa/x87/work.ts). */
  x87Work: engine('u64', 32),
} as const satisfies Record<string, Field>;

export type StateField = keyof typeof STATE_FIELDS;

const SIZES: Record<FieldType, number> = { u8: 1, u16: 2, u32: 4, u64: 8, u128: 16, f80: 16 };

export function fieldStride(name: StateField): number {
  return SIZES[STATE_FIELDS[name].type];
}

function layOut(): { offsets: Record<StateField, number>; end: number } {
  const offsets = {} as Record<StateField, number>;
  // Offset 0 stays unused so that a zero in a record is never a register.
  let at = 64;
  for (const name of Object.keys(STATE_FIELDS) as StateField[]) {
    const field: Field = STATE_FIELDS[name];
    const size = SIZES[field.type];
    at = Math.ceil(at / size) * size;
    offsets[name] = at;
    at += size * (field.count ?? 1);
  }
  return { offsets, end: at };
}

const layout = layOut();
/** Byte offset of each field. */
export const STATE: Readonly<Record<StateField, number>> = layout.offsets;
export const STATE_END = layout.end;

/** Register numbers as in ModRM. */
export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const EBP = 5;
export const ESI = 6;
export const EDI = 7;
/** Segment register numbers as in ModRM; LDTR and TR follow. */
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;

/** Byte offset of a GPR's slot. */
export function gprSlot(index: number): number {
  return STATE.gpr + 8 * index;
}

/** EFLAGS bits. */
export const FLAG = {
  CF: 1,
  PF: 4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
  IOPL: 0x3000,
  NT: 0x4000,
  RF: 0x10000,
  VM: 0x20000,
  AC: 0x40000,
  VIF: 0x80000,
  VIP: 0x100000,
  ID: 0x200000,
} as const;

/** Exception vectors. */
export const EXCEPTION = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;
