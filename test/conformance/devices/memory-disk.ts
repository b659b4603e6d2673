import { BLOCK_BYTES } from '../../../src/core/block.js';
import { InputGate } from '../../../src/core/input-gate.js';
import { BaseImages } from '../../../src/devices/disk/base-images.js';
import { Disk, type DriveKind } from '../../../src/devices/disk/disk.js';
import type { Medium } from '../../../src/devices/disk/medium.js';

export interface MemoryDisk {
  readonly disk: Disk;
  readonly medium: Medium;
  readonly images: BaseImages;
  /** Blocks of base images that were asked for. */
  readonly asked: number[];
}

/** A drive with `image` in it, whose hash is made up. */
export function memoryDisk(
  image: Uint8Array,
  options: Partial<Medium> & { id?: string; kind?: DriveKind } = {},
): MemoryDisk {
  const { id = 'hda', kind = 'disk', ...rest } = options;
  const images = new BaseImages();
  const asked: number[] = [];
  const gate = new InputGate();
  const medium: Medium = {
    sha256: 'a'.repeat(64),
    imageBytes: image.length,
    sectorCount: Math.ceil(image.length / 512),
    readOnly: kind === 'cdrom',
    cylinders: 0,
    heads: 0,
    sectorsPerTrack: 0,
    ...rest,
  };
  images.add(medium.sha256, {
    sizeBytes: image.length,
    read(offset, count) {
      asked.push(offset / BLOCK_BYTES);
      return image.subarray(offset, offset + count);
    },
  });
  const disk = new Disk(id, { kind, gate, images, medium });
  disk.load();
  return { disk, medium, images, asked };
}
