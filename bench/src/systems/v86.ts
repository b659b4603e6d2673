import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Guest } from '../guest.js';
import { BENCH_FOLDER } from '../guest.js';
import { runTimed } from '../timed-process.js';
import { MEMORY_MIB } from '../workloads.js';
import type { V86Order } from '../children/v86-machine.js';
import { bootOf, measuredOf, type System } from './system.js';

const CHILD = fileURLToPath(new URL('../children/v86-machine.js', import.meta.url));
const PACKAGE = join(BENCH_FOLDER, 'node_modules', 'v86');

export function v86Version(): string | null {
  const manifest = join(PACKAGE, 'package.json');
  return existsSync(manifest) ? (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version : null;
}

/** The package has none. The guest's folder has; else those of Debian's package seabios. */
function findBios(guest: Guest): { bios: string; vgaBios: string } | null {
  const own = { bios: guest.find('bios.bin'), vgaBios: guest.find('vgabios.bin') };
  if (own.bios !== null && own.vgaBios !== null) return { bios: own.bios, vgaBios: own.vgaBios };
  const installed = {
    bios: '/usr/share/seabios/bios.bin',
    vgaBios: '/usr/share/seabios/vgabios-stdvga.bin',
  };
  return existsSync(installed.bios) && existsSync(installed.vgaBios) ? installed : null;
}

export const V86: System = {
  id: 'v86',
  title: 'v86',
  hasDevices: true,
  missing: (guest) => {
    if (v86Version() === null) return 'v86 is not installed: npm ci in bench/';
    return findBios(guest) === null ? 'SeaBIOS is not installed' : null;
  },
  run: async (context) => {
    const { equipment } = context;
    const order: V86Order = {
      module: join(PACKAGE, 'build', 'libv86.mjs'),
      wasm: join(PACKAGE, 'build', 'v86.wasm'),
      ...findBios(context.guest)!,
      // By this name its network leads to the host.
      ...bootOf(context, (port) => `${port}.external`),
      disk: equipment?.device === 'disk' ? equipment.image : null,
      hasNetwork: equipment?.device === 'network',
      memoryMib: MEMORY_MIB,
    };
    return measuredOf(await runTimed({ command: process.execPath, args: [CHILD, JSON.stringify(order)] }));
  },
};
