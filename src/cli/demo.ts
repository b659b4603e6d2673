/** `npm run demo`: the main job in under a minute. A guest records itself; the recording is verified, tampered with, and left live. */
import { copyWithOneBitChanged, emptyFolder, shortPath } from '../host/demo-files.js';
import { packageFile } from '../host/package-file.js';
import { CodedError, Machine, Recording } from '../index.js';

const OUT = 'demo-output';
const IMAGE = packageFile('guest-images/built/demo.img');
const QUESTION = /six times seven\? /;
const NS_PER_MS = 1e6;
const WIDTH = 48;

function heading(text: string): void {
  const bold = process.stdout.isTTY && !process.env['NO_COLOR'];
  process.stdout.write(bold ? `\n\x1b[1m${text}\x1b[0m\n` : `\n${text}\n`);
}
function say(text: string): void {
  process.stdout.write(`  ${text}\n`);
}
function quote(text: string): void {
  for (const line of text.trimEnd().split(/\r?\n/)) process.stdout.write(`  | ${line}\n`);
}

/** Boots the guest and types `answer` when it asks. Returns the recording it made of itself. */
async function record(answer: string): Promise<string> {
  const machine = await Machine.create({ bootImage: IMAGE, memory: '16M', outDir: OUT });
  let file = '';
  const denied: string[] = [];
  machine.on('recording', (e) => {
    if (e.state === 'stopped') file = e.file;
  });
  machine.on('denied', (e) => denied.push(`${e.principal} may not ${e.action}: rule "${e.rule}" (${e.reason})`));
  await machine.run({ until: { serial: QUESTION, ticks: 20e9 } });
  machine.typeKeys(`${answer}\n`);
  const stop = await machine.run({ until: { ticks: 40e9 } });
  quote(machine.serialText);
  say(`the machine ended: ${stop.kind}, at tick ${machine.tick}`);
  for (const line of denied) say(`denied: ${line}`);
  await machine.close();
  if (file === '') throw new CodedError('STATE', 'the guest made no recording');
  return file;
}

async function timeline(file: string): Promise<void> {
  const recording = await Recording.open(file);
  const { meta, endTick, phases, marks } = recording;
  const total = endTick - meta.startTick;
  const column = (tick: number): number => Math.round(((tick - meta.startTick) / total) * WIDTH);
  for (const { name, begin, end, verdict } of phases) {
    const from = column(begin);
    const to = Math.max(from + 1, column(end ?? endTick));
    const bar = ' '.repeat(from) + '#'.repeat(to - from);
    const ms = (((end ?? endTick) - begin) * meta.nsPerTick) / NS_PER_MS;
    say(`${name.padEnd(8)}${bar.padEnd(WIDTH + 1)}${ms.toFixed(1).padStart(9)} ms ${verdict ?? ''}`);
  }
  for (const { label, value, tick, type } of marks) {
    if (type === 'mark') say(`mark "${label}" = ${value} at tick ${tick}`);
  }
  await recording.close();
}

async function verify(file: string): Promise<void> {
  const recording = await Recording.open(file);
  try {
    const begun = performance.now();
    const result = await recording.verify();
    const seconds = ((performance.now() - begun) / 1000).toFixed(2);
    if (!result.ok) throw new CodedError('DIVERGED', `the replay differs at tick ${result.divergence.tick}`);
    say(`${shortPath(file)}: ${result.ticks} ticks replayed in ${seconds} s, ${result.digests} digests equal`);
  } finally {
    await recording.close();
  }
}

/** Changes one bit in the middle of a copy. */
async function tamper(file: string): Promise<void> {
  const copy = `${OUT}/tampered.reel`;
  copyWithOneBitChanged(file, copy);
  try {
    await verify(copy);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    say(`one bit changed in ${copy}: caught`);
    say(error.describe());
    return;
  }
  throw new CodedError('STATE', 'tampering went unnoticed');
}

/** Leaves the replay at the mark "sorted" and answers otherwise. */
async function branch(file: string, answer: string): Promise<void> {
  const recording = await Recording.open(file);
  const replay = await recording.replay();
  await replay.run({ until: { mark: 'sorted' } });
  say(`replayed to the mark "sorted" (tick ${replay.tick}); live from here, typing "${answer}"`);
  const live = await replay.goLive({ outDir: OUT });
  let branchFile = '';
  live.on('recording', (e) => {
    if (e.state === 'stopped') branchFile = e.file;
  });
  await live.startRecording({ name: 'demo-branch', reason: 'another answer' });
  await live.run({ until: { serial: QUESTION, ticks: 20e9 } });
  live.typeKeys(`${answer}\n`);
  await live.run({ until: { ticks: 40e9 } });
  quote(live.serialText);
  await live.close();
  await recording.close();
  say('the branch was recorded as well, and names its parent:');
  await verify(branchFile);
}

async function main(): Promise<void> {
  emptyFolder(OUT);
  heading('1. A guest boots and records itself through the backdoor port');
  const file = await record('42');
  heading('2. What it marked, on its own time line');
  await timeline(file);
  heading('3. The recording replays exactly');
  await verify(file);
  heading('4. Tampering is evident');
  await tamper(file);
  heading('5. Going live at a mark, with another answer');
  await branch(file, '41');
  heading('Try next');
  const path = shortPath(file);
  for (const line of [
    `npx reel info ${path}`,
    `npx reel marks ${path}`,
    `npx reel verify ${path}`,
    `npx reel replay ${path} -until mark:sorted -live -serial stdio`,
    `npx reel export ${path} --as trace -o demo-output/trace.json    (open it in https://ui.perfetto.dev)`,
    'npx reel policy init --template forensic',
  ]) {
    say(line);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`demo: ${error instanceof CodedError ? error.describe() : String(error)}\n`);
  process.exitCode = 1;
});
