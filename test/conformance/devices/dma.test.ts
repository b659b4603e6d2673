import { beforeEach, describe, expect, it } from 'vitest';
import { Dma } from '../../../src/devices/dma.js';
import { Bench } from './conformance.js';

describe('8237A pair', () => {
  let bench: Bench;
  let dma: Dma;
  beforeEach(() => {
    bench = new Bench();
    dma = new Dma('dma', { read: (_, count) => new Uint8Array(count), write: () => {} });
    bench.map(0x00, 16, dma.lowPorts);
    bench.map(0x80, 16, dma.pagePorts);
    bench.map(0xc0, 32, dma.highPorts);
  });

  it('takes addresses and counts byte by byte through the flip-flop', () => {
    bench.write(0x0c, 0);
    for (const byte of [0x34, 0x12]) bench.write(0x04, byte);
    for (const byte of [0xff, 0x01]) bench.write(0x05, byte);
    bench.write(0x81, 0x05);
    bench.write(0x0b, 0x46);
    bench.write(0x0a, 0x02);
    expect(dma.channel(2)).toEqual({ address: 0x51234, sizeBytes: 0x200, mode: 0x44, masked: false });
    bench.write(0x0c, 0);
    expect([bench.read(0x04), bench.read(0x04), bench.read(0x05), bench.read(0x05)]).toEqual([0x34, 0x12, 0xff, 0x01]);
  });

  it('counts words on channels 4-7', () => {
    bench.write(0xc4, 0x00);
    bench.write(0xc4, 0x80);
    bench.write(0xc6, 0x0f);
    bench.write(0xc6, 0x00);
    bench.write(0x8b, 0x13);
    expect(dma.channel(5)).toMatchObject({ address: 0x13_0000, sizeBytes: 32, masked: true });
  });

  it('masks all channels by master clear and by reset', () => {
    bench.write(0x0e, 0);
    expect(bench.read(0x0f)).toBe(0xf0);
    bench.write(0x09, 0x06);
    expect(bench.read(0x08)).toBe(0x40);
    bench.write(0x0d, 0);
    expect([bench.read(0x0f), bench.read(0x08)]).toEqual([0xff, 0]);
    bench.write(0xde, 0x03);
    expect([4, 5, 6, 7].map((n) => dma.channel(n).masked)).toEqual([true, true, false, false]);
    dma.reset();
    expect(dma.channel(6).masked).toBe(true);
  });

  it('stores page registers, those without a channel too', () => {
    bench.write(0x80, 0x42);
    expect(bench.read(0x80)).toBe(0x42);
  });
});
