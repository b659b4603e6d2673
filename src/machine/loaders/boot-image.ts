/** Finds the shape of a disk image: which drive it belongs into, and its cylinders, heads and sectors. */
import { CodedError } from '../../base/errors.js';
import { KIB } from '../../base/units.js';
import { SECTOR_BYTES } from '../../core/block.js';
import type { BaseImage } from '../../devices/disk/base-images.js';
import type { DriveKind } from '../../devices/disk/disk.js';
import type { Geometry } from '../../devices/disk/medium.js';

/**
 * Diskette formats by size in KiB: cylinders, heads, sectors per track, CMOS drive type. IBM's and Microsoft's, and those
 * with more tracks or sectors that formatting programs made (fdformat, 2M, Microsoft's DMF).
 */
const FLOPPY_FORMATS: readonly (readonly [kib: number, c: number, h: number, s: number, type: number])[] = [
  [160, 40, 1, 8, 1],
  [180, 40, 1, 9, 1],
  [320, 40, 2, 8, 1],
  [360, 40, 2, 9, 1],
  [640, 80, 2, 8, 3],
  [720, 80, 2, 9, 3],
  [800, 80, 2, 10, 3],
  [820, 82, 2, 10, 3],
  [1200, 80, 2, 15, 2],
  [1440, 80, 2, 18, 4],
  [1476, 82, 2, 18, 4],
  [1494, 83, 2, 18, 4],
  [1600, 80, 2, 20, 4],
  [1680, 80, 2, 21, 4],
  [1722, 82, 2, 21, 4],
  [1743, 83, 2, 21, 4],
  [1760, 80, 2, 22, 4],
  [1840, 80, 2, 23, 4],
  [1920, 80, 2, 24, 4],
  [2880, 80, 2, 36, 5],
];
const DEFAULT_FLOPPY_TYPE = 4;

/** What an image that is no whole diskette is taken for. */
const DEFAULT_FLOPPY_KIB = 1440;
const LARGEST_FLOPPY_KIB = 2880;

/** Where a CD's volume descriptors begin (ECMA-119, 6.7.1), and what stands in the first behind its type. */
const VOLUME_DESCRIPTOR = 16 * 2048;
const CD_MAGIC = 'CD001';
/** Sectors of 512 bytes in one of a CD's. */
const CD_SECTOR = 4;

/** The shape of an image, and the sectors a drive shows of it. */
export interface ImageShape {
  readonly kind: DriveKind;
  readonly sectorCount: number;
  readonly geometry: Geometry;
}

function floppy(kib: number): ImageShape | undefined {
  const format = FLOPPY_FORMATS.find(([size]) => size === kib);
  if (format === undefined) return undefined;
  const [, cylinders, heads, sectorsPerTrack] = format;
  const geometry = { cylinders, heads, sectorsPerTrack };
  return { kind: 'floppy', sectorCount: cylinders * heads * sectorsPerTrack, geometry };
}

/** CMOS type of the drive that a diskette of that shape needs; 1.44M for none. */
export function floppyDriveType({ cylinders, heads, sectorsPerTrack }: Geometry): number {
  const format = FLOPPY_FORMATS.find(([, c, h, s]) => c === cylinders && h === heads && s === sectorsPerTrack);
  return format?.[4] ?? DEFAULT_FLOPPY_TYPE;
}

interface TrackShape {
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

/** Shape of a hard disk that nothing says more about: as ATA disks show themselves. */
const DEFAULT_TRACKS: TrackShape = { heads: 16, sectorsPerTrack: 63 };

/** The partition table's own idea: partitions end with a cylinder, so the end of one names the last head and sector. */
function shapeOfPartitions(sector: Uint8Array, sectorCount: number): TrackShape | undefined {
  if (sector.length < SECTOR_BYTES || sector[510] !== 0x55 || sector[511] !== 0xaa) return undefined;
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_BYTES);
  let shape: TrackShape | undefined;
  for (let at = 0x1be; at < 0x1fe; at += 16) {
    const active = view.getUint8(at);
    const type = view.getUint8(at + 4);
    const first = view.getUint32(at + 8, true);
    const count = view.getUint32(at + 12, true);
    if (active !== 0 && active !== 0x80) return undefined;
    if (type === 0) continue;
    if (first === 0 || count === 0) return undefined;
    // A table may tell of more than was copied with it; of far more only what is no table at all.
    if (first + count > Math.max(2 * sectorCount, IMPLAUSIBLE_SECTORS)) return undefined;
    const heads = view.getUint8(at + 5) + 1;
    const sectorsPerTrack = view.getUint8(at + 6) & 0x3f;
    shape ??= heads >= 2 && sectorsPerTrack > 0 ? { heads, sectorsPerTrack } : DEFAULT_TRACKS;
  }
  return shape;
}

/** 64 MiB. */
const IMPLAUSIBLE_SECTORS = 0x2_0000;
const MAX_CYLINDERS = 1024;

/** More heads for more sectors, so that INT 13h reaches as much as it can (the "LBA assist" of Phoenix EDD 3.0). */
function assistedTracks(sectorCount: number): TrackShape {
  const { sectorsPerTrack } = DEFAULT_TRACKS;
  for (const heads of [16, 32, 64, 128]) {
    if (sectorCount <= MAX_CYLINDERS * heads * sectorsPerTrack) return { heads, sectorsPerTrack };
  }
  return { heads: 255, sectorsPerTrack };
}

function hardDisk(sizeBytes: number, tracks: TrackShape | undefined): ImageShape {
  const imageSectors = Math.ceil(sizeBytes / SECTOR_BYTES);
  const { heads, sectorsPerTrack } = tracks ?? assistedTracks(imageSectors);
  // A last part of a cylinder is reachable by LBA only, as on real disks; a disk has at least one cylinder.
  const cylinders = Math.min(MAX_CYLINDERS, Math.max(1, Math.floor(imageSectors / (heads * sectorsPerTrack))));
  const sectorCount = Math.max(imageSectors, cylinders * heads * sectorsPerTrack);
  return { kind: 'disk', sectorCount, geometry: { cylinders, heads, sectorsPerTrack } };
}

function compactDisc(sizeBytes: number): ImageShape {
  const sectorCount = Math.ceil(sizeBytes / (CD_SECTOR * SECTOR_BYTES)) * CD_SECTOR;
  return { kind: 'cdrom', sectorCount, geometry: { cylinders: 0, heads: 0, sectorsPerTrack: 0 } };
}

function isCompactDisc(image: BaseImage): boolean {
  if (image.sizeBytes < VOLUME_DESCRIPTOR + 2048) return false;
  const id = image.read(VOLUME_DESCRIPTOR + 1, CD_MAGIC.length);
  return String.fromCharCode(...id) === CD_MAGIC;
}

/**
 * What an image is by itself. A diskette's size is a diskette; what has an ISO 9660 volume descriptor is a CD; anything with a partition table
 * or larger than 2.88 MB is a hard disk; what is left, e.g. a boot sector alone, is the start of a 1.44 MB (or 2.88 MB)
 * diskette. Throws USAGE for an empty image.
 */
export function detectImage(image: BaseImage, where: string): ImageShape {
  const { sizeBytes } = image;
  checkSize(image, where);
  const kib = sizeBytes / KIB;
  const exact = floppy(kib);
  if (exact !== undefined) return exact;
  if (isCompactDisc(image)) return compactDisc(sizeBytes);
  const tracks = shapeOfPartitions(firstSector(image), Math.ceil(sizeBytes / SECTOR_BYTES));
  if (tracks !== undefined || kib > LARGEST_FLOPPY_KIB) return hardDisk(sizeBytes, tracks);
  return partOfFloppy(kib);
}

/** The shape of an image in a drive of that kind. Throws USAGE where it does not fit. */
export function imageShape(kind: DriveKind, image: BaseImage, where: string): ImageShape {
  const { sizeBytes } = image;
  checkSize(image, where);
  const kib = sizeBytes / KIB;
  if (kind === 'cdrom') return compactDisc(sizeBytes);
  if (kind === 'disk') {
    return hardDisk(sizeBytes, shapeOfPartitions(firstSector(image), Math.ceil(sizeBytes / SECTOR_BYTES)));
  }
  if (kib > LARGEST_FLOPPY_KIB) {
    throw new CodedError('USAGE', `the image has ${sizeBytes} bytes, more than a diskette`, {
      where,
      hint: 'a diskette has at most 2.88 MB; give it as a hard disk with --hda',
    });
  }
  return floppy(kib) ?? partOfFloppy(kib);
}

function partOfFloppy(kib: number): ImageShape {
  return floppy(kib <= DEFAULT_FLOPPY_KIB ? DEFAULT_FLOPPY_KIB : LARGEST_FLOPPY_KIB)!;
}

function firstSector(image: BaseImage): Uint8Array {
  return image.read(0, Math.min(SECTOR_BYTES, image.sizeBytes));
}

function checkSize({ sizeBytes }: BaseImage, where: string): void {
  if (sizeBytes > 0) return;
  throw new CodedError('USAGE', 'the disk image is empty', { where, hint: 'give a raw or qcow2 disk image' });
}
