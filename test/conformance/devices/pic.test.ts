import { beforeEach, describe, expect, it } from 'vitest';
import { Pic } from '../../../src/devices/pic.js';
import { Bench } from './conformance.js';

describe('8259A pair', () => {
  let bench: Bench;
  let pic: Pic;
  const intr = () => bench.levels['intr'];

  /** ICW1-ICW4 as a PC's firmware writes them; vectors 20h and 28h. */
  function initialise(icw4 = 0x01, icw1 = 0x11): void {
    for (const [base, vector, icw3] of [
      [0x20, 0x20, 0x04],
      [0xa0, 0x28, 0x02],
    ]) {
      bench.write(base, icw1);
      bench.write(base + 1, vector);
      bench.write(base + 1, icw3);
      bench.write(base + 1, icw4);
    }
  }
  const raise = (irq: number) => pic.line(irq).set(true);
  const lower = (irq: number) => pic.line(irq).set(false);
  const eoi = (port = 0x20) => bench.write(port, 0x20);
  function isr(port = 0x20): number {
    bench.write(port, 0x0b);
    return bench.read(port);
  }
  function irr(port = 0x20): number {
    bench.write(port, 0x0a);
    return bench.read(port);
  }

  beforeEach(() => {
    bench = new Bench();
    bench.line('intr');
    pic = new Pic('pic', { onIntr: (level) => bench.line('intr').set(level) });
    bench.map(0x20, 2, pic.masterPorts);
    bench.map(0xa0, 2, pic.slavePorts);
    bench.map(0x4d0, 2, pic.elcrPorts);
    initialise();
  });

  it('is silent before it is initialised', () => {
    const blank = new Pic('blank', { onIntr: (level) => expect(level).toBe(false) });
    blank.line(0).set(true);
    expect(blank.masterPorts.read(1, 1)).toBe(0xff);
  });

  it('delivers the vector of a request and drops INTR during INTA', () => {
    raise(4);
    expect(intr()).toBe(true);
    expect(pic.acknowledge()).toBe(0x24);
    expect(intr()).toBe(false);
    expect([isr(), irr()]).toEqual([0x10, 0]);
  });

  it('clears mask, service and request registers and forgets old edges when ICW1 is written', () => {
    raise(3);
    bench.write(0x21, 0xaa);
    initialise();
    expect(bench.read(0x21)).toBe(0);
    expect(intr()).toBe(false);
    lower(3);
    raise(3);
    expect(intr()).toBe(true);
  });

  it('holds requests back while masked', () => {
    bench.write(0x21, 0x10);
    raise(4);
    expect(intr()).toBe(false);
    expect(irr()).toBe(0x10);
    bench.write(0x21, 0);
    expect(intr()).toBe(true);
  });

  it('nests only better priorities', () => {
    raise(5);
    pic.acknowledge();
    raise(6);
    expect(intr()).toBe(false);
    raise(1);
    expect(pic.acknowledge()).toBe(0x21);
    expect(isr()).toBe(0x22);
    eoi();
    expect(isr()).toBe(0x20);
    expect(intr()).toBe(false);
    eoi();
    expect(pic.acknowledge()).toBe(0x26);
  });

  it('needs a new edge for another interrupt of an edge-triggered line', () => {
    raise(4);
    pic.acknowledge();
    eoi();
    expect(intr()).toBe(false);
    lower(4);
    raise(4);
    expect(intr()).toBe(true);
  });

  it('repeats a level-triggered interrupt until the line falls', () => {
    bench.write(0x4d0, 0xff);
    expect(bench.read(0x4d0)).toBe(0xf8);
    raise(5);
    pic.acknowledge();
    expect(intr()).toBe(false);
    eoi();
    expect(pic.acknowledge()).toBe(0x25);
    lower(5);
    eoi();
    expect(intr()).toBe(false);
  });

  it('keeps IRQ 8 and 13 edge-triggered whatever the ELCR is told', () => {
    bench.write(0x4d1, 0xff);
    expect(bench.read(0x4d1)).toBe(0xde);
  });

  it('answers a request that went away with the spurious vector 7 and no service bit', () => {
    raise(3);
    lower(3);
    expect(intr()).toBe(false);
    expect(pic.acknowledge()).toBe(0x27);
    expect(isr()).toBe(0);
  });

  it('answers with spurious IRQ 15 when the slave has nothing, leaving the master in service', () => {
    // The slave listens to cascade number 3, which the master's IRQ 3 announces.
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, 0x20],
      [0x21, 0x08],
      [0x21, 1],
      [0xa0, 0x11],
      [0xa1, 0x28],
      [0xa1, 3],
      [0xa1, 1],
    ])
      bench.write(port, value);
    raise(3);
    expect(pic.acknowledge()).toBe(0x2f);
    expect([isr(0x20), isr(0xa0)]).toEqual([0x08, 0]);
  });

  it('cascades: the vector comes from the slave and both are in service', () => {
    raise(12);
    expect(pic.acknowledge()).toBe(0x2c);
    expect([isr(0x20), isr(0xa0)]).toEqual([0x04, 0x10]);
    eoi(0xa0);
    eoi(0x20);
    raise(14);
    expect(pic.acknowledge()).toBe(0x2e);
  });

  it('announces a second request of the slave with a new edge at the master', () => {
    raise(14);
    raise(15);
    expect(pic.acknowledge()).toBe(0x2e);
    eoi(0xa0);
    eoi(0x20);
    expect(intr()).toBe(true);
    expect(pic.acknowledge()).toBe(0x2f);
    expect(isr(0xa0)).toBe(0x80);
  });

  it('lets a better request of the slave interrupt only in special fully nested mode', () => {
    raise(14);
    pic.acknowledge();
    raise(8);
    expect(intr()).toBe(false);
    initialise(0x11);
    lower(14);
    lower(8);
    raise(14);
    pic.acknowledge();
    raise(8);
    expect(intr()).toBe(true);
    expect(pic.acknowledge()).toBe(0x28);
  });

  it('ends a specific level', () => {
    raise(3);
    pic.acknowledge();
    raise(1);
    pic.acknowledge();
    bench.write(0x20, 0x63);
    expect(isr()).toBe(0x02);
  });

  it('rotates so that the level just served is last', () => {
    raise(0);
    pic.acknowledge();
    bench.write(0x20, 0xa0); // rotate on non-specific EOI
    lower(0);
    raise(0);
    raise(7);
    expect(pic.acknowledge()).toBe(0x27);
  });

  it('sets priorities by command', () => {
    bench.write(0x20, 0xc4); // IRQ 4 lowest, IRQ 5 highest
    raise(3);
    raise(4);
    raise(6);
    expect(pic.acknowledge()).toBe(0x26);
    bench.write(0x20, 0x66);
    expect(pic.acknowledge()).toBe(0x23);
    bench.write(0x20, 0x63);
    expect(pic.acknowledge()).toBe(0x24);
  });

  it('ends interrupts by itself in automatic EOI mode, rotating if told', () => {
    initialise(0x03);
    raise(1);
    pic.acknowledge();
    expect(isr()).toBe(0);
    bench.write(0x20, 0x80);
    raise(5);
    pic.acknowledge();
    raise(6);
    raise(4);
    expect(pic.acknowledge()).toBe(0x26);
  });

  it('lets lower levels through in special mask mode while the level in service is masked', () => {
    raise(3);
    pic.acknowledge();
    raise(5);
    expect(intr()).toBe(false);
    bench.write(0x20, 0x68);
    bench.write(0x21, 0x08);
    expect(pic.acknowledge()).toBe(0x25);
    eoi();
    expect(isr()).toBe(0x08);
    eoi();
    expect(isr(), 'a masked level is no target of a non-specific EOI').toBe(0x08);
    bench.write(0x20, 0x48);
    eoi();
    expect(isr()).toBe(0);
  });

  it('is polled: the read acknowledges and names the level', () => {
    raise(6);
    bench.write(0x20, 0x0c);
    expect(bench.read(0x20)).toBe(0x86);
    expect(isr()).toBe(0x40);
    bench.write(0x20, 0x0c);
    expect(bench.read(0x20)).toBe(0);
  });

  it('starts with the ELCR that the wiring asks for', () => {
    const wired = new Pic('wired', { onIntr: () => {}, resetElcr: 1 << 9 });
    expect([wired.elcrPorts.read(0, 1), wired.elcrPorts.read(1, 1)]).toEqual([0, 2]);
  });
});
