/** `pauses.js ORDER`: starts recordings of a guest that works, first as the host, then as the guest, and times them. */
import type { Machine } from '../../../dist/bundle/index.js';
import { bootTo, type ProbeOrder } from './boot.js';
import { send } from './report.js';
import { milestoneOf } from '../workloads.js';

/** Milliseconds, one value per attempt. */
export interface PauseReport {
  /** From the host's call to its return. */
  readonly hostStart: number[];
  /** Longest gap between looks at the host while the snapshot is written, beyond the usual one. */
  readonly whileWriting: number[];
  /** A request of the guest's, beyond one that only asks for the status. */
  readonly guestStart: number[];
  readonly guestCheckpoint: number[];
  readonly guestStop: number[];
}

const ATTEMPTS = 10;
const TICKS_BETWEEN = 80e6;

/** Gaps between looks at the host during so many ticks, milliseconds. */
async function gaps(machine: Machine, ticks: number): Promise<number[]> {
  const found: number[] = [];
  let last = performance.now();
  const onProgress = (): void => {
    const now = performance.now();
    found.push(now - last);
    last = now;
  };
  await machine.run({ until: { ticks: machine.tick + ticks }, onProgress });
  return found;
}

const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

async function hostStarts(machine: Machine): Promise<Pick<PauseReport, 'hostStart' | 'whileWriting'>> {
  await machine.run({ until: { serial: /START crc/ } });
  // What runs from now on is compiled.
  await gaps(machine, TICKS_BETWEEN);
  const [hostStart, whileWriting]: [number[], number[]] = [[], []];
  for (let i = 0; i < ATTEMPTS; i++) {
    const usual = middle(await gaps(machine, TICKS_BETWEEN));
    const begun = performance.now();
    await machine.startRecording({ name: `host-${i}` });
    hostStart.push(performance.now() - begun);
    const longest = Math.max(...(await gaps(machine, TICKS_BETWEEN)));
    whileWriting.push(Math.max(0, longest - usual));
    await machine.stopRecording();
  }
  return { hostStart, whileWriting };
}

/** What each request took, by verb. */
async function guestRequests(machine: Machine): Promise<ReadonlyMap<string, number[]>> {
  const took = new Map<string, number[]>();
  let [line, begun] = ['', 0];
  const forget = machine.onSerial((bytes) => {
    for (const byte of bytes) {
      if (byte !== 10) {
        line += String.fromCharCode(byte);
        continue;
      }
      const [what, verb] = milestoneOf(line)?.split(' reel-') ?? [];
      line = '';
      if (verb === undefined) continue;
      if (what === 'START') begun = performance.now();
      else took.set(verb, [...(took.get(verb) ?? []), performance.now() - begun]);
    }
  });
  await machine.run();
  forget();
  return took;
}

const order = JSON.parse(process.argv[2]) as ProbeOrder;
const machine = await bootTo(order, ['crc', 'requests']);
const byHost = await hostStarts(machine);
const took = await guestRequests(machine);
await machine.close();
const usual = middle(took.get('status') ?? [0]);
const beyond = (verb: string): number[] => (took.get(verb) ?? []).map((ms) => Math.max(0, ms - usual));
const report: PauseReport = {
  ...byHost,
  guestStart: beyond('start'),
  guestCheckpoint: beyond('checkpoint'),
  guestStop: beyond('stop'),
};
send(report);
