import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Guest } from '../guest.js';
import { runTimed } from '../timed-process.js';
import { partResults, type RowId } from '../workloads.js';
import type { Measured, RunContext, System } from './system.js';

/** The guest's own busybox, or the host's. */
function findBusybox(guest: Guest): string | null {
  const own = guest.find('busybox');
  if (own !== null) return own;
  const { status, stdout } = spawnSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** The guest's 32-bit programs as processes of the host. What they would share with the guest's kernel is not measured. */
class NativeRun {
  readonly #seconds: Partial<Record<RowId, number>> = {};
  readonly #lines: string[] = [];

  constructor(private readonly context: RunContext) {}

  async measure(): Promise<Measured> {
    for (const word of this.context.words) {
      if (word === 'crc') await this.#integer('integer', 'bench');
      else if (word === 'crcp') await this.#integer('aligned', 'bench-aligned');
      else if (word === 'fp') await this.#floatingPoint();
      else if (word === 'gzip') await this.#gzip();
      else if (word === 'fork') await this.#fork();
    }
    return { seconds: this.#seconds, residentBytes: null, peakBytes: null, results: partResults(this.#lines) };
  }

  async #integer(row: RowId, name: string): Promise<void> {
    const program = this.context.guest.find(name);
    if (program === null) return;
    const { wallMs, lines } = await runTimed({ command: program, args: ['int'] });
    this.#seconds[row] = wallMs / 1000;
    this.#lines.push(...lines.map(({ text }) => text));
  }

  async #floatingPoint(): Promise<void> {
    const { lines } = await runTimed({ command: this.context.guest.find('bench')!, args: ['fp'] });
    const [sse, x87] = lines.map(({ atMs }) => atMs / 1000);
    this.#seconds.sse2 = sse;
    this.#seconds.x87 = x87 - sse;
    this.#lines.push(...lines.map(({ text }) => text));
  }

  async #gzip(): Promise<void> {
    const busybox = findBusybox(this.context.guest);
    if (busybox === null) return;
    const text = join(this.context.scratch, 'text');
    if (!existsSync(text)) {
      const maxBuffer = 64 * 2 ** 20;
      writeFileSync(text, spawnSync(this.context.guest.find('bench')!, ['gen', '8'], { maxBuffer }).stdout);
    }
    const script = '"$0" gzip -c "$1" | "$0" wc -c';
    const { wallMs } = await runTimed({ command: busybox, args: ['sh', '-c', script, busybox, text] });
    this.#seconds.gzip = wallMs / 1000;
  }

  async #fork(): Promise<void> {
    const busybox = findBusybox(this.context.guest);
    if (busybox === null) return;
    const link = join(this.context.scratch, 'true');
    rmSync(link, { force: true });
    symlinkSync(busybox, link);
    const script = 'i=0; while [ $i -lt 300 ]; do "$0"; i=$((i+1)); done';
    const { wallMs } = await runTimed({ command: busybox, args: ['sh', '-c', script, link] });
    this.#seconds.fork = wallMs / 1000;
  }
}

export const NATIVE: System = {
  id: 'native',
  title: 'native',
  hasDevices: false,
  missing: (guest) => {
    const bench = guest.find('bench');
    if (bench === null) return 'the guest comes without its programs';
    return spawnSync(bench, ['none']).status === 0 ? null : 'this host does not run 32-bit x86 programs';
  },
  run: (context) => new NativeRun(context).measure(),
};
