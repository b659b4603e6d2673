import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MmioBus } from '../../../src/core/bus.js';
import { LAYOUT } from '../../../src/cpu/memory/layout.js';
import { engineMemoryPages, PhysicalMemory } from '../../../src/cpu/memory/physical.js';
import { Dma } from '../../../src/devices/dma.js';
import { Piix3Ide } from '../../../src/devices/ide/piix3-ide.js';
import { Bench } from './conformance.js';
import { BUS_MASTER, COMMAND, CONTROL, DATA, select, wait } from './ide-bench.js';
import { memoryDisk } from './memory-disk.js';

const RAM = 0x4_0000;
/** Memory of devices lies right behind RAM in the engine. */
const DEVICES = 0x1_0000;
const FILL = 0xd7;

const engine = new WebAssembly.Memory({ initial: engineMemoryPages(RAM + DEVICES) });
const physical = new PhysicalMemory({ memory: engine, ramBytes: RAM, deviceBytes: DEVICES, mmio: new MmioBus() });
const ram = physical.u8.subarray(LAYOUT.ram, LAYOUT.ram + RAM);
const behindRam = physical.u8.subarray(LAYOUT.ram + RAM);
const untouched = new Uint8Array(behindRam.length).fill(FILL);

beforeEach(() => void behindRam.fill(FILL));
afterEach(() => expect(Buffer.compare(behindRam, untouched)).toBe(0));

/** RAM, its end, what lies behind it, the end of what a PC can address, and what 64-bit descriptors can say. */
const address = fc.oneof(
  fc.nat(RAM),
  fc.integer({ min: RAM - 5000, max: RAM + 5000 }),
  fc.integer({ min: RAM, max: RAM + DEVICES }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0xffff_fffe, 2 ** 32 - 512, 2 ** 32, 2 ** 52, 2 ** 64 - 4096),
);

describe('bus masters', () => {
  it('reach RAM and nothing else, wherever they point', () => {
    const access = fc.record({ address, count: fc.nat(9000), isWrite: fc.boolean(), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 20 }), (accesses) => {
        ram.fill(0);
        const model = new Uint8Array(RAM);
        for (const { address: at, count, isWrite, value } of accesses) {
          if (isWrite) {
            physical.dma.write(at, new Uint8Array(count).fill(value));
            if (at < RAM) model.fill(value, at, at + count);
          } else {
            const expected = new Uint8Array(count).fill(0xff);
            if (at < RAM) expected.set(model.subarray(at, at + count));
            expect(Buffer.compare(physical.dma.read(at, count), expected)).toBe(0);
          }
        }
        expect(Buffer.compare(ram, model)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('of ATA take regions anywhere: a transfer ends, the disk keeps what no command wrote', () => {
    const SECTORS = 64;
    const region = fc.record({ address, count: fc.nat(0xffff), isLast: fc.boolean() });
    const command = fc.record({
      table: fc.oneof(fc.constant(0x1000), address),
      regions: fc.array(region, { maxLength: 12 }),
      isWrite: fc.boolean(),
      lba: fc.nat(SECTORS + 8),
      count: fc.nat(40),
    });
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 6 }), (commands) => {
        const bench = new Bench();
        const image = Uint8Array.from({ length: SECTORS * 512 }, (_, i) => i >> 9);
        const original = image.slice();
        const { disk } = memoryDisk(image, { cylinders: 1, heads: 4, sectorsPerTrack: 16 });
        const { clock, timers } = bench;
        const lines = { irq14: bench.line('irq14'), irq15: bench.line('irq15') };
        const disks = [disk, null, null, null] as const;
        const ide = new Piix3Ide('ide', { clock, timers, memory: physical.dma, ...lines, disks, isPreset: true });
        ide.config.write(4, 5, 2);
        bench.map(DATA, 8, ide.channels[0].commandPorts);
        bench.map(CONTROL, 1, ide.channels[0].controlPorts);
        bench.map(BUS_MASTER, 16, ide.config.bars[0]!.handler!);
        const written = new Set<number>();
        for (const { table, regions, isWrite, lba, count } of commands) {
          const view = new DataView(ram.buffer, LAYOUT.ram, RAM);
          regions.forEach((item, i) => {
            view.setUint32(0x1000 + 8 * i, item.address % 2 ** 32, true);
            view.setUint32(0x1004 + 8 * i, item.count + (item.isLast ? 0x8000_0000 : 0), true);
          });
          bench.write(BUS_MASTER + 4, table % 2 ** 32, 4);
          bench.write(BUS_MASTER, isWrite ? 0 : 8);
          select(bench, 0, lba, count);
          bench.write(COMMAND, isWrite ? 0xca : 0xc8);
          bench.write(BUS_MASTER, isWrite ? 1 : 9);
          expect(wait(bench) & 0x80).toBe(0);
          bench.write(BUS_MASTER, 0);
          if (isWrite) for (let n = 0; n < (count || 256); n++) written.add(lba + n);
        }
        expect(Buffer.compare(image, original)).toBe(0);
        for (let lba = 0; lba < SECTORS; lba++) {
          if (!written.has(lba))
            expect(Buffer.compare(disk.read(lba, 1), original.subarray(lba * 512, (lba + 1) * 512))).toBe(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('of the 8237 reach 16 MiB by their page registers: what of it is no RAM takes nothing', () => {
    const transfer = fc.record({
      channel: fc.nat(7),
      page: fc.oneof(fc.nat(0xff), fc.integer({ min: 2, max: 5 })),
      start: fc.nat(0xffff),
      count: fc.nat(0xffff),
      mode: fc.nat(0xff),
      bytes: fc.nat(1200),
    });
    fc.assert(
      fc.property(fc.array(transfer, { maxLength: 20 }), (transfers) => {
        const bench = new Bench();
        const dma = new Dma('dma', physical.dma);
        bench.map(0x00, 16, dma.lowPorts);
        bench.map(0x80, 16, dma.pagePorts);
        bench.map(0xc0, 32, dma.highPorts);
        const PAGE_PORTS = [0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a];
        for (const { channel, page, start, count, mode, bytes } of transfers) {
          const [base, unit] = channel < 4 ? [0, 1] : [0xc0, 2];
          const pair = base + (channel & 3) * 2 * unit;
          bench.write(PAGE_PORTS[channel]!, page);
          bench.write(base + 12 * unit, 0);
          for (const [port, value] of [
            [pair, start],
            [pair + unit, count],
          ] as const) {
            bench.write(port, value & 0xff);
            bench.write(port, value >> 8);
          }
          bench.write(base + 11 * unit, (mode & 0xfc) | (channel & 3));
          bench.write(base + 10 * unit, channel & 3);
          const taken = dma.deviceToMemory(channel, new Uint8Array(bytes).fill(1));
          expect(taken.count).toBeLessThanOrEqual(bytes);
          const given = dma.memoryToDevice(channel, new Uint8Array(bytes));
          expect(given.count).toBeLessThanOrEqual(bytes);
        }
      }),
      { numRuns: 200 },
    );
  });
});
