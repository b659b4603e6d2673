/** Finds the shape of a raw disk image: which drive it is, and its cylinders, heads and sectors. */
import { CodedError } from '../../base/errors.js';
import { KIB, MIB } from '../../base/units.js';
import { SECTOR_BYTES, type BootDiskGeometry } from '../../devices/bootdisk.js';
import type { LoadPlan } from './load-plan.js';

export const MAX_IMAGE_BYTES = 64 * MIB;

/** Diskette formats by size in KiB: cylinders, heads, sectors per track, CMOS drive type. */
const FLOPPY_FORMATS: readonly (readonly [kib: number, c: number, h: number, s: number, type: number])[] = [
  [160, 40, 1, 8, 1],
  [180, 40, 1, 9, 1],
  [320, 40, 2, 8, 1],
  [360, 40, 2, 9, 1],
  [720, 80, 2, 9, 3],
  [1200, 80, 2, 15, 2],
  [1440, 80, 2, 18, 4],
  [1680, 80, 2, 21, 4],
  [1722, 82, 2, 21, 4],
  [2880, 80, 2, 36, 5],
];

/** What an image that is no whole diskette is taken for. */
const DEFAULT_FLOPPY_KIB = 1440;
const LARGEST_FLOPPY_KIB = 2880;

export interface BootImagePlan extends LoadPlan {
  readonly geometry: BootDiskGeometry;
  /** INT 13h drive: 00h or 80h. */
  readonly drive: number;
}

function floppy(kib: number): BootDiskGeometry | undefined {
  const format = FLOPPY_FORMATS.find(([size]) => size === kib);
  if (format === undefined) return undefined;
  const [, cylinders, heads, sectorsPerTrack, driveType] = format;
  return {
    kind: 'floppy',
    sectorCount: cylinders * heads * sectorsPerTrack,
    cylinders,
    heads,
    sectorsPerTrack,
    driveType,
  };
}

interface TrackShape {
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

/** The partition table's own idea: partitions end with a cylinder, so the end of one names the last head and sector. */
function shapeOfPartitions(image: Uint8Array): TrackShape | undefined {
  if (image.length < SECTOR_BYTES || image[510] !== 0x55 || image[511] !== 0xaa) return undefined;
  const view = new DataView(image.buffer, image.byteOffset, SECTOR_BYTES);
  let shape: TrackShape | undefined;
  for (let at = 0x1be; at < 0x1fe; at += 16) {
    const active = view.getUint8(at);
    const type = view.getUint8(at + 4);
    const first = view.getUint32(at + 8, true);
    const count = view.getUint32(at + 12, true);
    if (active !== 0 && active !== 0x80) return undefined;
    if (type === 0) continue;
    if (first === 0 || count === 0 || (first + count) * SECTOR_BYTES > MAX_IMAGE_BYTES) return undefined;
    const heads = view.getUint8(at + 5) + 1;
    const sectorsPerTrack = view.getUint8(at + 6) & 0x3f;
    shape ??= heads >= 2 && sectorsPerTrack > 0 ? { heads, sectorsPerTrack } : { heads: 16, sectorsPerTrack: 63 };
  }
  return shape;
}

function hardDisk(sizeBytes: number, { heads, sectorsPerTrack }: TrackShape): BootDiskGeometry {
  const sectorCount = Math.ceil(sizeBytes / SECTOR_BYTES);
  // A last part of a cylinder is reachable by LBA only, as on real disks; a disk has at least one cylinder.
  const cylinders = Math.min(1024, Math.max(1, Math.floor(sectorCount / (heads * sectorsPerTrack))));
  return {
    kind: 'hard-disk',
    sectorCount: Math.max(sectorCount, cylinders * heads * sectorsPerTrack),
    cylinders,
    heads,
    sectorsPerTrack,
    driveType: 0,
  };
}

/**
 * A diskette's size is a diskette; anything with a partition table or larger than 2.88 MB is a hard disk; what is left,
 * e.g. a boot sector alone, is the start of a 1.44 MB (or 2.88 MB) diskette.
 */
export function detectGeometry(image: Uint8Array): BootDiskGeometry {
  const kib = image.length / KIB;
  const exact = floppy(kib);
  if (exact !== undefined) return exact;
  const partitions = shapeOfPartitions(image);
  if (partitions !== undefined) return hardDisk(image.length, partitions);
  if (kib > LARGEST_FLOPPY_KIB) return hardDisk(image.length, { heads: 16, sectorsPerTrack: 63 });
  return floppy(kib <= DEFAULT_FLOPPY_KIB ? DEFAULT_FLOPPY_KIB : LARGEST_FLOPPY_KIB)!;
}

/** Boots `bytes` as a disk. Nothing is put into memory; the boot disk gets `geometry` and the image. */
export function loadBootImage({ bytes }: { bytes: Uint8Array }): BootImagePlan {
  if (bytes.length === 0) {
    throw new CodedError('USAGE', 'the disk image is empty', { where: 'boot image', hint: 'give a raw disk image' });
  }
  if (bytes.length > MAX_IMAGE_BYTES) {
    throw new CodedError('USAGE', `the disk image has ${bytes.length} bytes, more than ${MAX_IMAGE_BYTES}`, {
      where: 'boot image',
      hint: 'use an image of at most 64 MiB',
    });
  }
  const geometry = detectGeometry(bytes);
  return { writes: [], cpu: { mode: 'reset' }, geometry, drive: geometry.kind === 'floppy' ? 0x00 : 0x80 };
}
