import { ESP, EXCEPTION, SS } from '../../isa/cpu-state.js';
import type { LinearMemory } from '../memory/linear-memory.js';
import type { CpuStateView } from '../state/cpu-state-view.js';
import type { CpuContext, OperandSize } from './context.js';
import type { Descriptor } from './descriptor.js';
import { ACCESS, segmentBase, segmentLimit, withinLimit } from './descriptor.js';
import { GuestFault } from './guest-fault.js';

/**
 * A stack that is used before it becomes, or while it may cease to be, the current one: pushes write memory, but SS and
 * ESP change only when commitPointer() is called, so that a fault in between leaves the registers alone.
 */
export class StackCursor {
  readonly #mask: number;

  constructor(
    private readonly linear: LinearMemory,
    private readonly base: number,
    private readonly limit: number,
    private readonly access: number,
    public pointer: number,
    private readonly user: boolean,
    /** Of the #SS when there is no room. */
    private readonly errorCode: number,
  ) {
    this.#mask = access & ACCESS.BIG ? 0xffff_ffff : 0xffff;
    this.pointer = (pointer & this.#mask) >>> 0;
  }

  #linearOf(offset: number, sizeBytes: number): number {
    if (!withinLimit(this.limit, this.access, offset, sizeBytes)) throw new GuestFault(EXCEPTION.SS, this.errorCode);
    return (this.base + offset) >>> 0;
  }

  push(size: OperandSize, value: number): void {
    const at = ((this.pointer - size / 8) & this.#mask) >>> 0;
    if (size === 16) this.linear.write16(this.#linearOf(at, 2), value & 0xffff, this.user);
    else this.linear.write32(this.#linearOf(at, 4), value >>> 0, this.user);
    this.pointer = at;
  }

  /** The value `offset` bytes above the top. */
  peek(size: OperandSize, offset: number): number {
    const at = ((this.pointer + offset) & this.#mask) >>> 0;
    return size === 16
      ? this.linear.read16(this.#linearOf(at, 2), this.user)
      : this.linear.read32(this.#linearOf(at, 4), this.user) >>> 0;
  }

  pop(size: OperandSize): number {
    const value = this.peek(size, 0);
    this.skip(size / 8);
    return value;
  }

  skip(bytes: number): void {
    this.pointer = ((this.pointer + bytes) & this.#mask) >>> 0;
  }

  /** Makes the pointer the current one; SS must already be this stack's. */
  commitPointer(state: CpuStateView): void {
    setStackPointer(state, this.pointer);
  }
}

/** Writes ESP, or only SP when SS is a 16-bit stack. */
export function setStackPointer(state: CpuStateView, pointer: number): void {
  if (state.segAccess(SS) & ACCESS.BIG) state.setGpr(ESP, pointer);
  else state.setGpr16(ESP, pointer);
}

/** The stack of SS:ESP. */
export function currentStack(ctx: CpuContext, errorCode = 0): StackCursor {
  const { state } = ctx;
  return new StackCursor(
    ctx.linear,
    state.segBase(SS),
    state.segLimit(SS),
    state.segAccess(SS),
    state.gpr(ESP),
    state.cpl === 3,
    errorCode,
  );
}

/** A stack that is about to become the one of ring `cpl`. */
export function stackOf(ctx: CpuContext, d: Descriptor, pointer: number, cpl: number, errorCode: number): StackCursor {
  return new StackCursor(ctx.linear, segmentBase(d), segmentLimit(d), d.access, pointer, cpl === 3, errorCode);
}
