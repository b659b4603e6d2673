import { CodedError } from '../base/errors.js';
import { MIB } from '../base/units.js';
import type { BootDiskEntry } from '../devices/bootdisk.js';
import { MAX_RAM_BYTES } from '../cpu/memory/layout.js';
import { APIC_CPUID, DEFAULT_CPUID, type CpuidConfig } from '../cpu/system/cpuid.js';
import { parseNetworkCards, type NetworkCardConfig } from './network-cards.js';
import { BOOT_LETTERS, DEFAULT_BOOT_ORDER, parseDrives, type DriveConfig } from './drives.js';

/**
 * What a machine is made of: everything that must be equal for a recording to replay. It is part of every recording
 * (meta.machine), so all of it is JSON.
 */
export interface MachineConfig {
  /** RAM, bytes; a multiple of 1 MiB. */
  readonly memoryBytes: number;
  readonly nsPerTick: number;
  /** Start of the real-time clock, seconds since 1970 UTC. */
  readonly epochSeconds: number;
  /** UARTs present: COM1 first, 0 to MAX_SERIAL_PORTS. */
  readonly serialPorts: number;
  /** Parallel ports present: 0 or LPT1. */
  readonly parallelPorts: number;
  /** Local APIC and I/O APIC besides the 8259 pair. */
  readonly apic: boolean;
  /** The boot ROM of this program, or a BIOS from a file that finds and sets up everything itself. */
  readonly firmware: 'builtin' | 'bios';
  /** The video card has an expansion ROM. */
  readonly hasVideoRom: boolean;
  /** SHA-256 of the boot ROM, null without one. */
  readonly romSha256: string | null;
  readonly drives: readonly DriveConfig[];
  readonly networkCards: readonly NetworkCardConfig[];
  /** Letters of BOOT_LETTERS: where the firmware looks for something to boot. */
  readonly bootOrder: string;
  /** Where the boot ROM starts a program that lies in memory already. */
  readonly bootEntry: BootDiskEntry | null;
}

export const DEFAULT_MEMORY_BYTES = 128 * MIB;
export const DEFAULT_NS_PER_TICK = 4;
const MIN_MEMORY_BYTES = 2 * MIB;
export const DEFAULT_SERIAL_PORTS = 2;
export const MAX_SERIAL_PORTS = 4;

/** What the CPU of such a machine says about itself. */
export function cpuidOf({ apic }: Pick<MachineConfig, 'apic'>): CpuidConfig {
  return apic ? APIC_CPUID : DEFAULT_CPUID;
}

/** Parses QEMU's notation: `128`, `128M`, `1G`, `65536K`. A bare number counts MiB. */
export function parseMemorySize(text: string): number {
  const match = /^(\d+)([KMG]?)B?$/i.exec(text.trim());
  const unit = { K: 1024, M: MIB, G: 1024 * MIB, '': MIB }[(match?.[2] ?? '').toUpperCase()];
  const bytes = match === null || unit === undefined ? NaN : Number(match[1]) * unit;
  if (!(bytes >= MIN_MEMORY_BYTES && bytes <= MAX_RAM_BYTES) || bytes % MIB !== 0) {
    throw new CodedError('USAGE', `"${text}" is no memory size guestreel can have`, {
      hint: `whole MiB from ${MIN_MEMORY_BYTES / MIB}M to ${MAX_RAM_BYTES / MIB}M, e.g. 128M`,
    });
  }
  return bytes;
}

/** Checks a configuration that came from a file. */
export function parseMachineConfig(value: Readonly<Record<string, unknown>>, source: string): MachineConfig {
  const number = (name: string, low: number, high: number): number => {
    const n = value[name];
    if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < low || n > high) {
      throw new CodedError('DAMAGED', `machine.${name} is ${JSON.stringify(n)}`, { where: source });
    }
    return n;
  };
  const rom = value.romSha256;
  if (rom !== null && typeof rom !== 'string')
    throw new CodedError('DAMAGED', 'machine.romSha256 is no hash', { where: source });
  const memoryBytes = number('memoryBytes', MIN_MEMORY_BYTES, MAX_RAM_BYTES);
  if (memoryBytes % MIB !== 0)
    throw new CodedError('DAMAGED', 'machine.memoryBytes is no whole MiB', { where: source });
  return {
    memoryBytes,
    nsPerTick: number('nsPerTick', 1, 1024),
    epochSeconds: number('epochSeconds', 0, 253_402_300_799),
    serialPorts: number('serialPorts', 0, MAX_SERIAL_PORTS),
    parallelPorts: value.parallelPorts === undefined ? 0 : number('parallelPorts', 0, 1),
    apic: value.apic === true,
    firmware: value.firmware === 'bios' ? 'bios' : 'builtin',
    hasVideoRom: value.hasVideoRom === true,
    romSha256: rom,
    networkCards: parseNetworkCards(value.networkCards ?? [], source),
    drives: parseDrives(value.drives ?? [], source),
    bootOrder: parseBootOrder(value.bootOrder ?? DEFAULT_BOOT_ORDER, source),
    bootEntry: parseBootEntry(value.bootEntry, source),
  };
}

const ENTRY_FIELDS = ['cs', 'ip', 'ss', 'sp', 'ds'] as const;

function parseBootEntry(value: unknown, source: string): BootDiskEntry | null {
  if (value === null || value === undefined) return null;
  const entry = value as Readonly<Record<string, unknown>>;
  if (typeof value !== 'object' || !ENTRY_FIELDS.every((field) => Number.isSafeInteger(entry[field]))) {
    throw new CodedError('DAMAGED', 'machine.bootEntry is not valid', { where: source });
  }
  return value as BootDiskEntry;
}

function parseBootOrder(value: unknown, source: string): string {
  if (
    typeof value === 'string' &&
    value.length <= BOOT_LETTERS.length &&
    [...value].every((c) => BOOT_LETTERS.includes(c))
  ) {
    return value;
  }
  throw new CodedError('DAMAGED', `machine.bootOrder is ${JSON.stringify(value)}`, { where: source });
}
