import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import type { StateField } from '../../isa/cpu-state.js';
import { CS, DS, EDX, ES, FLAG, FS, GS, LDTR, SS, STATE, TR } from '../../isa/cpu-state.js';
import { APIC_BASE } from '../system/control-bits.js';
import { ACCESS } from '../system/descriptor.js';
import { ScalarCells } from './cells.js';
import { clearFields, restoreFields, saveFields } from './state-bytes.js';

/** Base addresses of the four TLB tables. */
export interface TlbTables {
  readonly tlbReadSupervisor: number;
  readonly tlbWriteSupervisor: number;
  readonly tlbReadUser: number;
  readonly tlbWriteUser: number;
}

/** Flags that live in their own cells. */
export const ARITHMETIC_FLAGS = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;
/** Bits of EFLAGS that exist. VIF and VIP do not: there is no VME. */
export const EFLAGS_MASK =
  ARITHMETIC_FLAGS | FLAG.TF | FLAG.IF | FLAG.DF | FLAG.IOPL | FLAG.NT | FLAG.RF | FLAG.VM | FLAG.AC | FLAG.ID;

const CR0_PE = 1;
const FULL_LIMIT = 0xffff_ffff;
/** Bits of the access rights that must be equal for a flat segment. */
const CODE_MASK = ACCESS.UNUSABLE | ACCESS.BIG | ACCESS.PRESENT | ACCESS.S | ACCESS.CODE | ACCESS.READABLE;
const CODE_FLAT = ACCESS.BIG | ACCESS.PRESENT | ACCESS.S | ACCESS.CODE | ACCESS.READABLE;
const DATA_MASK = ACCESS.UNUSABLE | ACCESS.PRESENT | ACCESS.S | ACCESS.CODE | ACCESS.EXPAND_DOWN | ACCESS.WRITABLE;
const DATA_FLAT = ACCESS.PRESENT | ACCESS.S | ACCESS.WRITABLE;

/** Even parity of a byte. */
function evenParity(byte: number): boolean {
  const nibble = (byte ^ (byte >> 4)) & 15;
  return ((0x6996 >> nibble) & 1) === 0;
}

/** Typed access to the CPU state in the engine's memory (isa/cpu-state.ts). All 32-bit values are unsigned. */
export class CpuStateView extends ScalarCells {
  constructor(
    buffer: ArrayBuffer,
    private readonly tables: TlbTables,
  ) {
    super(buffer);
  }

  // ---- registers
  gpr(index: number): number {
    return this.u32[(STATE.gpr >> 2) + 2 * index];
  }
  setGpr(index: number, value: number): void {
    this.u32[(STATE.gpr >> 2) + 2 * index] = value;
  }
  setGpr16(index: number, value: number): void {
    const at = (STATE.gpr >> 2) + 2 * index;
    this.u32[at] = (this.u32[at] & 0xffff_0000) | (value & 0xffff);
  }

  dr(index: number): number {
    return this.u32[(STATE.dr >> 2) + index];
  }
  setDr(index: number, value: number): void {
    this.u32[(STATE.dr >> 2) + index] = value;
  }

  /** 64-bit fields: tscOffset, apicBase, pat, mtrr, miscEnable, pdpte, fpr (significand)... */
  get64(field: StateField, index = 0): bigint {
    return this.view.getBigUint64(STATE[field] + 8 * index, true);
  }
  set64(field: StateField, value: bigint, index = 0): void {
    this.view.setBigUint64(STATE[field] + 8 * index, BigInt.asUintN(64, value), true);
  }

  // ---- flags
  /** The whole of EFLAGS. */
  get eflags(): number {
    const { flagS, flagC } = this;
    return (
      this.eflagsRest |
      (flagC >>> 31) |
      (evenParity(flagS & 0xff) ? FLAG.PF : 0) |
      (this.flagA & FLAG.AF) |
      (this.flagZ === 0 ? FLAG.ZF : 0) |
      ((flagS >>> 31) << 7) |
      (((flagC ^ (flagC << 1)) >>> 31) << 11)
    );
  }
  /** Bits that do not exist are dropped. */
  set eflags(value: number) {
    this.eflagsRest = (value & EFLAGS_MASK & ~ARITHMETIC_FLAGS) | 2;
    this.flagZ = value & FLAG.ZF ? 0 : 1;
    this.flagS = (value & FLAG.SF ? 0x8000_0000 : 0) | (value & FLAG.PF ? 0 : 1);
    const carry = value & FLAG.CF;
    const overflow = (value >>> 11) & 1;
    this.flagC = (carry << 31) | ((carry ^ overflow) << 30);
    this.flagA = value & FLAG.AF;
  }
  get iopl(): number {
    return (this.eflagsRest >>> 12) & 3;
  }
  setZero(zero: boolean): void {
    this.flagZ = zero ? 0 : 1;
  }

  // ---- segments
  segSelector(segment: number): number {
    return this.u32[(STATE.segSelector >> 2) + segment];
  }
  segBase(segment: number): number {
    return this.u32[(STATE.segBase >> 2) + segment];
  }
  segLimit(segment: number): number {
    return this.u32[(STATE.segLimit >> 2) + segment];
  }
  segAccess(segment: number): number {
    return this.u32[(STATE.segAccess >> 2) + segment];
  }
  setSelector(segment: number, selector: number): void {
    this.u32[(STATE.segSelector >> 2) + segment] = selector & 0xffff;
  }
  setSegment(segment: number, selector: number, base: number, limit: number, access: number): void {
    const { u32 } = this;
    u32[(STATE.segSelector >> 2) + segment] = selector & 0xffff;
    u32[(STATE.segBase >> 2) + segment] = base;
    u32[(STATE.segLimit >> 2) + segment] = limit;
    u32[(STATE.segAccess >> 2) + segment] = access;
  }
  /** FFFFFFFF or FFFF, by the stack segment's B bit. */
  get stackMask(): number {
    return this.segAccess(SS) & ACCESS.BIG ? 0xffff_ffff : 0xffff;
  }

  // ---- modes
  get protectedMode(): boolean {
    return (this.cr0 & CR0_PE) !== 0 && (this.eflagsRest & FLAG.VM) === 0;
  }
  get v86Mode(): boolean {
    return (this.eflagsRest & FLAG.VM) !== 0 && (this.cr0 & CR0_PE) !== 0;
  }

  /** Recomputes what the engine caches about mode and privilege. */
  updateModeCache(): void {
    this.flat = this.#isFlat() ? 1 : 0;
    const user = this.cpl === 3;
    this.tlbRead = user ? this.tables.tlbReadUser : this.tables.tlbReadSupervisor;
    this.tlbWrite = user ? this.tables.tlbWriteUser : this.tables.tlbWriteSupervisor;
  }

  #isWhole(segment: number): boolean {
    return this.segBase(segment) === 0 && this.segLimit(segment) === FULL_LIMIT;
  }

  /** Boundary at which the interrupt shadow holds: a tick. */
  get shadowTick(): number {
    return this.view.getUint32(STATE.shadowTick, true) + this.view.getUint32(STATE.shadowTick + 4, true) * 2 ** 32;
  }
  set shadowTick(tick: number) {
    this.view.setUint32(STATE.shadowTick, tick >>> 0, true);
    this.view.setUint32(STATE.shadowTick + 4, Math.floor(tick / 2 ** 32), true);
  }

  /** Where the local APIC's registers are by IA32_APIC_BASE; null while it is off, or beyond 4 GiB. */
  get localApicBase(): number | null {
    const low = this.view.getUint32(STATE.apicBase, true);
    const isBeyond = this.view.getUint32(STATE.apicBase + 4, true) !== 0;
    return (low & APIC_BASE.enable) === 0 || isBeyond ? null : (low & APIC_BASE.address) >>> 0;
  }

  #isFlat(): boolean {
    return (
      this.protectedMode &&
      (this.segAccess(CS) & CODE_MASK) === CODE_FLAT &&
      (this.segAccess(SS) & (DATA_MASK | ACCESS.BIG)) === (DATA_FLAT | ACCESS.BIG) &&
      (this.segAccess(DS) & DATA_MASK) === DATA_FLAT &&
      (this.segAccess(ES) & DATA_MASK) === DATA_FLAT &&
      this.#isWhole(CS) &&
      this.#isWhole(SS) &&
      this.#isWhole(DS) &&
      this.#isWhole(ES)
    );
  }

  /**
   * Power-on state (SDM 3, table 9-1). `signature` is what EDX holds: CPUID leaf 1's EAX. The engine's own cells keep
   * their values, but for those that follow from the state.
   */
  reset(signature = 0): void {
    clearFields(this.view);
    this.setGpr(EDX, signature);
    this.eflags = 0;
    this.eip = 0xfff0;
    for (const segment of [ES, SS, DS, FS, GS]) this.setSegment(segment, 0, 0, 0xffff, 0x93);
    this.setSegment(CS, 0xf000, 0xffff_0000, 0xffff, 0x9b);
    this.setSegment(LDTR, 0, 0, 0xffff, 0x82);
    this.setSegment(TR, 0, 0, 0xffff, 0x8b);
    this.gdtrLimit = 0xffff;
    this.idtrLimit = 0xffff;
    this.cr0 = 0x6000_0010;
    this.setDr(6, 0xffff_0ff0);
    this.setDr(7, 0x400);
    this.set64('apicBase', 0xfee0_0100n);
    this.set64('pat', 0x0007_0406_0007_0406n);
    this.set64('miscEnable', 1n);
    this.fcw = 0x40;
    // All tags are "zero", not "empty".
    this.ftag = 0xff;
    this.mxcsr = 0x1f80;
    this.faultVector = 0;
    this.updateModeCache();
  }

  /** All architectural fields, with EFLAGS assembled: equal states give equal bytes. */
  save(out: ByteWriter): void {
    saveFields(this.view, this.eflags, out);
  }

  /** The caller drops its TLB and decoded code. */
  restore(input: ByteReader): void {
    this.eflags = restoreFields(this.view, input);
    this.faultVector = 0;
    this.updateModeCache();
  }
}
