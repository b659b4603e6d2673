import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, totalmem, type } from 'node:os';
import type { Guest } from './guest.js';
import { qemuVersion } from './systems/qemu.js';
import { v86Version } from './systems/v86.js';

/** Where and with what was measured: nothing that names a machine or a person. */
export interface HostDescription {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  readonly guestreel: string;
  readonly v86: string | null;
  readonly qemu: string | null;
  /** First lines of what the guest was built from. */
  readonly guest: readonly string[];
  /** Running processes before the first round, averaged over a minute. */
  readonly loadBefore: number;
}

const ROOT = new URL('../../', import.meta.url);

function guestreelVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { version: string };
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? `${version} (${stdout.trim()})` : version;
}

export function describeHost(guest: Guest): HostDescription {
  const versions = guest.find('versions.txt');
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${arch()}`,
    node: process.version,
    v8: process.versions.v8,
    guestreel: guestreelVersion(),
    v86: v86Version(),
    qemu: qemuVersion(),
    guest: versions === null ? [] : readFileSync(versions, 'utf8').trim().split('\n'),
    loadBefore: Math.round(loadavg()[0] * 100) / 100,
  };
}
