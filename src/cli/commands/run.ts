import { CodedError } from '../../base/errors.js';
import { PortOutput } from '../console-output.js';
import type { Command } from '../context.js';
import { runLive } from '../live.js';
import { driveOptions } from '../drive-options.js';
import { liveMachineOptions, parseLiveRun, type LiveVerbOptions } from '../live-options.js';
import { ProfileFile } from '../profile-file.js';
import { QmpPort } from '../qmp/qmp-port.js';
import { DEFAULT_SERIAL_PORTS } from '../../machine/config.js';
import { parseIcount, parseRtc, parseTime } from '../values.js';

interface RunOptions extends LiveVerbOptions {
  readonly memory?: string;
  readonly bios?: string;
  readonly apic: boolean;
  readonly videoBios?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly boot?: string;
  readonly icount?: string;
  readonly rtc?: string;
  readonly epoch?: string;
}

function startOfCalendar({ rtc, epoch }: RunOptions, nowMs: () => number): number | undefined {
  if (rtc !== undefined && epoch !== undefined) {
    throw new CodedError('USAGE', '--rtc and --epoch set the same thing', { hint: 'give one of them' });
  }
  if (epoch !== undefined) return parseTime('epoch', epoch, nowMs);
  return rtc === undefined ? undefined : parseRtc(rtc, nowMs);
}

export const run: Command<RunOptions> = async (context, [bootImage], options) => {
  const { memory, apic, bios, videoBios, kernel, initrd, append, boot, icount } = options;
  const live = parseLiveRun(options);
  const epoch = startOfCalendar(options, context.io.nowMs);
  const nsPerTick = icount === undefined ? undefined : parseIcount(icount);
  const hasDrives = bootImage !== undefined || Object.keys(driveOptions(options)).length > 0;
  if (!hasDrives && kernel === undefined && bios === undefined) {
    throw new CodedError('USAGE', 'there is nothing to boot', {
      hint: 'give an IMAGE, a drive such as --hda, --kernel or --bios',
    });
  }
  if (kernel === undefined && (initrd !== undefined || append !== undefined)) {
    throw new CodedError('USAGE', `--${initrd === undefined ? 'append' : 'initrd'} needs a kernel`, {
      hint: 'give --kernel too',
    });
  }
  const profile = ProfileFile.of(options);
  const qmp = await QmpPort.open(context, options);
  try {
    const machine = await context.library.createMachine({
      ...liveMachineOptions(options),
      bootImage,
      memory,
      apic,
      bios,
      videoBios,
      kernel,
      initrd,
      append,
      boot,
      epoch,
      nsPerTick,
      ...(live.serials.length > DEFAULT_SERIAL_PORTS ? { serialPorts: live.serials.length } : {}),
    });
    let ports: PortOutput;
    try {
      ports = new PortOutput(context.output, live);
    } catch (error) {
      await machine.close();
      throw error;
    }
    profile?.begin(machine);
    return await runLive(context, machine, live, ports, qmp);
  } finally {
    profile?.end();
    await qmp?.close();
  }
};
