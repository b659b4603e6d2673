import { beforeEach, describe, expect, it } from 'vitest';
import { tickOfCycle } from '../../../src/core/clock.js';
import { Pit, PIT_HZ } from '../../../src/devices/pit.js';
import { Bench } from './conformance.js';

describe('8254', () => {
  let bench: Bench;
  let pit: Pit;

  beforeEach(() => {
    bench = new Bench();
    pit = new Pit('pit', { clock: bench.clock, timers: bench.timers, irq0: bench.line('irq0') });
    bench.map(0x40, 4, pit.ports);
    bench.map(0x61, 1, pit.controlPorts);
    // Cycle 100, so that nothing happens at tick 0.
    goto(100);
  });

  /** Moves to the first tick of input cycle `cycle`. */
  function goto(cycle: number): void {
    bench.advance(tickOfCycle(cycle, 4, PIT_HZ) - bench.clock.now);
  }
  function program(counter: number, mode: number, count: number, bcd = 0): void {
    bench.write(0x43, (counter << 6) | 0x30 | (mode << 1) | bcd);
    bench.write(0x40 + counter, count & 0xff);
    bench.write(0x40 + counter, count >> 8);
  }
  function latched(counter: number): number {
    bench.write(0x43, counter << 6);
    const low = bench.read(0x40 + counter);
    return low | (bench.read(0x40 + counter) << 8);
  }
  function status(counter: number): number {
    bench.write(0x43, 0xe0 | (2 << counter));
    return bench.read(0x40 + counter);
  }
  const out2 = () => (bench.read(0x61) >> 5) & 1;
  const gate2 = (level: 0 | 1) => bench.write(0x61, level);
  /** OUT2 at each of `length` cycles from `from`. */
  function wave(from: number, length: number): string {
    let text = '';
    for (let n = 0; n < length; n++) {
      goto(from + n);
      text += out2() ? '-' : '_';
    }
    return text;
  }

  it('mode 0: OUT rises N + 1 pulses after the count is written and stays', () => {
    gate2(1);
    program(2, 0, 4);
    expect(wave(100, 10)).toBe('_____-----');
    expect(latched(2)).toBe((4 - 8) & 0xffff);
  });

  it('mode 0: GATE holds the count, a new first byte stops it and takes OUT low', () => {
    gate2(1);
    program(2, 0, 10);
    goto(104);
    expect(latched(2)).toBe(7);
    gate2(0);
    goto(120);
    expect(latched(2)).toBe(7);
    gate2(1);
    goto(127);
    expect(out2()).toBe(1);
    bench.write(0x42, 5);
    expect(out2()).toBe(0);
    goto(200);
    expect(out2()).toBe(0);
  });

  it('mode 1: GATE triggers and retriggers the one-shot', () => {
    program(2, 1, 3);
    expect(wave(100, 3)).toBe('---');
    gate2(1);
    expect(wave(103, 6)).toBe('___---');
    gate2(0);
    gate2(1);
    goto(110);
    gate2(0);
    gate2(1);
    expect(wave(111, 5)).toBe('___--');
  });

  it('mode 2: one low pulse in every period', () => {
    gate2(1);
    program(2, 2, 4);
    expect(wave(100, 13)).toBe('----_---_---_');
  });

  it('mode 2: a new count takes over when the period ends', () => {
    gate2(1);
    program(2, 2, 4);
    goto(102);
    bench.write(0x42, 3);
    bench.write(0x42, 0);
    expect(status(2) & 0x40).toBe(0x40);
    expect(wave(103, 9)).toBe('-_--_--_-');
    expect(status(2) & 0x40).toBe(0);
  });

  it('mode 2: GATE low takes OUT high, GATE high starts a new period', () => {
    gate2(1);
    program(2, 2, 4);
    goto(104);
    expect(out2()).toBe(0);
    gate2(0);
    expect(out2()).toBe(1);
    goto(150);
    gate2(1);
    expect(wave(150, 6)).toBe('----_-');
  });

  it('mode 3: even counts make a square, odd ones are one longer high; the count falls by two', () => {
    gate2(1);
    program(2, 3, 4);
    expect(wave(101, 8)).toBe('--__--__');
    program(2, 3, 5);
    expect(wave(109, 10)).toBe('---__---__');
    program(2, 3, 8);
    const counts = [0, 1, 2, 3, 4, 5].map((n) => (goto(120 + n), latched(2)));
    expect(counts).toEqual([6, 4, 2, 8, 6, 4]);
  });

  it('mode 3: a new count takes over at the end of the half period', () => {
    gate2(1);
    program(2, 3, 8);
    goto(102);
    bench.write(0x42, 4);
    bench.write(0x42, 0);
    expect(wave(103, 10)).toBe('--__--__--');
  });

  it('mode 4: a software-triggered strobe one pulse long', () => {
    gate2(1);
    program(2, 4, 3);
    expect(wave(100, 8)).toBe('----_---');
  });

  it('mode 5: a strobe triggered by GATE', () => {
    program(2, 5, 3);
    goto(110);
    gate2(1);
    expect(wave(110, 8)).toBe('----_---');
  });

  it('counts in BCD', () => {
    gate2(1);
    program(2, 0, 0x1000, 1);
    goto(102);
    expect(latched(2)).toBe(0x0999);
    program(2, 2, 0, 1);
    goto(104);
    expect(latched(2)).toBe(0x9999);
  });

  it('takes a count of 0 as 65536', () => {
    gate2(1);
    program(2, 2, 0);
    goto(100 + 65536);
    expect(out2()).toBe(0);
    goto(100 + 65537);
    expect(out2()).toBe(1);
  });

  it('latches a count until it is read and ignores further latches', () => {
    gate2(1);
    program(2, 2, 1000);
    goto(111);
    bench.write(0x43, 0x80);
    goto(200);
    bench.write(0x43, 0x80);
    expect(bench.read(0x42) | (bench.read(0x42) << 8)).toBe(990);
  });

  it('reads back status first, then the count, of several counters at once', () => {
    gate2(1);
    program(0, 2, 500);
    program(2, 3, 600);
    goto(102);
    bench.write(0x43, 0xca); // counters 0 and 2, count and status
    goto(300);
    expect([bench.read(0x40), bench.read(0x40), bench.read(0x40)]).toEqual([0xb4, 499 & 0xff, 499 >> 8]);
    expect([bench.read(0x42), bench.read(0x42), bench.read(0x42)]).toEqual([0xb6, 598 & 0xff, 598 >> 8]);
  });

  it('reports NULL COUNT until the count has been loaded', () => {
    program(0, 2, 500);
    expect(status(0)).toBe(0xf4);
    goto(101);
    expect(status(0)).toBe(0xb4);
  });

  it('reads single bytes as the access mode says', () => {
    bench.write(0x43, 0x24); // counter 0, MSB only, mode 2
    bench.write(0x40, 0x12);
    goto(101);
    expect(bench.read(0x40)).toBe(0x12);
    bench.write(0x43, 0x14); // LSB only
    bench.write(0x40, 0x34);
    goto(103);
    expect(bench.read(0x40)).toBe(0x33);
  });

  it('drives IRQ 0 with exact edges, 18.2 times a second by default', () => {
    program(0, 2, 0);
    goto(101 + 3 * 65536);
    const rising = bench.trace.filter((event) => event.endsWith('irq0 high')).map((event) => parseInt(event));
    expect(rising.slice(1)).toEqual([1, 2, 3].map((n) => tickOfCycle(101 + n * 65536, 4, PIT_HZ)));
  });

  it('drives a one-shot as tickless kernels use it (mode 4)', () => {
    program(0, 4, 1000);
    goto(5000);
    const edges = bench.trace.filter((event) => event.includes('irq0')).slice(1);
    expect(edges).toEqual([`${tickOfCycle(1101, 4, PIT_HZ)}: irq0 low`, `${tickOfCycle(1102, 4, PIT_HZ)}: irq0 high`]);
    expect(bench.timers.next).toBe(Infinity);
  });

  it('toggles the refresh bit every 18 cycles and keeps bits 0-3 of port 61h', () => {
    bench.write(0x61, 0xff);
    expect(bench.read(0x61) & 0xcf).toBe(0x0f);
    goto(18 * 100);
    const first = bench.read(0x61) & 0x10;
    goto(18 * 101);
    expect(bench.read(0x61) & 0x10).toBe(first ^ 0x10);
  });

  it('passes OUT2 to the speaker only with the data bit set', () => {
    program(2, 3, 4);
    bench.write(0x61, 1);
    expect(pit.speaker).toBe(false);
    bench.write(0x61, 3);
    expect(pit.speaker).toBe(true);
  });
});
