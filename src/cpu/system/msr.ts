import { EAX, ECX, EDX, EXCEPTION } from '../../isa/cpu-state.js';
import type { StateField } from '../../isa/cpu-state.js';
import type { CpuContext } from './context.js';
import { APIC_BASE } from './control-bits.js';
import { GuestFault } from './guest-fault.js';

/** One model-specific register: absent `write` means that any WRMSR is #GP(0). */
interface Register {
  /** Needed in CPUID; without it the register does not exist. */
  readonly feature?: string;
  readonly read: (ctx: CpuContext) => bigint;
  /** Throws #GP(0) for values it does not take. */
  readonly write?: (ctx: CpuContext, value: bigint) => void;
}

function refuse(): never {
  throw new GuestFault(EXCEPTION.GP, 0);
}

const low32 = (value: bigint): number => Number(value & 0xffff_ffffn);

/** A 32-bit field; the upper half is ignored. */
function cell(field: 'sysenterCs' | 'sysenterEsp' | 'sysenterEip', feature: string): Register {
  return {
    feature,
    read: ({ state }) => BigInt(state[field]),
    write: ({ state }, value) => {
      state[field] = low32(value);
    },
  };
}

/** A 64-bit field whose writes must pass `accepts`. */
function field(name: StateField, index: number, accepts: (value: bigint) => boolean, feature?: string): Register {
  return {
    feature,
    read: ({ state }) => state.get64(name, index),
    write: ({ state }, value) => {
      if (!accepts(value)) refuse();
      state.set64(name, value, index);
    },
  };
}

const constant = (value: bigint, feature?: string): Register => ({ feature, read: () => value });

/** Each byte names a memory type that is in `valid`. */
function typesAre(valid: readonly number[]): (value: bigint) => boolean {
  return (value) => {
    for (let i = 0n; i < 64n; i += 8n) if (!valid.includes(Number((value >> i) & 0xffn))) return false;
    return true;
  };
}
/** Uncacheable, write combining, write through, write protected, write back; PAT has UC- as well. */
const MTRR_TYPES = [0, 1, 4, 5, 6];
const PAT_TYPES = [...MTRR_TYPES, 7];

const clear = (value: bigint, reserved: bigint): boolean => (value & reserved) === 0n;
const ABOVE_36_BITS = ~0xf_ffff_ffffn;
const validType = (value: bigint): boolean => MTRR_TYPES.includes(Number(value & 0xffn));

/** Places in STATE.mtrr. */
const MTRR_INDEX = { defaultType: 0, fixed: 1, variable: 12 } as const;
const FIXED_RANGES = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
const VARIABLE_RANGES = 8;
/** Eight variable ranges, fixed ranges, write combining. */
const MTRR_CAP = BigInt(0x500 | VARIABLE_RANGES);

const apicBase: Register = {
  read: ({ state }) => state.get64('apicBase'),
  write: (ctx, value) => {
    const known = BigInt(APIC_BASE.bootstrap | APIC_BASE.enable);
    if (!clear(value, ABOVE_36_BITS | (0xfffn & ~known))) refuse();
    const kept = ctx.cpuid.features.includes('APIC') ? value : value & ~BigInt(APIC_BASE.enable);
    ctx.state.set64('apicBase', kept | BigInt(APIC_BASE.bootstrap));
    ctx.onApicBase();
  },
};

/** Ticks since the offset was set. */
function timeStamp(ctx: CpuContext): bigint {
  return BigInt.asUintN(64, BigInt(ctx.clock.now) + ctx.state.get64('tscOffset'));
}

const tsc: Register = {
  feature: 'TSC',
  read: timeStamp,
  write: (ctx, value) => ctx.state.set64('tscOffset', value - BigInt(ctx.clock.now)),
};

/** Writing asks the CPU to put the revision there; it always is (SDM 3, 9.11.7). */
const biosSign: Register = { read: ({ cpuid }) => BigInt(cpuid.microcode) << 32n, write: () => {} };
/** There is nothing a microcode update could change. */
const updateTrigger: Register = { read: refuse, write: () => {} };
/** Branch tracing does not exist: nothing can be switched on. */
const debugControl: Register = {
  read: () => 0n,
  write: (_ctx, value) => {
    if (value !== 0n) refuse();
  },
};

/** By number (SDM 4, chapter 2). */
const REGISTERS: ReadonlyMap<number, Register> = new Map<number, Register>([
  [0x10, tsc],
  // IA32_PLATFORM_ID
  [0x17, constant(0n)],
  [0x1b, apicBase],
  [0x79, updateTrigger],
  [0x8b, biosSign],
  [0xfe, constant(MTRR_CAP, 'MTRR')],
  [0x174, cell('sysenterCs', 'SEP')],
  [0x175, cell('sysenterEsp', 'SEP')],
  [0x176, cell('sysenterEip', 'SEP')],
  // IA32_MCG_CAP: no banks. IA32_MCG_STATUS: nothing happened, nothing else can be written.
  [0x179, constant(0n, 'MCA')],
  [0x17a, { feature: 'MCA', read: () => 0n, write: (_ctx, value) => void (value !== 0n && refuse()) }],
  [0x1a0, field('miscEnable', 0, () => true)],
  [0x1d9, debugControl],
  [0x277, field('pat', 0, typesAre(PAT_TYPES), 'PAT')],
  [0x2ff, field('mtrr', MTRR_INDEX.defaultType, (v) => clear(v, ~0xcffn) && validType(v), 'MTRR')],
  ...FIXED_RANGES.map((number, i): [number, Register] => [
    number,
    field('mtrr', MTRR_INDEX.fixed + i, typesAre(MTRR_TYPES), 'MTRR'),
  ]),
  ...Array.from({ length: 2 * VARIABLE_RANGES }, (_, i): [number, Register] => {
    const isBase = i % 2 === 0;
    const accepts = (v: bigint): boolean =>
      isBase ? clear(v, ABOVE_36_BITS | 0xf00n) && validType(v) : clear(v, ABOVE_36_BITS | 0x7ffn);
    return [0x200 + i, field('mtrr', MTRR_INDEX.variable + i, accepts, 'MTRR')];
  }),
]);

function find(ctx: CpuContext): Register {
  const register = REGISTERS.get(ctx.state.gpr(ECX));
  if (register === undefined) return refuse();
  if (register.feature !== undefined && !ctx.cpuid.features.includes(register.feature)) return refuse();
  return register;
}

function setPair(ctx: CpuContext, value: bigint): void {
  ctx.state.setGpr(EAX, low32(value));
  ctx.state.setGpr(EDX, low32(value >> 32n));
}

export function rdmsr(ctx: CpuContext): void {
  setPair(ctx, find(ctx).read(ctx));
}

export function wrmsr(ctx: CpuContext): void {
  const register = find(ctx);
  if (register.write === undefined) refuse();
  register.write(ctx, (BigInt(ctx.state.gpr(EDX)) << 32n) | BigInt(ctx.state.gpr(EAX)));
}

/** No performance counter exists. */
export function rdpmc(): void {
  refuse();
}
