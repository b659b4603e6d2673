/**
 * How fast guest time passes for programs in video mode 13h, and how many frames they show in it:
 * `npx tsx test/guests/frames.ts [--seconds 5] [--library FILE] [PROGRAM.img...]`. The first program is the built
 * image mode13.img, which waits for each retrace, paints every pixel and says when it has shown its frames; others are
 * boot sectors for a diskette. Each runs unpaced, live and recorded, at the default tick and at `--icount shift=5`.
 * Real time is 1.0 and more.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type * as Library from '../../src/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '5' }, library: { type: 'string' } },
});
const { Machine } = (
  values.library === undefined
    ? await import('../../src/index.js')
    : await import(pathToFileURL(resolve(values.library)).href)
) as typeof Library;

const OWN_IMAGE = fileURLToPath(new URL('../../guest-images/built/mode13.img', import.meta.url));
const PARAMETER_OFFSET = 8;
/** Frames of mode 13h in a second: 31.469 kHz, 449 lines. */
const REFRESH_HZ = 31_469 / 449;
const SECONDS = Number(values.seconds);
/** What others do before they show their first frame. */
const START_SECONDS = 1;

interface Way {
  readonly nsPerTick: number;
  readonly isRecorded: boolean;
}

async function measure(program: string, { nsPerTick, isRecorded }: Way): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'frames-'));
  const bootImage = new Uint8Array(readFileSync(program));
  const frames = Math.round(SECONDS * REFRESH_HZ);
  const isOwn = program === OWN_IMAGE;
  if (isOwn) new DataView(bootImage.buffer, bootImage.byteOffset).setUint32(PARAMETER_OFFSET, frames, true);
  const machine = await Machine.create({ bootImage, memory: '8M', nsPerTick, pacing: false, outDir });
  try {
    const second = 1e9 / nsPerTick;
    if (isOwn) await machine.run({ until: { serial: /mode13: start/ } });
    else await machine.run({ until: { ticks: START_SECONDS * second } });
    if (isRecorded) await machine.startRecording({ name: 'frames' });
    const from = machine.tick;
    const begun = performance.now();
    const used = process.cpuUsage();
    await machine.run({ until: isOwn ? { serial: /mode13: ok/ } : { ticks: from + SECONDS * second } });
    const wall = (performance.now() - begun) / 1000;
    // With other work on the host, wall time says little; this is of all threads.
    const processor = process.cpuUsage(used).user / 1e6;
    const guest = (machine.tick - from) / second;
    const shown = isOwn ? `${(frames / guest).toFixed(1)} frames per guest second, ` : '';
    const ratios = `${(guest / wall).toFixed(2)} of real time, ${(guest / processor).toFixed(2)} by processor time`;
    return `${shown}${ratios} (${((machine.tick - from) / processor / 1e6).toFixed(0)} million ticks per second of it)`;
  } finally {
    await machine.close();
    rmSync(outDir, { recursive: true, force: true });
  }
}

for (const program of [OWN_IMAGE, ...positionals.map((file) => resolve(file))]) {
  for (const nsPerTick of [4, 32]) {
    for (const isRecorded of [false, true]) {
      const how = `${nsPerTick} ns a tick, ${isRecorded ? 'recorded' : 'live'}`;
      const result = await measure(program, { nsPerTick, isRecorded });
      process.stdout.write(`${basename(program).padEnd(16)} ${how.padEnd(22)} ${result}\n`);
    }
  }
}
