import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runTimed } from '../timed-process.js';
import { commandLine, MEMORY_MIB } from '../workloads.js';
import { measuredOf, type RunContext, type System, type SystemId } from './system.js';

const PROGRAM = 'qemu-system-i386';

/** First line of `--version`, or null where it is not installed. */
export function qemuVersion(): string | null {
  const { status, stdout } = spawnSync(PROGRAM, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0] : null;
}

function machineArguments({ guest, words }: RunContext): string[] {
  const machine = ['-accel', 'tcg', '-m', String(MEMORY_MIB), '-nic', 'none', '-no-reboot'];
  const console = ['-nographic'];
  return [...machine, ...console, '-kernel', guest.kernel, '-initrd', guest.initrd, '-append', commandLine(words)];
}

const logFile = ({ scratch }: RunContext): string => join(scratch, 'qemu-rr.bin');

/** An instruction lasts 2^3 ns: record/replay needs a fixed number, and this one keeps the guest's timers rare. */
function recordReplay(mode: 'record' | 'replay', context: RunContext): string[] {
  return ['-icount', `shift=3,rr=${mode},rrfile=${logFile(context)}`];
}

function qemu(id: SystemId, title: string, run: System['run'], needs?: SystemId): System {
  return { id, title, needs, missing: () => (qemuVersion() === null ? `${PROGRAM} is not installed` : null), run };
}

export const QEMU: readonly System[] = [
  qemu('qemu', 'QEMU', async (context) =>
    measuredOf(await runTimed({ command: PROGRAM, args: machineArguments(context) })),
  ),
  qemu('qemu-record', 'QEMU, rr record', async (context) => {
    rmSync(logFile(context), { force: true });
    const args = [...machineArguments(context), ...recordReplay('record', context)];
    const measured = measuredOf(await runTimed({ command: PROGRAM, args }));
    const { size } = statSync(logFile(context));
    return { ...measured, recordingBytes: size, logBytes: size };
  }),
  qemu(
    'qemu-replay',
    'QEMU, rr replay',
    async (context) => {
      const args = [...machineArguments(context), ...recordReplay('replay', context)];
      return measuredOf(await runTimed({ command: PROGRAM, args }));
    },
    'qemu-record',
  ),
];
