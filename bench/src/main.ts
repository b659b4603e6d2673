/** `main.js`: measures all systems round by round and writes the results. See README.md. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureDevice } from './device-rounds.js';
import { DEVICES, type Device } from './devices.js';
import { BENCH_FOLDER, CACHE_FOLDER, Guest } from './guest.js';
import { describeHost } from './host-description.js';
import { measureIdle } from './probes/idle.js';
import { measureKernels } from './probes/kernels.js';
import { measurePauses } from './probes/pauses.js';
import { renderMarkdown } from './report/markdown.js';
import { renderPlot } from './report/plot.js';
import type { Results, SystemResults } from './results.js';
import { measureRounds } from './rounds.js';
import { SYSTEMS } from './systems/all.js';
import { WORDS } from './workloads.js';

const PROBES = ['kernels', 'pauses', 'idle'] as const;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Items of a list on the command line; all there are unless given. */
function chosen(option: string, text: string | undefined, all: readonly string[]): readonly string[] {
  if (text === undefined) return all;
  const items = text.split(',');
  const unknown = items.find((item) => !all.includes(item));
  if (unknown !== undefined) throw new Error(`--${option} does not know ${unknown}; it knows ${all.join(', ')}`);
  return items;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    guest: { type: 'string', default: join(CACHE_FOLDER, 'guest') },
    only: { type: 'string' },
    workloads: { type: 'string' },
    out: { type: 'string', default: join(BENCH_FOLDER, 'RESULTS.md') },
    from: { type: 'string' },
  },
});

function readResults(file: string): Results {
  // Older ones have none of devices.
  return { devices: {}, ...(JSON.parse(readFileSync(file, 'utf8')) as Omit<Results, 'devices'>) };
}

async function measure(): Promise<Results> {
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds is ${values.rounds}, not a whole number`);
  const only = chosen('only', values.only, [...SYSTEMS.map(({ id }) => id), ...PROBES]);
  const work = chosen('workloads', values.workloads, [...WORDS, ...DEVICES]);
  const devices = DEVICES.filter((device) => work.includes(device));
  const words = WORDS.filter((word) => word !== 'boot' && work.includes(word));
  const isWhole = values.workloads === undefined;
  const guest = new Guest(resolve(values.guest));
  if (!guest.isBuilt(devices.length > 0)) {
    say('building the guest');
    guest.build();
  }
  const scratch = join(CACHE_FOLDER, 'scratch');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const context = { guest, scratch, words, say, equipment: null };
  const wants = (probe: (typeof PROBES)[number]): boolean =>
    only.includes(probe) && (isWhole || values.only !== undefined);
  const host = describeHost(guest);
  const chosenSystems = SYSTEMS.filter(({ id }) => only.includes(id));
  const hasRounds = work.some((word) => WORDS.includes(word));
  const systems = hasRounds ? await measureRounds(chosenSystems, context, rounds) : [];
  const byDevice: Partial<Record<Device, SystemResults[]>> = {};
  for (const device of devices) byDevice[device] = await measureDevice(device, chosenSystems, context, rounds);
  const results = {
    host,
    rounds,
    words,
    systems,
    devices: byDevice,
    kernels: wants('kernels') ? await measureKernels(context, rounds) : null,
    pauses: wants('pauses') ? await measurePauses(context) : null,
    idle: wants('idle') ? await measureIdle(context) : null,
  };
  rmSync(scratch, { recursive: true });
  return results;
}

try {
  const results = values.from === undefined ? await measure() : readResults(values.from);
  const base = values.out.replace(/\.md$/, '');
  writeFileSync(`${base}.json`, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(`${base}.svg`, renderPlot(results));
  writeFileSync(`${base}.md`, renderMarkdown(results, `${basename(base)}.svg`));
  say(`written: ${base}.md, .json, .svg`);
} catch (error) {
  say(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}
