/**
 * ACPI tables of a PC: RSDP, RSDT, FADT, FACS, DSDT, and the MADT where there are APICs. ACPI specification 6.4, section
 * 5.2; the FADT has the layout of revision 3. Without a MADT, operating systems use the 8259 pair.
 */
import { assert } from '../base/assert.js';
import { ByteWriter } from '../base/bytes.js';
import { utf8Encode } from '../base/platform.js';
import {
  addressResource,
  device,
  dmaResource,
  eisaId,
  integer,
  ioResource,
  irqResource,
  method,
  named,
  packageOf,
  resourceTemplate,
  scope,
  storeArgument,
  type Aml,
} from './aml.js';
import { madt, type AcpiApic } from './acpi-madt.js';
import { checksum, OEM_ID, table } from './acpi-table.js';
import { SLEEP_TYPE_S5 } from './power.js';

export interface AcpiOptions {
  /**
   * Physical address of the block, a multiple of 64. The RSDP comes first: firmware-less loaders place the block in
   * E0000h-FFFFFh, where operating systems search for it. The block must be writable memory (global lock in the FACS) reserved for firmware.
   */
  readonly address: number;
  /** Base port of power.ts. */
  readonly pmBase: number;
  /** 9 if left out. */
  readonly sciIrq?: number;
  /** Width of the PM timer, as given to power.ts; 32 if left out. */
  readonly timerBits?: 24 | 32;
  /** Serial ports to announce, COM1 first. */
  readonly serialPorts?: readonly { readonly base: number; readonly irq: number }[];
  /** Parallel ports that are there, the first is LPT1. */
  readonly parallelPorts?: readonly { readonly base: number; readonly irq: number }[];
  /** There is a floppy disk controller at its usual place. */
  readonly floppy?: boolean;
  /** The PCI host bridge, if there is one. */
  readonly pci?: AcpiPci;
  /** The APICs, if there are any. */
  readonly apic?: AcpiApic;
  /** Announce the PS/2 controller; true if left out. */
  readonly ps2?: boolean;
}

/** What operating systems are told of the PCI bus. */
export interface AcpiPci {
  /** Where devices may lie: from the end of RAM to the chipset's own registers. */
  readonly memoryStart: number;
  readonly memoryEnd: number;
  /** ISA interrupts that the four PCI interrupts are routed to. */
  readonly irqs: readonly [number, number, number, number];
}

export interface AcpiBlock {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Physical address of the RSDP, for boot protocols that hand it over. */
  readonly rsdpAddress: number;
}

const FACS_BYTES = 64;

/** FADT flags (5.2.9, table 5.10). */
const WBINVD = 1 << 0;
const PROC_C1 = 1 << 2;
/** There is no fixed sleep button. */
const SLP_BUTTON = 1 << 5;
/** The RTC's wake status is not in PM1_STS. */
const FIX_RTC = 1 << 6;
const TMR_VAL_EXT = 1 << 8;
const RESET_REG_SUP = 1 << 10;

/** IAPC_BOOT_ARCH (5.2.9.3). */
const LEGACY_DEVICES = 1 << 0;
const HAS_8042 = 1 << 1;
const NO_MSI = 1 << 3;

const RTC_CENTURY_INDEX = 0x32;

function rsdp(rsdtAddress: number): Uint8Array {
  const bytes = new ByteWriter()
    .raw(utf8Encode('RSD PTR '))
    .u8(0)
    .raw(utf8Encode(OEM_ID))
    .u8(0)
    .u32(rsdtAddress)
    .finish();
  bytes[8] = checksum(bytes);
  return bytes;
}

function facs(): Uint8Array {
  const out = new ByteWriter().raw(utf8Encode('FACS')).u32(FACS_BYTES);
  // Hardware signature, waking vector, global lock, flags, 64-bit waking vector: all zero.
  out.raw(new Uint8Array(24)).u8(1).raw(new Uint8Array(31));
  return out.finish();
}

/** Generic address structure in I/O space (5.2.3.2); `accessSize` 1 = byte, 2 = word, 3 = dword. */
function ioAddress(out: ByteWriter, address: number, widthBits: number, accessSize: number): void {
  const present = widthBits !== 0;
  out
    .u8(present ? 1 : 0)
    .u8(widthBits)
    .u8(0)
    .u8(accessSize)
    .u64(BigInt(address));
}

function fadt(options: AcpiOptions, facsAddress: number, dsdtAddress: number): Uint8Array {
  const { pmBase } = options;
  const wideTimer = (options.timerBits ?? 32) === 32;
  const out = new ByteWriter();
  out.u32(facsAddress).u32(dsdtAddress).u8(0).u8(1); // profile: desktop
  out.u16(options.sciIrq ?? 9);
  out.u32(0).u8(0).u8(0).u8(0).u8(0); // no SMI_CMD: always in ACPI mode
  out
    .u32(pmBase)
    .u32(0)
    .u32(pmBase + 4)
    .u32(0)
    .u32(0)
    .u32(pmBase + 8)
    .u32(0)
    .u32(0);
  out.u8(4).u8(2).u8(0).u8(4).u8(0).u8(0).u8(0).u8(0);
  out.u16(101).u16(1001); // C2 and C3 latencies beyond the limits: neither exists
  out.u16(0).u16(0).u8(0).u8(0).u8(0).u8(0).u8(RTC_CENTURY_INDEX);
  out.u16(LEGACY_DEVICES | NO_MSI | (options.ps2 === false ? 0 : HAS_8042)).u8(0);
  out.u32(WBINVD | PROC_C1 | SLP_BUTTON | FIX_RTC | (wideTimer ? TMR_VAL_EXT : 0) | RESET_REG_SUP);
  ioAddress(out, 0x64, 8, 1); // reset register: the 8042's command port,
  out.u8(0xfe).u16(0).u8(0); // command FEh
  out.u64(0n).u64(BigInt(dsdtAddress));
  ioAddress(out, pmBase, 32, 2);
  ioAddress(out, 0, 0, 0);
  ioAddress(out, pmBase + 4, 16, 2);
  ioAddress(out, 0, 0, 0);
  ioAddress(out, 0, 0, 0);
  ioAddress(out, pmBase + 8, 32, 3);
  ioAddress(out, 0, 0, 0);
  ioAddress(out, 0, 0, 0);
  return table('FACP', 3, out.finish());
}

function pnpDevice(name: string, id: string, resources: readonly Aml[], unit?: number): number[] {
  const uid = unit === undefined ? [] : named('_UID', integer(unit));
  return device(name, named('_HID', eisaId(id)), uid, named('_CRS', resourceTemplate(...resources)));
}

const PCI_SLOTS = 32;
const CONFIG_ADDRESS = 0xcf8;
const CONFIG_PORTS = 8;

/** _PRT (6.2.13): which interrupt each pin of each slot has. Boards rotate the pins by slot. */
function routing({ irqs }: AcpiPci): number[] {
  const entries: number[][] = [];
  for (let slot = 1; slot < PCI_SLOTS; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const irq = irqs[(slot - 1 + pin) & 3];
      entries.push(packageOf(integer(slot * 0x1_0000 + 0xffff), integer(pin), integer(0), integer(irq)));
    }
  }
  return packageOf(...entries);
}

function hostBridge(pci: AcpiPci): number[] {
  const windows = [
    addressResource({ space: 'bus', first: 0, last: 0xff }),
    ioResource(CONFIG_ADDRESS, CONFIG_PORTS),
    addressResource({ space: 'io', first: 0, last: CONFIG_ADDRESS - 1 }),
    addressResource({ space: 'io', first: CONFIG_ADDRESS + CONFIG_PORTS, last: 0xffff }),
    addressResource({ space: 'memory', first: 0xa_0000, last: 0xb_ffff }),
    addressResource({ space: 'memory', first: pci.memoryStart, last: pci.memoryEnd - 1 }),
  ];
  return device(
    'PCI0',
    named('_HID', eisaId('PNP0A03')),
    named('_ADR', integer(0)),
    named('_UID', integer(0)),
    named('_CRS', resourceTemplate(...windows)),
    named('_PRT', routing(pci)),
  );
}

function dsdt(options: AcpiOptions): Uint8Array {
  const devices = [pnpDevice('RTC', 'PNP0B00', [ioResource(0x70, 2), irqResource(8)])];
  if (options.ps2 !== false) {
    devices.push(pnpDevice('KBD', 'PNP0303', [ioResource(0x60, 1), ioResource(0x64, 1), irqResource(1)]));
    devices.push(pnpDevice('MOU', 'PNP0F13', [irqResource(12)]));
  }
  (options.serialPorts ?? []).forEach(({ base, irq }, n) => {
    devices.push(pnpDevice(`COM${n + 1}`, 'PNP0501', [ioResource(base, 8), irqResource(irq)], n + 1));
  });
  (options.parallelPorts ?? []).forEach(({ base, irq }, n) => {
    devices.push(pnpDevice(`LPT${n + 1}`, 'PNP0400', [ioResource(base, 8), irqResource(irq)], n + 1));
  });
  if (options.floppy === true) {
    const resources = [ioResource(0x3f0, 6), ioResource(0x3f7, 1), irqResource(6), dmaResource(2)];
    devices.push(pnpDevice('FDC0', 'PNP0700', resources));
  }
  if (options.pci !== undefined) devices.push(hostBridge(options.pci));
  const sleep = integer(SLEEP_TYPE_S5);
  return table(
    'DSDT',
    2,
    Uint8Array.from([
      ...named('\\_S5', packageOf(sleep, sleep, integer(0), integer(0))),
      // The interrupt model the system chose. PCI interrupts are the same numbers in each.
      ...named('\\PICM', integer(0)),
      ...method('\\_PIC', 1, storeArgument(0, '\\PICM')),
      ...scope('\\_SB', ...devices),
    ]),
  );
}

/** All tables as one block of bytes for `options.address`. */
export function buildAcpiTables(options: AcpiOptions): AcpiBlock {
  const { address } = options;
  assert(address % 64 === 0, `ACPI tables at ${address.toString(16)}h are not aligned to 64 bytes`);
  const facsAddress = address + 64;
  const rsdtAddress = facsAddress + FACS_BYTES;
  const dsdtAddress = rsdtAddress + 64;
  const code = dsdt(options);
  const fadtAddress = dsdtAddress + ((code.length + 15) & ~15);
  const fixed = fadt(options, facsAddress, dsdtAddress);
  const madtAddress = fadtAddress + ((fixed.length + 15) & ~15);
  const interrupts = options.apic === undefined ? null : madt(options.apic);
  const roots = new ByteWriter().u32(fadtAddress);
  if (interrupts !== null) roots.u32(madtAddress);
  const rsdt = table('RSDT', 1, roots.finish());
  const end = interrupts === null ? fadtAddress + fixed.length : madtAddress + interrupts.length;
  const bytes = new Uint8Array(end - address);
  bytes.set(rsdp(rsdtAddress), 0);
  bytes.set(facs(), facsAddress - address);
  bytes.set(rsdt, rsdtAddress - address);
  bytes.set(code, dsdtAddress - address);
  bytes.set(fixed, fadtAddress - address);
  if (interrupts !== null) bytes.set(interrupts, madtAddress - address);
  return { address, bytes, rsdpAddress: address };
}
