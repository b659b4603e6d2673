import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, resolve, sep } from 'node:path';
import { CodedError } from '../base/errors.js';
import type { DiskImage, ImageFormat } from '../harness/drives.js';
import { ImageFile, type ReadAt } from './disk-image-file.js';
import { isQcow2, Qcow2Image } from './disk-image-qcow2.js';

/** Images that one may be based on, each on the next. */
const MAX_CHAIN = 16;

/**
 * Opens a disk image, raw or qcow2; which one tells the file itself unless `format` does. Throws HOST_IO, USAGE or
 * DAMAGED, naming the file.
 */
export function openDiskImage(path: string, format: ImageFormat | null = null): DiskImage {
  const files: ImageFile[] = [];
  const close = (): void => {
    for (const file of files) file.close();
  };
  try {
    const image = openContents(path, format, files);
    const parts = files.map((file) => ({ name: basename(file.path), sha256: file.sha256(), bytes: file.sizeBytes }));
    return {
      sizeBytes: image.sizeBytes,
      sha256: identity(parts.map(({ sha256 }) => sha256)),
      files: parts,
      read: (offset, count) => image.read(offset, count),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** One file is known by its hash, several by that of their hashes. */
function identity(hashes: readonly string[]): string {
  return hashes.length === 1 ? hashes[0]! : createHash('sha256').update(hashes.join('\n')).digest('hex');
}

function openContents(path: string, format: string | null, files: ImageFile[]): ReadAt {
  const file = new ImageFile(path);
  files.push(file);
  // What a guest writes to a raw disk could look like qcow2: where a format is told, it counts.
  if (format === 'raw' || !isQcow2(file)) {
    if (format === null || format === 'raw') return file;
    throw new CodedError('DAMAGED', `the file is no ${format} image`, { where: path });
  }
  return new Qcow2Image(file, {
    where: path,
    openBacking(name, backingFormat) {
      if (files.length > MAX_CHAIN) throw new CodedError('DAMAGED', 'too many backing files', { where: path });
      if (backingFormat !== null && backingFormat !== 'raw' && backingFormat !== 'qcow2') {
        throw new CodedError('USAGE', `the backing file has the format "${backingFormat}"`, {
          where: path,
          hint: 'raw and qcow2 are read; qemu-img convert makes them',
        });
      }
      return openContents(backingPath(path, name), backingFormat, files);
    },
  });
}

/** A name in an image's header is not to be trusted: only the image's own folder is looked into. */
function backingPath(image: string, name: string): string {
  const folder = dirname(realpathSync(resolve(image)));
  const refused = new CodedError('USAGE', `the backing file "${name}" lies outside the folder of the image`, {
    where: image,
    hint: 'put it beside the image, or make one image of both with qemu-img convert',
  });
  if (name.includes('\0') || name.includes(':')) throw refused;
  const path = isAbsolute(name) ? name : resolve(folder, name);
  let real: string;
  try {
    real = realpathSync(path);
  } catch (cause) {
    throw new CodedError('HOST_IO', `there is no backing file "${name}"`, { where: image, cause });
  }
  if (!real.startsWith(folder.endsWith(sep) ? folder : folder + sep)) throw refused;
  return real;
}
