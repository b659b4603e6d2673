import { EAX, EBX, ECX, EDX } from '../../isa/cpu-state.js';
import { utf8Encode } from '../../base/platform.js';
import { NS_PER_SECOND } from '../../base/units.js';
import type { CpuContext } from './context.js';
import { APIC_BASE } from './control-bits.js';

/** EAX EBX ECX EDX. */
export type CpuidLeaf = readonly [number, number, number, number];

/** What the CPU says about itself: part of the machine's configuration and of every recording. Plain JSON. */
export interface CpuidConfig {
  /** Twelve ASCII characters. */
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** At most 47 ASCII characters. */
  readonly brand: string;
  /** Names as in FEATURE_BITS. */
  readonly features: readonly string[];
  /** Microcode revision, read from IA32_BIOS_SIGN_ID. */
  readonly microcode: number;
  /** Leaf 2: cache and TLB descriptors. */
  readonly cacheDescriptors: CpuidLeaf;
  /** Leaf 8000_0006 ECX: second-level cache. */
  readonly level2Cache: number;
  /** Highest basic leaf; 2 unless given. From 15h on, the rates of TSC and APIC timer are told. */
  readonly lastLeaf?: number;
}

/** Leaf 1: [register, bit]. */
const FEATURE_BITS: Readonly<Record<string, readonly [typeof ECX | typeof EDX, number]>> = {
  FPU: [EDX, 0],
  DE: [EDX, 2],
  PSE: [EDX, 3],
  TSC: [EDX, 4],
  MSR: [EDX, 5],
  PAE: [EDX, 6],
  MCE: [EDX, 7],
  CX8: [EDX, 8],
  APIC: [EDX, 9],
  SEP: [EDX, 11],
  MTRR: [EDX, 12],
  PGE: [EDX, 13],
  MCA: [EDX, 14],
  CMOV: [EDX, 15],
  PAT: [EDX, 16],
  PSE36: [EDX, 17],
  MMX: [EDX, 23],
  FXSR: [EDX, 24],
  SSE: [EDX, 25],
  SSE2: [EDX, 26],
  SSE3: [ECX, 0],
};

/**
 * An i686 with SSE2. It carries the signature of the first Atom: that core executes in order, so guests know that no
 * speculation needs to be worked around, and leave out code that would only cost time here. There is no local APIC, no
 * MTRR and no machine check to look after.
 */
export const DEFAULT_CPUID: CpuidConfig = {
  vendor: 'GenuineIntel',
  family: 6,
  model: 0x1c,
  stepping: 2,
  brand: 'guestreel i686 with SSE2',
  features: [
    'FPU',
    'DE',
    'PSE',
    'TSC',
    'MSR',
    'PAE',
    'CX8',
    'SEP',
    'PGE',
    'CMOV',
    'PSE36',
    'MMX',
    'FXSR',
    'SSE',
    'SSE2',
  ],
  microcode: 0x218,
  // TLBs of 32 and 64 entries for 4 KiB pages, 16 KiB first-level caches, 256 KiB second-level cache.
  cacheDescriptors: [0x0302_0101, 0, 0, 0x0c04_0882],
  level2Cache: 0x0100_6020,
};

/** Leaf 6 EAX: the APIC timer runs in all idle states (ARAT). */
const THERMAL_AND_POWER = 6;
const ARAT = 0x4;
/** Leaf 15h: EBX / EAX is the TSC's rate in crystal cycles, ECX the crystal's in Hz, which the APIC timer counts. */
const TIME_STAMP_COUNTER = 0x15;
/** Leaf 16h: base, highest and bus frequency in MHz. */
const FREQUENCY = 0x16;
const HZ_PER_MHZ = 1_000_000;

/**
 * With a local APIC. Guests that know the rates of TSC and APIC timer need not measure them, which takes a PC longer than
 * anything else at its start.
 */
export const APIC_CPUID: CpuidConfig = {
  ...DEFAULT_CPUID,
  features: [...DEFAULT_CPUID.features, 'APIC'],
  lastLeaf: FREQUENCY,
};

/** More leaves than these a guest asks for only to see what happens. */
const MAX_ANSWERS = 64;

const LAST_BASIC = 2;
const LAST_EXTENDED = 0x8000_0008;
/** Leaf 8000_0007 EDX: the TSC runs at one rate always. */
const INVARIANT_TSC = 0x100;
/** Leaf 8000_0008: 36 physical, 32 linear address bits. */
const ADDRESS_BITS = 0x2024;

/** Little-endian 32-bit words of `text` padded with zeros to `count` words. */
function words(text: string, count: number): number[] {
  const bytes = new Uint8Array(4 * count);
  bytes.set(utf8Encode(text).subarray(0, 4 * count));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, i) => view.getUint32(4 * i, true));
}

/** Leaf 1's EAX and the reset value of EDX: extended family and model, then family, model, stepping. */
export function cpuidSignature(config: CpuidConfig): number {
  const { family, model, stepping } = config;
  const baseFamily = Math.min(family, 15);
  return ((family - baseFamily) << 20) | ((model >> 4) << 16) | (baseFamily << 8) | ((model & 15) << 4) | stepping;
}

function featureWord(config: CpuidConfig, register: number): number {
  let word = 0;
  for (const name of config.features) {
    const bit = FEATURE_BITS[name];
    if (bit !== undefined && bit[0] === register) word |= 1 << bit[1];
  }
  return word >>> 0;
}

/** What a leaf's answer depends on besides the configuration. */
export interface CpuidSituation {
  /** IA32_APIC_BASE has the local APIC on. */
  readonly isApicOn: boolean;
  readonly nsPerTick: number;
}

const APIC_FEATURE = 1 << FEATURE_BITS['APIC'][1];

/** A basic leaf beyond the last gives the last one's data (SDM 2, CPUID). */
export function cpuidLeaf(config: CpuidConfig, requested: number, { isApicOn, nsPerTick }: CpuidSituation): CpuidLeaf {
  const lastBasic = config.lastLeaf ?? LAST_BASIC;
  const known = requested <= lastBasic || (requested >= 0x8000_0000 && requested <= LAST_EXTENDED);
  const leaf = known ? requested : lastBasic;
  switch (leaf) {
    case 0: {
      const [first, second, third] = words(config.vendor, 3);
      return [lastBasic, first, third, second];
    }
    case 1: {
      const edx = featureWord(config, EDX);
      return [cpuidSignature(config), 0, featureWord(config, ECX), (isApicOn ? edx : edx & ~APIC_FEATURE) >>> 0];
    }
    case 2:
      return config.cacheDescriptors;
    case THERMAL_AND_POWER:
      return [ARAT, 0, 0, 0];
    case TIME_STAMP_COUNTER:
      return [1, 1, Math.floor(NS_PER_SECOND / nsPerTick), 0];
    case FREQUENCY: {
      const mhz = Math.floor(NS_PER_SECOND / nsPerTick / HZ_PER_MHZ);
      return [mhz, mhz, mhz, 0];
    }
    case 0x8000_0000:
      return [LAST_EXTENDED, 0, 0, 0];
    case 0x8000_0002:
    case 0x8000_0003:
    case 0x8000_0004: {
      const part = words(config.brand, 12).slice((leaf - 0x8000_0002) * 4);
      return [part[0], part[1], part[2], part[3]];
    }
    case 0x8000_0006:
      return [0, 0, config.level2Cache, 0];
    case 0x8000_0007:
      return [0, 0, 0, INVARIANT_TSC];
    case 0x8000_0008:
      return [ADDRESS_BITS, 0, 0, 0];
    default:
      return [0, 0, 0, 0];
  }
}

/** The CPUID instruction, which programs run at their start by the dozen: what has been answered is kept. */
export function cpuidRoutine(ctx: CpuContext): () => void {
  const answers: readonly Map<number, CpuidLeaf>[] = [new Map(), new Map()];
  const { state, clock } = ctx;
  return () => {
    const isApicOn = (state.get64('apicBase') & BigInt(APIC_BASE.enable)) !== 0n;
    const known = answers[isApicOn ? 1 : 0];
    const leaf = state.gpr(EAX);
    let answer = known.get(leaf);
    if (answer === undefined) {
      answer = cpuidLeaf(ctx.cpuid, leaf, { isApicOn, nsPerTick: clock.nsPerTick });
      if (known.size < MAX_ANSWERS) known.set(leaf, answer);
    }
    const [eax, ebx, ecx, edx] = answer;
    state.setGpr(EAX, eax);
    state.setGpr(EBX, ebx);
    state.setGpr(ECX, ecx);
    state.setGpr(EDX, edx);
  };
}
