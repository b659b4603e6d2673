/**
 * Real systems on the machine: `npm run systems [-- --only name or part of it, ...] [--way name in follow.ts, ...]
 * [--cache folder] [--boot-sectors folder] [--freedos IMAGE [--dos-game FILE.COM]] [--library FILE] [--screenshots folder]`.
 * Each is booted, recorded from its first instruction until it is up, and taken over live where it was up. Its recording
 * is replayed from the first tick to the last on all engines, on the interpreter alone in slices of 7 ticks, in slices of
 * 1000, and on the region compiler alone: an hour and a half for all of them. Packages are fetched with apt-get into the cache;
 * a system whose package cannot be had is skipped, with the reason. Writes a line per system, `--markdown FILE` the table
 * of docs/guests.md; exits with 1 if one failed.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type * as Library from '../../src/index.js';
import { bootSectors, freeDos, SYSTEMS, type System } from './systems/catalogue.js';
import { followEveryWay, WAYS } from './systems/follow.js';
import { Packages, Skipped } from './systems/packages.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [''] },
    way: { type: 'string', multiple: true, default: [''] },
    cache: { type: 'string', default: join(tmpdir(), 'guestreel-systems') },
    'boot-sectors': { type: 'string' },
    freedos: { type: 'string' },
    'dos-game': { type: 'string' },
    screenshots: { type: 'string' },
    library: { type: 'string' },
    markdown: { type: 'string' },
  },
});
const { Machine, Recording } = (
  values.library === undefined
    ? await import('../../src/index.js')
    : await import(pathToFileURL(resolve(values.library)).href)
) as typeof Library;

/** A whole name means what has it; part of one means all that have that. */
function namedBy<T extends { readonly name: string }>(
  option: string,
  parts: readonly string[],
  all: readonly T[],
): T[] {
  const isMeant = (part: string, { name }: T): boolean =>
    all.some((one) => one.name === part) ? name === part : name.includes(part);
  for (const part of parts) {
    if (all.some((one) => isMeant(part, one))) continue;
    process.stderr.write(`--${option} ${part}: one of\n${all.map(({ name }) => `  ${name}\n`).join('')}`);
    process.exit(2);
  }
  return all.filter((one) => parts.some((part) => isMeant(part, one)));
}
const ways = namedBy('way', values.way, WAYS);

/** Between looks at whether a system is up. */
const LOOK_TICKS = 20_000_000;
const DIGEST_TICKS = 2_000_000;
const LIVE_TICKS = 5_000_000;
const UP = 'up';

interface Result {
  readonly system: System;
  readonly outcome: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
}

async function record(system: System, packages: Packages, outDir: string): Promise<{ file: string; ticks: number }> {
  const options = system.options(packages);
  const machine = await Machine.create({ pacing: false, ...options, outDir, digestTicks: DIGEST_TICKS });
  const nsPerTick = options.nsPerTick ?? 4;
  const last = (system.seconds * 1e9) / nsPerTick;
  let file = '';
  machine.on('recording', (event) => {
    if (event.state === 'stopped') file = event.file;
  });
  try {
    await machine.startRecording({ name: 'system' });
    const keys = [...(system.keys ?? [])];
    while (keys.length > 0 || !system.isUp(machine)) {
      if (keys[0]?.at.test(machine.screenText()) === true) machine.typeKeys(keys.shift()!.text);
      if (machine.tick >= last) throw new Error(`not up after ${system.seconds} s: ${lastLine(machine)}`);
      const stop = await machine.run({ until: { ticks: machine.tick + LOOK_TICKS } });
      if (stop.kind === 'matched') continue;
      if (!system.isUp(machine)) throw new Error(`ended: ${JSON.stringify(stop)}`);
      // What it was to show ends the machine, and the recording with it.
      keepScreenshot(system, machine);
      return { file, ticks: machine.tick };
    }
    await machine.mark(UP);
    keepScreenshot(system, machine);
    await machine.run({ until: { ticks: machine.tick + LIVE_TICKS } });
    return { file: await machine.stopRecording(), ticks: machine.tick };
  } finally {
    await machine.close();
  }
}

function keepScreenshot(system: System, machine: Library.Machine): void {
  if (values.screenshots === undefined) return;
  mkdirSync(values.screenshots, { recursive: true });
  writeFileSync(join(values.screenshots, `${system.name.replaceAll(/[^\w.+]+/g, '-')}.png`), machine.screenshot());
}

function lastLine(machine: Library.Machine): string {
  const lines = `${machine.screenText()}\n${machine.serialText}`.split('\n').filter((line) => line.trim() !== '');
  return JSON.stringify(lines.at(-1) ?? '');
}

async function follow(file: string): Promise<number> {
  const recording = await Recording.open(file);
  try {
    return await followEveryWay(recording, ways);
  } finally {
    await recording.close();
  }
}

async function goLive(file: string, outDir: string): Promise<void> {
  const recording = await Recording.open(file);
  const replay = await recording.replay();
  const isMarked = recording.marks.some(({ label }) => label === UP);
  await replay.run({ until: isMarked ? { mark: UP } : { ticks: Math.floor(replay.endTick / 2) } });
  const images = recording.meta.images.filter(({ role }) => role !== 'kernel' && role !== 'initrd');
  const machine = await replay.goLive({ outDir, pacing: false, ...liveImages(images.map(({ role }) => role)) });
  await machine.run({ until: { ticks: machine.tick + LIVE_TICKS } });
  await machine.close();
  await recording.close();
}

let present: Library.MachineOptions = {};
/** The images that the system was started with, once more. */
function liveImages(roles: readonly string[]): Partial<Library.MachineOptions> {
  const all = present as Record<string, unknown>;
  return Object.fromEntries(Object.entries(all).filter(([name]) => roles.includes(name) || name === 'cdrom'));
}

async function attempt(system: System, packages: Packages): Promise<Result> {
  const outDir = mkdtempSync(join(tmpdir(), 'system-'));
  try {
    present = system.options(packages);
    const begun = performance.now();
    const { file, ticks } = await record(system, packages, outDir);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const digests = await follow(file);
    await goLive(file, outDir);
    const size = (statSync(file).size / 2 ** 20).toFixed(1);
    return {
      system,
      outcome: 'ok',
      detail: `${Math.round(ticks / 1e6)} M ticks in ${seconds} s, ${digests} digests, ${size} MiB`,
    };
  } catch (error) {
    if (error instanceof Skipped) return { system, outcome: 'skipped', detail: error.message };
    return { system, outcome: 'failed', detail: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

const packages = new Packages(resolve(values.cache));
const sectors = values['boot-sectors'] === undefined ? [] : bootSectors(resolve(values['boot-sectors']));
const results: Result[] = [];
const { freedos, 'dos-game': game } = values;
const dos =
  freedos === undefined
    ? []
    : [false, true].map((hasSeaBios) => freeDos({ image: resolve(freedos), game, hasSeaBios }));
const all = [...SYSTEMS, ...dos, ...sectors];
const wanted = namedBy('only', values.only, all);
for (const system of wanted) {
  const result = await attempt(system, packages);
  results.push(result);
  process.stdout.write(`${result.outcome.padEnd(8)} ${system.name.padEnd(36)} ${result.detail}\n`);
}
if (values.markdown !== undefined) {
  const rows = results.map(({ system, outcome, detail }) =>
    outcome === 'ok' ? `| ${system.name} | yes | ${detail} |` : `| ${system.name} | ${outcome}: ${detail} | |`,
  );
  const head = [
    '| System | Boots, records, verifies every way, goes live | Run and recording |',
    '| --- | --- | --- |',
  ];
  writeFileSync(values.markdown, `${[...head, ...rows].join('\n')}\n`);
}
process.exitCode = results.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
