import { basename } from 'node:path';
import type { DiskImage } from '../harness/drives.js';
import { ImageFile } from './disk-image-file.js';

/** Opens a disk image. Throws HOST_IO or DAMAGED, naming the file. */
export function openDiskImage(path: string): DiskImage {
  const file = new ImageFile(path);
  try {
    const sha256 = file.sha256();
    return {
      sizeBytes: file.sizeBytes,
      sha256,
      files: [{ name: basename(path), sha256, bytes: file.sizeBytes }],
      read: (offset, count) => file.read(offset, count),
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}
