/** A sector as ATA and floppy controllers count them. */
export const SECTOR_BYTES = 512;
/** Base images are read, and recorded, in pieces of this size; the last one is filled up with zeros. */
export const BLOCK_BYTES = 4096;

/**
 * Contents of a medium as controllers see it: the base image and what the guest wrote over it. One object is shared by
 * every way to the medium (ATA, floppy controller, the boot ROM's port). Sectors of 512 bytes; callers stay inside.
 */
export interface BlockDevice {
  /** 0: no medium. */
  readonly sectorCount: number;
  readonly readOnly: boolean;
  /** `count` sectors from `lba`, a copy. */
  read(lba: number, count: number): Uint8Array;
  /** Whole sectors from `lba` on. */
  write(lba: number, bytes: Uint8Array): void;
}
