import { beforeEach, describe, expect, it } from 'vitest';
import { Dma } from '../../../src/devices/dma.js';
import { Bench } from './conformance.js';

describe('8237A pair', () => {
  let bench: Bench;
  let dma: Dma;
  /** What went into memory. */
  let written: [address: number, bytes: number[]][];
  beforeEach(() => {
    bench = new Bench();
    written = [];
    dma = new Dma('dma', {
      read: (address, count) => Uint8Array.from({ length: count }, (_, i) => address + i),
      write: (address, bytes) => written.push([address, [...bytes]]),
    });
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

  describe('a transfer', () => {
    /** Channel 2 at 5FFF0h + `low`. */
    function program(mode: number, low: number, count: number): void {
      bench.write(0x0c, 0);
      for (const byte of [(0xfff0 + low) & 0xff, (0xfff0 + low) >> 8]) bench.write(0x04, byte);
      for (const byte of [(count - 1) & 0xff, (count - 1) >> 8]) bench.write(0x05, byte);
      bench.write(0x81, 0x05);
      bench.write(0x0b, mode);
      bench.write(0x0a, 0x02);
    }
    const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => i + 1);
    const current = (): number[] => {
      bench.write(0x0c, 0);
      return [bench.read(0x04) | (bench.read(0x04) << 8), bench.read(0x05) | (bench.read(0x05) << 8)];
    };

    it('goes to memory piece by piece until terminal count, which masks the channel', () => {
      program(0x46, 0, 5);
      expect(dma.deviceToMemory(2, bytes(3))).toEqual({ count: 3, isTerminal: false });
      expect(current()).toEqual([0xfff3, 1]);
      expect(dma.deviceToMemory(2, bytes(3))).toEqual({ count: 2, isTerminal: true });
      expect(written).toEqual([
        [0x5_fff0, [1, 2, 3]],
        [0x5_fff3, [1, 2]],
      ]);
      expect([bench.read(0x0f), bench.read(0x08), bench.read(0x08)]).toEqual([0xff, 0x04, 0]);
      expect(current()).toEqual([0xfff5, 0xffff]);
      expect(dma.deviceToMemory(2, bytes(3))).toEqual({ count: 0, isTerminal: false });
    });

    it.each([
      ['demand', 0x06],
      ['single', 0x46],
      ['block', 0x86],
    ])('is the same in %s mode', (_mode, mode) => {
      program(mode, 0, 3);
      expect(dma.deviceToMemory(2, bytes(3))).toEqual({ count: 3, isTerminal: true });
      expect(written).toEqual([[0x5_fff0, [1, 2, 3]]]);
    });

    it('comes from memory', () => {
      program(0x4a, 0, 4);
      const got = new Uint8Array(6);
      expect(dma.memoryToDevice(2, got)).toEqual({ count: 4, isTerminal: true });
      expect([...got]).toEqual([0xf0, 0xf1, 0xf2, 0xf3, 0, 0]);
    });

    it('moves nothing to verify, and counts', () => {
      program(0x42, 0, 4);
      expect(dma.deviceToMemory(2, bytes(4))).toEqual({ count: 4, isTerminal: true });
      expect(written).toEqual([]);
      program(0x42, 0, 4);
      const got = new Uint8Array(4);
      expect(dma.memoryToDevice(2, got)).toEqual({ count: 4, isTerminal: true });
      expect([...got]).toEqual([0, 0, 0, 0]);
    });

    it('moves nothing against its direction', () => {
      program(0x4a, 0, 2);
      dma.deviceToMemory(2, bytes(2));
      expect(written).toEqual([]);
    });

    it('wraps within 64 KiB: the page does not count', () => {
      program(0x46, 0x0e, 4);
      dma.deviceToMemory(2, bytes(4));
      expect(written).toEqual([
        [0x5_fffe, [1, 2]],
        [0x5_0000, [3, 4]],
      ]);
    });

    it('goes downwards', () => {
      program(0x66, 0, 3);
      dma.deviceToMemory(2, bytes(3));
      expect(written).toEqual([
        [0x5_fff0, [1]],
        [0x5_ffef, [2]],
        [0x5_ffee, [3]],
      ]);
    });

    it('begins anew by itself', () => {
      program(0x56, 0, 2);
      expect(dma.deviceToMemory(2, bytes(2)).isTerminal).toBe(true);
      expect([current(), bench.read(0x0f), bench.read(0x08)]).toEqual([[0xfff0, 1], 0xfb, 0x04]);
      expect(dma.deviceToMemory(2, bytes(2)).isTerminal).toBe(true);
      expect(written[1]).toEqual([0x5_fff0, [1, 2]]);
    });

    it('waits while the channel is masked or the controller off', () => {
      program(0x46, 0, 2);
      bench.write(0x0a, 0x06);
      expect(dma.deviceToMemory(2, bytes(2)).count).toBe(0);
      bench.write(0x0a, 0x02);
      bench.write(0x08, 0x04);
      expect(dma.deviceToMemory(2, bytes(2)).count).toBe(0);
      bench.write(0x08, 0);
      expect(dma.deviceToMemory(2, bytes(2)).count).toBe(2);
    });

    it('has words on channels 4-7, at twice the address', () => {
      bench.write(0xd8, 0);
      for (const byte of [0xff, 0xff]) bench.write(0xc4, byte);
      for (const byte of [1, 0]) bench.write(0xc6, byte);
      bench.write(0x8b, 0x13);
      bench.write(0xd6, 0x45);
      bench.write(0xd4, 0x01);
      expect(dma.deviceToMemory(5, bytes(5))).toEqual({ count: 4, isTerminal: true });
      expect(written).toEqual([
        [0x13_fffe, [1, 2]],
        [0x12_0000, [3, 4]],
      ]);
    });
  });
});
