import type { DriveKind } from '../devices/disk/disk.js';
import { SECTOR_BYTES } from '../core/block.js';
import type { ImageReference } from '../log/meta.js';
import type { DriveId } from '../machine/drives.js';
import type { Pc } from '../machine/pc.js';

/** A drive and what is in it now. */
export interface DriveContents {
  readonly id: DriveId;
  readonly kind: DriveKind;
  readonly medium: {
    /** Name of the image's file without its folder; null where it is not known. */
    readonly name: string | null;
    readonly sizeBytes: number;
    readonly readOnly: boolean;
  } | null;
}

/** The drives of a machine in the order of their names; `references` name the images that were put in. */
export function driveContents(pc: Pc, references: readonly ImageReference[]): DriveContents[] {
  return pc.config.drives.map(({ id, kind }) => {
    const { medium } = pc.disks.get(id)!.state;
    if (medium.sectorCount === 0) return { id, kind, medium: null };
    const { sha256, sectorCount, readOnly } = medium;
    const reference = references.find(({ role }) => role === id);
    // One file is known by its hash; of several, the image's is another.
    const isChain = references.some(({ role }) => role.startsWith(`${id}.`));
    const isNamed = reference !== undefined && (isChain || reference.sha256 === sha256);
    const name = isNamed ? reference.name : null;
    return { id, kind, medium: { name, sizeBytes: sectorCount * SECTOR_BYTES, readOnly } };
  });
}
