import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Width } from '../../../src/core/bus.js';
import { hostServices } from '../../../src/host/services.js';
import { DEVICE_MEMORY, MAX_BIOS_BYTES } from '../../../src/machine/memory-map.js';
import { createPc, type Pc } from '../../../src/machine/pc.js';

const services = await hostServices();
const MEMORY = 4 * 1024 * 1024;
/** Bytes of memory that no step may change: the flash has no programming interface. */
const FLASH = Uint8Array.from({ length: MAX_BIOS_BYTES }, (_, i) => (i * 7) ^ (i >> 8));
const SLOTS = [
  { device: 0, function: 0 },
  { device: 1, function: 0 },
  { device: 1, function: 1 },
  { device: 1, function: 3 },
  { device: 2, function: 0 },
  { device: 3, function: 0 },
  { device: 4, function: 0 },
  { device: 5, function: 0 },
];

function pc(): Pc {
  const made = createPc({
    config: {
      memoryBytes: MEMORY,
      nsPerTick: 4,
      epochSeconds: 1_000_000_000,
      serialPorts: 2,
      parallelPorts: 1,
      apic: true,
      firmware: 'bios',
      hasVideoRom: true,
      romSha256: null,
      drives: [],
      networkCards: [
        { model: 'e1000', mac: '52:54:00:12:34:56', hasRom: true },
        { model: 'ne2k_pci', mac: '52:54:00:12:34:57', hasRom: true },
      ],
      bootOrder: 'cad',
      bootEntry: null,
    },
    code: services.cpuCode(),
    hashing: services.hashing,
  });
  made.memoryMap.loadBios(FLASH);
  return made;
}

function flashOf({ machine }: Pc): Uint8Array {
  return machine.cpu.physical.deviceMemory(DEVICE_MEMORY.bios, MAX_BIOS_BYTES).bytes;
}

const width = fc.constantFrom<Width>(1, 2, 4);
const dword = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  // Where much lies: RAM, its end, the windows, the frame buffer's and the cards' usual places, the APICs, the flash.
  fc
    .tuple(
      fc.constantFrom(0, MEMORY, 0xa_0000, 0xe000_0000, 0xfebc_0000, 0xfec0_0000, 0xfee0_0000, 0xfffc_0000),
      fc.nat(0x4_0000),
    )
    .map(([base, offset]) => (base + offset) % 2 ** 32),
  fc.constantFrom(0, 1, 2, 7, 0xffff_ffff, 0xc001, 0xffff_fff1),
);
/** Base address registers, the command register and the chips' own registers more often than others. */
const register = fc.oneof(fc.integer({ min: 0x10, max: 0x33 }), fc.constantFrom(4, 5), fc.nat(0xff));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ slot: fc.constantFrom(...SLOTS), register, value: dword, width }) },
  { weight: 2, arbitrary: fc.record({ address: dword, value: dword, width }) },
  { weight: 2, arbitrary: fc.record({ port: fc.nat(0xffff), value: dword, width }) },
  { weight: 1, arbitrary: fc.record({ ticks: fc.nat(20_000) }) },
  { weight: 1, arbitrary: fc.record({ frame: fc.uint8Array({ maxLength: 200 }), card: fc.nat(3) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const littleEndian = (value: number, count: Width): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => (value >>> (8 * i)) & 0xff);

function take({ pci, machine }: Pc, item: Step): void {
  if ('slot' in item) {
    const address = 0x8000_0000 + item.slot.device * 0x800 + item.slot.function * 0x100 + (item.register & 0xfc);
    pci.ports.write(0, address, 4);
    const offset = 4 + (item.register & 3 & -item.width);
    pci.ports.write(offset, item.value % 2 ** (8 * item.width), item.width);
    pci.ports.read(offset, item.width);
  } else if ('address' in item) {
    machine.cpu.physical.write(item.address, littleEndian(item.value, item.width));
    machine.cpu.physical.read(item.address, item.width);
  } else if ('port' in item) {
    const mapping = pci.portAt(item.port);
    mapping?.handler.write(item.port - mapping.base, item.value % 2 ** (8 * item.width), item.width);
    mapping?.handler.read(item.port - mapping.base, item.width);
  } else if ('ticks' in item) {
    machine.run(machine.tick + item.ticks);
  } else {
    machine.gate.admit('frame', Uint8Array.of(item.card, ...item.frame));
  }
}

/** More of them: PCI_HOSTILE=n. */
it('PCI takes any configuration: no access goes where it must not, and what comes of it is state', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
      const [one, other] = [pc(), pc()];
      for (const item of steps) take(one, item);
      expect(Buffer.compare(flashOf(one), FLASH)).toBe(0);
      // Memory and sections moved over make the same machine: nothing of the configuration lies outside.
      const snapshot = one.machine.save();
      const { physical } = one.machine.cpu;
      for (let page = 0; page < physical.pageCount; page++)
        other.machine.cpu.physical.page(page).set(physical.page(page));
      other.machine.restore(snapshot);
      expect(other.machine.save()).toEqual(snapshot);
      for (const machine of [one.machine, other.machine]) machine.run(machine.tick + 10_000);
      expect(other.machine.save()).toEqual(one.machine.save());
    }),
    { numRuns: Number(process.env.PCI_HOSTILE ?? 15) },
  );
});
