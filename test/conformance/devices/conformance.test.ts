import { Cmos } from '../../../src/devices/cmos.js';
import { Debugcon } from '../../../src/devices/debugcon.js';
import { Dma } from '../../../src/devices/dma.js';
import { I8042 } from '../../../src/devices/i8042.js';
import { scanCodesForText } from '../../../src/devices/keyboard-layout.js';
import { Ns16550 } from '../../../src/devices/ns16550.js';
import { Pic } from '../../../src/devices/pic.js';
import { Pit } from '../../../src/devices/pit.js';
import { Port92 } from '../../../src/devices/port92.js';
import { Power, POWER_PORT_COUNT } from '../../../src/devices/power.js';
import { deviceConformance } from './conformance.js';
import { makeVga } from './vga.js';

deviceConformance('8259A pair', {
  make: (bench) => {
    const pic = new Pic('pic', { onIntr: (level) => bench.line('intr').set(level), resetElcr: 0x0200 });
    bench.map(0x20, 2, pic.masterPorts);
    bench.map(0xa0, 2, pic.slavePorts);
    bench.map(0x4d0, 2, pic.elcrPorts);
    return pic;
  },
  prepare: (bench) => {
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, 0x20],
      [0x21, 4],
      [0x21, 1],
      [0xa0, 0x11],
      [0xa1, 0x28],
      [0xa1, 2],
      [0xa1, 1],
    ])
      bench.write(port, value);
  },
  mutate: (bench, pic) => {
    pic.line(4).set(true);
    pic.line(9).set(true);
    bench.write(0x21, 0x55);
  },
  stimuli: [
    ...[0, 1, 4, 7, 8, 9, 12, 14, 15].flatMap((irq) => [
      (_: unknown, pic: Pic) => pic.line(irq).set(true),
      (_: unknown, pic: Pic) => pic.line(irq).set(false),
    ]),
    (bench, pic) => bench.note(`vector ${pic.acknowledge()}`),
  ],
});

deviceConformance('8254', {
  make: (bench) => {
    const pit = new Pit('pit', { clock: bench.clock, timers: bench.timers, irq0: bench.line('irq0') });
    bench.map(0x40, 4, pit.ports);
    bench.map(0x61, 1, pit.controlPorts);
    return pit;
  },
  prepare: (bench) => {
    bench.write(0x43, 0x34);
    bench.write(0x40, 0x00);
    bench.write(0x40, 0x01);
    bench.write(0x43, 0xb6);
    bench.write(0x42, 0x33);
    bench.write(0x42, 0x05);
    bench.write(0x61, 3);
  },
  mutate: (bench) => {
    bench.write(0x43, 0x36);
    bench.write(0x40, 9);
    bench.write(0x40, 0);
    bench.advance(3000);
  },
});

deviceConformance('MC146818A', {
  make: (bench) => {
    const options = { clock: bench.clock, timers: bench.timers, irq8: bench.line('irq8'), epochSeconds: 951_782_390.5 };
    const cmos = new Cmos('cmos', options);
    bench.map(0x70, 2, cmos.ports);
    return cmos;
  },
  prepare: (bench) => {
    bench.write(0x70, 0x0b);
    bench.write(0x71, 0x72);
    bench.write(0x70, 0x0c);
  },
  mutate: (bench) => {
    bench.write(0x70, 0x0b);
    bench.write(0x71, 0x42);
    bench.write(0x70, 0x40);
    bench.write(0x71, 0x99);
    bench.advance(1_000_000);
  },
  stimuli: [
    (bench) => bench.advance(100_000_000),
    (bench) => {
      bench.write(0x70, 0x0c);
      bench.read(0x71);
    },
  ],
});

deviceConformance('16550A', {
  make: (bench) => {
    const onTransmit = (byte: number) => bench.note(`tx ${byte}`);
    const uart = new Ns16550('uart0', {
      clock: bench.clock,
      timers: bench.timers,
      irq: bench.line('irq4'),
      onTransmit,
    });
    bench.map(0x3f8, 8, uart.ports);
    return uart;
  },
  prepare: (bench) => {
    bench.write(0x3f9, 0x0f);
    bench.write(0x3fa, 0x07);
    bench.write(0x3fc, 0x0b);
  },
  mutate: (bench, uart) => {
    uart.receive(Uint8Array.of(1, 2, 3));
    bench.advanceNs(1_500_000);
    bench.write(0x3ff, 0x5a);
  },
  stimuli: [
    (_, uart) => uart.receive(Uint8Array.of(65, 66, 67, 68)),
    (_, uart) => uart.setModemInputs(0x40),
    (_, uart) => uart.setModemInputs(0xb0),
  ],
});

deviceConformance('8042', {
  make: (bench) => {
    const i8042 = new I8042('i8042', {
      clock: bench.clock,
      timers: bench.timers,
      irq1: bench.line('irq1'),
      irq12: bench.line('irq12'),
      onA20: (level) => bench.note(`a20 ${level}`),
      onReset: () => bench.note('reset'),
    });
    bench.map(0x60, 1, i8042.dataPorts);
    bench.map(0x64, 1, i8042.commandPorts);
    return i8042;
  },
  prepare: (bench) => {
    bench.write(0x64, 0xd4);
    bench.write(0x60, 0xf4);
  },
  mutate: (bench, i8042) => {
    bench.write(0x60, 0xed);
    i8042.keyBytes(scanCodesForText('a'));
    bench.advanceNs(1_000_000);
  },
  stimuli: [
    (_, i8042) => i8042.keyBytes(scanCodesForText('Ver\n')),
    (_, i8042) => i8042.mouseMove({ dx: 300, dy: -5, wheel: 1, buttons: 1 }),
    (_, i8042) => i8042.mouseMove({ dx: 0, dy: 0, wheel: -1, buttons: 0 }),
    (bench) => bench.read(0x60),
    (bench) => bench.advanceNs(400_000),
  ],
});

deviceConformance('port 92h', {
  make: (bench) => {
    const onA20 = (level: boolean) => bench.note(`a20 ${level}`);
    const port92 = new Port92('port92', { onA20, onReset: () => bench.note('reset') });
    bench.map(0x92, 1, port92.ports);
    return port92;
  },
  mutate: (bench) => bench.write(0x92, 0),
});

deviceConformance('debug console', {
  make: (bench) => {
    const debugcon = new Debugcon('debugcon', { onOutput: (byte) => bench.note(`out ${byte}`) });
    bench.map(0xe9, 1, debugcon.ports);
    return debugcon;
  },
  mutate: (bench) => bench.write(0xe9, 0x41),
});

for (const timerBits of [24, 32] as const) {
  deviceConformance(`ACPI power management, ${timerBits}-bit timer`, {
    make: (bench) => {
      const power = new Power('power', {
        clock: bench.clock,
        timers: bench.timers,
        sci: bench.line('sci'),
        onPowerOff: () => bench.note('off'),
        timerBits,
      });
      bench.map(0x600, POWER_PORT_COUNT, power.ports);
      return power;
    },
    prepare: (bench) => bench.write(0x602, 0x0101, 2),
    mutate: (bench, power) => {
      bench.write(0x602, 0x0101, 2);
      power.pressPowerButton();
    },
    stimuli: [(_, power) => power.pressPowerButton(), (bench) => bench.advance(500_000_000)],
  });
}

deviceConformance('VGA', {
  make: (bench) => {
    const vga = makeVga(bench);
    bench.map(0xa00, 16, vga.window);
    return vga;
  },
  mutate: (bench) => {
    bench.write(0x3d4, 0x0e);
    bench.write(0x3d5, 0x12);
  },
  stimuli: [(bench, vga) => bench.note(vga.screenText()), (bench, vga) => bench.note(JSON.stringify(vga.cursor()))],
});

deviceConformance('8237A pair', {
  make: (bench) => {
    const dma = new Dma('dma', { read: (_, count) => new Uint8Array(count), write: () => {} });
    bench.map(0x00, 16, dma.lowPorts);
    bench.map(0x80, 16, dma.pagePorts);
    bench.map(0xc0, 32, dma.highPorts);
    return dma;
  },
  mutate: (bench) => {
    bench.write(0x04, 0x34);
    bench.write(0x81, 0x12);
  },
  stimuli: [(bench, dma) => bench.note(JSON.stringify(dma.channel(5)))],
});
