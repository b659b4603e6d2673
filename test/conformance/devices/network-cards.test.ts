import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MmioBus } from '../../../src/core/bus.js';
import { PCI, PCI_COMMAND } from '../../../src/devices/pci/config-space.js';
import { CAUSE, E1000 } from '../../../src/devices/net/e1000/registers.js';
import { E1000Card } from '../../../src/devices/net/e1000/e1000.js';
import { Ne2000 } from '../../../src/devices/net/ne2000.js';
import type { NetworkCardOptions } from '../../../src/devices/net/network-card.js';
import { Bench, deviceConformance } from './conformance.js';
import { cardOptions, MAC } from './network-card.js';

const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

function options(bench: Bench, sent: Uint8Array[], ram = new Uint8Array(0x40000)): NetworkCardOptions {
  return {
    ...cardOptions(bench, ram),
    transmit: (frame) => {
      sent.push(frame.slice());
      bench.note(`sent ${frame.length}`);
    },
  };
}

function frame(to: readonly number[], length = 80): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => i & 0xff);
  bytes.set(to);
  return bytes;
}

describe('e1000', () => {
  const RING = 0x1000;
  const RX_RING = 0x2000;
  let bench: Bench;
  let card: E1000Card;
  let ram: Uint8Array<ArrayBuffer>;
  let view: DataView;
  let sent: Uint8Array[];

  beforeEach(() => {
    bench = new Bench();
    ram = new Uint8Array(0x40000);
    view = new DataView(ram.buffer);
    sent = [];
    card = new E1000Card('net0', options(bench, sent, ram));
    card.config.write(PCI.command, PCI_COMMAND.memory | PCI_COMMAND.busMaster, 2);
    write(E1000.TDBAL, RING);
    write(E1000.TDLEN, 0x80 * 16);
    write(E1000.TCTL, 0x02);
    write(E1000.RDBAL, RX_RING);
    write(E1000.RDLEN, 16 * 16);
    write(E1000.RDT, 15);
    for (let n = 0; n < 16; n++) view.setUint32(RX_RING + 16 * n, 0x8000 + 0x800 * n, true);
    write(E1000.RCTL, 0x0000_8002);
  });
  const handler = () => card.config.bars[0].handler!;
  const write = (register: number, value: number): void => handler().write(register, value, 4);
  const read = (register: number): number => handler().read(register, 4);
  function describe0(n: number, address: number, lower: number, upper = 0): void {
    view.setUint32(RING + 16 * n, address, true);
    view.setUint32(RING + 16 * n + 8, lower, true);
    view.setUint32(RING + 16 * n + 12, upper, true);
  }

  it('has its address in the EEPROM, by register and by pins', () => {
    const word = (n: number): number => {
      write(E1000.EERD, 1 | (n << 8));
      return read(E1000.EERD) >>> 16;
    };
    expect([word(0), word(1), word(2)]).toEqual([0x5452, 0x1200, 0x5634]);
    const sum = Array.from({ length: 64 }, (_, n) => word(n)).reduce((a, b) => a + b, 0);
    expect(sum & 0xffff).toBe(0xbaba);
    const clock = (bit: number): number => {
      write(E1000.EECD, 0x42 | (bit << 2));
      write(E1000.EECD, 0x43 | (bit << 2));
      return (read(E1000.EECD) >> 3) & 1;
    };
    write(E1000.EECD, 0x40);
    for (const bit of [1, 1, 0, 0, 0, 0, 0, 0, 1]) clock(bit);
    const bits = Array.from({ length: 16 }, () => clock(0));
    expect(bits.reduce((value, bit) => value * 2 + bit, 0)).toBe(0x1200);
  });

  it('sends what its ring holds, and says that it is done', () => {
    ram.set(frame(BROADCAST), 0x4000);
    describe0(0, 0x4000, 0x0900_0000 | 80);
    write(E1000.IMS, CAUSE.TXDW);
    write(E1000.TDT, 1);
    expect(sent.map((f) => [...f])).toEqual([[...frame(BROADCAST)]]);
    expect(view.getUint32(RING + 12, true) & 1).toBe(1);
    expect(bench.levels.irq).toBe(true);
    expect(read(E1000.ICR) & 0xffff).toBe(CAUSE.TXDW | CAUSE.TXQE);
    expect(bench.levels.irq).toBe(false);
    expect([read(E1000.GPTC), read(E1000.GPTC)]).toEqual([1, 0]);
  });

  it('inserts checksums and cuts long packets', () => {
    // Ethernet 14, IPv4 20, TCP 20: 54 bytes of headers and 3000 of data.
    const packet = new Uint8Array(54 + 3000).fill(7);
    packet.set([0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0], 14);
    packet[34 + 13] = 0x19;
    ram.set(packet, 0x4000);
    describe0(0, 0x0021_180e, 0x0032_3622, 0);
    view.setUint32(RING, (33 << 16) | (24 << 8) | 14, true);
    view.setUint32(RING + 4, (0 << 16) | (50 << 8) | 34, true);
    view.setUint32(RING + 8, 0x2700_0000 | 3000, true);
    view.setUint32(RING + 12, (1000 << 16) | (54 << 8), true);
    describe0(1, 0x4000, 0x2510_0000 | packet.length, 0x0300);
    write(E1000.TDT, 2);
    expect(sent.map(({ length }) => length)).toEqual([1054, 1054, 1054]);
    const flags = sent.map((f) => f[34 + 13]);
    expect(flags).toEqual([0x10, 0x10, 0x19]);
    const lengths = sent.map((f) => (f[16] << 8) | f[17]);
    expect(lengths).toEqual([1040, 1040, 1040]);
    const sumOf = (f: Uint8Array): number => {
      let sum = 0;
      for (let at = 14; at < 34; at += 2) sum += (f[at] << 8) | f[at + 1];
      return ((sum & 0xffff) + (sum >> 16)) & 0xffff;
    };
    expect(sent.map(sumOf)).toEqual([0xffff, 0xffff, 0xffff]);
  });

  it('works long rings off in pieces', () => {
    for (let n = 0; n < 0x80; n++) describe0(n, 0x4000, 0x0900_0000 | 60);
    write(E1000.TDLEN, 0x80);
    write(E1000.TDLEN, 0x80 * 16);
    write(E1000.TDT, 0x7f);
    expect(sent.length).toBe(0x7f);
    write(E1000.TDT, 0xffff);
    expect(sent.length).toBeLessThan(0x200);
  });

  it('gets no further ahead of its wire than 64 KiB, and follows it from there', () => {
    const MIB = 2 ** 20;
    // 0x7f packets of 64 KiB, cut into frames of 1514 bytes.
    describe0(0, 0, 0x2600_0000);
    view.setUint32(RING, 0x0000_0e0e, true);
    view.setUint32(RING + 4, 0x0000_2222, true);
    view.setUint32(RING + 12, (1460 << 16) | (54 << 8), true);
    for (let n = 1; n < 0x80; n++) describe0(n, 0x4000, 0x2510_0000 | 0xffff);
    write(E1000.TDT, 0x7f);
    const bytes = () => sent.reduce((sum, { length }) => sum + length, 0);
    expect(bytes()).toBeLessThan(150_000);
    // Knocking again and again makes it no faster.
    for (let n = 0; n < 1000; n++) write(E1000.TDT, 0x7f);
    expect(bytes()).toBeLessThan(150_000);
    bench.advanceNs(20e6);
    expect(bytes()).toBeGreaterThan(2 * MIB);
    expect(bytes()).toBeLessThan(2.5 * MIB + 150_000);
    bench.advanceNs(100e6);
    expect(read(E1000.TDH)).toBe(0x7f);
    expect(read(E1000.ICR) & CAUSE.TXQE).toBe(CAUSE.TXQE);
  });

  it('sends no frame that is longer than the chip can', () => {
    describe0(0, 0x4000, 0x0100_0000 | 16128);
    describe0(1, 0x4000, 0x0100_0000 | 16129);
    write(E1000.TDT, 2);
    expect(sent.map(({ length }) => length)).toEqual([16128]);
  });

  it('puts a tag into a frame and takes it out again', () => {
    write(E1000.CTRL, 0x4000_0240);
    write(E1000.VET, 0x8100);
    ram.set(frame(BROADCAST), 0x4000);
    describe0(0, 0x4000, 0x4100_0000 | 80, 0x0123_0000);
    write(E1000.TDT, 1);
    expect([...sent[0].subarray(12, 16)]).toEqual([0x81, 0x00, 0x01, 0x23]);
    expect(sent[0].length).toBe(84);
    expect(card.receive(sent[0])).toBe(true);
    expect(view.getUint16(RX_RING + 14, true)).toBe(0x0123);
    expect(ram[RX_RING + 12] & 0x08).toBe(0x08);
    expect([...ram.subarray(0x8000, 0x8000 + 80)]).toEqual([...frame(BROADCAST)]);
    // With the filter only members of a VLAN get through.
    write(E1000.RCTL, 0x0004_8002);
    expect(card.receive(sent[0])).toBe(false);
    write(E1000.VFTA + 4 * (0x123 >> 5), 1 << (0x123 & 31));
    expect(card.receive(sent[0])).toBe(true);
  });

  it('hears groups by its table, and everything when told to', () => {
    const group = [0x01, 0, 0x5e, 0, 0, 0xfb];
    const heard = (): boolean => card.receive(frame(group));
    expect(heard()).toBe(false);
    const hash = ((group[5] << 8) | group[4]) >> 4;
    write(E1000.MTA + 4 * (hash >> 5), 1 << (hash & 31));
    expect(heard()).toBe(true);
    write(E1000.MTA + 4 * (hash >> 5), 0);
    expect(heard()).toBe(false);
    write(E1000.RCTL, 0x0000_8012);
    expect(heard()).toBe(true);
    expect(card.receive(frame([2, 0, 0, 0, 0, 1]))).toBe(false);
    write(E1000.RCTL, 0x0000_800a);
    expect(card.receive(frame([2, 0, 0, 0, 0, 1]))).toBe(true);
  });

  it('spreads a long frame over buffers', () => {
    // BSIZE 10b: 512 bytes each.
    write(E1000.RCTL, 0x0002_8002);
    expect(card.receive(frame(BROADCAST, 1200))).toBe(true);
    const lengths = [0, 1, 2].map((n) => view.getUint16(RX_RING + 16 * n + 8, true));
    expect(lengths).toEqual([512, 512, 180]);
    expect([0, 1, 2].map((n) => ram[RX_RING + 16 * n + 12] & 3)).toEqual([1, 1, 3]);
    expect([...ram.subarray(0x9000, 0x9000 + 176)]).toEqual([...frame(BROADCAST, 1200).subarray(1024)]);
  });

  it('loops frames back through its PHY', () => {
    write(E1000.MDIC, 0x0420_0000 | 0x4140);
    expect(read(E1000.MDIC) & 0x1000_0000).toBe(0x1000_0000);
    ram.set(frame([...MAC]), 0x4000);
    describe0(0, 0x4000, 0x0100_0000 | 80);
    write(E1000.TDT, 1);
    expect(sent).toEqual([]);
    expect(read(E1000.RDH)).toBe(1);
  });

  it('has its registers behind ports, too', () => {
    const indirect = card.config.bars[1].handler!;
    indirect.write(0, E1000.IMS, 4);
    indirect.write(4, 0x84, 4);
    expect(read(E1000.IMS)).toBe(0x84);
    indirect.write(0, E1000.STATUS, 4);
    expect(indirect.read(4, 4)).toBe(read(E1000.STATUS));
  });

  it('stays away from memory unless it is a bus master', () => {
    card.config.write(PCI.command, PCI_COMMAND.memory, 2);
    describe0(0, 0x4000, 0x0900_0000 | 60);
    write(E1000.TDT, 1);
    expect(sent).toEqual([]);
    expect(card.receive(frame(BROADCAST))).toBe(false);
    expect(ram.subarray(RX_RING + 8, RX_RING + 16).every((byte) => byte === 0)).toBe(true);
  });

  it('has its sent frames in its state', () => {
    ram.set(frame(BROADCAST), 0x4000);
    describe0(0, 0x4000, 0x0100_0000 | 80);
    write(E1000.TDT, 1);
    const first = card.state.sentHash;
    const other = new E1000Card('net1', options(new Bench(), []));
    expect(other.state.sentHash).not.toBe(first);
    ram[0x4020] ^= 1;
    describe0(1, 0x4000, 0x0100_0000 | 80);
    write(E1000.TDT, 2);
    expect(sent.length).toBe(2);
    expect(card.state.sentHash).not.toBe(first);
  });

  it('survives any ring, at any address, with work that is bounded', () => {
    const dword = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 0x8000 }));
    const registers = [E1000.CTRL, E1000.TCTL, E1000.RCTL, E1000.TDBAL, E1000.TDBAH, E1000.TDLEN, E1000.TDH, E1000.TDT];
    const more = [E1000.RDBAL, E1000.RDBAH, E1000.RDLEN, E1000.RDH, E1000.RDT, E1000.VET, E1000.MDIC];
    const step = fc.tuple(fc.constantFrom(...registers, ...more), dword);
    fc.assert(
      fc.property(
        fc.array(dword, { minLength: 64, maxLength: 256 }),
        fc.array(step, { maxLength: 60 }),
        (ring, steps) => {
          ring.forEach((value, n) => view.setUint32(RING + 4 * n, value, true));
          for (const [register, value] of steps) {
            const before = sent.length;
            write(register, value);
            expect(sent.length - before).toBeLessThan(4000);
            card.receive(frame(BROADCAST, 60 + (value % 1500)));
            bench.advanceNs(value % 10_000);
            sent.length = 0;
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('receives what is for it, with room for the checksum', () => {
    write(E1000.IMS, CAUSE.RXT0);
    expect(card.receive(frame([...MAC]))).toBe(true);
    expect(card.receive(frame([2, 0, 0, 0, 0, 1]))).toBe(false);
    expect(card.receive(frame(BROADCAST, 20))).toBe(true);
    expect(view.getUint16(RX_RING + 8, true)).toBe(84);
    expect(view.getUint16(RX_RING + 16 + 8, true)).toBe(64);
    expect(ram[RX_RING + 12] & 3).toBe(3);
    expect([...ram.subarray(0x8000, 0x8006)]).toEqual([...MAC]);
    expect(bench.levels.irq).toBe(true);
    expect(read(E1000.RDH)).toBe(2);
  });

  it('loses frames that it has no descriptors for', () => {
    write(E1000.RDT, 1);
    expect([card.receive(frame(BROADCAST)), card.receive(frame(BROADCAST))]).toEqual([true, false]);
    expect(read(E1000.MPC)).toBe(1);
    expect(read(E1000.ICR) & CAUSE.RXO).toBe(CAUSE.RXO);
  });
});

describe('NE2000', () => {
  let bench: Bench;
  let card: Ne2000;
  let sent: Uint8Array[];

  beforeEach(() => {
    bench = new Bench();
    sent = [];
    card = new Ne2000('net0', options(bench, sent));
    bench.map(0x300, 0x100, card.config.bars[0].handler!);
    for (const [offset, value] of [
      [0x00, 0x21],
      [0x0e, 0x49],
      [0x01, 0x4c],
      [0x02, 0xc0],
      [0x03, 0x4c],
      [0x0c, 0x04],
      [0x0d, 0x00],
      [0x0f, 0x03],
      [0x00, 0x61],
      ...[...MAC].map((byte, i) => [1 + i, byte]),
      [0x07, 0x4d],
      [0x00, 0x22],
      [0x07, 0xff],
    ])
      bench.write(0x300 + offset, value);
  });

  function remote(command: number, address: number, count: number): void {
    for (const [offset, value] of [
      [0x08, address & 0xff],
      [0x09, address >> 8],
      [0x0a, count & 0xff],
      [0x0b, count >> 8],
      [0x00, command],
    ])
      bench.write(0x300 + offset, value);
  }

  it('has its address in a ROM, each byte twice', () => {
    remote(0x0a, 0, 12);
    expect(Array.from({ length: 6 }, () => bench.read(0x310))).toEqual([...MAC]);
    expect(bench.read(0x307) & 0x40).toBe(0x40);
  });

  it('sends what was put into its memory', () => {
    remote(0x12, 0x4000, 80);
    const bytes = frame(BROADCAST);
    for (let at = 0; at < 80; at += 4) bench.write(0x310, new DataView(bytes.buffer).getUint32(at, true), 4);
    for (const [offset, value] of [
      [0x04, 0x40],
      [0x05, 80],
      [0x06, 0],
      [0x00, 0x26],
    ])
      bench.write(0x300 + offset, value);
    expect(sent.map((f) => [...f])).toEqual([[...bytes]]);
    expect(bench.read(0x307) & 0x02).toBe(0x02);
    expect(bench.levels.irq).toBe(true);
  });

  it('puts a frame with its header into the ring', () => {
    expect(card.receive(frame([...MAC], 300))).toBe(true);
    expect(card.receive(frame([2, 0, 0, 0, 0, 1]))).toBe(false);
    remote(0x0a, 0x4d00, 10);
    expect(Array.from({ length: 5 }, () => bench.read(0x310, 2))).toEqual([
      0x4f01,
      308,
      ...[0, 1, 2].map((n) => MAC[2 * n] | (MAC[2 * n + 1] << 8)),
    ]);
  });

  it('reads round the end of its ring', () => {
    for (let n = 0; n < 100; n++) {
      expect(card.receive(frame([...MAC], 1400))).toBe(true);
      const start = page();
      remote(0x0a, start * 256, 4);
      const [low, high] = [bench.read(0x310, 2), bench.read(0x310, 2)];
      expect(low & 0xff).toBe(1);
      remote(0x0a, start * 256 + 4, high - 4);
      const bytes = new Uint8Array(high - 4);
      const words = new DataView(bytes.buffer);
      for (let at = 0; at < bytes.length; at += 4) words.setUint32(at, bench.read(0x310, 4), true);
      expect([...bytes.subarray(0, 1400)]).toEqual([...frame([...MAC], 1400)]);
      const next = low >> 8;
      bench.write(0x303, next === 0x4c ? 0xbf : next - 1);
    }
  });

  /** The page behind BNRY. */
  function page(): number {
    const next = bench.read(0x303) + 1;
    return next === 0xc0 ? 0x4c : next;
  }

  it('hears groups by its table, and every station when promiscuous', () => {
    const group = [0x01, 0, 0x5e, 0, 0, 0xfb];
    expect(card.receive(frame(group))).toBe(false);
    bench.write(0x30c, 0x0c);
    expect(card.receive(frame(group))).toBe(false);
    bench.write(0x300, 0x62);
    for (let n = 0; n < 8; n++) bench.write(0x308 + n, 0xff);
    bench.write(0x300, 0x22);
    expect(card.receive(frame(group))).toBe(true);
    expect(card.receive(frame([2, 0, 0, 0, 0, 1]))).toBe(false);
    bench.write(0x30c, 0x1c);
    expect(card.receive(frame([2, 0, 0, 0, 0, 1]))).toBe(true);
  });

  it('takes back what it sends in loopback', () => {
    bench.write(0x30d, 0x02);
    remote(0x12, 0x4000, 60);
    const bytes = frame([...MAC], 60);
    for (let at = 0; at < 60; at += 2) bench.write(0x310, bytes[at] | (bytes[at + 1] << 8), 2);
    bench.write(0x304, 0x40);
    bench.write(0x305, 60);
    bench.write(0x300, 0x26);
    expect(sent).toEqual([]);
    expect(bench.read(0x307) & 0x03).toBe(0x03);
    expect(card.receive(frame(BROADCAST))).toBe(false);
  });

  it('is reset by reading its reset port, and hears nothing until it is started', () => {
    bench.read(0x31f);
    expect(bench.read(0x307) & 0x80).toBe(0x80);
    expect(card.receive(frame(BROADCAST))).toBe(false);
    bench.write(0x300, 0x22);
    expect(bench.read(0x307) & 0x80).toBe(0);
    expect(card.receive(frame(BROADCAST))).toBe(true);
  });

  it('counts what it misses, and asks for the count to be read', () => {
    bench.write(0x30c, 0x24);
    for (let n = 0; n < 127; n++) card.receive(frame(BROADCAST));
    expect(bench.read(0x307) & 0x20).toBe(0);
    for (let n = 0; n < 100; n++) card.receive(frame(BROADCAST));
    expect(bench.read(0x307) & 0x20).toBe(0x20);
    expect([bench.read(0x30f), bench.read(0x30f)]).toEqual([0xc0, 0]);
  });

  it('survives any accesses and frames', () => {
    const access = fc.record({
      offset: fc.integer({ min: 0, max: 0xff }),
      value: fc.integer({ min: 0, max: 0xffff_ffff }),
      width: fc.constantFrom(1 as const, 2 as const, 4 as const),
    });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 200 }), (accesses) => {
        for (const { offset, value, width } of accesses) {
          bench.write(0x300 + offset, value, width);
          bench.read(0x300 + (value & 0x1f), width);
          card.receive(
            value % 2000 < 6 ? new Uint8Array(value % 6) : frame(value & 1 ? BROADCAST : [...MAC], value % 2000),
          );
          expect(sent.length).toBeLessThan(3);
          sent.length = 0;
        }
      }),
      { numRuns: 200 },
    );
  });

  it('says when the ring is full', () => {
    let taken = 0;
    while (card.receive(frame(BROADCAST, 1500))) taken++;
    expect(taken).toBe(19);
    expect(bench.read(0x307) & 0x10).toBe(0x10);
    expect(bench.read(0x30f)).toBe(1);
  });
});

/** Memory with a ring of long packets at 1000h, more than the wire takes at once. */
function packetsOfRing(): Uint8Array<ArrayBuffer> {
  const ram = new Uint8Array(0x40000);
  const view = new DataView(ram.buffer);
  for (let n = 0; n < 0x80; n++) {
    view.setUint32(0x1000 + 16 * n, 0x4000, true);
    view.setUint32(0x1000 + 16 * n + 8, n % 3 === 0 ? 0x0900_1000 : 0x0800_0800, true);
  }
  return ram;
}

deviceConformance('e1000', {
  make: (bench) => {
    const all = options(bench, [], packetsOfRing());
    // Memory is no part of the card: it stays the same, and a cut run finds what the other one found.
    const card = new E1000Card('net0', { ...all, memory: { ...all.memory, write: () => {} } });
    card.config.write(PCI.command, PCI_COMMAND.memory | PCI_COMMAND.io | PCI_COMMAND.busMaster, 2);
    const mmio = new MmioBus();
    mmio.map('e1000', 0, 0x20000, card.config.bars[0].handler!);
    for (const [base, count] of [
      [0x0000, 0x100],
      [0x0100, 0x40],
      [0x0400, 0x20],
      [0x2800, 0x40],
      [0x3800, 0x40],
      [0x5400, 0x20],
    ])
      bench.map(base, count, {
        read: (offset, width) => mmio.read(base + offset, width),
        write: (offset, value, width) => mmio.write(base + offset, value, width),
      });
    return card;
  },
  prepare: (bench) => {
    bench.write(E1000.TDBAL, 0x1000, 4);
    bench.write(E1000.TDLEN, 0x80 * 16, 4);
    bench.write(E1000.TCTL, 2, 4);
    bench.write(E1000.RDBAL, 0x2000, 4);
    bench.write(E1000.RDLEN, 0x80 * 16, 4);
    bench.write(E1000.RDT, 0x7f, 4);
    bench.write(E1000.RCTL, 0x8002, 4);
    bench.write(E1000.TDT, 0x7f, 4);
  },
  mutate: (bench) => bench.write(E1000.IMS, 0x80, 4),
  stimuli: [(_, card) => void card.receive(frame(BROADCAST)), (_, card) => void card.receive(frame([...MAC], 1500))],
});

deviceConformance('NE2000', {
  make: (bench) => {
    const card = new Ne2000('net0', options(bench, []));
    bench.map(0x300, 0x20, card.config.bars[0].handler!);
    return card;
  },
  mutate: (bench) => bench.write(0x300, 0x61),
  stimuli: [(_, card) => void card.receive(frame(BROADCAST)), (_, card) => void card.receive(frame([...MAC], 1500))],
});
