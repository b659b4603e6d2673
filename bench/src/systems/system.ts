import { deviceCommandLine, type Equipment } from '../devices.js';
import type { Guest } from '../guest.js';
import { commandLine, rowSpans, partResults, type RowId } from '../workloads.js';
import type { TimedRun } from '../timed-process.js';

export type SystemId =
  'native' | 'guestreel-off' | 'guestreel-on' | 'guestreel-replay' | 'v86' | 'qemu' | 'qemu-record' | 'qemu-replay';

export interface RunContext {
  readonly guest: Guest;
  /** Of the work to be done; see ROWS. */
  readonly words: readonly string[];
  /** Of this run of the benchmark; systems may leave files there for each other. */
  readonly scratch: string;
  /** For the rows of a device; null for the others. */
  readonly equipment: Equipment | null;
}

/** What the guest boots from, and its command line. */
export interface Boot {
  readonly kernel: string;
  readonly initrd: string;
  readonly append: string;
}

/** `host` is the address of the host's port for the guest, where it is not QEMU's. */
export function bootOf({ guest, words, equipment }: RunContext, host?: (port: number) => string): Boot {
  const { kernel, initrd, devicesInitrd } = guest;
  return equipment === null
    ? { kernel, initrd, append: commandLine(words) }
    : { kernel, initrd: devicesInitrd, append: deviceCommandLine(equipment, host) };
}

/** One run of one system. */
export interface Measured {
  readonly seconds: Partial<Record<RowId, number>>;
  /** Instructions of the guest, where the system counts them. */
  readonly instructions?: Partial<Record<RowId, number>>;
  readonly residentBytes: number | null;
  readonly peakBytes: number | null;
  /** Of the recording that it made. */
  readonly recordingBytes?: number;
  /** The same without the state that it starts with. */
  readonly logBytes?: number;
  /** What the programs in the guest computed. */
  readonly results: Readonly<Record<string, string>>;
}

export interface System {
  readonly id: SystemId;
  readonly title: string;
  /** A system of the same round whose files it needs. */
  readonly needs?: SystemId;
  /** How often it runs in a round without devices; once unless given. */
  readonly turns?: number;
  /** It takes part in the rows of devices. */
  readonly hasDevices: boolean;
  /** Why it cannot run here; null when it can. */
  missing(guest: Guest): string | null;
  run(context: RunContext): Promise<Measured>;
}

/** Of a whole machine that booted, worked and ended. */
export function measuredOf(run: TimedRun): Measured {
  const last = run.milestones.at(-1)?.name;
  if (last !== 'ALL-DONE') throw new Error(`the guest did not end its work: the last was ${last ?? 'nothing'}`);
  const spans = rowSpans(run.milestones, 0, run.wallMs);
  return {
    seconds: Object.fromEntries(Object.entries(spans).map(([id, ms]) => [id, ms / 1000])),
    residentBytes: run.residentBytes,
    peakBytes: run.peakBytes,
    results: partResults(run.lines.map(({ text }) => text)),
  };
}
