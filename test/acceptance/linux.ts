/**
 * Acceptance on a real Linux guest: `npx tsx test/acceptance/linux.ts KERNEL INITRD [--kills n] [--flips n]
 * [--truncations n] [--seed n]`. KERNEL is a bzImage for i386, such as Debian's linux-image-686 or -686-pae. INITRD has
 * busybox, the built agent as /bin/reel, and an /init that for `work=sh` on the kernel's command line prints `START sh`
 * and ends in a shell of root's on ttyS0. Prints a line per step; exits with 1 at the first that fails.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Recording, type Replay } from '../../src/index.js';
import type { Damage } from './damage.js';
import { logOffset } from './damage.js';
import { tryDamage } from './linux-damage.js';
import { expect, prepare, Shell, SORT_PHASE, work, type LinuxImages } from './linux-guest.js';
import { kill, type KillResult } from './linux-kills.js';

const SLICE_TICKS = 1000;
const KILLS_AT_A_TIME = 2;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: 'string', default: '20' },
    flips: { type: 'string', default: '1000' },
    truncations: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});

function count(name: keyof typeof values): number {
  const number = Number(values[name]);
  expect(Number.isInteger(number) && number >= 0, `--${name} is ${values[name]}, not a whole number`);
  return number;
}

/** xorshift32: the same numbers for the same seed. */
function* random(seed: number): Generator<number, never> {
  for (let state = (seed * 2654435761) | 1; ;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield (state >>> 0) / 2 ** 32;
  }
}

async function step<T>(name: string, work: () => Promise<T>, describe: (result: T) => string): Promise<T> {
  const begun = performance.now();
  const result = await work();
  const seconds = ((performance.now() - begun) / 1000).toFixed(2);
  process.stdout.write(`${name.padEnd(12)} ${seconds.padStart(7)} s  ${describe(result)}\n`);
  return result;
}

const millions = (ticks: number): string => `${(ticks / 1e6).toFixed(1)} M ticks`;
const mebibytes = (file: string): string => `${(statSync(file).size / 2 ** 20).toFixed(2)} MiB`;

interface OwnRecording {
  readonly file: string;
  /** What the serial line sent meanwhile. */
  readonly serial: Buffer;
  /** From typing the command that starts it to its end. */
  readonly recordingMs: number;
}

/** The guest starts a recording, works, and stops it. */
async function recordItself(shell: Shell): Promise<OwnRecording> {
  const { machine } = shell;
  const begun = performance.now();
  let [file, isOn, recordingMs] = ['', false, 0];
  const bytes: Buffer[] = [];
  machine.on('recording', (event) => {
    isOn = event.state === 'started';
    if (!isOn) [file, recordingMs] = [event.file, performance.now() - begun];
  });
  const forget = machine.onSerial((sent, port) => {
    if (isOn && port === 0) bytes.push(Buffer.from(sent));
  });
  await work(shell);
  await shell.command('reel stop; echo "rc $?"', 'rc 0');
  forget();
  expect(file !== '', 'the guest did not record itself');
  return { file, serial: Buffer.concat(bytes), recordingMs };
}

async function verify(file: string, tier: 'all' | 'interpreter' = 'all'): Promise<{ ticks: number; digests: number }> {
  const recording = await Recording.open(file);
  const verification = await recording.verify({ tier });
  await recording.close();
  expect(verification.ok, `diverged: ${JSON.stringify(verification)}`);
  return verification;
}

/** Follows a recording to its end; returns what the serial line sent. */
async function replaySerial(file: string, prepareReplay: (replay: Replay) => void = () => {}) {
  const recording = await Recording.open(file);
  const replay = await recording.replay();
  prepareReplay(replay);
  const bytes: Buffer[] = [];
  replay.onSerial((sent, port) => {
    if (port === 0) bytes.push(Buffer.from(sent));
  });
  const stop = await replay.run();
  expect(stop.kind === 'end', `the replay ended with ${JSON.stringify(stop)}`);
  const result = { serial: Buffer.concat(bytes), digests: replay.digests };
  await replay.close();
  await recording.close();
  return result;
}

/** The serial output that the file has, for export. */
async function recordedSerial(file: string): Promise<Buffer> {
  const recording = await Recording.open(file);
  const bytes: Uint8Array[] = [];
  for (const entry of recording.reader.cursor()) {
    if (entry.entry === 'output' && entry.kind === 'serial' && entry.channel === 0) bytes.push(entry.bytes);
  }
  await recording.close();
  return Buffer.concat(bytes);
}

/** Takes the machine over in the middle of the sort, types something else, and records that. */
async function branch(file: string, outDir: string): Promise<{ file: string; tick: number }> {
  const recording = await Recording.open(file);
  const replay = await recording.replay();
  const stop = await replay.run({ until: { mark: SORT_PHASE } });
  expect(stop.kind === 'matched', `the mark "${SORT_PHASE}" was not reached: ${JSON.stringify(stop)}`);
  const { tick } = replay;
  expect(
    recording.phases.some(({ name, begin }) => name === SORT_PHASE && begin === tick),
    'not at the phase',
  );
  const machine = await replay.goLive({ outDir });
  await machine.startRecording({ name: 'branch' });
  const shell = new Shell(machine);
  // The sort goes on and ends as it did; then the shell reads what nobody typed before.
  await shell.type('reel status', /\nrc 0\r?\n[^]*\nepoch 1\r?\n\/ # $/);
  await shell.command('echo another path | tr a-z A-Z', 'ANOTHER PATH');
  await shell.command('sort -n -r /tmp/lines | head -n 1', '20010');
  const branchFile = await machine.stopRecording();
  await machine.close();
  const { recordingId } = recording.meta;
  await recording.close();
  const branched = await Recording.open(branchFile);
  const { parent, epoch } = branched.meta;
  await branched.close();
  expect(parent?.recordingId === recordingId && parent.tick === tick && epoch === 1, 'the branch names no parent');
  return { file: branchFile, tick };
}

/** A short recording with many chunks, begun late: what damage is tried on. */
async function recordBriefly(file: string, outDir: string): Promise<string> {
  const recording = await Recording.open(file);
  const replay = await recording.replay();
  await replay.run();
  const machine = await replay.goLive({ outDir });
  await machine.startRecording({ name: 'brief' });
  const shell = new Shell(machine);
  for (let n = 1; n <= 8; n++) {
    await shell.command(`reel mark brief ${n}; echo "rc $?"`, 'rc 0');
    await shell.converse();
  }
  const brief = await machine.stopRecording();
  await machine.close();
  await recording.close();
  return brief;
}

interface Trials {
  readonly kills: number;
  readonly flips: number;
  readonly truncations: number;
  readonly seed: number;
}

async function killAll(base: string, scratch: string, recordingMs: number, trials: Trials): Promise<KillResult[]> {
  const { kills: count, seed } = trials;
  const numbers = random(seed);
  // One in each part of the recording's life.
  const lives = Array.from({ length: count }, (_, i) => ((i + numbers.next().value) * recordingMs) / count).values();
  const results: KillResult[] = [];
  const worker = async (): Promise<void> => {
    for (const lifeMs of lives) results.push(await kill(base, scratch, lifeMs));
  };
  await Promise.all(Array.from({ length: KILLS_AT_A_TIME }, worker));
  return results;
}

function describeKills(results: readonly KillResult[]): string {
  const count = (outcome: KillResult['outcome']): number => results.filter((r) => r.outcome === outcome).length;
  const recovered = results.filter((r) => r.outcome === 'recovered');
  const ticks = recovered.map((r) => r.ticks).sort((a, b) => a - b);
  const lostMs = Math.max(0, ...recovered.map((r) => r.lostMs));
  const lostTicks = Math.max(0, ...recovered.map((r) => r.lostTicks));
  const extent = ticks.length === 0 ? '' : `, ${millions(ticks[0])} to ${millions(ticks.at(-1)!)}`;
  return (
    `${results.length} kills: ${recovered.length} recovered and verified${extent}, output of at most ${lostMs.toFixed(0)} ms and ` +
    `${millions(lostTicks)} lost; ` +
    `${count('nothing whole')} refused as their snapshot was not whole; ${count('not started')} before the file was made`
  );
}

/** Half of the places anywhere, the other half behind the snapshot, which is most of a file. */
function places(count: number, logStart: number, size: number, seed: number): number[] {
  const numbers = random(seed);
  return Array.from({ length: count }, (_, i) => {
    const from = i % 2 === 0 ? 0 : logStart;
    return from + numbers.next().value * (size - from);
  });
}

async function damageAll(name: string, file: string, scratch: string, damage: readonly Damage[]): Promise<void> {
  await step(
    name,
    () => tryDamage(file, scratch, damage),
    ({ outcomes: { unharmed, lost, whole, prefix }, replays }) =>
      `${damage.length}: ${lost} refused with nothing to save, ${prefix} saved as a prefix, ${whole} saved whole, ` +
      `${unharmed} unharmed; ${replays} different prefixes verified`,
  );
}

async function run(images: LinuxImages, scratch: string, trials: Trials): Promise<void> {
  const outDir = join(scratch, 'recordings');
  const shell = await step(
    'boot',
    () => Shell.boot(images, outDir),
    ({ machine }) => millions(machine.tick),
  );
  await prepare(shell);
  await shell.machine.startRecording({ name: 'base' });
  const base = await shell.machine.stopRecording();
  const own = await step(
    'record',
    () => recordItself(shell),
    ({ file, serial }) => `${mebibytes(file)}, ${serial.length} bytes on the serial line`,
  );
  await shell.machine.close();
  const recording = await Recording.open(own.file);
  const sort = recording.phases.find(({ name }) => name === SORT_PHASE);
  expect(sort?.verdict === 'pass', `the phase ended with ${sort?.verdict}`);
  expect(recording.meta.startedBy === 'guest:ring3', `started by ${recording.meta.startedBy}`);
  await recording.close();
  const verified = await step(
    'verify',
    () => verify(own.file),
    ({ ticks, digests }) => `${millions(ticks)}, ${digests} digests`,
  );
  await step(
    'interpreted',
    () => verify(own.file, 'interpreter'),
    ({ ticks, digests }) => `${millions(ticks)}, ${digests} digests`,
  );
  await step(
    'replay twice',
    async () => {
      for (let n = 0; n < 2; n++) {
        const { serial } = await replaySerial(own.file);
        expect(serial.equals(own.serial), `replay ${n + 1} sent other bytes`);
      }
      expect((await recordedSerial(own.file)).equals(own.serial), 'the file has other bytes');
    },
    () => `${own.serial.length} serial bytes the same live, in the file and in both`,
  );
  await step(
    'sliced',
    async () => {
      const { serial, digests } = await replaySerial(own.file, (replay) => (replay.sliceTicks = SLICE_TICKS));
      expect(serial.equals(own.serial), 'other bytes in slices');
      expect(digests === verified.digests, `${digests} digests in slices, ${verified.digests} without`);
      return digests;
    },
    (digests) => `slices of ${SLICE_TICKS} ticks, ${digests} digests the same`,
  );
  const branched = await step(
    'go live',
    () => branch(own.file, outDir),
    ({ file, tick }) => `at tick ${tick}, branch of ${mebibytes(file)}`,
  );
  await step(
    'branch',
    () => verify(branched.file),
    ({ ticks, digests }) => `${millions(ticks)}, ${digests} digests`,
  );
  await step('kill -9', () => killAll(base, scratch, own.recordingMs, trials), describeKills);
  const brief = await step(
    'brief',
    () => recordBriefly(base, outDir),
    (file) => mebibytes(file),
  );
  const [logStart, { size }] = [await logOffset(brief), statSync(brief)];
  const flips = places(trials.flips, logStart * 8, size * 8, trials.seed + 1).map((n) => ({ bit: Math.floor(n) }));
  await damageAll('bit flips', brief, scratch, flips);
  const cuts = places(trials.truncations, logStart, size, trials.seed + 2).map((n) => ({ cut: Math.floor(n) }));
  await damageAll('truncations', brief, scratch, cuts);
}

const [kernel, initrd] = positionals;
const scratch = mkdtempSync(join(tmpdir(), 'linux-acceptance-'));
process.once('exit', () => rmSync(scratch, { recursive: true }));
try {
  expect(initrd !== undefined, 'usage: linux.ts KERNEL INITRD [--kills n] [--flips n] [--truncations n] [--seed n]');
  const trials = {
    kills: count('kills'),
    flips: count('flips'),
    truncations: count('truncations'),
    seed: count('seed'),
  };
  process.stdout.write(`seed ${trials.seed}\n`);
  await run({ kernel, initrd }, scratch, trials);
} catch (error) {
  process.stderr.write(`FAILED: ${error instanceof Error ? error.stack : String(error)}\n`);
  // Not by exitCode: other processes may be at work, and end with this one.
  process.exit(1);
}
