import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_MEDIUM } from '../../../src/devices/disk/medium.js';
import { deviceConformance, type Bench } from './conformance.js';
import {
  BUS_MASTER,
  COMMAND,
  CONTROL,
  DATA,
  ideAsDevice,
  ideBench,
  packet,
  readWords,
  regions,
  select,
  select48,
  startDma,
  wait,
  writeWords,
} from './ide-bench.js';

const READY = 0x50;
const DRQ = 0x58;
const FAILED = 0x51;

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function command(bench: Bench, value: number): number {
  bench.write(COMMAND, value);
  return wait(bench);
}

describe('an ATA disk', () => {
  it('shows its signature after a reset, as an ATAPI drive shows its own', () => {
    const { bench } = ideBench();
    bench.write(CONTROL, 0x04);
    expect(bench.read(COMMAND)).toBe(0x80);
    bench.write(CONTROL, 0x00);
    const registers = () => [1, 2, 3, 4, 5, 7].map((i) => bench.ports.read(DATA + i, 1));
    expect(registers()).toEqual([1, 1, 1, 0, 0, READY]);
    bench.write(0x1f6, 0xb0);
    expect(registers()).toEqual([1, 1, 1, 0x14, 0xeb, 0]);
    expect(bench.read(0x177)).toBe(0);
  });

  it('describes itself', () => {
    const { bench } = ideBench();
    select(bench, 0);
    bench.write(COMMAND, 0xec);
    expect(bench.levels.irq14).toBe(false);
    expect(wait(bench)).toBe(DRQ);
    const words = new Uint16Array(readWords(bench, 512).buffer);
    expect(bench.read(COMMAND)).toBe(READY);
    expect([words[1], words[3], words[6], words[60], words[100]]).toEqual([4, 4, 16, 300, 300]);
    expect(words[83] & 0x0400).toBe(0x0400);
    expect(new Uint8Array(words.buffer).reduce((a, b) => a + b, 0) & 0xff).toBe(0);
  });

  it('reads sectors one by one, with an interrupt for each', () => {
    const { bench, hdaImage } = ideBench();
    select(bench, 0, 17, 3);
    bench.write(COMMAND, 0x20);
    for (let i = 0; i < 3; i++) {
      expect(bench.levels.irq14).toBe(false);
      while (!bench.levels.irq14) bench.advance(1000);
      expect(bench.read(COMMAND)).toBe(DRQ);
      expect(same(readWords(bench, 512), hdaImage.subarray((17 + i) * 512, (18 + i) * 512))).toBe(true);
    }
    expect(bench.read(COMMAND)).toBe(READY);
    expect(bench.read(DATA, 2)).toBe(0xffff);
  });

  it('knows addresses by cylinder, head and sector', () => {
    const { bench, hdaImage } = ideBench();
    bench.write(0x1f6, 0xa2);
    bench.write(0x1f2, 1);
    bench.write(0x1f3, 5);
    bench.write(0x1f4, 3);
    bench.write(0x1f5, 0);
    expect(command(bench, 0x20)).toBe(DRQ);
    const lba = (3 * 4 + 2) * 16 + 4;
    expect(same(readWords(bench, 512), hdaImage.subarray(lba * 512, (lba + 1) * 512))).toBe(true);
    bench.write(0x1f3, 17);
    expect(command(bench, 0x20)).toBe(FAILED);
    expect(bench.read(0x1f1)).toBe(0x10);
    // Another translation: 2 heads of 8 sectors.
    bench.write(0x1f6, 0xa1);
    bench.write(0x1f2, 8);
    expect(command(bench, 0x91)).toBe(READY);
    bench.write(0x1f3, 8);
    bench.write(0x1f4, 1);
    bench.write(0x1f2, 1);
    expect(command(bench, 0x20)).toBe(DRQ);
    expect(same(readWords(bench, 512), hdaImage.subarray(31 * 512, 32 * 512))).toBe(true);
  });

  it('writes, several sectors to a block if asked, by 28 and by 48 bits of address', () => {
    const { bench, hda } = ideBench();
    bench.write(0x1f6, 0xe0);
    bench.write(0x1f2, 4);
    expect(command(bench, 0xc6)).toBe(READY);
    const bytes = Uint8Array.from({ length: 6 * 512 }, (_, i) => i * 3);
    for (const [lba, prepare, opcode] of [
      [100, select, 0xc5],
      [200, (b: Bench, _: number, l: number, c: number) => select48(b, l, c), 0x39],
    ] as const) {
      prepare(bench, 0, lba, 6);
      bench.write(COMMAND, opcode);
      expect(bench.levels.irq14).toBe(false);
      expect(bench.read(COMMAND)).toBe(DRQ);
      writeWords(bench, bytes.subarray(0, 2048));
      expect(wait(bench)).toBe(DRQ);
      writeWords(bench, bytes.subarray(2048));
      expect(wait(bench)).toBe(READY);
      expect(same(hda.read(lba, 6), bytes)).toBe(true);
    }
    bench.write(0x1f2, 3);
    expect(command(bench, 0xc6)).toBe(FAILED);
  });

  it.each([
    ['28 bits', 299, 2, 0x20],
    ['a DMA command', 0xfff_ffff, 1, 0xc8],
  ])('refuses sectors behind its end: %s', (_what, lba, count, opcode) => {
    const { bench } = ideBench();
    select(bench, 0, lba, count);
    expect(command(bench, opcode)).toBe(FAILED);
    expect(bench.read(0x1f1)).toBe(0x10);
  });

  it('refuses sectors of 48 bits behind its end, and takes the last', () => {
    const { bench } = ideBench();
    select48(bench, 2 ** 40, 1);
    expect(command(bench, 0x24)).toBe(FAILED);
    select48(bench, 299, 1);
    expect(command(bench, 0x24)).toBe(DRQ);
  });

  it.each([
    ['features', 0xef, { 1: 0x03, 2: 0x22 }, READY],
    ['an unknown mode', 0xef, { 1: 0x03, 2: 0x47 }, FAILED],
    ['FLUSH CACHE', 0xe7, {}, READY],
    ['VERIFY', 0x40, {}, READY],
    ['SMART status', 0xb0, { 1: 0xda, 4: 0x4f, 5: 0xc2 }, READY],
    ['SMART without its key', 0xb0, { 1: 0xda }, FAILED],
    ['a packet', 0xa0, {}, FAILED],
    ['IDENTIFY PACKET DEVICE', 0xa1, {}, FAILED],
    ['security', 0xf1, {}, FAILED],
    ['an unknown command', 0x7f + 0x20, {}, FAILED],
  ])('answers %s', (_what, opcode, registers, status) => {
    const { bench } = ideBench();
    select(bench, 0, 0, 1);
    for (const [offset, value] of Object.entries(registers)) bench.write(DATA + Number(offset), value);
    expect(command(bench, opcode)).toBe(status);
    if (status === FAILED) expect(bench.read(0x1f1)).toBe(0x04);
  });

  it('tells its size and its power', () => {
    const { bench } = ideBench();
    select(bench, 0);
    expect(command(bench, 0xf8)).toBe(READY);
    expect([bench.read(0x1f3), bench.read(0x1f4)]).toEqual([299 & 0xff, 1]);
    expect(command(bench, 0xe0)).toBe(READY);
    expect(command(bench, 0xe5)).toBe(READY);
    expect(bench.read(0x1f2)).toBe(0);
  });

  it('is silent while interrupts are disabled', () => {
    const { bench } = ideBench();
    bench.write(CONTROL, 0x02);
    select(bench, 0);
    bench.write(COMMAND, 0xec);
    bench.advance(1_000_000);
    expect(bench.levels.irq14).toBe(false);
    expect(bench.read(CONTROL)).toBe(DRQ);
    bench.write(CONTROL, 0);
    expect(bench.levels.irq14).toBe(true);
  });

  it('is diagnosed with its neighbour', () => {
    const { bench } = ideBench();
    bench.write(0x1f6, 0xb0);
    expect(command(bench, 0x90)).toBe(READY);
    expect(bench.read(0x1f6)).toBe(0xa0);
    expect(bench.read(0x1f1)).toBe(1);
  });
});

describe('the bus master', () => {
  it('scatters what is read over the regions of the table', () => {
    const { bench, ram, hdaImage } = ideBench();
    regions(ram, [
      [0x2000, 100],
      [0x3000, 1000],
      [0x5000, 0],
    ]);
    select(bench, 0, 10, 9);
    bench.write(COMMAND, 0xc8);
    expect(bench.read(CONTROL)).toBe(DRQ);
    startDma(bench, true);
    expect(bench.read(BUS_MASTER + 2)).toBe(0x01);
    bench.advance(10_000_000);
    expect(bench.levels.irq14).toBe(true);
    // Regions were left over: still active.
    expect(bench.read(BUS_MASTER + 2)).toBe(0x05);
    const expected = hdaImage.subarray(10 * 512, 19 * 512);
    expect(same(ram.subarray(0x2000, 0x2064), expected.subarray(0, 100))).toBe(true);
    expect(same(ram.subarray(0x3000, 0x33e8), expected.subarray(100, 1100))).toBe(true);
    expect(same(ram.subarray(0x5000, 0x5000 + 9 * 512 - 1100), expected.subarray(1100))).toBe(true);
    expect(ram[0x5000 + 9 * 512 - 1100]).toBe(0);
    bench.write(BUS_MASTER, 0);
    bench.write(BUS_MASTER + 2, 0x04);
    expect(bench.read(BUS_MASTER + 2)).toBe(0);
  });

  it('gathers what is written, also when it is started first', () => {
    const { bench, ram, hda } = ideBench();
    for (let i = 0; i < 1024; i++) ram[0x4000 + i] = i * 5;
    regions(ram, [
      [0x4000, 700],
      [0x4000 + 700, 324],
    ]);
    startDma(bench, false);
    select48(bench, 50, 2);
    bench.write(COMMAND, 0x35);
    bench.advance(1_000_000);
    expect(bench.read(COMMAND)).toBe(READY);
    expect(bench.read(BUS_MASTER + 2)).toBe(0x04);
    expect(same(hda.read(50, 2), ram.subarray(0x4000, 0x4400))).toBe(true);
  });

  it.each([
    ['whole sectors', [512, 4096, 1024]],
    ['whole sectors and parts of some', [1024, 700, 324, 512, 1000, 24, 2048]],
    ['parts that end with a whole sector', [2, 510, 512, 100, 412, 4096]],
  ])('writes and reads regions of %s', (_what, sizes) => {
    const { bench, ram, hda } = ideBench();
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    // Apart from each other, so that what is misplaced shows.
    const places = sizes.map((size, i) => [0x4000 + i * 0x1800, size] as const);
    const data = Uint8Array.from({ length: bytes }, (_, i) => i * 7 + (i >> 8));
    let at = 0;
    for (const [address, size] of places) ram.set(data.subarray(at, (at += size)), address);
    regions(ram, places);
    select48(bench, 53, bytes / 512);
    bench.write(COMMAND, 0x35);
    startDma(bench, false);
    bench.advance(1_000_000);
    expect(same(hda.read(53, bytes / 512), data)).toBe(true);
    bench.write(BUS_MASTER, 0);
    for (const [address, size] of places) ram.fill(0, address, address + size);
    select48(bench, 53, bytes / 512);
    bench.write(COMMAND, 0x25);
    startDma(bench, true);
    bench.advance(1_000_000);
    at = 0;
    for (const [address, size] of places) {
      expect(same(ram.subarray(address, address + size), data.subarray(at, (at += size)))).toBe(true);
    }
  });

  it('ends without an interrupt where the table is too short', () => {
    const { bench, ram } = ideBench();
    regions(ram, [[0x2000, 512]]);
    select(bench, 0, 0, 2);
    bench.write(COMMAND, 0xc8);
    startDma(bench, true);
    bench.advance(10_000_000);
    expect(bench.levels.irq14).toBe(false);
    expect(bench.read(BUS_MASTER + 2)).toBe(0);
    bench.write(CONTROL, 4);
    bench.write(CONTROL, 0);
    expect(bench.read(COMMAND)).toBe(READY);
  });

  it('moves nothing while the function is no bus master', () => {
    const { bench, ide, ram } = ideBench();
    ide.config.write(4, 1, 2);
    regions(ram, [[0x2000, 512]]);
    select(bench, 0, 5, 1);
    bench.write(COMMAND, 0xc8);
    startDma(bench, true);
    bench.advance(10_000_000);
    expect(bench.read(BUS_MASTER + 2)).toBe(0x02);
    expect(ram[0x2000 + 1]).toBe(0);
  });

  it('stops when it is told to, and goes on', () => {
    const { bench, ram, hdaImage } = ideBench();
    regions(ram, [[0x2000, 512]]);
    select(bench, 0, 5, 1);
    bench.write(COMMAND, 0xc8);
    startDma(bench, true);
    bench.write(BUS_MASTER, 8);
    bench.advance(10_000_000);
    expect(bench.read(BUS_MASTER + 2)).toBe(0);
    startDma(bench, true);
    bench.advance(10_000_000);
    expect(same(ram.subarray(0x2000, 0x2200), hdaImage.subarray(5 * 512, 6 * 512))).toBe(true);
  });

  it('survives tables that name no memory, or never end', () => {
    const { bench, ram } = ideBench();
    select(bench, 0, 0, 256);
    bench.write(COMMAND, 0xc8);
    bench.write(BUS_MASTER + 4, 0xffff_fff0, 4);
    bench.write(BUS_MASTER, 9);
    bench.advance(100_000_000);
    ram.fill(0);
    new DataView(ram.buffer).setUint32(0x1000, 2, true);
    for (let at = 0x1000; at < ram.length; at += 8) ram.set([0, 0, 0, 0, 2, 0, 0, 0], at);
    bench.write(CONTROL, 4);
    bench.write(CONTROL, 0);
    select48(bench, 0, 290);
    bench.write(COMMAND, 0x25);
    startDma(bench, false);
    bench.advance(100_000_000);
    expect(bench.read(COMMAND) & 0x80).toBe(0);
  });
});

describe('an ATAPI drive', () => {
  const read10 = (lba: number, count: number) => [0x28, 0, 0, 0, lba >> 8, lba, 0, count >> 8, count];
  const sense = (bench: Bench) => {
    expect(packet(bench, [0x03, 0, 0, 0, 18])).toBe(DRQ);
    const bytes = readWords(bench, 18);
    return [bytes[2], bytes[12]];
  };

  it('takes a packet and sends its data in blocks of the limit', () => {
    const { bench, cdImage } = ideBench();
    expect(packet(bench, read10(3, 2), { limit: 1501 })).toBe(DRQ);
    const parts: Uint8Array[] = [];
    for (let i = 0; i < 10; i++) {
      const count = bench.ports.read(0x1f4, 1) | (bench.ports.read(0x1f5, 1) << 8);
      expect(bench.read(0x1f2)).toBe(2);
      parts.push(readWords(bench, count));
      if (wait(bench) !== DRQ) break;
    }
    expect(parts.map((p) => p.length)).toEqual([1500, 1500, 1096]);
    expect(same(Buffer.concat(parts), cdImage.subarray(3 * 2048, 5 * 2048))).toBe(true);
    expect(bench.read(0x1f2)).toBe(3);
    expect(bench.read(COMMAND)).toBe(READY);
  });

  it('reads by DMA', () => {
    const { bench, ram, cdImage } = ideBench();
    regions(ram, [[0x8000, 0x8000]]);
    bench.write(0x1f6, 0xb0);
    bench.write(0x1f1, 1);
    bench.write(COMMAND, 0xa0);
    const bytes = new Uint8Array(12);
    bytes.set(read10(0, 8));
    writeWords(bench, bytes);
    startDma(bench, true);
    bench.advance(10_000_000);
    expect(bench.read(COMMAND)).toBe(READY);
    expect(same(ram.subarray(0x8000, 0x8000 + 16384), cdImage.subarray(0, 16384))).toBe(true);
  });

  it('tells size, contents and kind', () => {
    const { bench } = ideBench();
    packet(bench, [0x25]);
    expect([...readWords(bench, 8)]).toEqual([0, 0, 0, 39, 0, 0, 8, 0]);
    wait(bench);
    packet(bench, [0x43, 0, 0, 0, 0, 0, 0, 0, 12]);
    expect([...readWords(bench, 12)]).toEqual([0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]);
    wait(bench);
    packet(bench, [0x12, 0, 0, 0, 36]);
    expect(readWords(bench, 36)[0]).toBe(5);
    wait(bench);
    bench.write(COMMAND, 0xa1);
    expect(wait(bench)).toBe(DRQ);
    expect(new Uint16Array(readWords(bench, 512).buffer)[0]).toBe(0x8580);
    wait(bench);
    packet(bench, [0x46, 0, 0, 0, 0, 0, 0, 1, 0]);
    const size = bench.ports.read(0x1f4, 1);
    const configuration = readWords(bench, size);
    expect(configuration[3]).toBe(size - 4);
    expect(configuration[7]).toBe(0x08);
    wait(bench);
    packet(bench, [0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64]);
    expect(readWords(bench, bench.ports.read(0x1f4, 1))[8]).toBe(0x2a);
  });

  it('refuses with sense data', () => {
    const { bench } = ideBench();
    expect(packet(bench, read10(40, 1))).toBe(FAILED);
    expect(sense(bench)).toEqual([5, 0x21]);
    wait(bench);
    expect(packet(bench, [0xff])).toBe(FAILED);
    expect(bench.read(0x1f1)).toBe(0x54);
    expect(sense(bench)).toEqual([5, 0x20]);
    wait(bench);
    expect(sense(bench)).toEqual([0, 0]);
  });

  it('says once that its disc is another, and when it has none', () => {
    const { bench, cd } = ideBench();
    const medium = { ...cd.state.medium };
    expect(packet(bench, [0])).toBe(READY);
    cd.insert(NO_MEDIUM);
    expect(packet(bench, [0])).toBe(FAILED);
    expect(sense(bench)).toEqual([2, 0x3a]);
    wait(bench);
    cd.insert({ ...medium, sectorCount: 8 });
    expect(packet(bench, [0])).toBe(FAILED);
    expect(sense(bench)).toEqual([6, 0x28]);
    wait(bench);
    expect(packet(bench, [0])).toBe(READY);
    packet(bench, [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]);
    expect([...readWords(bench, 8)]).toEqual([0, 6, 4, 16, 2, 2, 0, 0]);
  });

  it('opens its tray unless it is locked', () => {
    const { bench } = ideBench();
    packet(bench, [0x1e, 0, 0, 0, 1]);
    expect(packet(bench, [0x1b, 0, 0, 0, 2])).toBe(FAILED);
    expect(sense(bench)).toEqual([5, 0x53]);
    wait(bench);
    packet(bench, [0x1e, 0, 0, 0, 0]);
    expect(packet(bench, [0x1b, 0, 0, 0, 2])).toBe(READY);
    expect(packet(bench, [0])).toBe(FAILED);
    expect(packet(bench, [0x1b, 0, 0, 0, 3])).toBe(READY);
    expect(packet(bench, [0])).toBe(FAILED);
    expect(sense(bench)).toEqual([6, 0x28]);
    wait(bench);
    expect(packet(bench, [0])).toBe(READY);
  });

  it('loses its disc in the middle of a transfer without harm', () => {
    const { bench, cd } = ideBench();
    packet(bench, read10(0, 4), { limit: 2048 });
    readWords(bench, 2048);
    cd.insert(NO_MEDIUM);
    expect(wait(bench)).toBe(FAILED);
    expect(bench.read(COMMAND)).toBe(FAILED);
  });

  it('refuses to be an ATA disk, with its signature', () => {
    const { bench } = ideBench();
    bench.write(0x1f6, 0xb0);
    expect(command(bench, 0xec)).toBe(FAILED);
    expect([bench.read(0x1f4), bench.read(0x1f5)]).toEqual([0x14, 0xeb]);
  });
});

deviceConformance('PIIX3 IDE', {
  make: (bench) => ideAsDevice(ideBench(bench, 64)),
  prepare: (bench) => {
    select(bench, 0, 3, 2);
    bench.write(COMMAND, 0xc4);
  },
  mutate: (bench) => {
    select(bench, 0, 3, 2);
    bench.write(COMMAND, 0x30);
    writeWords(bench, new Uint8Array(600).fill(7));
    bench.advance(10_000);
  },
  stimuli: [
    (bench) => writeWords(bench, new Uint8Array(512).fill(0x33)),
    (bench) => bench.note(String(readWords(bench, 512).reduce((a, b) => a + b, 0))),
    (bench) => {
      select(bench, 0, 20, 3);
      bench.write(COMMAND, 0xca);
    },
    (bench) => {
      select(bench, 0, 40, 2);
      bench.write(COMMAND, 0x34);
    },
    (bench) => void packet(bench, [0x28, 0, 0, 0, 0, 2, 0, 0, 3], { limit: 700 }),
    (bench) => {
      bench.write(CONTROL, 4);
      bench.write(CONTROL, 0);
    },
    (bench) => startDma(bench, true),
  ],
});

describe('a hostile guest', () => {
  it('finds no access that throws or takes long', () => {
    const access = fc.tuple(
      fc.constantFrom(0x1f0, 0x170, 0x3f6, 0x376, BUS_MASTER, BUS_MASTER + 8),
      fc.nat(7),
      fc.oneof(
        fc.nat(0xff),
        fc.nat(0xffff_ffff),
        fc.constantFrom(0xa0, 0xc8, 0xca, 0x25, 0x35, 0xb0, 0xe0, 0x20, 0x30),
      ),
      fc.constantFrom(1, 2, 4),
      fc.nat(3),
    );
    fc.assert(
      fc.property(fc.array(access, { maxLength: 200 }), (list) => {
        const { bench, ide } = ideBench();
        for (const [base, offset, value, width, kind] of list) {
          const port = base === 0x3f6 || base === 0x376 ? base : base + offset;
          if (kind === 0) bench.ports.read(port, width as 1 | 2 | 4);
          else bench.write(port, width === 4 ? value : value % 2 ** (8 * width), width as 1 | 2 | 4);
          if (kind === 3) bench.advance(200_000);
        }
        ide.reset();
      }),
      { numRuns: 300 },
    );
  });

  it('can write any packet', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 12, maxLength: 12 }), { maxLength: 30 }), (packets) => {
        const { bench } = ideBench();
        for (const bytes of packets) {
          packet(bench, [...bytes], { limit: bytes[5] * 7 });
          for (let i = 0; i < 4 && (wait(bench) & 8) !== 0; i++) {
            readWords(bench, (bench.ports.read(0x1f4, 1) | (bench.ports.read(0x1f5, 1) << 8)) & 0xfffe);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
