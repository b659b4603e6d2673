/** Debian's kernel for i386 with busybox and the drivers that are asked for, and its shell on the serial line. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../../../src/index.js';
import { cpioArchive, type ArchivedFile } from './initramfs.js';
import { Skipped, type Packages } from './packages.js';

const INIT = `#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
echo INIT-READY
exec setsid sh -c 'exec sh </dev/ttyS0 >/dev/ttyS0 2>&1'
`;
/** No command takes as long, in guest instructions. */
const PATIENCE_TICKS = 400e9;
/** The kernel's command line for what talks on the serial line. */
export const SERIAL_CONSOLE = 'console=ttyS0 quiet';
/** Loads the modules in their order. */
export const LOAD_MODULES = 'for m in /mod/*.ko; do insmod $m; done';

function kernelPackage(packages: Packages): string {
  try {
    const names = execFileSync('apt-cache', ['search', '--names-only', '^linux-image-[0-9.-]*-686$'], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    const [newest] = names
      .split('\n')
      .map((line) => line.split(' ')[0]!)
      .filter((name) => name !== '')
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
    if (newest !== undefined) return packages.folder(`${newest}:i386`);
  } catch (error) {
    if (error instanceof Skipped) throw error;
  }
  throw new Skipped('there is no Debian kernel for i386: dpkg --add-architecture i386; apt-get update');
}

export interface DebianGuest {
  /** Modules below kernel/ of the kernel's modules, in the order in which they are loaded. */
  readonly modules: readonly string[];
  /** Files of the initial RAM disk besides busybox, by path. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Kernel and initial RAM disk. */
export function debianGuest(
  packages: Packages,
  { modules, files = {} }: DebianGuest,
): { kernel: string; initrd: Uint8Array } {
  const folder = kernelPackage(packages);
  const boot = readdirSync(join(folder, 'boot')).find((name) => name.startsWith('vmlinuz'))!;
  const release = boot.slice('vmlinuz-'.length);
  const drivers = join(folder, 'lib/modules', release, 'kernel');
  const text = (path: string, contents: string): ArchivedFile => ({ path, kind: 'file', bytes: Buffer.from(contents) });
  const folders = ['bin', 'dev', 'proc', 'sys', 'tmp', 'mnt', 'mod'].map((path) => ({ path, kind: 'folder' }) as const);
  const number = (n: number): string => String(n).padStart(2, '0');
  return {
    kernel: join(folder, 'boot', boot),
    initrd: cpioArchive([
      ...folders,
      { path: 'dev/console', kind: 'console' },
      { path: 'bin/busybox', kind: 'file', bytes: readFileSync(packages.file('busybox-static:i386', 'bin/busybox')) },
      { path: 'bin/sh', kind: 'link', bytes: Buffer.from('busybox') },
      text('init', INIT),
      ...Object.entries(files).map(([path, contents]) => text(path, contents)),
      ...modules.map((path, n): ArchivedFile => {
        const bytes = readFileSync(join(drivers, path));
        return { path: `mod/${number(n)}.ko`, kind: 'file', bytes };
      }),
    ]),
  };
}

/** Boots to the shell. */
export async function awaitShell(machine: Machine): Promise<void> {
  await runTo(machine, /INIT-READY[^]*# /, 'boot');
}

async function runTo(machine: Machine, pattern: RegExp, what: string): Promise<void> {
  const stop = await machine.run({ until: { serial: pattern, ticks: machine.tick + PATIENCE_TICKS } });
  if (stop.kind === 'matched' && stop.what === 'serial') return;
  throw new Error(`${what}: ${JSON.stringify(stop)} ${JSON.stringify(machine.serialText.slice(-400))}`);
}

/** Runs a command in the guest; what it prints must match. Seconds of the host that it took. */
export async function command(machine: Machine, line: string, expected: Pick<RegExp, 'test'>): Promise<number> {
  const from = machine.serialText.length;
  const begun = performance.now();
  // The echo of the line does not have the number behind it.
  machine.typeSerial(`${line}; echo "rc=$?="\n`);
  await runTo(machine, /rc=\d+=\r?\n/, line);
  const text = machine.serialText.slice(from).replaceAll('\r', '');
  if (!expected.test(text)) throw new Error(`"${line}" printed ${JSON.stringify(text.slice(-800))}`);
  return (performance.now() - begun) / 1000;
}
