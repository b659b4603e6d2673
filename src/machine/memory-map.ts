/**
 * What lies where in the physical address space besides RAM: the firmware, shadow RAM, and the memory of devices. The
 * chipset's registers decide; this puts their decisions into effect.
 */
import { KIB, MIB, PAGE_SHIFT, PAGE_SIZE } from '../base/units.js';
import type { MmioBus, MmioHandler, Width } from '../core/bus.js';
import type { Cpu } from '../cpu/cpu.js';
import { LAYOUT, PAGE_FLAG } from '../cpu/memory/layout.js';
import type { Aperture } from '../cpu/memory/physical.js';
import type { Shadow } from '../devices/pci/i440fx.js';

/** Offsets in device memory. */
export const DEVICE_MEMORY = {
  videoRam: 0,
  /** The firmware's flash, its end at the end of the part. */
  bios: 8 * MIB,
  videoRom: 8 * MIB + 256 * KIB,
  /** One after the other, by network interface. */
  networkRom: 8 * MIB + 320 * KIB,
  end: 8 * MIB + 320 * KIB + 4 * 128 * KIB,
} as const;
export const VIDEO_RAM_BYTES = 8 * MIB;
export const MAX_BIOS_BYTES = 256 * KIB;
export const VIDEO_ROM_BYTES = 64 * KIB;
export const NETWORK_ROM_BYTES = 128 * KIB;

const SHADOW_START = 0xc0000;
const SHADOW_END = 0x100000;
/** From here to 1 MiB the flash answers where RAM does not. */
const LOW_BIOS_START = 0xe0000;
const VIDEO_WINDOW_START = 0xa0000;
const FOUR_GIB = 0x1_0000_0000;

export class MemoryMap {
  /** Pages that are written but not read as RAM: copying in progress. */
  readonly #writable = new Set<number>();

  constructor(
    private readonly cpu: Cpu,
    mmio: MmioBus,
  ) {
    const { physical } = cpu;
    for (let at: number = DEVICE_MEMORY.bios; at < DEVICE_MEMORY.end; at += PAGE_SIZE) {
      physical.setFlag(physical.devicePage(at), PAGE_FLAG.ROM);
    }
    physical.setAperture('bios', { base: FOUR_GIB - MAX_BIOS_BYTES, size: MAX_BIOS_BYTES, target: DEVICE_MEMORY.bios });
    mmio.map('shadow', SHADOW_START, SHADOW_END - SHADOW_START, this.#shadowed());
  }

  /** Puts firmware into the flash; its end is the end of the address space. */
  loadBios(bios: Uint8Array): void {
    const flash = new Uint8Array(MAX_BIOS_BYTES).fill(0xff);
    flash.set(bios, MAX_BIOS_BYTES - bios.length);
    this.#fill(DEVICE_MEMORY.bios, MAX_BIOS_BYTES, flash);
  }

  /** Overwrites some of the flash, `fromEnd` bytes before its end. */
  patchBios(fromEnd: number, bytes: Uint8Array): void {
    const part = this.cpu.physical.deviceMemory(DEVICE_MEMORY.bios, MAX_BIOS_BYTES);
    const at = MAX_BIOS_BYTES - fromEnd;
    part.willWrite(at, bytes.length);
    part.bytes.set(bytes, at);
  }

  /** Puts an expansion ROM where its function's BAR shows it. */
  loadRom(offset: number, sizeBytes: number, rom: Uint8Array): void {
    this.#fill(offset, sizeBytes, rom);
  }

  #fill(offset: number, sizeBytes: number, bytes: Uint8Array): void {
    const part = this.cpu.physical.deviceMemory(offset, sizeBytes);
    part.willWrite(0, sizeBytes);
    part.bytes.fill(0xff);
    part.bytes.set(bytes);
  }

  /** For I440FxOptions.onShadow. */
  readonly onShadow = (base: number, sizeBytes: number, { readsRam, writesRam }: Shadow): void => {
    const { physical } = this.cpu;
    for (let at = base; at < base + sizeBytes; at += PAGE_SIZE) {
      const page = at >>> PAGE_SHIFT;
      if (writesRam) physical.clearFlag(page, PAGE_FLAG.ROM);
      else physical.setFlag(page, PAGE_FLAG.ROM);
      if (writesRam) this.#writable.add(page);
      else this.#writable.delete(page);
      const isFlash = at >= LOW_BIOS_START && !writesRam;
      physical.setWindow(page, readsRam ? 'ram' : isFlash ? flashBelow1MiB(at) : 'device');
    }
    this.cpu.memory.tlb.flushAll();
  };

  /** Where in video RAM each page of A0000h-BFFFFh lies; null: accesses are the video chip's to answer. */
  readonly onVideoWindow = (offsets: readonly (number | null)[]): void => {
    offsets.forEach((offset, i) => {
      const page = (VIDEO_WINDOW_START >>> PAGE_SHIFT) + i;
      this.cpu.physical.setWindow(page, offset === null ? 'device' : DEVICE_MEMORY.videoRam + offset);
    });
    this.cpu.memory.tlb.flushAll();
  };

  /** Device memory appears at, moves to or (null) leaves an address. */
  readonly onAperture = (name: string, aperture: Aperture | null): void => {
    this.cpu.physical.setAperture(name, aperture);
    this.cpu.memory.tlb.flushAll();
  };

  /** What the CPU finds where it reads no RAM: flash or nothing. Writes pass through to RAM while it is being filled. */
  #shadowed(): MmioHandler {
    const { physical } = this.cpu;
    const byte = (address: number): number =>
      address < LOW_BIOS_START ? 0xff : physical.u8[LAYOUT.ram + physical.ramBytes + flashBelow1MiB(address)];
    return {
      read: (offset, width) => {
        let value = 0;
        for (let i = 0; i < width; i++) value |= byte(SHADOW_START + offset + i) << (8 * i);
        return value >>> 0;
      },
      write: (offset, value, width) => {
        const address = SHADOW_START + offset;
        if (this.#writable.has(address >>> PAGE_SHIFT)) physical.dma.write(address, littleEndian(value, width));
      },
    };
  }
}

/** Offset in device memory of the flash that lies at an address from E0000h. */
function flashBelow1MiB(address: number): number {
  return DEVICE_MEMORY.bios + MAX_BIOS_BYTES - (SHADOW_END - address);
}

function littleEndian(value: number, width: Width): Uint8Array {
  return Uint8Array.from({ length: width }, (_, i) => value >>> (8 * i));
}
