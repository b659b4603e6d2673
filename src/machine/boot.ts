import { CS, DS, EAX, EBX, ES, ESI, ESP, FS, GS, SS } from '../isa/cpu-state.js';
import { CodedError } from '../base/errors.js';
import type { BootDiskEntry } from '../devices/bootdisk.js';
import { cmosDriveBytes } from './drives.js';
import { describeMachine } from './firmware/bios.js';
import { setUpPci } from './firmware/pci-setup.js';
import { acpiTables, mpTable } from './firmware/tables.js';
import { cmosMemoryBytes } from './loaders/e820.js';
import { loadLinux } from './loaders/linux.js';
import type { LoadPlan, ProtectedModeCpu } from './loaders/load-plan.js';
import { findMultibootHeader } from './loaders/multiboot-image.js';
import { loadMultiboot } from './loaders/multiboot.js';
import { DEVICE_MEMORY, VIDEO_ROM_BYTES } from './memory-map.js';
import type { Pc } from './pc.js';

/** What a machine is to boot. A kernel goes before the disks. */
export interface BootRequest {
  readonly kernel: Uint8Array | null;
  readonly initrd: Uint8Array | null;
  readonly append: string;
  readonly ramSizeBytes: number;
  /** A BIOS from a file looks for something to boot itself. */
  readonly hasBios: boolean;
  /** Some drive can be booted from. */
  readonly hasDrives: boolean;
}

/** What the machine starts with at its reset vector. */
export interface Firmware {
  readonly kind: 'builtin' | 'bios';
  readonly rom: Uint8Array;
  /** The font that a video BIOS has loaded before anything else starts: 256 glyphs of 16 rows. */
  readonly font: Uint8Array;
  /** Expansion ROM of the video card. */
  readonly videoRom: Uint8Array | null;
}

export interface BootPlan extends LoadPlan {
  /** Where the boot ROM starts what was loaded. */
  readonly entry: BootDiskEntry | null;
}

/** Sixteen bytes below the reset vector, which the boot ROM leaves free. */
const MP_POINTER_FROM_END = 0x20;
const CR0_PROTECTED = 0x11;
const FLAT_CODE_ACCESS = 0xc09b;
const FLAT_DATA_ACCESS = 0xc093;

/** Decides how to boot. Throws USAGE where there is nothing to boot, or what is no kernel. */
export function planBoot({ kernel, initrd, append, ramSizeBytes, hasBios, hasDrives }: BootRequest): BootPlan {
  if (kernel === null) {
    if (hasBios || hasDrives) return { writes: [], cpu: { mode: 'reset' }, entry: null };
    throw new CodedError('USAGE', 'there is nothing to boot', { hint: 'give a boot image or a kernel' });
  }
  if (hasBios) {
    throw new CodedError('USAGE', 'a kernel is started without a BIOS', {
      hint: 'give --kernel or --bios; a boot loader on a disk starts kernels under a BIOS',
    });
  }
  // The Linux loader knows what to say of files that are neither.
  const plan =
    findMultibootHeader(kernel) >= 0
      ? loadMultiboot({ kernel, append, ramSizeBytes, ...(initrd === null ? {} : { modules: [{ bytes: initrd }] }) })
      : loadLinux({ kernel, append, ramSizeBytes, ...(initrd === null ? {} : { initrd }) });
  const { cpu } = plan;
  const entry = cpu.mode === 'real' ? { cs: cpu.cs, ip: cpu.ip, ss: cpu.ss, sp: cpu.sp, ds: cpu.ds } : null;
  return { ...plan, entry };
}

/** Fills a fresh machine: firmware, tables, CMOS, media, and what the plan says. Its images are at hand. */
export function applyBoot(pc: Pc, plan: BootPlan, firmware: Firmware): void {
  const { cpu } = pc.machine;
  const { physical } = cpu;
  pc.memoryMap.loadBios(firmware.rom);
  if (firmware.videoRom !== null) {
    pc.memoryMap.loadRom(DEVICE_MEMORY.videoRom, VIDEO_ROM_BYTES, firmware.videoRom);
  }
  const acpi = acpiTables(pc.config);
  if (firmware.kind === 'bios') describeMachine(pc.fwCfg, { ramSizeBytes: pc.config.memoryBytes, acpi });
  else {
    physical.write(acpi.address, acpi.bytes, true);
    if (pc.config.apic) placeMpTable(pc, acpi.address + acpi.bytes.length);
    pc.vga.loadFont(firmware.font);
    setUpPci(pc.pci);
  }
  const { memoryBytes, drives, bootOrder } = pc.config;
  for (const { index, value } of [...cmosMemoryBytes(memoryBytes), ...cmosDriveBytes(drives, bootOrder)]) {
    pc.cmos.store(index, value);
  }
  for (const disk of pc.disks.values()) disk.load();
  for (const { address, bytes } of plan.writes) physical.write(address, bytes, true);
  if (plan.cpu.mode === 'protected') enterProtectedMode(pc, plan.cpu);
  cpu.restored();
}

/** Behind the ACPI tables, with its pointer in the boot ROM. */
function placeMpTable({ config, machine, memoryMap }: Pc, end: number): void {
  const address = Math.ceil(end / 16) * 16;
  const { floatingPointer, table } = mpTable(config, address);
  machine.cpu.physical.write(address, table, true);
  memoryMap.patchBios(MP_POINTER_FROM_END, floatingPointer);
}

function enterProtectedMode({ machine }: Pc, plan: ProtectedModeCpu): void {
  const { state } = machine.cpu;
  state.cr0 = CR0_PROTECTED;
  state.gdtrBase = plan.gdtBase;
  state.gdtrLimit = plan.gdtLimit;
  state.idtrLimit = 0;
  state.setSegment(CS, plan.codeSelector, 0, 0xffff_ffff, FLAT_CODE_ACCESS);
  for (const s of [ES, SS, DS, FS, GS]) state.setSegment(s, plan.dataSelector, 0, 0xffff_ffff, FLAT_DATA_ACCESS);
  for (let r = 0; r < 8; r++) state.setGpr(r, 0);
  state.setGpr(EAX, plan.eax);
  state.setGpr(EBX, plan.ebx);
  state.setGpr(ESI, plan.esi);
  state.setGpr(ESP, plan.esp);
  state.eip = plan.eip;
  state.eflags = 2;
  state.cpl = 0;
}
