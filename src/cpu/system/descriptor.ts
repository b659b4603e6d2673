/**
 * Access rights as the state keeps them: descriptor byte 5 in bits 0-7, the high nibble of byte 6 in bits 12-15, and a
 * bit of our own for segment registers that hold a null selector.
 */
export const ACCESS = {
  ACCESSED: 1,
  /** Data: writable. */
  WRITABLE: 2,
  /** Code: readable. */
  READABLE: 2,
  /** Data: grows down. */
  EXPAND_DOWN: 4,
  CONFORMING: 4,
  CODE: 8,
  /** Code or data, not a system segment or gate. */
  S: 0x10,
  DPL: 0x60,
  PRESENT: 0x80,
  /** D/B. */
  BIG: 0x4000,
  GRANULARITY: 0x8000,
  UNUSABLE: 0x1_0000,
} as const;

/** System descriptor types (SDM 3, table 3-2). */
export const SYSTEM_TYPE = {
  TSS16: 1,
  LDT: 2,
  TSS16_BUSY: 3,
  CALL_GATE16: 4,
  TASK_GATE: 5,
  INTERRUPT_GATE16: 6,
  TRAP_GATE16: 7,
  TSS32: 9,
  TSS32_BUSY: 11,
  CALL_GATE32: 12,
  INTERRUPT_GATE32: 14,
  TRAP_GATE32: 15,
} as const;

/** Set in the type of a busy TSS. */
export const TSS_BUSY = 2;
/** Set in the type of the 32-bit variant of a TSS or gate. */
export const TYPE_32 = 8;

/** Eight bytes of a descriptor table, taken apart. */
export interface Descriptor {
  /** Selector it was found by. */
  readonly selector: number;
  /** Linear address of its first byte. */
  readonly address: number;
  readonly low: number;
  readonly high: number;
  /** See ACCESS. */
  readonly access: number;
}

export function segmentBase(d: Descriptor): number {
  return ((d.low >>> 16) | ((d.high & 0xff) << 16) | (d.high & 0xff00_0000)) >>> 0;
}

/** Last valid offset, byte granular. */
export function segmentLimit(d: Descriptor): number {
  const limit = (d.low & 0xffff) | (d.high & 0xf_0000);
  return d.access & ACCESS.GRANULARITY ? ((limit << 12) | 0xfff) >>> 0 : limit;
}

export function dplOf(access: number): number {
  return (access >> 5) & 3;
}

/** Type of a system descriptor; code and data give 16 and up. */
export function systemType(access: number): number {
  return access & 0x1f;
}

export function isPresent(access: number): boolean {
  return (access & ACCESS.PRESENT) !== 0;
}
export function isCode(access: number): boolean {
  return (access & (ACCESS.S | ACCESS.CODE)) === (ACCESS.S | ACCESS.CODE);
}
export function isConforming(access: number): boolean {
  return (access & ACCESS.CONFORMING) !== 0;
}
/** Data or readable code. */
export function isReadable(access: number): boolean {
  return (access & ACCESS.S) !== 0 && (access & (ACCESS.CODE | ACCESS.READABLE)) !== ACCESS.CODE;
}
export function isWritableData(access: number): boolean {
  return (access & (ACCESS.S | ACCESS.CODE | ACCESS.WRITABLE)) === (ACCESS.S | ACCESS.WRITABLE);
}
/** Conforming code is the one kind of segment that privilege does not guard. */
export function isConformingCode(access: number): boolean {
  return isCode(access) && isConforming(access);
}

export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/** Error code that names a selector: RPL is not part of it. */
export function selectorError(selector: number): number {
  return selector & 0xfffc;
}

/** True when [offset, offset + sizeBytes) lies within a segment (SDM 3, 5.3). */
export function withinLimit(limit: number, access: number, offset: number, sizeBytes: number): boolean {
  const last = offset + sizeBytes - 1;
  if ((access & (ACCESS.CODE | ACCESS.EXPAND_DOWN)) === ACCESS.EXPAND_DOWN) {
    return offset > limit && last <= (access & ACCESS.BIG ? 0xffff_ffff : 0xffff);
  }
  return last <= limit;
}
