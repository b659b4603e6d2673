/** `kernels.js ORDER`: records the kernels once, or follows that recording with engines of the order's choice. */
import { Recording } from '../../../dist/bundle/index.js';
import { bootTo, type ProbeOrder } from './boot.js';
import { send } from './report.js';
import { milestoneOf } from '../workloads.js';

export type Tier = 'interpreter' | 'regions' | 'all';

export type KernelOrder =
  | { readonly mode: 'record'; readonly probe: ProbeOrder; readonly words: readonly string[] }
  | { readonly mode: 'replay'; readonly file: string; readonly tier: Tier };

/** When and at which tick the guest said what. */
export interface KernelMilestone {
  readonly name: string;
  readonly atMs: number;
  readonly tick: number;
}

async function record(order: Extract<KernelOrder, { mode: 'record' }>): Promise<string> {
  const machine = await bootTo(order.probe, order.words);
  await machine.startRecording({ name: 'kernels' });
  const { file } = machine.recording!;
  await machine.run();
  await machine.close();
  return file;
}

async function replay({ file, tier }: Extract<KernelOrder, { mode: 'replay' }>): Promise<KernelMilestone[]> {
  const recording = await Recording.open(file);
  const machine = await recording.replay({ tier });
  const milestones: KernelMilestone[] = [];
  let line = '';
  machine.onSerial((bytes) => {
    for (const byte of bytes) {
      if (byte !== 10) {
        line += String.fromCharCode(byte);
        continue;
      }
      const name = milestoneOf(line);
      line = '';
      if (name !== null) milestones.push({ name, atMs: performance.now(), tick: machine.tick });
    }
  });
  const stop = await machine.run();
  if (stop.kind !== 'end') throw new Error(`the replay did not come to the end: ${JSON.stringify(stop)}`);
  await recording.close();
  return milestones;
}

const order = JSON.parse(process.argv[2]) as KernelOrder;
send(order.mode === 'record' ? await record(order) : await replay(order));
