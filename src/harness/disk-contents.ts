import { CodedError } from '../base/errors.js';
import { BLOCK_BYTES, SECTOR_BYTES } from '../core/block.js';
import type { DriveId } from '../machine/drives.js';
import type { Pc } from '../machine/pc.js';
import { openImage, type DiskImage, type ImageSource } from './drives.js';
import type { HostServices } from './services.js';

/** Blocks of one piece: 1 MiB. */
const PIECE_BLOCKS = 256;

/**
 * What the medium of a drive holds at this moment, as a raw image, in pieces: the base image with all that the guest has
 * written. Throws USAGE where there is no medium; MISSING_IMAGE or MISMATCH where the base image is needed and `source`
 * is not it.
 */
export function* diskContents(
  pc: Pc,
  services: HostServices,
  drive: DriveId,
  source: ImageSource | undefined,
): Generator<Uint8Array> {
  const disk = pc.disks.get(drive);
  if (disk === undefined || disk.sectorCount === 0) {
    const present = [...pc.disks].filter(([, d]) => d.sectorCount > 0).map(([id]) => id);
    throw new CodedError('USAGE', `the machine has no medium in drive ${drive} then`, {
      hint: present.length === 0 ? 'it has none at all' : `there is one in ${present.join(', ')}`,
    });
  }
  const wanted = disk.wantedImage;
  const image = wanted === null ? null : openBase(services, source, wanted);
  try {
    const sizeBytes = disk.sectorCount * SECTOR_BYTES;
    const blocks = Math.ceil(sizeBytes / BLOCK_BYTES);
    for (let first = 0; first < blocks; first += PIECE_BLOCKS) {
      const count = Math.min(PIECE_BLOCKS, blocks - first);
      const piece = new Uint8Array(count * BLOCK_BYTES);
      if (image !== null) readBase(image, first * BLOCK_BYTES, piece);
      for (let i = 0; i < count; i++) {
        const written = disk.pages.get(first + i);
        if (written !== undefined) piece.set(written, i * BLOCK_BYTES);
      }
      yield piece.subarray(0, Math.min(piece.length, sizeBytes - first * BLOCK_BYTES));
    }
  } finally {
    image?.close();
  }
}

function openBase(services: HostServices, source: ImageSource | undefined, wanted: string): DiskImage {
  const hint = `give the image whose SHA-256 is ${wanted}`;
  if (source === undefined)
    throw new CodedError('MISSING_IMAGE', 'the recording has only what its run has read', { hint });
  const image = openImage(services, source);
  if (image.sha256 === wanted) return image;
  image.close();
  throw new CodedError('MISMATCH', `this is another image: its SHA-256 is ${image.sha256}`, {
    ...(typeof source === 'string' ? { where: source } : {}),
    hint,
  });
}

/** What lies behind the image's end stays zero. */
function readBase(image: DiskImage, offset: number, piece: Uint8Array): void {
  const count = Math.min(piece.length, image.sizeBytes - offset);
  if (count > 0) piece.set(image.read(offset, count));
}
