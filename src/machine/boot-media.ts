import type { ByteReader, ByteWriter } from '../base/bytes.js';
import type { Device } from '../core/device.js';
import type { InputGate } from '../core/input-gate.js';
import type { Codec, StateSchema } from '../core/state.js';
import { SECTOR_BYTES, sectorsOf } from '../devices/bootdisk.js';

/** Sectors read so far, in order, so that equal contents have equal bytes. */
const sectorsCodec: Codec<Map<number, Uint8Array>> = {
  write(out: ByteWriter, sectors) {
    out.u32(sectors.size);
    for (const lba of [...sectors.keys()].sort((a, b) => a - b)) out.u32(lba).raw(sectors.get(lba)!);
  },
  read(input: ByteReader) {
    const sectors = new Map<number, Uint8Array>();
    for (let left = input.u32(); left > 0; left--) {
      const lba = input.u32();
      sectors.set(lba, input.raw(SECTOR_BYTES).slice());
    }
    return sectors;
  },
};

interface BootMediaState {
  sectors: Map<number, Uint8Array>;
}

/** Images up to this size are known as a whole: a recording of them needs no image even for going live. */
const WHOLE_IMAGE_BYTES = 4 * 1024 * 1024;

/**
 * The boot image as the machine knows it. Each sector comes through the gate once, at its first read, and is part of
 * the state from then on: so a recording holds just what its run has read.
 */
export class BootMedia implements Device<BootMediaState> {
  readonly kind = 'boot-media';
  readonly version = 1;
  readonly schema: StateSchema<BootMediaState> = { sectors: sectorsCodec };
  readonly state: BootMediaState = { sectors: new Map() };
  #image: ((lba: number) => Uint8Array) | null = null;

  constructor(
    readonly id: string,
    private readonly gate: InputGate,
  ) {}

  /** The medium does not change with a reset. */
  reset(): void {}

  /** Puts the image in. Small ones are taken in at once. */
  insert(image: Uint8Array): void {
    this.attach(image);
    if (image.length > WHOLE_IMAGE_BYTES) return;
    for (let lba = 0; lba * SECTOR_BYTES < image.length; lba++) this.state.sectors.set(lba, this.#image!(lba));
  }

  /** The image that unread sectors come from: also when a run goes live. */
  attach(image: Uint8Array): void {
    this.#image = sectorsOf(image);
  }

  /** True when no sector of an image of that size can be asked for. */
  isComplete(imageBytes: number): boolean {
    return this.state.sectors.size * SECTOR_BYTES >= imageBytes;
  }

  sector(lba: number): Uint8Array {
    const known = this.state.sectors.get(lba);
    if (known !== undefined) return known;
    const request = Uint8Array.of(lba, lba >>> 8, lba >>> 16, lba >>> 24);
    const answer = this.gate.ask('block', request, () => this.#image?.(lba) ?? new Uint8Array(SECTOR_BYTES));
    const sector = new Uint8Array(SECTOR_BYTES);
    sector.set(answer.subarray(0, SECTOR_BYTES));
    this.state.sectors.set(lba, sector);
    return sector;
  }
}
