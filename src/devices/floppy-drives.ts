/** Diskette drives: where the heads are, what lies under them, and the disk change line. */
import type { BlockDevice } from '../core/block.js';
import { DRIVES, MARK_BYTES, type FdcState } from './fdc-state.js';

/** A medium with the shape of its tracks. */
export interface FloppyMedium extends BlockDevice {
  readonly geometry: { readonly cylinders: number; readonly heads: number; readonly sectorsPerTrack: number };
  /** Changes with every medium that comes or goes. */
  readonly changes: number;
}

export interface FloppyDrive {
  readonly medium: FloppyMedium;
  /** As in the CMOS: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M. */
  readonly type: number;
}

/** Data rates as DSR and CCR have them, in kbit/s. */
const RATE = { 500: 0, 300: 1, 250: 2, 1000: 3 } as const;

/** Heads stop here, a little behind the last track of any format. */
const LAST_TRACK = 85;
/** 5.25 inch media with 48 tracks per inch have at most so many, which a drive of 96 skips every other of. */
const MOST_WIDE_CYLINDERS = 42;
const TYPE_1200K = 2;

/** Rates that a medium was written with. Double density rotates faster in a 1.2M drive. */
function ratesOf(sectorsPerTrack: number): readonly number[] {
  if (sectorsPerTrack > 24) return [RATE[1000]];
  if (sectorsPerTrack > 12) return [RATE[500]];
  return [RATE[250], RATE[300]];
}

/** The rate that firmware leaves after it has looked at that medium; that of 1.44 MB without one. */
export function rateOf(medium: { readonly sectorsPerTrack: number } | null): number {
  return medium === null ? RATE[500] : ratesOf(medium.sectorsPerTrack)[0];
}

export class FloppyDrives {
  constructor(
    private readonly state: FdcState,
    private readonly drives: readonly (FloppyDrive | null)[],
  ) {}

  isPresent(unit: number): boolean {
    return (this.drives[unit] ?? null) !== null;
  }

  /** What is in the drive, or null. */
  medium(unit: number): FloppyMedium | null {
    this.#noticeChange(unit);
    const medium = this.drives[unit]?.medium;
    return medium === undefined || medium.sectorCount === 0 ? null : medium;
  }

  #noticeChange(unit: number): void {
    const { state } = this;
    if (unit >= DRIVES) return;
    const present = (this.drives[unit]?.medium.changes ?? 0) & 0xff;
    if (present === state.seenChanges[unit]) return;
    state.seenChanges[unit] = present;
    state.changed[unit] = 1;
    state.marks.fill(0, unit * MARK_BYTES, (unit + 1) * MARK_BYTES);
  }

  /** The disk change line: active from when a medium comes or goes until the head moves with one there. */
  isChanged(unit: number): boolean {
    this.#noticeChange(unit);
    return this.isPresent(unit) && this.state.changed[unit] !== 0;
  }

  isAtTrack0(unit: number): boolean {
    return this.isPresent(unit) && this.state.tracks[unit] === 0;
  }

  /** Moves the head by so many tracks, inwards for a positive number, as far as it goes. */
  step(unit: number, tracks: number): void {
    const { state } = this;
    if (tracks === 0 || !this.isPresent(unit)) return;
    state.tracks[unit] = Math.max(0, Math.min(LAST_TRACK, state.tracks[unit] + tracks));
    if (this.medium(unit) !== null) state.changed[unit] = 0;
  }

  /** The cylinder that the head is over, as its sectors name it. */
  cylinder(unit: number): number {
    const track = this.state.tracks[unit];
    const drive = this.drives[unit];
    const isWide = (drive?.medium.geometry.cylinders ?? 0) <= MOST_WIDE_CYLINDERS;
    return drive?.type === TYPE_1200K && isWide ? track >> 1 : track;
  }

  /** Sectors of the track under that head, 0 where nothing can be read at the present data rate. */
  sectorsOfTrack(unit: number, head: number): number {
    const medium = this.medium(unit);
    if (medium === null) return 0;
    const { cylinders, heads, sectorsPerTrack } = medium.geometry;
    if (!ratesOf(sectorsPerTrack).includes(this.state.dsr & 3)) return 0;
    return this.cylinder(unit) < cylinders && head < heads ? sectorsPerTrack : 0;
  }

  /** Number on the medium of the sector `sector` (from 1) of the track under that head, -1 for none. */
  sectorNumber(unit: number, head: number, sector: number): number {
    if (sector < 1 || sector > this.sectorsOfTrack(unit, head)) return -1;
    const { geometry, sectorCount } = this.drives[unit]!.medium;
    const lba = (this.cylinder(unit) * geometry.heads + head) * geometry.sectorsPerTrack + sector - 1;
    return lba < sectorCount ? lba : -1;
  }

  isDeleted(unit: number, lba: number): boolean {
    const byte = lba >> 3;
    return byte < MARK_BYTES && ((this.state.marks[unit * MARK_BYTES + byte] >> (lba & 7)) & 1) !== 0;
  }

  mark(unit: number, lba: number, isDeleted: boolean): void {
    const at = unit * MARK_BYTES + (lba >> 3);
    if (lba >> 3 >= MARK_BYTES) return;
    const bit = 1 << (lba & 7);
    if (isDeleted) this.state.marks[at] |= bit;
    else this.state.marks[at] &= ~bit;
  }
}
