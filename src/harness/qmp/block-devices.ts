import type { DriveContents } from '../drive-contents.js';
import type { DriveId } from '../../machine/drives.js';
import { QmpError } from './qmp-error.js';

/** QEMU's names for the places of drives; `ide1-cd0` is a CD drive where `ide1-hd0` would be a disk. */
function deviceName({ id, kind }: DriveContents): string {
  if (id === 'fda' || id === 'fdb') return `floppy${id === 'fda' ? 0 : 1}`;
  const place = ['hda', 'hdb', 'hdc', 'hdd'].indexOf(id);
  return `ide${place >> 1}-${kind === 'cdrom' ? 'cd' : 'hd'}${place & 1}`;
}

/** The answer to query-block. */
export function blockDevices(drives: readonly DriveContents[]): object[] {
  return drives.map((drive) => {
    const { id, kind, medium } = drive;
    const removable = kind !== 'disk';
    const name = medium?.name ?? '';
    const inserted =
      medium === null ? {} : { inserted: { file: name, ro: medium.readOnly, image: imageOf(name, medium) } };
    return { device: deviceName(drive), qdev: id, type: 'unknown', removable, ...inserted };
  });
}

function imageOf(name: string, { sizeBytes }: { readonly sizeBytes: number }): object {
  return { filename: name, 'virtual-size': sizeBytes };
}

/** The drive that a client names in one of two ways. Throws QmpError. */
export function driveNamed(
  drives: readonly DriveContents[],
  { id, device }: { readonly id?: string; readonly device?: string },
): DriveId {
  if ((id === undefined) === (device === undefined)) {
    throw new QmpError("Exactly one of 'device' and 'id' must be given");
  }
  const name = id ?? device;
  const found = drives.find((drive) => drive.id === name || deviceName(drive) === name);
  if (found === undefined) throw new QmpError(`Device '${name}' not found`);
  return found.id;
}
