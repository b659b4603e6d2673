import { beforeEach, describe, expect, it } from 'vitest';
import { Cmos } from '../../../src/devices/cmos.js';
import { Bench } from './conformance.js';

const SECOND_NS = 1_000_000_000;

describe('MC146818A', () => {
  let bench: Bench;
  let cmos: Cmos;

  function start(epochSeconds: number): void {
    bench = new Bench();
    cmos = new Cmos('cmos', { clock: bench.clock, timers: bench.timers, irq8: bench.line('irq8'), epochSeconds });
    bench.map(0x70, 2, cmos.ports);
  }
  function read(index: number): number {
    bench.write(0x70, index);
    return bench.read(0x71);
  }
  function write(index: number, value: number): void {
    bench.write(0x70, index);
    bench.write(0x71, value);
  }
  /** century year month day hour minute second, as hexadecimal digits. */
  const time = () => [0x32, 9, 8, 7, 4, 2, 0].map((index) => read(index).toString(16).padStart(2, '0')).join(' ');
  function set(text: string): void {
    const bytes = text.split(' ').map((digits) => parseInt(digits, 16));
    write(0x0b, read(0x0b) | 0x80);
    [0x32, 9, 8, 7, 4, 2, 0].forEach((index, n) => write(index, bytes[n]));
    write(0x0b, read(0x0b) & 0x7f);
  }
  const wait = (seconds: number) => bench.advanceNs(seconds * SECOND_NS);

  beforeEach(() => start(1_000_000_000)); // 2001-09-09 01:46:40, a Sunday

  it('shows the start epoch and runs with the machine clock', () => {
    expect(time()).toBe('20 01 09 09 01 46 40');
    expect(read(6)).toBe(1);
    wait(20.5);
    expect(time()).toBe('20 01 09 09 01 47 00');
    wait(22 * 3600 + 13 * 60);
    expect(time()).toBe('20 01 09 10 00 00 00');
    expect(read(6)).toBe(2);
  });

  it.each([
    ['19 99 12 31 23 59 59', '20 00 01 01 00 00 00'],
    ['20 00 02 28 23 59 59', '20 00 02 29 00 00 00'],
    ['20 00 02 29 23 59 59', '20 00 03 01 00 00 00'],
    ['20 23 02 28 23 59 59', '20 23 03 01 00 00 00'],
    ['20 24 02 28 23 59 59', '20 24 02 29 00 00 00'],
    ['21 00 02 28 23 59 59', '21 00 03 01 00 00 00'],
    ['20 24 04 30 23 59 59', '20 24 05 01 00 00 00'],
    ['19 70 01 01 00 00 00', '19 70 01 01 00 00 01'],
    ['20 38 01 19 03 14 07', '20 38 01 19 03 14 08'],
  ])('rolls over from %s to %s', (before, after) => {
    set(before);
    expect(time()).toBe(before);
    wait(1);
    expect(time()).toBe(after);
  });

  it('agrees with the platform calendar for 3000 random moments', () => {
    let x = 12345;
    for (let n = 0; n < 3000; n++) {
      x = (x * 1_103_515_245 + 12_345) % 2 ** 31;
      const seconds = x * 40;
      start(seconds);
      const iso = new Date(seconds * 1000).toISOString();
      const expected = `${iso.slice(0, 2)} ${iso.slice(2, 4)} ${iso.slice(5, 7)} ${iso.slice(8, 10)} ${iso.slice(11, 19).replaceAll(':', ' ')}`;
      expect(time()).toBe(expected);
      expect(read(6)).toBe(new Date(seconds * 1000).getUTCDay() + 1);
    }
  });

  it('offers binary and 12-hour formats', () => {
    write(0x0b, 0x06);
    set('14 18 0c 1f 17 3b 3b');
    expect(time()).toBe('14 18 0c 1f 17 3b 3b');
    write(0x0b, 0x00);
    set('20 24 12 31 81 59 59'); // 1:59:59 PM
    expect(time()).toBe('20 24 12 31 81 59 59');
    wait(1);
    expect(time()).toBe('20 24 12 31 82 00 00');
    set('20 24 12 31 12 00 00');
    write(0x0b, 0x02);
    set(time()); // the same bytes in 24-hour format: noon
    expect(time()).toBe('20 24 12 31 12 00 00');
  });

  it('counts midnight as 12 AM and noon as 12 PM', () => {
    write(0x0b, 0x00);
    set('20 24 12 30 91 59 59'); // 11:59:59 PM
    wait(1);
    expect(time()).toBe('20 24 12 31 12 00 00');
    wait(12 * 3600);
    expect(time()).toBe('20 24 12 31 92 00 00');
  });

  it('stands still while SET is 1 and keeps the phase of the second', () => {
    wait(0.25);
    write(0x0b, 0x82);
    wait(10);
    expect(time()).toBe('20 01 09 09 01 46 40');
    write(0x0b, 0x02);
    wait(0.5);
    expect(read(0)).toBe(0x40);
    wait(0.5);
    expect(read(0)).toBe(0x41);
  });

  it('takes a single register written while running', () => {
    wait(0.9);
    write(4, 0x23);
    expect(time()).toBe('20 01 09 09 23 46 40');
    wait(0.2);
    expect(time()).toBe('20 01 09 09 23 46 41');
  });

  it('keeps the weekday the guest set', () => {
    write(6, 5);
    expect(read(6)).toBe(5);
    wait(3 * 86_400);
    expect(read(6)).toBe(1);
  });

  it('raises UIP shortly before the time changes', () => {
    expect(read(0x0a)).toBe(0x26);
    wait(0.999);
    expect(read(0x0a)).toBe(0xa6);
    expect(read(0)).toBe(0x40);
    wait(0.001);
    expect(read(0x0a)).toBe(0x26);
    expect(read(0)).toBe(0x41);
  });

  it('starts half a second after the divider is released', () => {
    write(0x0a, 0x76);
    wait(5.3);
    expect(read(0)).toBe(0x40);
    write(0x0a, 0x26);
    wait(0.49);
    expect(read(0)).toBe(0x40);
    wait(0.02);
    expect(read(0)).toBe(0x41);
    wait(1);
    expect(read(0)).toBe(0x42);
  });

  it('interrupts after every update and once per reading of register C', () => {
    write(0x0b, 0x12);
    wait(0.99);
    expect(bench.levels['irq8']).toBe(false);
    wait(0.02);
    expect(bench.levels['irq8']).toBe(true);
    expect(read(0x0c) & 0x90).toBe(0x90);
    expect(bench.levels['irq8']).toBe(false);
    expect(read(0x0c)).toBe(0);
    wait(1);
    expect(bench.levels['irq8']).toBe(true);
  });

  it('sets flags without interrupts, too', () => {
    read(0x0c);
    wait(1);
    expect(read(0x0c)).toBe(0x50); // PF at 1024 Hz and UF; no IRQF
    expect(bench.timers.next).toBe(Infinity);
  });

  it.each([
    [3, 8192],
    [6, 1024],
    [1, 256],
    [15, 2],
  ])('interrupts periodically at rate %i: %i Hz', (rate, hz) => {
    write(0x0a, 0x20 | rate);
    write(0x0b, 0x42);
    let count = 0;
    const end = bench.clock.now + SECOND_NS / 4;
    while (bench.timers.next <= end) {
      bench.advance(bench.timers.next - bench.clock.now);
      expect(bench.levels['irq8']).toBe(true);
      expect(read(0x0c) & 0xc0).toBe(0xc0);
      count++;
    }
    expect(count).toBe(hz);
  });

  it('raises the alarm at its time', () => {
    write(1, 0x10);
    write(3, 0x50);
    write(5, 0x01);
    write(0x0b, 0x22);
    expect(bench.timers.next).toBe((3 * 60 + 30) * (SECOND_NS / 4));
    wait(209.9);
    expect(bench.levels['irq8']).toBe(false);
    wait(0.1);
    expect(bench.levels['irq8']).toBe(true);
    expect(read(0x0c) & 0xa0).toBe(0xa0);
    wait(86_400);
    expect(bench.levels['irq8']).toBe(true);
  });

  it('takes alarm bytes from C0h on as "any", and never fires for an impossible time', () => {
    write(1, 0x00);
    write(3, 0xc0);
    write(5, 0xff);
    write(0x0b, 0x22);
    expect(bench.timers.next).toBe(20 * (SECOND_NS / 4));
    write(5, 0x77);
    expect(bench.timers.next).toBe(Infinity);
  });

  it('keeps RAM and time over a reset, which disables interrupts', () => {
    write(0x40, 0xa5);
    write(0x0b, 0x72);
    wait(1);
    cmos.reset();
    expect(read(0x40)).toBe(0xa5);
    expect(read(0x0b)).toBe(0x02);
    expect(bench.levels['irq8']).toBe(false);
    expect(time()).toBe('20 01 09 09 01 46 41');
  });

  it('masks NMI through the index port and holds what the wiring stored', () => {
    bench.write(0x70, 0x8f);
    expect(cmos.nmiMasked).toBe(true);
    cmos.store(0x10, 0x40);
    expect(read(0x10)).toBe(0x40);
    expect(cmos.nmiMasked).toBe(false);
    expect(read(0x0d)).toBe(0x80);
  });
});
