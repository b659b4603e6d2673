import { beforeEach, describe, expect, it } from 'vitest';
import { codePage437 } from '../../../src/devices/vga/code-page-437.js';
import type { Vga } from '../../../src/devices/vga/vga.js';
import { Bench } from './conformance.js';
import { makeVga } from './vga.js';

describe('VGA text mode', () => {
  let bench: Bench;
  let vga: Vga;

  beforeEach(() => {
    bench = new Bench();
    vga = makeVga(bench);
  });
  function put(row: number, column: number, text: string, start = 0): void {
    [...text].forEach((c, n) => {
      vga.window.write(0x18000 + 2 * (start + row * 80 + column + n), c.charCodeAt(0), 1);
    });
  }
  function crtc(index: number, value: number): void {
    bench.write(0x3d4, index | (value << 8), 2);
  }

  it('starts in 80 x 25 colour text', () => {
    expect([vga.columns, vga.rows, vga.isTextMode]).toEqual([80, 25, true]);
    expect(vga.screenText()).toBe('\n'.repeat(24));
  });

  it('shows text without trailing blanks, in Unicode', () => {
    put(0, 0, 'C:\\>ver');
    put(2, 4, 'x');
    vga.window.write(0x18000 + 2 * 3 * 80, 0xc9, 1);
    vga.window.write(0x18000 + 2 * (3 * 80 + 1), 0xcd, 1);
    expect(vga.screenText().split('\n').slice(0, 4)).toEqual(['C:\\>ver', '', '    x', '╔═']);
  });

  it('follows the start address', () => {
    put(0, 0, 'hello', 160);
    crtc(0x0d, 160);
    expect(vga.screenText().split('\n')[0]).toBe('hello');
  });

  it('follows the character height: 50 rows with 8 lines each', () => {
    crtc(9, 0x47);
    expect(vga.rows).toBe(50);
  });

  it('tells where the cursor is and whether it shows', () => {
    crtc(0x0e, (3 * 80 + 7) >> 8);
    crtc(0x0f, (3 * 80 + 7) & 0xff);
    expect(vga.cursor()).toEqual({ row: 3, column: 7, visible: true });
    crtc(0x0d, 80);
    expect(vga.cursor()).toEqual({ row: 2, column: 7, visible: true });
    crtc(0x0a, 0x20);
    expect(vga.cursor().visible).toBe(false);
  });

  it('protects CRTC registers 0-7 but for the line compare bit', () => {
    crtc(0, 0x11);
    crtc(7, 0x00);
    bench.write(0x3d4, 0);
    expect(bench.read(0x3d5)).toBe(0x5f);
    bench.write(0x3d4, 7);
    expect(bench.read(0x3d5)).toBe(0x0f);
    crtc(0x11, 0x0e);
    crtc(0, 0x11);
    bench.write(0x3d4, 0);
    expect(bench.read(0x3d5)).toBe(0x11);
  });

  it('switches index and data at 3C0h, back to index by reading 3DAh', () => {
    bench.read(0x3da);
    bench.write(0x3c0, 0x31);
    bench.write(0x3c0, 0x15);
    bench.write(0x3c0, 0x31);
    expect(bench.read(0x3c1)).toBe(0x15);
    bench.read(0x3da);
    bench.write(0x3c0, 0x30);
    expect(bench.read(0x3c0)).toBe(0x30);
  });

  it('moves between 3Bxh and 3Dxh with misc output bit 0', () => {
    bench.write(0x3d4, 0x0e);
    bench.write(0x3c2, 0x66);
    expect(bench.read(0x3d4)).toBe(0xff);
    expect(bench.read(0x3b4)).toBe(0x0e);
    expect(bench.read(0x3cc)).toBe(0x66);
  });

  it('writes and reads palette entries in threes', () => {
    bench.write(0x3c8, 200);
    for (const component of [1, 2, 3, 4, 5, 0xff]) bench.write(0x3c9, component);
    expect(bench.read(0x3c7)).toBe(0);
    bench.write(0x3c7, 200);
    expect(bench.read(0x3c7)).toBe(3);
    expect([0, 0, 0, 0, 0, 0].map(() => bench.read(0x3c9))).toEqual([1, 2, 3, 4, 5, 0x3f]);
  });

  it('shows vertical retrace 70 times a second', () => {
    let retraces = 0;
    let before = 0;
    for (let n = 0; n < 50_000; n++) {
      const now = bench.read(0x3da) & 0x08;
      if (now && !before) retraces++;
      before = now;
      bench.advanceNs(20_000);
    }
    expect(retraces).toBe(70);
  });

  it('says until when input status 1 stands, and nothing of the kind about other ports', () => {
    const seen = new Set<number>();
    for (let n = 0; n < 2_000; n++) {
      bench.advance(1 + ((n * 7919) % 20_011));
      const value = bench.read(0x3da);
      seen.add(value);
      const until = bench.ports.steadyUntil(0x3da);
      expect(until).toBeGreaterThan(bench.clock.now);
      const left = until - bench.clock.now;
      for (const ticks of [1, left >> 1, left - 1]) {
        const peeked = { ...bench.clock };
        bench.clock.now += Math.min(ticks, left - 1);
        expect(bench.ports.read(0x3da, 1)).toBe(value);
        bench.clock.now = peeked.now;
      }
    }
    // Displaying, between lines, and in the vertical retrace.
    expect(seen.size).toBeGreaterThanOrEqual(3);
    for (const port of [0x3c0, 0x3c5, 0x3c9, 0x3ba, 0x3d5]) expect(bench.ports.steadyUntil(port), `${port}`).toBe(0);
  });

  it('knows graphics from text', () => {
    bench.read(0x3da);
    bench.write(0x3c0, 0x30);
    bench.write(0x3c0, 0x01);
    expect(vga.isTextMode).toBe(false);
  });

  it('has a character for each of the 256 codes', () => {
    const all = Array.from({ length: 256 }, (_, byte) => codePage437(byte));
    expect(all.every((c) => typeof c === 'string' && c.length === 1)).toBe(true);
    expect([all[0x41], all[0x81], all[0xb0], all[0xe1], all[0xf8]]).toEqual(['A', 'ü', '░', 'ß', '°']);
  });
});
