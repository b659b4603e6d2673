import type { Codec, StateSchema } from '../../../src/core/state.js';
import type { Device } from '../../../src/core/device.js';
import { Piix3Ide } from '../../../src/devices/ide/piix3-ide.js';
import type { Disk } from '../../../src/devices/disk/disk.js';
import { Bench } from './conformance.js';
import { memoryDisk } from './memory-disk.js';

export const DATA = 0x1f0;
export const COMMAND = 0x1f7;
export const CONTROL = 0x3f6;
export const BUS_MASTER = 0xc000;
export const RAM_BYTES = 0x1_0000;

export interface IdeBench {
  readonly bench: Bench;
  readonly ide: Piix3Ide;
  readonly hda: Disk;
  readonly cd: Disk;
  /** Images as they were. */
  readonly hdaImage: Uint8Array;
  readonly cdImage: Uint8Array;
  readonly ram: Uint8Array;
}

function pattern(bytes: number, factor: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (i >> 9) * factor + (i & 0x1ff));
}

/** A controller with a disk (4 cylinders, 4 heads, 16 sectors and a rest) as master of the first channel, a CD as slave. */
export function ideBench(bench = new Bench(), sectors = 300): IdeBench {
  const hdaImage = pattern(sectors * 512, 7);
  const cdImage = pattern((sectors > 100 ? 40 : 4) * 2048, 11);
  const hda = memoryDisk(hdaImage, { cylinders: 4, heads: 4, sectorsPerTrack: 16 }).disk;
  const cd = memoryDisk(cdImage, { id: 'hdb', kind: 'cdrom' }).disk;
  const ram = new Uint8Array(RAM_BYTES);
  const ide = new Piix3Ide('ide', {
    clock: bench.clock,
    timers: bench.timers,
    memory: {
      read(address, count) {
        const out = new Uint8Array(count).fill(0xff);
        out.set(ram.subarray(address, address + count));
        return out;
      },
      write: (address, bytes) => {
        if (address < RAM_BYTES) ram.set(bytes.subarray(0, RAM_BYTES - address), address);
      },
    },
    irq14: bench.line('irq14'),
    irq15: bench.line('irq15'),
    disks: [hda, cd, null, null],
    isPreset: true,
  });
  ide.config.write(4, 5, 2);
  bench.map(DATA, 8, ide.channels[0].commandPorts);
  bench.map(CONTROL, 1, ide.channels[0].controlPorts);
  bench.map(0x170, 8, ide.channels[1].commandPorts);
  bench.map(0x376, 1, ide.channels[1].controlPorts);
  bench.map(BUS_MASTER, 16, ide.config.bars[0].handler!);
  return { bench, ide, hda, cd, hdaImage, cdImage, ram };
}

const overlayCodec: Codec<Map<number, Uint8Array>> = {
  write(out, pages) {
    out.u32(pages.size);
    for (const number of [...pages.keys()].sort((a, b) => a - b)) out.u32(number).raw(pages.get(number)!);
  },
  read(input) {
    const pages = new Map<number, Uint8Array>();
    for (let left = input.u32(); left > 0; left--) pages.set(input.u32(), input.raw(4096).slice());
    return pages;
  },
};

/** Controller, disk contents and memory as one device, for the conformance suite. */
export function ideAsDevice({ ide, hda, ram }: IdeBench): Device<object> {
  const state = {
    ...ide.state,
    get overlay() {
      return new Map(hda.pages.capture());
    },
    set overlay(pages: Map<number, Uint8Array>) {
      hda.pages.restore(pages);
    },
    ram,
  };
  const fixed: Codec<Uint8Array> = {
    write: (out, value) => void out.blob(value),
    read: (input, current) => (current.set(input.blob()), current),
  };
  const schema = { ...ide.schema, overlay: overlayCodec, ram: fixed } as unknown as StateSchema<object>;
  return {
    id: 'ide',
    kind: 'ide',
    version: 1,
    schema,
    state,
    reset: () => ide.reset(),
    restored: () => ide.restored(),
  };
}

// ---- the host's side
export function select(bench: Bench, drive: number, lba = 0, count = 1): void {
  bench.write(0x1f6, 0xe0 | (drive << 4) | ((lba >>> 24) & 0x0f));
  bench.write(0x1f2, count & 0xff);
  bench.write(0x1f3, lba & 0xff);
  bench.write(0x1f4, (lba >>> 8) & 0xff);
  bench.write(0x1f5, (lba >>> 16) & 0xff);
}

/** Address and count of 48 and 16 bits. */
export function select48(bench: Bench, lba: number, count: number): void {
  bench.write(0x1f6, 0xe0);
  const byte = (n: number): number => Math.floor(lba / 2 ** (8 * n)) % 256;
  for (const [port, high, low] of [
    [0x1f2, count >> 8, count & 0xff],
    [0x1f3, byte(3), byte(0)],
    [0x1f4, byte(4), byte(1)],
    [0x1f5, byte(5), byte(2)],
  ]) {
    bench.write(port, high);
    bench.write(port, low);
  }
}

/** Lets time pass until the drive is not busy; returns the status, which ends the interrupt. */
export function wait(bench: Bench): number {
  for (let i = 0; i < 100 && (bench.ports.read(CONTROL, 1) & 0x80) !== 0; i++) bench.advance(100_000);
  return bench.ports.read(COMMAND, 1);
}

export function readWords(bench: Bench, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 2) {
    const word = bench.ports.read(DATA, 2);
    out[at] = word;
    out[at + 1] = word >> 8;
  }
  return out;
}

export function writeWords(bench: Bench, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += 2) bench.write(DATA, bytes[at] | (bytes[at + 1] << 8), 2);
}

/** A table of regions at 1000h of memory. */
export function regions(ram: Uint8Array, list: readonly (readonly [address: number, count: number])[]): void {
  const view = new DataView(ram.buffer);
  list.forEach(([address, count], i) => {
    view.setUint32(0x1000 + 8 * i, address, true);
    view.setUint32(0x1004 + 8 * i, (count & 0xffff) | (i === list.length - 1 ? 0x8000_0000 : 0), true);
  });
}

export function startDma(bench: Bench, toMemory: boolean): void {
  bench.write(BUS_MASTER + 4, 0x1000, 4);
  bench.write(BUS_MASTER + 2, 0x06);
  bench.write(BUS_MASTER, toMemory ? 9 : 1);
}

/** Sends a packet to the slave; returns the status after it. */
export function packet(bench: Bench, bytes: readonly number[], { dma = false, limit = 0xfffe } = {}): number {
  bench.write(0x1f6, 0xb0);
  bench.write(0x1f1, dma ? 1 : 0);
  bench.write(0x1f4, limit & 0xff);
  bench.write(0x1f5, limit >> 8);
  bench.write(COMMAND, 0xa0);
  const padded = new Uint8Array(12);
  padded.set(bytes);
  writeWords(bench, padded);
  return wait(bench);
}
