/** The tables in memory that tell guests what the board has: ACPI's, and the MP table where there are APICs. */
import { cpuidLeaf } from '../../cpu/system/cpuid.js';
import type { AcpiApic } from '../../devices/acpi-madt.js';
import { buildAcpiTables, type AcpiBlock } from '../../devices/acpi-tables.js';
import { IO_APIC_BASE } from '../../devices/apic/io-apic.js';
import { LOCAL_APIC_BASE } from '../../devices/apic/local-apic-registers.js';
import { buildMpTable, type MpTable } from '../../devices/mp-table.js';
import { isaPin } from '../apics.js';
import { cpuidOf, type MachineConfig } from '../config.js';
import { ROM_AREA_START } from '../loaders/e820.js';
import { PARALLEL_PORTS, PM_BASE, SCI_IRQ, SERIAL_PORTS } from '../pc.js';
import { PCI_MEMORY_END, PCI_MEMORY_START, PIRQ_IRQS, pirqOf } from './pci-setup.js';

const IO_APIC_ID = 0;
const CASCADE_IRQ = 2;
/** Slots of the bus with something that interrupts: none has the host bridge's. */
const PCI_DEVICES = Array.from({ length: 31 }, (_, i) => i + 1);

/** ISA interrupts as the I/O APIC has them. Those of PCI devices are told of by slot. */
const isaPins = Array.from({ length: 16 }, (_, irq) => ({ irq, pin: isaPin(irq), isLevel: irq === SCI_IRQ })).filter(
  ({ irq }) => irq !== CASCADE_IRQ && !PIRQ_IRQS.some((routed) => routed === irq),
);

const apic: AcpiApic = {
  localAddress: LOCAL_APIC_BASE,
  ioAddress: IO_APIC_BASE,
  ioId: IO_APIC_ID,
  overrides: isaPins.filter(({ irq, pin, isLevel }) => pin !== irq || isLevel),
};

export function acpiTables(config: MachineConfig): AcpiBlock {
  return buildAcpiTables({
    address: ROM_AREA_START,
    pmBase: PM_BASE,
    sciIrq: SCI_IRQ,
    serialPorts: SERIAL_PORTS.slice(0, config.serialPorts),
    parallelPorts: PARALLEL_PORTS.slice(0, config.parallelPorts),
    floppy: config.drives.some(({ kind }) => kind === 'floppy'),
    pci: { memoryStart: PCI_MEMORY_START, memoryEnd: PCI_MEMORY_END, irqs: PIRQ_IRQS },
    ...(config.apic ? { apic } : {}),
  });
}

/** The MP table for physical address `address`. */
export function mpTable(config: MachineConfig, address: number): MpTable {
  const [signature, , , features] = cpuidLeaf(cpuidOf(config), 1, { isApicOn: true, nsPerTick: config.nsPerTick });
  const pciPins = PCI_DEVICES.flatMap((device) =>
    [0, 1, 2, 3].map((interrupt) => ({ device, interrupt, pin: isaPin(PIRQ_IRQS[pirqOf(device, interrupt)]) })),
  );
  const { localAddress, ioAddress, ioId } = apic;
  return buildMpTable({ address, localAddress, ioAddress, ioId, signature, features, isaPins, pciPins });
}
