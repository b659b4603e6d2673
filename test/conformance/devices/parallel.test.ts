import { beforeEach, describe, expect, it } from 'vitest';
import { Parallel, PARALLEL_PORT_COUNT } from '../../../src/devices/parallel.js';
import { Bench, deviceConformance } from './conformance.js';

const [DATA, STATUS, CONTROL] = [0x378, 0x379, 0x37a];

function wire(bench: Bench, printed: number[] = []): Parallel {
  const { clock, timers } = bench;
  const irq = bench.line('irq7');
  const parallel = new Parallel('parallel0', { clock, timers, irq, onByte: (byte) => printed.push(byte) });
  bench.map(DATA, PARALLEL_PORT_COUNT, parallel.ports);
  return parallel;
}

describe('parallel port', () => {
  let bench: Bench;
  let printed: number[];
  beforeEach(() => {
    bench = new Bench();
    printed = [];
    wire(bench, printed);
  });

  function print(byte: number, control = 0x0c): void {
    bench.write(DATA, byte);
    bench.write(CONTROL, control | 1);
    bench.write(CONTROL, control);
  }

  it('has a printer that is selected and ready', () => {
    expect(bench.read(STATUS)).toBe(0xdf);
    expect(bench.read(CONTROL)).toBe(0xc4);
    bench.write(DATA, 0x55);
    expect(bench.read(DATA)).toBe(0x55);
    bench.write(CONTROL, 0x2c);
    expect(bench.read(DATA)).toBe(0xff);
  });

  it('takes a character at the strobe, is busy, and acknowledges', () => {
    print(0x41);
    expect(printed).toEqual([0x41]);
    expect(bench.read(STATUS) & 0xc0).toBe(0x40);
    bench.advanceNs(2_000);
    expect(bench.read(STATUS) & 0xc0).toBe(0);
    bench.advanceNs(1_000);
    expect(bench.read(STATUS) & 0xc0).toBe(0xc0);
    expect(bench.levels.irq7).toBe(false);
  });

  it('loses what comes while it is busy', () => {
    print(0x41);
    print(0x42);
    bench.advanceNs(3_000);
    print(0x43);
    expect(printed).toEqual([0x41, 0x43]);
  });

  it('interrupts when the acknowledge ends, until the status is read', () => {
    print(0x41, 0x1c);
    bench.advanceNs(2_000);
    expect(bench.levels.irq7).toBe(false);
    bench.advanceNs(1_000);
    expect(bench.levels.irq7).toBe(true);
    expect(bench.read(STATUS) & 0x04).toBe(0);
    expect(bench.levels.irq7).toBe(false);
    expect(bench.read(STATUS) & 0x04).toBe(0x04);
    print(0x42, 0x1c);
    bench.advanceNs(3_000);
    expect(bench.levels.irq7).toBe(true);
    // The next character lowers the line, so that there is an edge again.
    print(0x43, 0x1c);
    expect(bench.levels.irq7).toBe(false);
    bench.advanceNs(3_000);
    expect(bench.levels.irq7).toBe(true);
    bench.write(CONTROL, 0x0c);
    expect(bench.levels.irq7).toBe(false);
  });
});

deviceConformance('parallel port', {
  make: (bench) => wire(bench),
  mutate: (bench) => {
    bench.write(DATA, 0x33);
    bench.write(CONTROL, 0x1d);
  },
});
