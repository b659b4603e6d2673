import fc from 'fast-check';
import { expect, it } from 'vitest';
import { E1000 } from '../../../src/devices/net/e1000/registers.js';
import { E1000Card } from '../../../src/devices/net/e1000/e1000.js';
import { Ne2000 } from '../../../src/devices/net/ne2000.js';
import type { NetworkCard, NetworkCardOptions } from '../../../src/devices/net/network-card.js';
import { PCI, PCI_COMMAND } from '../../../src/devices/pci/config-space.js';
import { Bench } from './conformance.js';
import { cardOptions, MAC } from './network-card.js';

const RAM = 0x2_0000;
const RING = 0x1000;
const DESCRIPTORS = 64;
const BUFFERS = 0x8000;
const BUFFER_BYTES = 0x100;
/** From buffer to buffer: between two lies what no frame may reach. */
const BUFFER_STRIDE = 0x200;

/** What a program on the host may hand over: any length up to what a stream carries, to anybody, of any type. */
const frame = fc
  .tuple(
    fc.oneof(
      fc.nat(64),
      fc.nat(1600),
      fc.nat(70_000),
      fc.constantFrom(0, 5, 13, 14, 17, 18, 59, 60, 1514, 1518, 1519, 16_384),
    ),
    fc.constantFrom([...MAC], [255, 255, 255, 255, 255, 255], [1, 0, 0x5e, 0, 0, 1], [2, 0, 0, 0, 0, 9]),
    fc.constantFrom([0x08, 0x00], [0x81, 0x00], [0x86, 0xdd], [0xff, 0xff]),
    fc.nat(255),
  )
  .map(([length, to, type, fill]) => {
    const bytes = new Uint8Array(Math.max(length, 14)).fill(fill);
    bytes.set(to, 0);
    bytes.set(type, 12);
    return bytes.subarray(0, length);
  });

function options(bench: Bench, ram: Uint8Array): NetworkCardOptions {
  return {
    ...cardOptions(bench, ram),
    transmit: () => {},
  };
}

it('an e1000 takes any frame that there is, and writes to its buffers and descriptors alone', () => {
  let taken = 0;
  const rctl = fc.tuple(fc.nat(0xffff_ffff), fc.boolean()).map(([bits, isUsual]) => (isUsual ? 0x0003_803a : bits | 2));
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 40 }), rctl, fc.nat(0xffff_ffff), (frames, control, ctrl) => {
      const bench = new Bench();
      const ram = new Uint8Array(RAM);
      const view = new DataView(ram.buffer);
      for (let n = 0; n < DESCRIPTORS; n++) view.setUint32(RING + 16 * n, BUFFERS + BUFFER_STRIDE * n, true);
      const card = new E1000Card('net0', options(bench, ram));
      card.config.write(PCI.command, PCI_COMMAND.memory | PCI_COMMAND.busMaster, 2);
      const registers = card.config.bars[0]!.handler!;
      // Sizes of buffers are the guest's word: here 256 bytes, so that what a card writes beyond is seen.
      const size = 0x0003_0000;
      for (const [register, value] of [
        [E1000.CTRL, ctrl & ~0x0400_0000],
        [E1000.RDBAL, RING],
        [E1000.RDLEN, DESCRIPTORS * 16],
        [E1000.RDT, DESCRIPTORS - 1],
        [E1000.RCTL, ((control | size) & ~0x0200_0000) >>> 0],
      ] as const) {
        registers.write(register, value >>> 0, 4);
      }
      const isOutside = (at: number): boolean => {
        if (at < BUFFERS) return at < RING || at >= RING + DESCRIPTORS * 16;
        return at >= BUFFERS + BUFFER_STRIDE * DESCRIPTORS || (at - BUFFERS) % BUFFER_STRIDE >= BUFFER_BYTES;
      };
      for (const bytes of frames) {
        const head = registers.read(E1000.RDH, 4);
        const isTaken = card.receive(bytes);
        const used = registers.read(E1000.RDH, 4) - head;
        // The card's own checksum, and what fills a short frame, may be part of it.
        if (isTaken) taken++;
        else expect(used).toBe(0);
        expect(used * BUFFER_BYTES).toBeLessThanOrEqual(Math.max(bytes.length, 60) + 4 + BUFFER_BYTES);
      }
      expect(ram.findIndex((byte, at) => byte !== 0 && isOutside(at))).toBe(-1);
    }),
    { numRuns: 150 },
  );
  expect(taken).toBeGreaterThan(150);
});

it('an NE2000 takes any frame that there is, and writes to its ring alone', () => {
  const [FIRST, LAST] = [0x4c, 0x60];
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 40 }), fc.nat(0x3f), (frames, filter) => {
      const bench = new Bench();
      const card: Ne2000 & NetworkCard = new Ne2000('net0', options(bench, new Uint8Array(RAM)));
      bench.map(0x300, 0x100, card.config.bars[0]!.handler!);
      const write = (offset: number, value: number): void => bench.write(0x300 + offset, value);
      const setUp = [
        [0x00, 0x21],
        [0x0e, 0x49],
        [0x01, FIRST],
        [0x02, LAST],
        [0x03, FIRST],
        [0x0c, filter],
        [0x0d, 0x00],
        [0x00, 0x61],
        ...[...MAC].map((byte, i) => [1 + i, byte] as const),
        [0x07, FIRST + 1],
        [0x00, 0x22],
      ] as const;
      for (const [offset, value] of setUp) write(offset, value);
      const remote = (address: number, count: number): Uint8Array => {
        for (const [offset, value] of [
          [0x08, address & 0xff],
          [0x09, address >> 8],
          [0x0a, count & 0xff],
          [0x0b, count >> 8],
          [0x00, 0x0a],
        ] as const)
          write(offset, value);
        return Uint8Array.from({ length: count }, () => bench.ports.read(0x310, 1));
      };
      const before = remote(LAST << 8, 0x1000);
      for (const bytes of frames) {
        card.receive(bytes);
        // The guest takes everything out at once: the boundary follows.
        write(0x00, 0x62);
        const current = bench.ports.read(0x307, 1);
        write(0x00, 0x22);
        expect(current >= FIRST && current < LAST).toBe(true);
        write(0x03, current === FIRST ? LAST - 1 : current - 1);
      }
      expect(Buffer.compare(remote(LAST << 8, 0x1000), before)).toBe(0);
      expect(remote(0x4000, (FIRST - 0x40) << 8).every((byte) => byte === 0)).toBe(true);
    }),
    { numRuns: 150 },
  );
});
