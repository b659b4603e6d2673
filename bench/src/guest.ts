import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of this package. */
export const BENCH_FOLDER = fileURLToPath(new URL('..', import.meta.url));
/** What is built or written on the way. */
export const CACHE_FOLDER = join(BENCH_FOLDER, '.cache');

/** The Linux guest that all machines run, as build-guest.sh makes it. */
export class Guest {
  readonly kernel: string;
  readonly initrd: string;
  /** The same with drivers, and another init: for the rows with devices. */
  readonly devicesInitrd: string;

  constructor(readonly folder: string) {
    this.kernel = join(folder, 'bzImage');
    this.initrd = join(folder, 'initramfs.cpio.gz');
    this.devicesInitrd = join(folder, 'devices.cpio.gz');
  }

  /** With what the rows of devices need, or without. */
  isBuilt(withDevices: boolean): boolean {
    const files = withDevices ? [this.kernel, this.initrd, this.devicesInitrd] : [this.kernel, this.initrd];
    return files.every((file) => existsSync(file));
  }

  /** One of its files, or null: guests that were built otherwise may have less. */
  find(name: string): string | null {
    const file = join(this.folder, name);
    return existsSync(file) ? file : null;
  }

  build(): void {
    const { status } = spawnSync(join(BENCH_FOLDER, 'build-guest.sh'), [this.folder], { stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error('the guest could not be built; --guest DIR takes one that is there');
  }
}
