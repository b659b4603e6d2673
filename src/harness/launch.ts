import { CodedError } from '../base/errors.js';
import { toHex } from '../base/hash.js';
import { NS_PER_SECOND } from '../base/units.js';
import { cpuidText } from '../cpu/system/cpuid.js';
import type { ImageReference, ParentReference } from '../log/meta.js';
import type { MachineConfig } from '../machine/config.js';
import { DEFAULT_MEMORY_BYTES, DEFAULT_NS_PER_TICK, parseMemorySize } from '../machine/config.js';
import type { Pc } from '../machine/pc.js';
import { createPc } from '../machine/pc.js';
import { boot } from '../machine/boot.js';
import { BackdoorControl } from '../replay/backdoor-control.js';
import { LiveSession } from '../replay/live-session.js';
import { RecordingControl } from '../replay/recording-control.js';
import { Events } from './events.js';
import { Gatekeeper } from './gatekeeper.js';
import { GuestMachine } from './guest-machine.js';
import type { MachineEvents } from './machine-events.js';
import { GuestPolicy } from './policy.js';
import type { HostServices } from './services.js';

/** Options that a machine has whether it boots or goes live from a recording. */
export interface LiveOptions {
  /** Path of a policy file, or a policy; a safe default otherwise. */
  readonly policy?: string | GuestPolicy;
  /** Folder for recordings and audit; `recordings` unless given. */
  readonly outDir?: string;
  /** Audit file; the policy's `audit` inside outDir unless given. */
  readonly audit?: string;
  /** Keep pace with the wall clock. */
  readonly pacing?: boolean;
  /** Cuts execution every n ticks: changes nothing the guest can see. */
  readonly sliceTicks?: number;
  /** The boot disk's image, needed when going live reads blocks that the recording has not. */
  readonly bootImage?: string | Uint8Array;
}

export interface MachineOptions extends LiveOptions {
  /** RAM: `128M`, or a number of MiB. */
  readonly memory?: string | number;
  /** Linux bzImage or multiboot kernel: path or bytes. */
  readonly kernel?: string | Uint8Array;
  readonly initrd?: string | Uint8Array;
  /** Kernel command line. */
  readonly append?: string;
  /** Start of the real-time clock, seconds since 1970; the present time unless given. */
  readonly epoch?: number;
  readonly nsPerTick?: number;
}

/** About 5 ms of guest instructions between looks at the host. */
const DEFAULT_SLICE_TICKS = 1_000_000;
const DEFAULT_OUT_DIR = 'recordings';

interface Image {
  readonly bytes: Uint8Array;
  readonly reference: ImageReference;
}

function loadImage(services: HostServices, role: string, source: string | Uint8Array | undefined): Image | null {
  if (source === undefined) return null;
  const bytes = typeof source === 'string' ? services.readFile(source) : source;
  const name = typeof source === 'string' ? (source.split(/[\\/]/).at(-1) ?? source) : role;
  return { bytes, reference: { role, name, sha256: toHex(services.hashing.sha256(bytes)), bytes: bytes.length } };
}

/** Builds a machine, loads what it boots, and returns it before its first instruction. */
export async function createMachine(services: HostServices, options: MachineOptions): Promise<GuestMachine> {
  const kernel = loadImage(services, 'kernel', options.kernel);
  const initrd = loadImage(services, 'initrd', options.initrd);
  const disk = loadImage(services, 'boot', options.bootImage);
  if (kernel === null && disk === null) {
    throw new CodedError('USAGE', 'there is nothing to boot', { hint: 'give a boot image or a kernel' });
  }
  if (kernel === null && initrd !== null) throw new CodedError('USAGE', 'an initrd needs a kernel', { hint: 'give -kernel too' });
  const rom = services.bootRom();
  const config: MachineConfig = {
    memoryBytes: options.memory === undefined ? DEFAULT_MEMORY_BYTES : parseMemorySize(String(options.memory)),
    nsPerTick: options.nsPerTick ?? DEFAULT_NS_PER_TICK,
    epochSeconds: options.epoch ?? Math.floor(services.nowMs() / 1000),
    serialPorts: 2,
    romSha256: toHex(services.hashing.sha256(rom)),
    bootDiskBytes: disk?.bytes.length ?? 0,
  };
  if (!Number.isInteger(config.nsPerTick) || config.nsPerTick < 1 || config.nsPerTick > 1024 || NS_PER_SECOND % 1 !== 0) {
    throw new CodedError('USAGE', `nsPerTick is ${config.nsPerTick}`, { hint: 'a whole number from 1 to 1024' });
  }
  const pc = createPc({ config, code: services.cpuCode(), hashing: services.hashing });
  boot(pc, { rom, kernel: kernel?.bytes ?? null, initrd: initrd?.bytes ?? null, append: options.append ?? '', disk: disk?.bytes ?? null });
  const images = [kernel, initrd, disk].filter((i) => i !== null).map((i) => i.reference);
  return launch({ pc, services, options, epoch: 0, images });
}

interface LaunchRequest {
  readonly pc: Pc;
  readonly services: HostServices;
  readonly options: LiveOptions;
  readonly epoch: number;
  readonly parent?: ParentReference;
  readonly images: readonly ImageReference[];
}

/** Puts a wired machine, fresh or at the end of a replay, into live hands. */
export function launch({ pc, services, options, epoch, parent, images }: LaunchRequest): GuestMachine {
  const outDir = options.outDir ?? DEFAULT_OUT_DIR;
  const events = new Events<MachineEvents>();
  const session = new LiveSession(pc.machine, epoch);
  const policy =
    typeof options.policy === 'string'
      ? GuestPolicy.parse(new TextDecoder().decode(services.readFile(options.policy)), options.policy)
      : (options.policy ?? GuestPolicy.default());
  const gatekeeper = new Gatekeeper({ services, policy, outDir, auditFile: options.audit, session, events });
  const control: RecordingControl = new RecordingControl({
    session,
    hashing: services.hashing,
    compressor: services.compressor,
    createFile: (name) => services.createRecording(outDir, name),
    description: {
      generator: { name: 'guestreel', version: services.version },
      machine: { ...pc.config },
      cpuid: cpuidText(),
      nsPerTick: pc.config.nsPerTick,
      images,
    },
    policySha256: () => gatekeeper.policyDigest,
    randomId: () => services.randomId(),
    isoTime: () => services.isoTime(),
    ...(parent === undefined ? {} : { parent }),
    onFailure: (recording, error) => {
      events.emit('recording', { state: 'failed', name: recording.name, file: recording.file, reason: error.describe() });
      if (gatekeeper.stopsOnFailure) pc.machine.end({ kind: 'powered-off' });
    },
  });
  gatekeeper.control = control;
  pc.backdoor.service = new BackdoorControl({ session, control, gatekeeper, events });
  return new GuestMachine({
    pc,
    session,
    control,
    services,
    events,
    pacer: options.pacing === true ? services.createPacer(pc.config.nsPerTick) : null,
    sliceTicks: options.sliceTicks ?? DEFAULT_SLICE_TICKS,
    authorize: (action, name) => gatekeeper.authorizeHost(action, name),
    setPolicy: (text) => gatekeeper.replacePolicy(text),
  });
}
