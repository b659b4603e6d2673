/**
 * Floating pointer and configuration table of Intel's MultiProcessor Specification 1.4: how systems that predate ACPI
 * find the APICs of a PC.
 */
import { ByteWriter } from '../base/bytes.js';
import { utf8Encode } from '../base/platform.js';
import { checksum } from './acpi-table.js';

export interface MpOptions {
  /** Physical address of the table. */
  readonly address: number;
  readonly localAddress: number;
  readonly ioAddress: number;
  readonly ioId: number;
  /** CPUID leaf 1: EAX and EDX. */
  readonly signature: number;
  readonly features: number;
  /** ISA interrupts and their pins of the I/O APIC. */
  readonly isaPins: readonly { readonly irq: number; readonly pin: number; readonly isLevel: boolean }[];
  /** Interrupts of PCI devices: pin A is 0. */
  readonly pciPins: readonly { readonly device: number; readonly interrupt: number; readonly pin: number }[];
}

const HEADER_BYTES = 44;
const SPECIFICATION = 4;
const LOCAL_APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x11;
const ENTRY = { processor: 0, bus: 1, ioApic: 2, ioInterrupt: 3, localInterrupt: 4 } as const;
/** Enabled; the bootstrap processor. */
const PROCESSOR_FLAGS = 3;
const IO_APIC_ENABLED = 1;
const BUS = { pci: 0, isa: 1 } as const;
const INTERRUPT = { vectored: 0, nmi: 1, external: 3 } as const;
/** As the bus has it; or active high, level-triggered. */
const CONFORMS = 0;
const ACTIVE_HIGH_LEVEL = 0x000d;
const ALL_PROCESSORS = 0xff;

function entries({ ioAddress, ioId, signature, features, isaPins, pciPins }: MpOptions): readonly Uint8Array[] {
  const entry = (write: (out: ByteWriter) => ByteWriter): Uint8Array => write(new ByteWriter()).finish();
  const bus = (id: number, name: string): Uint8Array =>
    entry((out) =>
      out
        .u8(ENTRY.bus)
        .u8(id)
        .raw(utf8Encode(name.padEnd(6))),
    );
  const interrupt = (flags: number, from: readonly [number, number], pin: number): Uint8Array =>
    entry((out) =>
      out.u8(ENTRY.ioInterrupt).u8(INTERRUPT.vectored).u16(flags).u8(from[0]).u8(from[1]).u8(ioId).u8(pin),
    );
  const local = (type: number, lint: number): Uint8Array =>
    entry((out) => out.u8(ENTRY.localInterrupt).u8(type).u16(CONFORMS).u8(BUS.isa).u8(0).u8(ALL_PROCESSORS).u8(lint));
  return [
    entry((out) =>
      out
        .u8(ENTRY.processor)
        .u8(0)
        .u8(LOCAL_APIC_VERSION)
        .u8(PROCESSOR_FLAGS)
        .u32(signature)
        .u32(features)
        .u32(0)
        .u32(0),
    ),
    bus(BUS.pci, 'PCI'),
    bus(BUS.isa, 'ISA'),
    entry((out) => out.u8(ENTRY.ioApic).u8(ioId).u8(IO_APIC_VERSION).u8(IO_APIC_ENABLED).u32(ioAddress)),
    ...pciPins.map(({ device, interrupt: n, pin }) => interrupt(CONFORMS, [BUS.pci, (device << 2) | n], pin)),
    ...isaPins.map(({ irq, pin, isLevel }) => interrupt(isLevel ? ACTIVE_HIGH_LEVEL : CONFORMS, [BUS.isa, irq], pin)),
    local(INTERRUPT.external, 0),
    local(INTERRUPT.nmi, 1),
  ];
}

export interface MpTable {
  /** 16 bytes, at a multiple of 16 in the EBDA or in F0000h-FFFFFh, where systems search for it. */
  readonly floatingPointer: Uint8Array;
  readonly table: Uint8Array;
}

export function buildMpTable(options: MpOptions): MpTable {
  const { address, localAddress } = options;
  const list = entries(options);
  const length = HEADER_BYTES + list.reduce((sum, e) => sum + e.length, 0);
  const pointer = new ByteWriter().raw(utf8Encode('_MP_')).u32(address).u8(1).u8(SPECIFICATION);
  const floatingPointer = pointer.raw(new Uint8Array(6)).finish();
  floatingPointer[10] = checksum(floatingPointer);
  const out = new ByteWriter().raw(utf8Encode('PCMP')).u16(length).u8(SPECIFICATION).u8(0);
  out.raw(utf8Encode('GREEL   ')).raw(utf8Encode('guestreel   '));
  out.u32(0).u16(0).u16(list.length).u32(localAddress).u16(0).u8(0).u8(0);
  for (const e of list) out.raw(e);
  const table = out.finish();
  table[7] = checksum(table);
  return { floatingPointer, table };
}
