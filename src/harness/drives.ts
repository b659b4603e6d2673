import { CodedError } from '../base/errors.js';
import type { Hashing } from '../base/hash.js';
import type { BaseImage } from '../devices/disk/base-images.js';
import type { DriveKind } from '../devices/disk/disk.js';
import { encodeMediaChange, type Medium } from '../devices/disk/medium.js';
import type { ImageReference } from '../log/meta.js';
import {
  BOOT_LETTERS,
  bootLetter,
  DEFAULT_BOOT_ORDER,
  DRIVE_IDS,
  type DriveConfig,
  type DriveId,
} from '../machine/drives.js';
import { detectImage, imageShape, type ImageShape } from '../machine/loaders/boot-image.js';
import type { Pc } from '../machine/pc.js';
import type { HostServices } from './services.js';

/** What image files are. */
export type ImageFormat = 'raw' | 'qcow2';

/** An image, by its path or its bytes. */
export type ImageSource = string | Uint8Array;

/** What is in a machine's drives. Images are raw or qcow2 and never written to. */
export interface DriveOptions {
  /** Put into the drive that fits it, and booted from first: a diskette as fda, a hard disk as hda, an ISO as cdrom. */
  readonly bootImage?: ImageSource;
  /** Diskettes; `none` is a drive without one. */
  readonly fda?: ImageSource;
  readonly fdb?: ImageSource;
  /** Hard disks: master and slave of the first ATA channel, then of the second. */
  readonly hda?: ImageSource;
  readonly hdb?: ImageSource;
  readonly hdc?: ImageSource;
  readonly hdd?: ImageSource;
  /** A CD in a drive at hdc; `none` is a drive without one. */
  readonly cdrom?: ImageSource;
}

/** An image that has been opened. */
export interface DiskImage extends BaseImage {
  /** Identity of the contents: SHA-256 of the file, or over those of all files where it consists of several. */
  readonly sha256: string;
  /** The files it consists of, the one that was named first. */
  readonly files: readonly { readonly name: string; readonly sha256: string; readonly bytes: number }[];
  close(): void;
}

/** The drives of a machine and the images in them. */
export interface OpenedDrives {
  readonly configs: readonly DriveConfig[];
  readonly bootOrder: string;
  readonly references: readonly ImageReference[];
  readonly images: readonly DiskImage[];
  close(): void;
}

/** In place of an image: the drive is empty. */
const EMPTY_DRIVE = 'none';
const CD_DRIVE: DriveId = 'hdc';

/** An image held in memory. */
export function memoryImage(bytes: Uint8Array, hashing: Hashing): DiskImage {
  const sha256 = hashing.sha256Hex(bytes);
  return {
    sizeBytes: bytes.length,
    sha256,
    files: [{ name: 'image', sha256, bytes: bytes.length }],
    read: (offset, count) => bytes.subarray(offset, offset + count),
    close: () => {},
  };
}

export function openImage(services: HostServices, source: ImageSource, format?: ImageFormat): DiskImage {
  return typeof source === 'string' ? services.openImage(source, format) : memoryImage(source, services.hashing);
}

function place(source: ImageSource): string {
  return typeof source === 'string' ? source : 'image';
}

export function mediumOf(image: DiskImage, { kind, sectorCount, geometry }: ImageShape): Medium {
  const { sha256, sizeBytes } = image;
  return { sha256, imageBytes: sizeBytes, sectorCount, readOnly: kind === 'cdrom', ...geometry };
}

interface Drive {
  readonly config: DriveConfig;
  readonly image: DiskImage | null;
}

const PLACES: Record<DriveKind, DriveId> = { floppy: 'fda', disk: 'hda', cdrom: CD_DRIVE };

/** Opens what the options name. Throws USAGE, HOST_IO or DAMAGED; then nothing is left open. */
export function openDrives(services: HostServices, options: DriveOptions & { readonly boot?: string }): OpenedDrives {
  const drives = new Map<DriveId, Drive>();
  const close = (): void => {
    for (const { image } of drives.values()) image?.close();
  };
  const put = (id: DriveId, kind: DriveKind, source: ImageSource, option: string): void => {
    if (drives.has(id)) {
      throw new CodedError('USAGE', `two images for drive ${id}`, {
        where: place(source),
        hint: `--${option} is one too many`,
      });
    }
    if (source === EMPTY_DRIVE && kind !== 'disk') {
      drives.set(id, { config: { id, kind, medium: null }, image: null });
      return;
    }
    const image = openImage(services, source);
    try {
      drives.set(id, { config: { id, kind, medium: mediumOf(image, imageShape(kind, image, place(source))) }, image });
    } catch (error) {
      image.close();
      throw error;
    }
  };
  try {
    for (const id of DRIVE_IDS) {
      const source = options[id];
      if (source !== undefined) put(id, id === 'fda' || id === 'fdb' ? 'floppy' : 'disk', source, id);
    }
    if (options.cdrom !== undefined) put(CD_DRIVE, 'cdrom', options.cdrom, 'cdrom');
    let first = '';
    if (options.bootImage !== undefined) first = putBootImage(services, options.bootImage, drives);
    const bootOrder = parseBootOrder(options.boot, first);
    const ordered = DRIVE_IDS.map((id) => drives.get(id)).filter((drive) => drive !== undefined);
    return {
      configs: ordered.map(({ config }) => config),
      bootOrder,
      references: ordered.flatMap(({ config, image }) => (image === null ? [] : referencesOf(config.id, image))),
      images: ordered.map(({ image }) => image).filter((image) => image !== null),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Finds the drive for an image. Returns the letter to boot from first. */
function putBootImage(services: HostServices, source: ImageSource, drives: Map<DriveId, Drive>): string {
  const image = openImage(services, source);
  try {
    const shape = detectImage(image, place(source));
    const id = PLACES[shape.kind];
    if (drives.has(id)) {
      throw new CodedError('USAGE', `the boot image belongs into drive ${id}, which has an image`, {
        where: place(source),
      });
    }
    drives.set(id, { config: { id, kind: shape.kind, medium: mediumOf(image, shape) }, image });
    return bootLetter(shape.kind);
  } catch (error) {
    image.close();
    throw error;
  }
}

/** Images of a drive as a recording names them; those behind the first are what it is based on. */
export function referencesOf(id: DriveId, { files }: DiskImage): ImageReference[] {
  return files.map((file, i) => ({ role: i === 0 ? id : `${id}.backing${i}`, ...file }));
}

/** `order=dc`, `dc`; a boot image goes first. Throws USAGE. */
function parseBootOrder(text: string | undefined, first: string): string {
  const given = text?.replace(/^order=/, '') ?? DEFAULT_BOOT_ORDER;
  const letters = [...given];
  if (
    letters.length === 0 ||
    new Set(letters).size < letters.length ||
    letters.some((c) => !BOOT_LETTERS.includes(c))
  ) {
    throw new CodedError('USAGE', `"${text}" is no order to boot in`, {
      hint: 'letters: a diskette, c hard disk, d CD, n network; e.g. dc',
    });
  }
  return text !== undefined || first === '' ? given : first + letters.filter((c) => c !== first).join('');
}

/** The payload of a media change, and the image, which is at the machine's hand from now on. Throws USAGE, HOST_IO or DAMAGED. */
export function mediaChange(
  pc: Pc,
  services: HostServices,
  id: DriveId,
  source: ImageSource | null,
  format?: ImageFormat,
): { readonly payload: Uint8Array; readonly image: DiskImage | null } {
  const drive = pc.config.drives.findIndex((d) => d.id === id);
  const kind = pc.config.drives[drive]?.kind;
  if (kind === undefined || kind === 'disk') {
    const what = kind === 'disk' ? 'a hard disk cannot be taken out' : `the machine has no drive ${id}`;
    throw new CodedError('USAGE', what, { hint: 'start it with --fda none or --cdrom none for an empty drive' });
  }
  if (source === null) return { payload: encodeMediaChange(drive, null), image: null };
  const image = openImage(services, source, format);
  try {
    const payload = encodeMediaChange(drive, mediumOf(image, imageShape(kind, image, place(source))));
    pc.images.add(image.sha256, image);
    return { payload, image };
  } catch (error) {
    image.close();
    throw error;
  }
}

/**
 * Finds the images that a machine may read from on: among those given, by hash. Throws MISSING_IMAGE, or MISMATCH for
 * an image that is another. Returns those that are in use.
 */
export function attachImages(
  pc: Pc,
  services: HostServices,
  options: DriveOptions,
  references: readonly ImageReference[],
): DiskImage[] {
  const sources: Partial<Record<keyof DriveOptions, ImageSource>> = {};
  for (const name of [...DRIVE_IDS, 'cdrom', 'bootImage'] as const) {
    const source = options[name];
    if (source !== undefined && source !== EMPTY_DRIVE) sources[name] = source;
  }
  const opened = Object.values(sources).map((source) => ({ source, image: openImage(services, source) }));
  try {
    for (const { image } of opened) pc.images.add(image.sha256, image);
    for (const [id, disk] of pc.disks) {
      const wanted = disk.wantedImage;
      if (wanted === null || pc.images.get(wanted) !== undefined) continue;
      throw notFound(id, wanted, references, opened);
    }
    // An image that nothing reads is a mistake, if it is not one that the machine knows.
    const known = new Set([...pc.disks.values()].map((d) => d.state.medium.sha256));
    const stray = opened.find(({ image }) => !known.has(image.sha256));
    if (stray !== undefined) {
      throw new CodedError('MISMATCH', `this is no image of the recording: its SHA-256 is ${stray.image.sha256}`, {
        where: place(stray.source),
      });
    }
    return opened.map(({ image }) => image);
  } catch (error) {
    for (const { image } of opened) image.close();
    throw error;
  }
}

function notFound(
  id: DriveId,
  wanted: string,
  references: readonly ImageReference[],
  opened: readonly { readonly source: ImageSource; readonly image: DiskImage }[],
): CodedError {
  const reference = references.find((r) => r.role === id);
  // Of several files the user knows the first by its hash; of a medium that came later there is no name.
  const isChain = references.some((r) => r.role.startsWith(`${id}.`));
  const isNamed = reference !== undefined && (isChain || reference.sha256 === wanted);
  const name = isNamed ? ` "${reference.name}"` : '';
  const hash = isNamed ? reference.sha256 : wanted;
  const hint = `give the one whose SHA-256 is ${hash} with --${id} or --image`;
  const [other] = opened;
  if (other === undefined)
    return new CodedError('MISSING_IMAGE', `going live needs the image${name} of ${id}`, { hint });
  return new CodedError(
    'MISMATCH',
    `this is not the image${name} of ${id} in the recording: its SHA-256 is ${other.image.sha256}`,
    { where: place(other.source), hint },
  );
}
