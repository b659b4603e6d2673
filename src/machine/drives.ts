import { CodedError } from '../base/errors.js';
import type { BootUnit } from '../devices/bootdisk.js';
import type { Disk, DriveKind } from '../devices/disk/disk.js';
import type { Medium } from '../devices/disk/medium.js';
import { floppyDriveType } from './loaders/boot-image.js';
import type { CmosByte } from './loaders/e820.js';

/** Drives by their usual names: two at the floppy controller; master and slave of the two ATA channels. */
export const DRIVE_IDS = ['fda', 'fdb', 'hda', 'hdb', 'hdc', 'hdd'] as const;
export type DriveId = (typeof DRIVE_IDS)[number];

/** A drive of a machine. */
export interface DriveConfig {
  readonly id: DriveId;
  readonly kind: DriveKind;
  /** What is in it when the machine starts. */
  readonly medium: Medium | null;
}

/** Letters of QEMU's `-boot`: diskettes, hard disks, CDs, network. */
export const BOOT_LETTERS = 'acdn';
/** Where the firmware looks first unless told otherwise, as in QEMU. */
export const DEFAULT_BOOT_ORDER = 'cad';

/** First BIOS drive number of each kind. */
const FIRST_UNIT: Record<DriveKind, number> = { floppy: 0x00, disk: 0x80, cdrom: 0xe0 };
/** In the boot ROM's order: what expansion ROMs boot from. */
const NETWORK_UNIT = 0xf0;
const KIND_OF_LETTER: Readonly<Record<string, DriveKind>> = { a: 'floppy', c: 'disk', d: 'cdrom' };
const LETTERS: Record<DriveKind, string> = { floppy: 'a', disk: 'c', cdrom: 'd' };

export function bootLetter(kind: DriveKind): string {
  return LETTERS[kind];
}

/** BIOS drive numbers: diskette drives by their names, the others of a kind in order. */
export function unitNumbers(drives: readonly DriveConfig[]): Map<DriveId, number> {
  const numbers = new Map<DriveId, number>();
  const next = { ...FIRST_UNIT };
  for (const id of DRIVE_IDS) {
    const drive = drives.find((d) => d.id === id);
    if (drive === undefined) continue;
    numbers.set(id, id === 'fda' ? 0x00 : id === 'fdb' ? 0x01 : next[drive.kind]++);
  }
  return numbers;
}

/** The units that the boot ROM tries, in this order. */
export function bootUnits(drives: readonly DriveConfig[], order: string): number[] {
  const numbers = unitNumbers(drives);
  const units: number[] = [];
  for (const letter of order) {
    if (letter === 'n' && !units.includes(NETWORK_UNIT)) units.push(NETWORK_UNIT);
    const kind = KIND_OF_LETTER[letter];
    const first = DRIVE_IDS.find((id) => drives.some((d) => d.id === id && d.kind === kind && d.medium !== null));
    const number = first === undefined ? undefined : numbers.get(first);
    if (number !== undefined && !units.includes(number)) units.push(number);
  }
  return units;
}

/** The drives as the boot ROM sees them. */
export function romUnits(drives: readonly DriveConfig[], disks: ReadonlyMap<DriveId, Disk>): BootUnit[] {
  const numbers = unitNumbers(drives);
  return drives.map(({ id, kind, medium }) => ({
    number: numbers.get(id)!,
    kind,
    disk: disks.get(id)!,
    driveType: kind === 'floppy' ? driveType(medium) : 0,
  }));
}

/** CMOS type of a diskette drive that is made with that medium: 1.44M unless it needs another. */
export function driveType(medium: Medium | null): number {
  return medium === null ? 4 : floppyDriveType(medium);
}

/** CMOS: drive types 10h, 12h, 19h-23h, equipment 14h, boot order 38h and 3Dh (as Bochs and QEMU have them). */
export function cmosDriveBytes(drives: readonly DriveConfig[], order: string): CmosByte[] {
  const floppies = [0, 1].map((i) => drives.find((d) => d.id === DRIVE_IDS[i]));
  const types = floppies.map((d) => (d === undefined ? 0 : driveType(d.medium)));
  const count = floppies.filter((d) => d !== undefined).length;
  const COPROCESSOR = 0x02;
  const POINTING_DEVICE = 0x04;
  const equipment = COPROCESSOR | POINTING_DEVICE | (count > 0 ? 1 | ((count - 1) << 6) : 0);
  const disks = ['hda', 'hdb'].map((id) => drives.find((d) => d.id === id && d.kind === 'disk')?.medium ?? null);
  const bytes: CmosByte[] = [
    { index: 0x10, value: (types[0] << 4) | types[1] },
    { index: 0x12, value: (disks[0] === null ? 0 : 0xf0) | (disks[1] === null ? 0 : 0x0f) },
    { index: 0x14, value: equipment },
  ];
  disks.forEach((medium, i) => {
    if (medium === null) return;
    const USER_TYPE = 47;
    const { cylinders, heads, sectorsPerTrack } = medium;
    const control = heads > 8 ? 0xc8 : 0xc0;
    const table = [cylinders, cylinders >> 8, heads, 0xff, 0xff, control, cylinders, cylinders >> 8, sectorsPerTrack];
    bytes.push({ index: 0x19 + i, value: USER_TYPE });
    table.forEach((value, k) => bytes.push({ index: 0x1b + 9 * i + k, value: value & 0xff }));
  });
  const codes = [...order].map((letter) => 'acdn'.indexOf(letter) + 1).filter((code) => code > 0);
  const [first = 0, second = 0, third = 0] = codes;
  bytes.push({ index: 0x3d, value: first | (second << 4) }, { index: 0x38, value: third << 4 });
  return bytes;
}

const MEDIUM_NUMBERS = ['imageBytes', 'sectorCount', 'cylinders', 'heads', 'sectorsPerTrack'] as const;

/** Checks drives that came from a file. */
export function parseDrives(value: unknown, source: string): DriveConfig[] {
  const bad = (what: string): CodedError =>
    new CodedError('DAMAGED', `machine.drives${what} is not valid`, { where: source });
  if (!Array.isArray(value) || value.length > DRIVE_IDS.length) throw bad('');
  const seen = new Set<string>();
  return value.map((drive: unknown, i) => {
    if (typeof drive !== 'object' || drive === null) throw bad(`[${i}]`);
    const { id, kind, medium } = drive as Record<string, unknown>;
    const isFloppy = id === 'fda' || id === 'fdb';
    const kinds: readonly unknown[] = isFloppy ? ['floppy'] : ['disk', 'cdrom'];
    if (!DRIVE_IDS.some((known) => known === id) || seen.has(id as string)) throw bad(`[${i}].id`);
    if (!kinds.includes(kind)) throw bad(`[${i}].kind`);
    seen.add(id as string);
    if (medium !== null && !isMedium(medium)) throw bad(`[${i}].medium`);
    return { id: id as DriveId, kind: kind as DriveKind, medium };
  });
}

function isMedium(value: unknown): value is Medium {
  if (typeof value !== 'object' || value === null) return false;
  const medium = value as Record<string, unknown>;
  const areNumbers = MEDIUM_NUMBERS.every(
    (name) => Number.isSafeInteger(medium[name]) && (medium[name] as number) >= 0,
  );
  if (!areNumbers || typeof medium.readOnly !== 'boolean' || typeof medium.sha256 !== 'string') return false;
  // Sector numbers of ATA have 48 bits; fields of geometry 32 in state.
  const { sectorCount, cylinders, heads, sectorsPerTrack } = value as Medium;
  return sectorCount <= 2 ** 40 && Math.max(cylinders, heads, sectorsPerTrack) <= 0xffff;
}
