import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { recordingSize } from '../recording-size.js';
import { runTimed } from '../timed-process.js';
import { MEMORY_MIB, rowSpans } from '../workloads.js';
import type { MachineOrder, MachineReport } from '../children/machine.js';
import { bootOf, measuredOf, type Measured, type RunContext, type System, type SystemId } from './system.js';

const CHILD = fileURLToPath(new URL('../children/machine.js', import.meta.url));
const NAME = 'whole-run';

/** The recording of the round. */
const folder = ({ scratch }: RunContext): string => join(scratch, 'recordings');

async function run(order: MachineOrder): Promise<Measured> {
  const timed = await runTimed({ command: process.execPath, args: [CHILD, JSON.stringify(order)], reports: true });
  const { milestones, endTick, file } = timed.report as MachineReport;
  const measured = { ...measuredOf(timed), instructions: rowSpans(milestones, 0, endTick) };
  if (file === null) return measured;
  const { bytes, logBytes } = await recordingSize(file);
  return { ...measured, recordingBytes: bytes, logBytes };
}

function live(context: RunContext, record: string | null): Promise<Measured> {
  const { equipment } = context;
  return run({
    mode: 'live',
    memoryMib: MEMORY_MIB,
    ...bootOf(context),
    disk: equipment?.device === 'disk' ? equipment.image : null,
    hasNetwork: equipment?.device === 'network',
    outDir: folder(context),
    record,
  });
}

/** Recording or not, and replay: what tells them apart is a few per cent, as much as one run from the next. */
const TURNS = 3;

function guestreel(id: SystemId, title: string, start: System['run'], needs?: SystemId): System {
  return { id, title, needs, turns: TURNS, hasDevices: true, missing: () => null, run: start };
}

export const GUESTREEL: readonly System[] = [
  guestreel('guestreel-off', 'guestreel, recording off', (context) => live(context, null)),
  guestreel('guestreel-on', 'guestreel, recording on', (context) => {
    rmSync(folder(context), { recursive: true, force: true });
    mkdirSync(folder(context), { recursive: true });
    return live(context, NAME);
  }),
  guestreel(
    'guestreel-replay',
    'guestreel, replay',
    (context) => run({ mode: 'replay', file: join(folder(context), `${NAME}.reel`) }),
    'guestreel-on',
  ),
];
