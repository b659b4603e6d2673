import type { LiveOptions as MachineOptions } from '../harness/launch.js';
import { driveOptions, type DriveVerbOptions } from './drive-options.js';
import { networkOptions, type NetworkVerbOptions } from './network-options.js';
import type { ProfileVerbOptions } from './profile-file.js';
import type { ScreenshotOptions } from './screenshots.js';
import { MAX_SERIAL_PORTS } from '../machine/config.js';
import type { QmpVerbOptions } from './qmp/qmp-port.js';
import { CodedError } from '../base/errors.js';
import type { PortTargets } from './console-output.js';
import { parseCount, parseDisplay, parseParallel, parseRegex, parseSerial, type Display } from './values.js';

/** The options of a live machine as commander gives them. */
export interface LiveVerbOptions
  extends NetworkVerbOptions, ProfileVerbOptions, ScreenshotOptions, DriveVerbOptions, QmpVerbOptions {
  readonly policy?: string;
  readonly out?: string;
  readonly record?: string;
  readonly audit?: string;
  readonly pacing: boolean;
  readonly untilSerial?: string;
  readonly timeoutTicks?: string;
  readonly serial?: readonly string[];
  readonly parallel?: string;
  readonly display?: string;
  readonly nographic?: boolean;
}

/** Where a machine's console goes. */
export interface ConsoleTargets extends PortTargets {
  /** The serial port at standard input and output. */
  readonly stdioPort: number | null;
  readonly display: Display;
}

/** How a live machine is run. */
export interface LiveRun extends ConsoleTargets, ScreenshotOptions {
  readonly record: string | undefined;
  readonly untilSerial: RegExp | undefined;
  readonly timeoutTicks: number | undefined;
}

export function parseConsole(options: LiveVerbOptions, serialDefault: 'stdio' | 'none'): ConsoleTargets {
  const display = parseDisplay(options.nographic ? 'none' : (options.display ?? 'none'));
  const unset = options.nographic ? 'stdio' : display === 'text' ? 'none' : serialDefault;
  const serials = (options.serial ?? [unset]).map(parseSerial);
  const stdio = serials.flatMap(({ kind }, port) => (kind === 'stdio' ? [port] : []));
  if (stdio.length > 1) {
    throw new CodedError('USAGE', 'two serial ports at standard input and output', {
      hint: 'give --serial none or --serial file:NAME for one of them',
    });
  }
  if (serials.length > MAX_SERIAL_PORTS) {
    throw new CodedError('USAGE', `${serials.length} serial ports`, { hint: `there are up to ${MAX_SERIAL_PORTS}` });
  }
  return { display, serials, stdioPort: stdio[0] ?? null, parallel: parseParallel(options.parallel ?? 'none') };
}

export function parseLiveRun(options: LiveVerbOptions): LiveRun {
  const { record, untilSerial, timeoutTicks, screenshot, screenshotMarks } = options;
  return {
    ...parseConsole(options, 'stdio'),
    record,
    screenshot,
    screenshotMarks,
    untilSerial: untilSerial === undefined ? undefined : parseRegex('until-serial', untilSerial),
    timeoutTicks: timeoutTicks === undefined ? undefined : parseCount('timeout-ticks', timeoutTicks),
  };
}

export function liveMachineOptions(options: LiveVerbOptions): MachineOptions {
  const { policy, out, audit, pacing } = options;
  const network = networkOptions(options);
  return { policy, outDir: out, audit, pacing, ...(network.length === 0 ? {} : { network }), ...driveOptions(options) };
}
