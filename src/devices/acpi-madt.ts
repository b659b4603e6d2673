/** Multiple APIC description table. ACPI specification 6.4, section 5.2.12. */
import { ByteWriter } from '../base/bytes.js';
import { table } from './acpi-table.js';

/** What operating systems are told of the APICs. There is one processor, with APIC ID 0. */
export interface AcpiApic {
  readonly localAddress: number;
  readonly ioAddress: number;
  readonly ioId: number;
  /** ISA interrupts at other pins of the I/O APIC than their own, or with levels instead of edges. */
  readonly overrides: readonly { readonly irq: number; readonly pin: number; readonly isLevel: boolean }[];
}

/** There is an 8259 pair as well. */
const PCAT_COMPAT = 1;
const PROCESSOR_ENABLED = 1;
const TYPE = { localApic: 0, ioApic: 1, override: 2, localNmi: 4 } as const;
const ISA_BUS = 0;
/** As the bus has it; or active high, level-triggered. */
const CONFORMS = 0;
const ACTIVE_HIGH_LEVEL = 0x000d;
const ALL_PROCESSORS = 0xff;
const NMI_PIN = 1;

export function madt({ localAddress, ioAddress, ioId, overrides }: AcpiApic): Uint8Array {
  const out = new ByteWriter().u32(localAddress).u32(PCAT_COMPAT);
  out.u8(TYPE.localApic).u8(8).u8(0).u8(0).u32(PROCESSOR_ENABLED);
  out.u8(TYPE.ioApic).u8(12).u8(ioId).u8(0).u32(ioAddress).u32(0);
  for (const { irq, pin, isLevel } of overrides) {
    out.u8(TYPE.override).u8(10).u8(ISA_BUS).u8(irq);
    out.u32(pin).u16(isLevel ? ACTIVE_HIGH_LEVEL : CONFORMS);
  }
  out.u8(TYPE.localNmi).u8(6).u8(ALL_PROCESSORS).u16(CONFORMS).u8(NMI_PIN);
  return table('APIC', 1, out.finish());
}
