import { describe, expect, it } from 'vitest';
import { MmioBus, PortBus, type PortHandler } from '../../../src/core/bus.js';
import { PciConfigSpace, type PciFunction } from '../../../src/devices/pci/config-space.js';
import { I440Fx } from '../../../src/devices/pci/i440fx.js';
import { PCI_PORT_COUNT, PciBus } from '../../../src/devices/pci/pci-bus.js';
import { Piix3 } from '../../../src/devices/pci/piix3.js';
import { Piix4Pm } from '../../../src/devices/pci/piix4-pm.js';
import { deviceConformance } from './conformance.js';

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;

function recording(log: string[], name: string): PortHandler {
  return {
    read: (offset, width) => {
      log.push(`${name} read ${offset}/${width}`);
      return 0x5a;
    },
    write: (offset, value, width) => void log.push(`${name} write ${offset}/${width} ${value}`),
  };
}

/** A card with an I/O BAR of 32 ports, a memory BAR of 4 KiB and a frame buffer of 64 KiB. */
function card(log: string[]): PciFunction {
  return {
    config: new PciConfigSpace({
      vendorId: 0x1234,
      deviceId: 0x5678,
      classCode: 0x020000,
      interruptPin: 1,
      bars: [
        { index: 0, space: 'io', sizeBytes: 32, handler: recording(log, 'io') },
        { index: 1, space: 'memory', sizeBytes: 4096, handler: recording(log, 'memory') },
        { index: 2, space: 'memory', sizeBytes: 65536, prefetchable: true, handler: null, deviceMemory: 0x10000 },
      ],
    }),
  };
}

function board() {
  const log: string[] = [];
  const ports = new PortBus();
  const mmio = new MmioBus();
  const bus = new PciBus('pci', {
    onReset: () => log.push('reset'),
    onAperture: (name, aperture) => log.push(`${name} ${aperture === null ? 'gone' : aperture.base.toString(16)}`),
  });
  ports.map('pci', CONFIG_ADDRESS, PCI_PORT_COUNT, bus.ports);
  ports.movable = (port) => bus.portAt(port);
  mmio.movable = (address) => bus.memoryAt(address);
  const target = bus.plug('card', 3, 0, card(log));
  const select = (register: number, device = 3): void =>
    ports.write(CONFIG_ADDRESS, 0x8000_0000 + device * 0x800 + (register & 0xfc), 4);
  const read = (register: number, width: 1 | 2 | 4 = 4, device = 3): number => {
    select(register, device);
    return ports.read(CONFIG_DATA + (register & 3), width);
  };
  const write = (register: number, value: number, width: 1 | 2 | 4 = 4): void => {
    select(register);
    ports.write(CONFIG_DATA + (register & 3), value, width);
  };
  return { log, ports, mmio, bus, target, read, write };
}

describe('PCI configuration', () => {
  it('finds a function by its numbers and nothing where there is none', () => {
    const { read, ports } = board();
    expect(read(0)).toBe(0x5678_1234);
    expect(read(2, 2)).toBe(0x5678);
    expect(read(0x0b, 1)).toBe(0x02);
    expect(read(0, 4, 4)).toBe(0xffff_ffff);
    ports.write(CONFIG_ADDRESS, 0x8001_1800, 4);
    expect(ports.read(CONFIG_DATA, 4)).toBe(0xffff_ffff);
    ports.write(CONFIG_ADDRESS, 0x0000_1800, 4);
    expect(ports.read(CONFIG_DATA, 4)).toBe(0xffff_ffff);
  });

  it('tells the sizes of base address registers to whoever writes ones', () => {
    const { read, write } = board();
    for (const bar of [0x10, 0x14, 0x18, 0x1c]) write(bar, 0xffff_ffff);
    expect([0x10, 0x14, 0x18, 0x1c].map((bar) => read(bar))).toEqual([0xffff_ffe1, 0xffff_f000, 0xffff_0008, 0]);
    write(0, 0xdead_beef);
    expect(read(0)).toBe(0x5678_1234);
  });

  it('lets a card answer where its registers say, once decoding is on', () => {
    const { log, ports, mmio, write } = board();
    write(0x10, 0xc001);
    write(0x14, 0xfeb0_0000);
    expect(ports.read(0xc004, 1)).toBe(0xff);
    write(4, 3, 2);
    expect(ports.read(0xc004, 1)).toBe(0x5a);
    ports.write(0xc01f, 7, 1);
    expect(mmio.read(0xfeb0_0010, 4)).toBe(0x5a);
    write(0x10, 0xd001);
    expect(ports.read(0xc004, 1)).toBe(0xff);
    expect(ports.read(0xd004, 2)).toBe(0x5a);
    expect(log).toEqual(['io read 4/1', 'io write 31/1 7', 'memory read 16/4', 'io read 4/2']);
  });

  it('splits an access that goes beyond a card', () => {
    const { log, ports, write } = board();
    write(0x10, 0xc001);
    write(4, 1, 2);
    expect(ports.read(0xc01f, 2)).toBe(0xff5a);
    expect(log).toEqual(['io read 31/1']);
  });

  it('announces where memory of a device lies, each change once', () => {
    const { log, write } = board();
    write(0x18, 0xe000_0000);
    write(4, 2, 2);
    write(4, 2, 2);
    write(0x18, 0xe010_0000);
    write(4, 0, 2);
    expect(log).toEqual(['card.2 e0000000', 'card.2 e0100000', 'card.2 gone']);
  });

  it('resets by port CF9h', () => {
    const { log, ports } = board();
    ports.write(0xcf9, 0x02, 1);
    ports.write(0xcf9, 0x06, 1);
    ports.write(0xcf9, 0x06, 1);
    expect(log).toEqual(['reset']);
  });
});

describe('i440FX', () => {
  it('announces what the programmable attribute map says of each part', () => {
    const seen: string[] = [];
    const bridge = new I440Fx('i440fx', {
      hasTablesInRam: false,
      onShadow: (base, sizeBytes, { readsRam, writesRam }) =>
        seen.push(`${base.toString(16)}+${sizeBytes.toString(16)} ${readsRam ? 'r' : '-'}${writesRam ? 'w' : '-'}`),
    });
    expect(seen).toHaveLength(13);
    seen.length = 0;
    const pam = (offset: number, value: number): void => {
      bridge.config.write(offset, value, 1);
      bridge.configWritten();
    };
    pam(0x59, 0x30);
    pam(0x5a, 0x21);
    pam(0x5a, 0x21);
    expect(seen).toEqual(['f0000+10000 rw', 'c0000+4000 r-', 'c4000+4000 -w']);
  });
});

describe('PIIX3', () => {
  function bridge() {
    const levels = new Map<number, boolean>();
    const piix3 = new Piix3('piix3', { isaLine: (irq) => ({ set: (level) => void levels.set(irq, level) }) });
    const route = (n: number, value: number): void => {
      piix3.config.write(0x60 + n, value, 1);
      piix3.configWritten(0x60 + n, 1);
    };
    return { levels, piix3, route };
  }

  it('routes the rotated pins of slots to ISA interrupts', () => {
    const { levels, piix3, route } = bridge();
    const slot3 = piix3.line(3, 1);
    const slot7 = piix3.line(7, 1);
    slot3.set(true);
    expect(levels.size).toBe(0);
    route(2, 11);
    expect(levels.get(11)).toBe(true);
    slot7.set(true);
    slot3.set(false);
    expect(levels.get(11)).toBe(true);
    route(2, 10);
    expect([levels.get(10), levels.get(11)]).toEqual([true, false]);
    route(2, 0x8a);
    expect(levels.get(10)).toBe(false);
  });

  it('does not route to interrupts of the board', () => {
    const { levels, piix3, route } = bridge();
    piix3.line(1, 1).set(true);
    for (const irq of [0, 1, 2, 8, 13]) route(0, irq);
    expect([...levels.values()].some((level) => level)).toBe(false);
  });
});

describe('PIIX4 power management', () => {
  const registers: PortHandler = { read: () => 0x77, write: () => {} };

  it('has its registers where PMBASE says, when PMREGMISC lets it', () => {
    const pm = new Piix4Pm('pm', { registers, registerCount: 16, presetBase: 0 });
    expect(pm.ranges()).toEqual([]);
    pm.config.write(0x40, 0xb001, 4);
    expect(pm.ranges()).toEqual([]);
    pm.config.write(0x80, 1, 1);
    expect(pm.ranges()).toEqual([{ space: 'io', base: 0xb000, sizeBytes: 16, handler: registers }]);
    pm.reset();
    expect(pm.ranges()).toEqual([]);
  });

  it('is set up at power-on where there is no firmware to do it', () => {
    const pm = new Piix4Pm('pm', { registers, registerCount: 16, presetBase: 0x600 });
    expect(pm.ranges()[0]?.base).toBe(0x600);
  });
});

const open = { onReset: () => {}, onAperture: () => {} };

deviceConformance('PCI bus', {
  make: (bench) => {
    const bus = new PciBus('pci', open);
    bus.plug('card', 3, 0, card([]));
    bench.map(CONFIG_ADDRESS, PCI_PORT_COUNT, bus.ports);
    return bus;
  },
  mutate: (bench) => bench.write(CONFIG_ADDRESS, 0x8000_1810, 4),
});

deviceConformance('PIIX3', {
  make: (bench) => {
    const piix3 = new Piix3('piix3', { isaLine: (irq) => bench.line(`irq${irq}`) });
    const { config } = piix3;
    const dwordAligned = (offset: number, width: number): boolean => (offset & 3) + width <= 4;
    bench.map(0x60, 4, {
      read: (offset, width) => (dwordAligned(offset, width) ? config.read(0x60 + offset, width) : 0),
      write: (offset, value, width) => {
        if (!dwordAligned(offset, width)) return;
        config.write(0x60 + offset, value, width);
        piix3.configWritten(0x60 + offset, width);
      },
    });
    return piix3;
  },
  mutate: (bench) => bench.write(0x60, 0x0a0b_8080, 4),
});

deviceConformance('PIIX4 power management', {
  make: (bench) => {
    const pm = new Piix4Pm('pm', { registers: { read: () => 0, write: () => {} }, registerCount: 16, presetBase: 0 });
    bench.map(0xb2, 2, pm.apmPorts);
    return pm;
  },
  mutate: (bench) => bench.write(0xb2, 0xf1),
});
