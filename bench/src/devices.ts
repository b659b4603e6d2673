import type { Row } from './workloads.js';

/** What a guest may have besides memory and a serial port. */
export type Device = 'disk' | 'network';
export const DEVICES: readonly Device[] = ['disk', 'network'];

export type DeviceRowId = 'diskRead' | 'diskWrite' | 'download';

/** What is timed with a device. These rows are of runs of their own and no part of the whole run. */
export interface DeviceRow extends Row {
  readonly id: DeviceRowId;
  readonly device: Device;
  readonly word: string;
  readonly unit: 'MB/s' | 'Mbit/s';
  /** How much is moved, in millions of what the unit counts. */
  readonly amount: number;
}

/** Not compressible, neither is what the server gives: a recording cannot make less of it. */
export const DISK_BYTES = 96 * 2 ** 20;
export const DOWNLOAD_BYTES = 50e6;

const disk = { device: 'disk', unit: 'MB/s', amount: DISK_BYTES / 1e6 } as const;

export const DEVICE_ROWS: readonly DeviceRow[] = [
  { ...disk, id: 'diskRead', title: 'disk, read', word: 'disk-read' },
  { ...disk, id: 'diskWrite', title: 'disk, write', word: 'disk-write' },
  {
    id: 'download',
    title: 'network, download',
    word: 'network',
    device: 'network',
    unit: 'Mbit/s',
    amount: (DOWNLOAD_BYTES * 8) / 1e6,
  },
];

/** What a run has at its disposal. */
export type Equipment =
  | {
      readonly device: 'disk';
      /** A file of DISK_BYTES; it is not written to. */
      readonly image: string;
    }
  | {
      readonly device: 'network';
      /** Of an HTTP server on the loopback interface, which gives DOWNLOAD_BYTES. */
      readonly port: number;
    };

/**
 * The guest's command line. `host` is what the guest calls the host and its port by; all but one system have the host at
 * the address of QEMU's.
 */
export function deviceCommandLine(
  equipment: Equipment,
  host: (port: number) => string = (port) => `10.0.2.2:${port}`,
): string {
  // Nothing of the kernel's shall come between what is timed.
  const line = `console=ttyS0 quiet work=${equipment.device}`;
  return equipment.device === 'disk' ? line : `${line} url=http://${host(equipment.port)}/file`;
}
