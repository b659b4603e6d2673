import type { Results, SystemResults } from '../results.js';
import type { Measured, SystemId } from '../systems/system.js';
import { DEVICE_ROWS } from '../devices.js';
import { ROWS, WORDS } from '../workloads.js';

/** A run in which each row took so many seconds. */
export function run(seconds: number, more: Partial<Measured> = {}): Measured {
  const rows = Object.fromEntries([...ROWS, ...DEVICE_ROWS].map(({ id }) => [id, seconds]));
  return { seconds: rows, residentBytes: 350e6, peakBytes: 380e6, results: { crc: '1' }, ...more };
}

export function system(id: SystemId, runs: readonly Measured[], missing: string | null = null): SystemResults {
  return { id, title: `title of ${id}`, missing, runs };
}

export function sample(systems: readonly SystemResults[], more: Partial<Results> = {}): Results {
  return {
    host: {
      date: '2026-01-31',
      cpu: 'a processor',
      cores: 4,
      memoryGib: 16,
      system: 'Linux x64',
      node: 'v20.19.0',
      v8: '11',
      guestreel: '0.1.0',
      v86: '0.5.462',
      qemu: null,
      guest: ['linux-image', '6.1'],
      loadBefore: 0.1,
    },
    rounds: 3,
    words: WORDS.filter((word) => word !== 'boot'),
    systems,
    devices: {},
    kernels: null,
    pauses: null,
    idle: null,
    ...more,
  };
}
