/**
 * Gives PCI functions their addresses and interrupts, for machines that start a kernel without running firmware. The boot
 * ROM does the same after a reset.
 */
import { PCI, PCI_COMMAND, type PciBar, type PciFunction } from '../../devices/pci/config-space.js';
import type { PciBus } from '../../devices/pci/pci-bus.js';

/** What PIRQA# to PIRQD# are routed to, as SeaBIOS does. */
export const PIRQ_IRQS = [10, 10, 11, 11] as const;
export const PCI_MEMORY_START = 0xe000_0000;
/** The I/O APIC's registers lie here. */
export const PCI_MEMORY_END = 0xfec0_0000;
const PCI_IO_START = 0xc000;
const PIIX3 = { device: 1, function: 0 };
const PIRQ_ROUTE = 0x60;

interface Placed {
  readonly device: number;
  readonly function: number;
  readonly register: number;
  readonly bar: PciBar;
}

/** Base address registers of all functions, the largest first, so that each is aligned without gaps. */
function barsOf(bus: PciBus, space: PciBar['space']): Placed[] {
  return bus.slots
    .flatMap(({ device, function: fn, target: { config } }) => {
      const bars = config.bars.map((bar) => ({ device, function: fn, register: PCI.bar0 + 4 * bar.index, bar }));
      const rom = config.rom === null ? [] : [{ device, function: fn, register: PCI.expansionRom, bar: config.rom }];
      return [...bars, ...rom];
    })
    .filter(({ bar }) => bar.space === space)
    .sort((a, b) => b.bar.sizeBytes - a.bar.sizeBytes);
}

function place(bus: PciBus, space: PciBar['space'], start: number): void {
  let next = start;
  for (const { device, function: fn, register, bar } of barsOf(bus, space)) {
    next = Math.ceil(next / bar.sizeBytes) * bar.sizeBytes;
    bus.configure(device, fn, register, next, 4);
    next += bar.sizeBytes;
  }
}

/** PIRQ that pin `interrupt` (0 = INTA#) of a slot is wired to: boards rotate the pins by slot. */
export function pirqOf(device: number, interrupt: number): number {
  return (device - 1 + interrupt) & 3;
}

function interruptOf(device: number, { config }: PciFunction): number | null {
  const pin = config.bytes[PCI.interruptPin];
  return pin === 0 ? null : PIRQ_IRQS[pirqOf(device, pin - 1)];
}

/** Sets up everything on `bus`. Interrupt lines that PCI uses must be level-triggered: see `PIRQ_ELCR`. */
export function setUpPci(bus: PciBus): void {
  PIRQ_IRQS.forEach((irq, n) => bus.configure(PIIX3.device, PIIX3.function, PIRQ_ROUTE + n, irq, 1));
  place(bus, 'io', PCI_IO_START);
  place(bus, 'memory', PCI_MEMORY_START);
  for (const { device, function: fn, target } of bus.slots) {
    const { bars, rom } = target.config;
    if (bars.length > 0 || rom !== null) bus.configure(device, fn, PCI.command, PCI_COMMAND.io | PCI_COMMAND.memory, 2);
    const irq = interruptOf(device, target);
    if (irq !== null) bus.configure(device, fn, PCI.interruptLine, irq, 1);
  }
}

/** Bits of the edge/level control registers for them. */
export const PIRQ_ELCR = PIRQ_IRQS.reduce<number>((bits, irq) => bits | (1 << irq), 0);
