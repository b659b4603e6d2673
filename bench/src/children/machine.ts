/**
 * `machine.js ORDER`: a run of guestreel, live or following a recording, from the process's start to its end. Writes the
 * guest's serial line to standard output and sends what it counted to the parent.
 */
import { Machine, Recording } from '../../../dist/bundle/index.js';
import { milestoneOf } from '../workloads.js';
import { EPOCH_SECONDS } from './boot.js';
import { send } from './report.js';
import { SerialOutput } from './serial-output.js';

export type MachineOrder =
  | {
      readonly mode: 'live';
      readonly memoryMib: number;
      readonly kernel: string;
      readonly initrd: string;
      readonly append: string;
      /** An image of the first disk; null for none. */
      readonly disk: string | null;
      readonly hasNetwork: boolean;
      readonly outDir: string;
      /** Name of the recording, which begins with the first instruction; null for none. */
      readonly record: string | null;
    }
  | {
      readonly mode: 'replay';
      readonly file: string;
    };

export interface MachineReport {
  /** With the ticks at which they were sent. */
  readonly milestones: readonly { readonly name: string; readonly at: number }[];
  readonly endTick: number;
  /** The recording. */
  readonly file: string | null;
}

const order = JSON.parse(process.argv[2]) as MachineOrder;
const milestones: { name: string; at: number }[] = [];

/** Passes on what COM1 sends. */
function attach(source: Pick<Machine, 'onSerial' | 'tick'>): void {
  const output = new SerialOutput((line) => {
    const name = milestoneOf(line);
    if (name !== null) milestones.push({ name, at: source.tick });
  });
  source.onSerial((bytes, port) => {
    if (port === 0) output.write(bytes);
  });
}

async function live(options: Extract<MachineOrder, { mode: 'live' }>): Promise<MachineReport> {
  const { kernel, initrd, append, disk, hasNetwork, outDir, record, memoryMib } = options;
  const machine = await Machine.create({
    ...{ kernel, initrd, append, outDir, memory: memoryMib, epoch: EPOCH_SECONDS },
    ...(disk === null ? {} : { hda: disk }),
    // Without pacing, as the others: a machine with a network would keep to the wall clock.
    ...(hasNetwork ? { network: [{ model: 'e1000' }], pacing: false } : {}),
  });
  attach(machine);
  let file: string | null = null;
  if (record !== null) {
    await machine.startRecording({ name: record });
    ({ file } = machine.recording!);
  }
  const stop = await machine.run();
  if (stop.kind !== 'powered-off') throw new Error(`the machine ended otherwise: ${JSON.stringify(stop)}`);
  await machine.close();
  return { milestones, endTick: machine.tick, file };
}

async function follow({ file }: Extract<MachineOrder, { mode: 'replay' }>): Promise<MachineReport> {
  const recording = await Recording.open(file);
  const replay = await recording.replay();
  attach(replay);
  const stop = await replay.run();
  if (stop.kind !== 'end') throw new Error(`the replay did not come to the end: ${JSON.stringify(stop)}`);
  await replay.close();
  await recording.close();
  return { milestones, endTick: replay.tick, file: null };
}

send(order.mode === 'live' ? await live(order) : await follow(order));
