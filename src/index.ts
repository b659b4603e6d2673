/** The public API of guestreel. */
import type { GuestMachine } from './harness/guest-machine.js';
import { createMachine, type MachineOptions } from './harness/launch.js';
import { Recording as OpenRecording } from './harness/recording.js';
import { hostServices } from './host/services.js';
import { readTextFile } from './host/text-file.js';
import { Policy as CheckedPolicy } from './policy/policy.js';

/** Live machines: `await Machine.create({ kernel, initrd, append })`. */
export const Machine = {
  create: async (options: MachineOptions): Promise<GuestMachine> => createMachine(await hostServices(), options),
};
export type Machine = GuestMachine;

/** Recordings on disk: `await Recording.open(file)`. */
export const Recording = {
  open: async (file: string): Promise<OpenRecording> => OpenRecording.open(file, await hostServices()),
};
export type Recording = OpenRecording;

/** Policies: `await Policy.load(file)`. */
export const Policy = {
  /** Throws CONFIG with file, line and the offending value. */
  load: async (file: string): Promise<CheckedPolicy> => CheckedPolicy.parse(readTextFile(file), file),
  parse: (text: string, source = 'policy'): CheckedPolicy => CheckedPolicy.parse(text, source),
};
export type Policy = CheckedPolicy;

export { recoverRecording } from './host/recover-recording.js';
export { CodedError, ERROR_CLASSES, type ErrorClass } from './base/errors.js';
export type { RunOptions, StopReason, Until } from './harness/guest-machine.js';
export type { MouseButton, MouseOptions } from './harness/mouse.js';
export type { DriveOptions, ImageSource } from './harness/drives.js';
export type { LiveOptions, MachineOptions } from './harness/launch.js';
export type { MachineEvents } from './harness/machine-events.js';
export type { RecordedMark, RecordedPhase, Verification } from './harness/recording.js';
export type { Replay, ReplayOptions, ReplayResult } from './harness/replay.js';
export type { Divergence } from './replay/divergence.js';
export type { ReelMeta } from './log/meta.js';
