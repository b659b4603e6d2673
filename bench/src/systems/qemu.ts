import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runTimed } from '../timed-process.js';
import { MEMORY_MIB } from '../workloads.js';
import { bootOf, measuredOf, type RunContext, type System, type SystemId } from './system.js';

const PROGRAM = 'qemu-system-i386';

/** First line of `--version`, or null where it is not installed. */
export function qemuVersion(): string | null {
  const { status, stdout } = spawnSync(PROGRAM, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0] : null;
}

/** A disk that keeps nothing, or a network card; recordings want both wrapped up. */
function deviceArguments({ equipment }: RunContext, isRecordReplay: boolean): string[] {
  if (equipment === null) return ['-nic', 'none'];
  if (equipment.device === 'network') {
    const card = ['-netdev', 'user,id=net', '-device', 'e1000,netdev=net'];
    return isRecordReplay ? [...card, '-object', 'filter-replay,id=replay,netdev=net'] : card;
  }
  const image = `file=${equipment.image},format=raw,snapshot=on`;
  if (!isRecordReplay) return ['-nic', 'none', '-drive', `${image},if=ide`];
  const replayed = ['-drive', 'driver=blkreplay,if=none,image=image,id=replayed', '-device', 'ide-hd,drive=replayed'];
  return ['-nic', 'none', '-drive', `${image},if=none,id=image`, ...replayed];
}

function machineArguments(context: RunContext, isRecordReplay = false): string[] {
  const { kernel, initrd, append } = bootOf(context);
  const machine = ['-accel', 'tcg', '-m', String(MEMORY_MIB), '-no-reboot', '-nographic'];
  const boot = ['-kernel', kernel, '-initrd', initrd, '-append', append];
  return [...machine, ...deviceArguments(context, isRecordReplay), ...boot];
}

const logFile = ({ scratch }: RunContext): string => join(scratch, 'qemu-rr.bin');

/** All arguments. An instruction lasts 2^3 ns: record/replay needs a fixed number, and this one keeps the guest's timers rare. */
function recordReplay(mode: 'record' | 'replay', context: RunContext): string[] {
  return [...machineArguments(context, true), '-icount', `shift=3,rr=${mode},rrfile=${logFile(context)}`];
}

function qemu(id: SystemId, title: string, run: System['run'], needs?: SystemId): System {
  const missing = (): string | null => (qemuVersion() === null ? `${PROGRAM} is not installed` : null);
  return { id, title, needs, hasDevices: true, missing, run };
}

export const QEMU: readonly System[] = [
  qemu('qemu', 'QEMU', async (context) =>
    measuredOf(await runTimed({ command: PROGRAM, args: machineArguments(context) })),
  ),
  qemu('qemu-record', 'QEMU, rr record', async (context) => {
    rmSync(logFile(context), { force: true });
    const args = recordReplay('record', context);
    const measured = measuredOf(await runTimed({ command: PROGRAM, args }));
    const { size } = statSync(logFile(context));
    return { ...measured, recordingBytes: size, logBytes: size };
  }),
  qemu(
    'qemu-replay',
    'QEMU, rr replay',
    async (context) => {
      const args = recordReplay('replay', context);
      return measuredOf(await runTimed({ command: PROGRAM, args }));
    },
    'qemu-record',
  ),
];
