/**
 * Both engines through the same long run, compared all the way: `npx tsx test/acceptance/soak.ts KERNEL INITRD
 * [--append text] [--until text] [--every ticks] [--library FILE]`. Records a Linux guest on all engines from its first
 * instruction until the serial line shows `text`, with a digest every million ticks, and verifies the recording with the
 * interpreter alone, then with all engines again. KERNEL and INITRD are those of the benchmark, or others that end with
 * `ALL-DONE`. Exits with 1 at the first difference. `--library` is a built index.js to run instead of the sources.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type * as Library from '../../src/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    append: { type: 'string', default: 'console=ttyS0 work=crc,crcp,fp,gzip,fork' },
    until: { type: 'string', default: 'ALL-DONE' },
    every: { type: 'string', default: '1000000' },
    library: { type: 'string' },
  },
});
const [kernel, initrd] = positionals;
const { Machine, Recording } = (
  values.library === undefined
    ? await import('../../src/index.js')
    : await import(pathToFileURL(resolve(values.library)).href)
) as typeof Library;
const outDir = mkdtempSync(join(tmpdir(), 'soak-'));

async function timed<T>(name: string, work: () => Promise<T>, describe: (result: T) => string): Promise<T> {
  const begun = performance.now();
  const result = await work();
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  process.stdout.write(`${name.padEnd(22)} ${seconds.padStart(6)} s  ${describe(result)}\n`);
  return result;
}

async function record(): Promise<string> {
  const digestTicks = Number(values.every);
  const machine = await Machine.create({ kernel, initrd, append: values.append, memory: '128M', outDir, digestTicks });
  await machine.startRecording({ name: 'soak', reason: 'engines compared' });
  const stop = await machine.run({ until: { serial: new RegExp(values.until) } });
  if (stop.kind !== 'matched') throw new Error(`the guest ended early: ${JSON.stringify(stop)}`);
  const file = await machine.stopRecording();
  await machine.close();
  return file;
}

async function verify(file: string, tier: 'interpreter' | 'all'): Promise<{ ticks: number; digests: number }> {
  const recording = await Recording.open(file);
  const result = await recording.verify({ tier });
  await recording.close();
  if (!result.ok) throw new Error(`${tier}: ${JSON.stringify(result.divergence)}`);
  return result;
}

try {
  const file = await timed('recorded', record, (f) => `${(statSync(f).size / 2 ** 20).toFixed(1)} MiB`);
  for (const tier of ['interpreter', 'all'] as const) {
    const describe = ({ ticks, digests }: { ticks: number; digests: number }): string =>
      `${(ticks / 1e6).toFixed(0)} M ticks, ${digests} digests the same`;
    await timed(`verified (${tier})`, () => verify(file, tier), describe);
  }
} finally {
  rmSync(outDir, { recursive: true });
}
