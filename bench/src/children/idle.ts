/** `idle.js ORDER`: records an idle guest for two lengths of time, at full speed and at the wall clock's. */
import { Recording, type Machine } from '../../../dist/bundle/index.js';
import { recordingSize } from '../recording-size.js';
import { bootTo, type ProbeOrder } from './boot.js';
import { send } from './report.js';

/** Bytes by which the log grows in a minute of the guest's time. */
export interface IdleReport {
  readonly atFullSpeed: number;
  /** At the wall clock's pace, as `reel run` does: it is flushed five times a second. */
  readonly paced: number;
}

const SHORT_SECONDS = 2;
const LONG_SECONDS = SHORT_SECONDS + 60;

async function logBytes(machine: Machine, name: string, seconds: number): Promise<number> {
  await machine.startRecording({ name });
  await machine.run({ until: { ticks: machine.tick + (seconds * 1e9) / machine.nsPerTick } });
  return (await recordingSize(await machine.stopRecording())).logBytes;
}

/** The difference: a recording has a beginning and an end, however long it is. */
async function growth(machine: Machine, name: string): Promise<number> {
  const short = await logBytes(machine, `${name}-short`, SHORT_SECONDS);
  return (await logBytes(machine, `${name}-long`, LONG_SECONDS)) - short;
}

const order = JSON.parse(process.argv[2]) as ProbeOrder;
const machine = await bootTo(order, ['idle60', 'idle60', 'idle60']);
// Past the start of sleep.
await machine.run({ until: { ticks: machine.tick + 1e9 / machine.nsPerTick } });
await machine.startRecording({ name: 'beginning' });
const file = await machine.stopRecording();
const atFullSpeed = await growth(machine, 'full-speed');
await machine.close();

const recording = await Recording.open(file);
const paced = await (await recording.replay()).goLive({ outDir: order.outDir, pacing: true });
const report: IdleReport = { atFullSpeed, paced: await growth(paced, 'paced') };
await paced.close();
await recording.close();
send(report);
