import { beforeEach, describe, expect, it } from 'vitest';
import { IoApic, IO_APIC_BYTES } from '../../../src/devices/apic/io-apic.js';
import { LocalApic } from '../../../src/devices/apic/local-apic.js';
import type { ApicMessage } from '../../../src/devices/apic/message.js';
import { Bench, deviceConformance } from './conformance.js';

const BASE = 0xfee0_0000;
/** Where the tests have the registers in the bench's port space. */
const LOCAL = 0x1000;
const IO = 0x8000;

/** A local APIC whose 8259s answer 70h, with a base that tests move. */
function makeLocal(bench: Bench): { apic: LocalApic; switchOff: () => void } {
  let base: number | null = BASE;
  const apic: LocalApic = new LocalApic('apic', {
    clock: bench.clock,
    timers: bench.timers,
    base: () => base,
    onIntr: (level) => bench.line('intr').set(level),
    onNmi: () => bench.note('nmi'),
    acknowledgeExternal: () => 0x70,
    onEndOfInterrupt: (vector) => bench.note(`end of ${vector.toString(16)}`),
  });
  bench.map(LOCAL, 0x400, apic.mappingAt(BASE)!.handler);
  const switchOff = (): void => {
    base = null;
    apic.baseWritten();
  };
  return { apic, switchOff };
}

const fixed = (vector: number, more: Partial<ApicMessage> = {}): ApicMessage => ({
  mode: 0,
  vector,
  isLevel: false,
  isLogical: false,
  destination: 0,
  ...more,
});

describe('local APIC', () => {
  let bench: Bench;
  let apic: LocalApic;
  let switchOff: () => void;
  const read = (register: number): number => bench.read(LOCAL + register, 4);
  const write = (register: number, value: number): void => bench.write(LOCAL + register, value, 4);

  beforeEach(() => {
    bench = new Bench();
    ({ apic, switchOff } = makeLocal(bench));
    write(0xf0, 0x1ff);
  });

  it('says that it is version 14h with six local vectors', () => {
    expect(read(0x30)).toBe(0x0005_0014);
    expect(read(0x20)).toBe(0);
  });

  it('lets the 8259s and NMI through after a reset, with all other entries masked', () => {
    expect([0x320, 0x330, 0x340, 0x350, 0x360, 0x370].map(read)).toEqual([
      0x1_0000, 0x1_0000, 0x1_0000, 0x700, 0x400, 0x1_0000,
    ]);
    apic.lint0.set(true);
    expect(bench.levels['intr']).toBe(true);
    expect(apic.acknowledge()).toBe(0x70);
    apic.lint0.set(false);
    expect(bench.levels['intr']).toBe(false);
    apic.lint1.set(true);
    expect(bench.trace.at(-1)).toContain('nmi');
  });

  it('passes the 8259s on to the processor while IA32_APIC_BASE has it off', () => {
    write(0x350, 0x1_0000);
    apic.lint0.set(true);
    expect(bench.levels['intr']).toBe(false);
    switchOff();
    expect(bench.levels['intr']).toBe(true);
    expect(apic.mappingAt(BASE)).toBeUndefined();
    expect(apic.receive(fixed(0x40))).toBe(false);
  });

  it('serves the highest class first, and nothing of the class in service or below', () => {
    apic.receive(fixed(0x41));
    apic.receive(fixed(0x52));
    expect(apic.acknowledge()).toBe(0x52);
    expect(read(0xa0)).toBe(0x50);
    expect(bench.levels['intr']).toBe(false);
    apic.receive(fixed(0x5f));
    expect(bench.levels['intr']).toBe(false);
    apic.receive(fixed(0x61));
    expect(apic.acknowledge()).toBe(0x61);
    write(0xb0, 0);
    write(0xb0, 0);
    expect([apic.acknowledge(), apic.acknowledge()]).toEqual([0x5f, 0xff]);
    write(0xb0, 0);
    expect(apic.acknowledge()).toBe(0x41);
  });

  it('holds requests at or below the task priority back', () => {
    write(0x80, 0x40);
    apic.receive(fixed(0x4f));
    expect(bench.levels['intr']).toBe(false);
    expect(read(0x200 + 0x20)).toBe(0x8000);
    write(0x80, 0x3f);
    expect(bench.levels['intr']).toBe(true);
  });

  it('tells I/O APICs of the end of level-triggered interrupts only', () => {
    apic.receive(fixed(0x31));
    apic.acknowledge();
    write(0xb0, 0);
    expect(bench.trace.join()).not.toContain('end of');
    apic.receive(fixed(0x32, { isLevel: true }));
    apic.acknowledge();
    expect(read(0x180 + 0x10)).toBe(1 << 18);
    write(0xb0, 0);
    expect(bench.trace.at(-1)).toContain('end of 32');
  });

  it('counts down in every division and interrupts once or again and again', () => {
    write(0x320, 0x30);
    write(0x3e0, 0x3);
    write(0x380, 10);
    bench.advance(80);
    expect(read(0x390)).toBe(5);
    bench.advance(79);
    expect(bench.levels['intr']).toBe(false);
    bench.advance(1);
    expect(apic.acknowledge()).toBe(0x30);
    expect(read(0x390)).toBe(0);
    write(0xb0, 0);

    write(0x320, 0x2_0031);
    write(0x3e0, 0xb);
    write(0x380, 1000);
    for (let i = 0; i < 3; i++) {
      bench.advance(1000);
      expect(apic.acknowledge()).toBe(0x31);
      write(0xb0, 0);
    }
    expect(read(0x390)).toBe(1000);
    write(0x380, 0);
    bench.advance(5000);
    expect(bench.levels['intr']).toBe(false);
  });

  it('goes on with what is left of a count when the division changes', () => {
    write(0x3e0, 0xb);
    write(0x380, 1000);
    bench.advance(400);
    write(0x3e0, 0x0);
    expect(read(0x390)).toBe(600);
    bench.advance(200);
    expect(read(0x390)).toBe(500);
  });

  it('stretches a period that would leave the guest no time', () => {
    write(0x320, 0x2_0031);
    write(0x3e0, 0xb);
    write(0x380, 1);
    expect(bench.timers.next).toBe(bench.clock.now + 250);
  });

  it('interrupts itself by the command register, with a shorthand, its ID or its logical name', () => {
    write(0x300, 0x4_0041);
    expect(apic.acknowledge()).toBe(0x41);
    write(0xb0, 0);
    write(0x310, 0);
    write(0x300, 0x42);
    expect(apic.acknowledge()).toBe(0x42);
    write(0xb0, 0);
    write(0xd0, 0x0200_0000);
    write(0x310, 0x0200_0000);
    write(0x300, 0x843);
    expect(apic.acknowledge()).toBe(0x43);
    write(0xb0, 0);
    // Another processor, and all but itself: nobody is there.
    write(0x310, 0x0100_0000);
    write(0x300, 0x44);
    write(0x300, 0xc_0044);
    expect(bench.levels['intr']).toBe(false);
    write(0x300, 0x4_0400);
    expect(bench.trace.at(-1)).toContain('nmi');
  });

  it('finds its name in the cluster model', () => {
    write(0xe0, 0x0fff_ffff);
    write(0xd0, 0x1200_0000);
    const logical = (destination: number): boolean => apic.receive(fixed(0x50, { isLogical: true, destination }));
    expect([0x12, 0x13, 0x11, 0x22, 0xf2, 0xff].map(logical)).toEqual([true, true, false, false, true, true]);
  });

  it('reports illegal vectors and registers through ESR and its local vector', () => {
    write(0x370, 0xfe);
    write(0x300, 0x4_0005);
    expect(apic.acknowledge()).toBe(0xfe);
    apic.receive(fixed(3));
    expect(read(0x280)).toBe(0);
    read(0x3f0);
    write(0x280, 0);
    expect(read(0x280)).toBe(0xe0);
    write(0x280, 0);
    expect(read(0x280)).toBe(0);
  });

  it('masks all local vectors when software disables it, and takes no vectors then', () => {
    write(0x320, 0x30);
    write(0xf0, 0xff);
    expect([0x320, 0x350, 0x360].map(read)).toEqual([0x1_0030, 0x1_0700, 0x1_0400]);
    write(0x320, 0x30);
    expect(read(0x320)).toBe(0x1_0030);
    apic.receive(fixed(0x40));
    write(0xf0, 0x1ff);
    expect(bench.levels['intr']).toBe(false);
  });
});

describe('I/O APIC', () => {
  let bench: Bench;
  let apic: IoApic;
  let sent: ApicMessage[];
  let taken: boolean;
  const set = (register: number, value: number): void => {
    bench.write(IO, register, 4);
    bench.write(IO + 0x10, value, 4);
  };
  const get = (register: number): number => {
    bench.write(IO, register, 4);
    return bench.read(IO + 0x10, 4);
  };
  const entry = (pin: number, low: number, high = 0): void => {
    set(0x11 + 2 * pin, high);
    set(0x10 + 2 * pin, low);
  };

  beforeEach(() => {
    bench = new Bench();
    sent = [];
    taken = true;
    apic = new IoApic('io-apic', {
      send: (message) => {
        sent.push(message);
        return taken;
      },
    });
    bench.map(IO, IO_APIC_BYTES, apic.registers);
  });

  it('says that it is version 11h with 24 pins, all masked', () => {
    expect(get(1)).toBe(0x0017_0011);
    expect(get(0x10)).toBe(0x1_0000);
    expect(get(0x10 + 2 * 23)).toBe(0x1_0000);
    set(0, 0xffff_ffff);
    expect(get(0)).toBe(0x0f00_0000);
    expect(get(0x80)).toBe(0);
  });

  it('sends an edge once, and forgets one that meets a mask', () => {
    const line = apic.line(1);
    line.set(true);
    entry(1, 0x31, 0x0500_0000);
    expect(sent).toEqual([]);
    line.set(false);
    line.set(true);
    expect(sent).toEqual([{ mode: 0, vector: 0x31, isLevel: false, isLogical: false, destination: 5 }]);
  });

  it('sends a level again after the end of the interrupt for as long as it is there', () => {
    const line = apic.line(10);
    line.set(true);
    entry(10, 0x8000 | 0x800 | 0x100 | 0x51, 0xff00_0000);
    expect(sent).toEqual([{ mode: 1, vector: 0x51, isLevel: true, isLogical: true, destination: 0xff }]);
    expect(get(0x10 + 20) & 0x4000).toBe(0x4000);
    apic.endOfInterrupt(0x50);
    expect(sent).toHaveLength(1);
    apic.endOfInterrupt(0x51);
    expect(sent).toHaveLength(2);
    line.set(false);
    apic.endOfInterrupt(0x51);
    expect(sent).toHaveLength(2);
    expect(get(0x10 + 20) & 0x4000).toBe(0);
  });

  it('waits for no end of an interrupt that nobody took', () => {
    taken = false;
    entry(10, 0x8051);
    apic.line(10).set(true);
    expect(get(0x10 + 20) & 0x4000).toBe(0);
  });

  it('keeps what software cannot write', () => {
    entry(4, 0xffff_ffff, 0xffff_ffff);
    expect(get(0x10 + 8)).toBe(0x1_afff);
    expect(get(0x11 + 8)).toBe(0xff00_0000);
  });
});

deviceConformance('local APIC', {
  make: (bench) => makeLocal(bench).apic,
  prepare: (bench) => {
    bench.write(LOCAL + 0xf0, 0x1ff, 4);
    bench.write(LOCAL + 0x320, 0x2_0031, 4);
    bench.write(LOCAL + 0x380, 5000, 4);
  },
  mutate: (bench, apic) => {
    bench.write(LOCAL + 0x80, 0x20, 4);
    apic.receive(fixed(0x61, { isLevel: true }));
    bench.advance(700);
  },
  stimuli: [
    (_, apic) => apic.lint0.set(true),
    (_, apic) => apic.lint0.set(false),
    (_, apic) => void apic.receive(fixed(0x55)),
    (_, apic) => void apic.receive(fixed(0x66, { isLevel: true })),
    (bench, apic) => bench.note(`vector ${apic.acknowledge()}`),
  ],
});

deviceConformance('82093AA', {
  make: (bench) => {
    const apic = new IoApic('io-apic', {
      send: ({ vector, isLevel }) => {
        bench.note(`vector ${vector} ${isLevel}`);
        return true;
      },
    });
    bench.map(IO, IO_APIC_BYTES, apic.registers);
    return apic;
  },
  prepare: (bench) => {
    for (const [register, value] of [
      [0x10 + 8, 0x34],
      [0x10 + 20, 0x8051],
    ]) {
      bench.write(IO, register, 4);
      bench.write(IO + 0x10, value, 4);
    }
  },
  mutate: (bench, apic) => {
    apic.line(10).set(true);
    bench.write(IO, 0x12, 4);
  },
  stimuli: [
    ...[0, 4, 10, 23].flatMap((pin) => [
      (_: unknown, apic: IoApic) => apic.line(pin).set(true),
      (_: unknown, apic: IoApic) => apic.line(pin).set(false),
    ]),
    (_, apic) => apic.endOfInterrupt(0x51),
  ],
});
