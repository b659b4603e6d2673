/**
 * A drive's medium: a base image that is never written, and over it what the guest has written. Controllers and the boot
 * ROM's port share one object, so that they see the same contents. It has no ports and no registers.
 *
 * Contents of a base image come through the gate in blocks, so that a recording contains just what its run has read. A
 * small image is taken in as a whole when it is inserted and is state from then on: it is needed for nothing any more.
 */
import { assert } from '../../base/assert.js';
import { CodedError } from '../../base/errors.js';
import { MIB } from '../../base/units.js';
import { BLOCK_BYTES, SECTOR_BYTES, type BlockDevice } from '../../core/block.js';
import type { Device } from '../../core/device.js';
import type { InputGate } from '../../core/input-gate.js';
import { PageStore } from '../../core/page-store.js';
import { record, u32, type StateSchema } from '../../core/state.js';
import type { BaseImages } from './base-images.js';
import { MEDIUM_SCHEMA, NO_MEDIUM, type Geometry, type Medium, type MediumState } from './medium.js';

/** Images up to this size are taken in as a whole. */
export const WHOLE_IMAGE_BYTES = 4 * MIB;

export type DriveKind = 'floppy' | 'disk' | 'cdrom';

export interface DiskState {
  medium: MediumState;
  /** Media that have come and gone: controllers compare it with what they saw last. */
  changes: number;
}

export interface DiskOptions {
  readonly kind: DriveKind;
  readonly gate: Pick<InputGate, 'block'>;
  readonly images: BaseImages;
  /** What the machine is made with; load() must follow unless a snapshot is restored. */
  readonly medium: Medium | null;
}

export class Disk implements Device<DiskState>, BlockDevice {
  readonly kind = 'disk';
  readonly version = 1;
  readonly schema: StateSchema<DiskState> = { medium: record(MEDIUM_SCHEMA), changes: u32 };
  readonly state: DiskState;
  /** What was written, and small images as a whole. */
  readonly pages = new PageStore();
  readonly driveKind: DriveKind;
  /** Where there is nothing. */
  readonly #zeros = new Uint8Array(BLOCK_BYTES);

  constructor(
    readonly id: string,
    private readonly options: DiskOptions,
  ) {
    this.driveKind = options.kind;
    this.state = { medium: { ...(options.medium ?? NO_MEDIUM) }, changes: 0 };
  }

  /** Media stay as they are. */
  reset(): void {}

  get sectorCount(): number {
    return this.state.medium.sectorCount;
  }
  get readOnly(): boolean {
    return this.state.medium.readOnly;
  }
  get geometry(): Geometry {
    return this.state.medium;
  }
  /** Changes with every medium that comes or goes. */
  get changes(): number {
    return this.state.changes;
  }
  /** SHA-256 of the image that reads may need; null when they need none. */
  get wantedImage(): string | null {
    const { sha256, imageBytes } = this.state.medium;
    return imageBytes > WHOLE_IMAGE_BYTES ? sha256 : null;
  }

  /** Takes a small image in. */
  load(): void {
    const { imageBytes } = this.state.medium;
    if (imageBytes > WHOLE_IMAGE_BYTES) return;
    for (let index = 0; index * BLOCK_BYTES < imageBytes; index++)
      this.pages.set(index, this.#baseBlock(index).slice());
  }

  /** Replaces the medium; what was written to the one before goes with it. */
  insert(medium: Medium): void {
    this.pages.clear();
    Object.assign(this.state.medium, medium);
    this.state.changes = (this.state.changes + 1) >>> 0;
    this.load();
  }

  read(lba: number, count: number): Uint8Array {
    assert(lba >= 0 && lba + count <= this.sectorCount, `${this.id}: a read outside the medium`);
    const out = new Uint8Array(count * SECTOR_BYTES);
    for (let at = 0; at < out.length;) {
      const piece = this.piece(lba * SECTOR_BYTES + at, out.length - at);
      out.set(piece, at);
      at += piece.length;
    }
    return out;
  }

  /**
   * What is at byte `start`, up to the end of its block and at most `most` bytes: not to be changed, and there until
   * something is read or written again.
   */
  piece(start: number, most: number): Uint8Array {
    assert(start >= 0 && start < this.sectorCount * SECTOR_BYTES, `${this.id}: a read outside the medium`);
    const within = start % BLOCK_BYTES;
    const block = this.#block((start - within) / BLOCK_BYTES);
    return block.subarray(within, Math.min(within + most, BLOCK_BYTES));
  }

  write(lba: number, bytes: Uint8Array): void {
    const start = lba * SECTOR_BYTES;
    assert(!this.readOnly && bytes.length % SECTOR_BYTES === 0, `${this.id}: not to be written`);
    assert(
      lba >= 0 && start + bytes.length <= this.sectorCount * SECTOR_BYTES,
      `${this.id}: a write outside the medium`,
    );
    for (let at = 0; at < bytes.length;) {
      const within = (start + at) % BLOCK_BYTES;
      const run = Math.min(BLOCK_BYTES - within, bytes.length - at);
      const index = (start + at - within) / BLOCK_BYTES;
      const piece = bytes.subarray(at, at + run);
      if (run === BLOCK_BYTES) {
        this.pages.set(index, piece.slice());
      } else {
        const block = this.#block(index).slice();
        block.set(piece, within);
        this.pages.set(index, block);
      }
      at += run;
    }
  }

  #block(index: number): Uint8Array {
    return this.pages.get(index) ?? this.#baseBlock(index);
  }

  #baseBlock(index: number): Uint8Array {
    const { sha256, imageBytes } = this.state.medium;
    const offset = index * BLOCK_BYTES;
    if (offset >= imageBytes) return this.#zeros;
    return this.options.gate.block(sha256, index, () => {
      const image = this.options.images.get(sha256);
      if (image === undefined) {
        throw new CodedError('MISSING_IMAGE', `${this.id} needs its image`, { hint: `its SHA-256 is ${sha256}` });
      }
      const bytes = image.read(offset, Math.min(BLOCK_BYTES, imageBytes - offset));
      if (bytes.length === BLOCK_BYTES) return bytes;
      const block = new Uint8Array(BLOCK_BYTES);
      block.set(bytes);
      return block;
    });
  }
}
