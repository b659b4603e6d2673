import { CodedError } from '../base/errors.js';
import type { ImageReference, ParentReference } from '../log/meta.js';
import type { MachineConfig } from '../machine/config.js';
import {
  cpuidOf,
  DEFAULT_MEMORY_BYTES,
  DEFAULT_NS_PER_TICK,
  DEFAULT_SERIAL_PORTS,
  MAX_SERIAL_PORTS,
  parseMemorySize,
} from '../machine/config.js';
import type { Pc } from '../machine/pc.js';
import type { NetworkCardConfig } from '../machine/network-cards.js';
import { createPc } from '../machine/pc.js';
import { applyBoot, planBoot, type Firmware } from '../machine/boot.js';
import { loadFirmware } from './firmware.js';
import { AuditLog } from '../policy/audit.js';
import type { StartGrant } from '../policy/decision.js';
import { PolicyCounters } from '../policy/counters.js';
import { Gatekeeper } from '../policy/gatekeeper.js';
import type { Policy } from '../policy/policy.js';
import type { HostName } from '../policy/principal.js';
import { PolicyHolder } from '../policy/policy-holder.js';
import type { GuestEvents } from '../replay/backdoor-control.js';
import { BackdoorControl } from '../replay/backdoor-control.js';
import { LiveSession } from '../replay/live-session.js';
import { RecordingControl } from '../replay/recording-control.js';
import { encodeStanding, newStanding, type Standing } from '../replay/standing.js';
import type { Tier } from '../cpu/cpu-options.js';
import {
  attachImages,
  mediaChange,
  openDrives,
  referencesOf,
  type DiskImage,
  type DriveOptions,
  type OpenedDrives,
} from './drives.js';
import { driveContents } from './drive-contents.js';
import { Events } from './events.js';
import { GuestMachine } from './guest-machine.js';
import type { MachineEvents } from './machine-events.js';
import { NetworkLinks, networkCardConfigs, openNetworks } from './network-links.js';
import type { NetworkBackend, NetworkOptions } from './network.js';
import { resolvePolicy } from './policy.js';
import { Retention } from './retention.js';
import type { HostServices } from './services.js';
import { SliceLength } from './slice-length.js';
import { VERDICTS } from './verdicts.js';

/** Options that a machine has whether it boots or goes live from a recording; images there are what was in its drives. */
export interface LiveOptions extends DriveOptions {
  /** Path of a policy file, or a policy; a safe default otherwise. */
  readonly policy?: string | Policy;
  /** Folder for recordings and audit; `recordings` unless given. */
  readonly outDir?: string;
  /** Audit file; the policy's `audit` inside outDir unless given. */
  readonly audit?: string;
  /** PEM file of an Ed25519 private key: recordings are signed with it. */
  readonly signingKey?: string;
  /** Network cards and what they are connected to; none unless given. Going live, the recording's cards are connected. */
  readonly network?: readonly NetworkOptions[];
  /** Keep pace with the wall clock. Unless given, a machine does so that has a network. */
  readonly pacing?: boolean;
  /** Cuts execution every n ticks: changes nothing the guest can see. */
  readonly sliceTicks?: number;
  /** Recordings have a digest at least every n ticks that the CPU runs, 50 million unless given: a finer net, larger files. */
  readonly digestTicks?: number;
  /** Engines to run on: changes nothing the guest can see either. Default `all`. */
  readonly tier?: Tier;
}

export interface MachineOptions extends LiveOptions {
  /** RAM: `128M`, or a number of MiB. */
  readonly memory?: string | number;
  /** Linux bzImage or multiboot kernel: path or bytes. */
  readonly kernel?: string | Uint8Array;
  readonly initrd?: string | Uint8Array;
  /** Where the firmware looks for something to boot, e.g. `dc`: a diskette, c hard disk, d CD. */
  readonly boot?: string;
  /** Kernel command line. */
  readonly append?: string;
  /** BIOS instead of the built-in boot ROM, e.g. SeaBIOS: path or bytes, at most 256 KiB. */
  readonly bios?: string | Uint8Array;
  /** Video BIOS for it, in the video card's expansion ROM; a `vgabios-stdvga.bin` beside the BIOS is found by itself. */
  readonly videoBios?: string | Uint8Array;
  /** Serial ports, COM1 first; 0 to 4, 2 unless given. */
  readonly serialPorts?: number;
  /** Local APIC and I/O APIC; false: a PC with its 8259 pair alone. Default true. */
  readonly apic?: boolean;
  /** Start of the real-time clock, seconds since 1970; the present time unless given. */
  readonly epoch?: number;
  readonly nsPerTick?: number;
}

export const DEFAULT_OUT_DIR = 'recordings';

interface Image {
  readonly bytes: Uint8Array;
  readonly reference: ImageReference;
}

function loadImage(services: HostServices, role: string, source: string | Uint8Array | undefined): Image | null {
  if (source === undefined) return null;
  const bytes = typeof source === 'string' ? services.readFile(source) : source;
  const name = typeof source === 'string' ? (source.split(/[\\/]/).at(-1) ?? source) : role;
  return { bytes, reference: { role, name, sha256: services.hashing.sha256Hex(bytes), bytes: bytes.length } };
}

/** Builds a machine, loads what it boots, and returns it before its first instruction. */
export async function createMachine(services: HostServices, options: MachineOptions): Promise<GuestMachine> {
  const kernel = loadImage(services, 'kernel', options.kernel);
  const initrd = loadImage(services, 'initrd', options.initrd);
  if (kernel === null && initrd !== null)
    throw new CodedError('USAGE', 'an initrd needs a kernel', { hint: 'give -kernel too' });
  const firmware = loadFirmware(services, options);
  const memoryBytes = options.memory === undefined ? DEFAULT_MEMORY_BYTES : parseMemorySize(String(options.memory));
  const cards = networkCardConfigs(options.network ?? []);
  const drives = openDrives(services, options);
  let networks: NetworkBackend[] = [];
  try {
    networks = await openNetworks(services, cards.length, options.network ?? []);
    return boot({ services, options, kernel, initrd, firmware, memoryBytes, drives, cards, networks });
  } catch (error) {
    drives.close();
    for (const network of networks) network.close();
    throw error;
  }
}

interface BootParts {
  readonly services: HostServices;
  readonly options: MachineOptions;
  readonly kernel: Image | null;
  readonly initrd: Image | null;
  readonly firmware: Firmware;
  readonly memoryBytes: number;
  readonly drives: OpenedDrives;
  readonly cards: readonly NetworkCardConfig[];
  readonly networks: readonly NetworkBackend[];
}

function boot(parts: BootParts): GuestMachine {
  const { services, options, kernel, initrd, firmware, memoryBytes, drives, cards, networks } = parts;
  const plan = planBoot({
    kernel: kernel?.bytes ?? null,
    initrd: initrd?.bytes ?? null,
    append: options.append ?? '',
    ramSizeBytes: memoryBytes,
    hasBios: firmware.kind === 'bios',
    hasDrives: drives.configs.length > 0,
  });
  const config: MachineConfig = {
    memoryBytes,
    nsPerTick: wholeNumber('nsPerTick', options.nsPerTick ?? DEFAULT_NS_PER_TICK, 1, MAX_NS_PER_TICK),
    epochSeconds: wholeNumber('epoch', options.epoch ?? Math.floor(services.nowMs() / 1000), 0, MAX_EPOCH_SECONDS),
    serialPorts: wholeNumber('serialPorts', options.serialPorts ?? DEFAULT_SERIAL_PORTS, 0, MAX_SERIAL_PORTS),
    parallelPorts: 1,
    apic: options.apic ?? true,
    firmware: firmware.kind,
    hasVideoRom: firmware.videoRom !== null,
    romSha256: services.hashing.sha256Hex(firmware.rom),
    drives: drives.configs,
    networkCards: cards,
    bootOrder: drives.bootOrder,
    bootEntry: plan.entry,
  };
  const pc = createPc({ config, code: services.cpuCode(), hashing: services.hashing, tier: options.tier });
  for (const image of drives.images) pc.images.add(image.sha256, image);
  applyBoot(pc, plan, firmware);
  const images = [kernel, initrd].filter((i) => i !== null).map((i) => i.reference);
  return launch({
    pc,
    services,
    options,
    epoch: 0,
    networks,
    images: [...images, ...drives.references],
    opened: drives.images,
  });
}

const MAX_NS_PER_TICK = 1024;
/** End of the year 9999. */
const MAX_EPOCH_SECONDS = 253_402_300_799;

function wholeNumber(name: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new CodedError('USAGE', `${name} is ${value}`, { hint: `a whole number from ${low} to ${high}` });
}

interface LaunchRequest {
  readonly pc: Pc;
  readonly services: HostServices;
  readonly options: LiveOptions;
  readonly epoch: number;
  readonly parent?: ParentReference;
  readonly images: readonly ImageReference[];
  /** Images that the machine reads; closed with it. */
  readonly opened?: readonly DiskImage[];
  /** By network card. */
  readonly networks?: readonly NetworkBackend[];
  /** Where a run goes on that was a replay. */
  readonly standing?: Standing;
}

/** Puts a wired machine, fresh or at the end of a replay, into live hands. */
export function launch(request: LaunchRequest): GuestMachine {
  const { pc, services, options, epoch, parent, images, standing = newStanding() } = request;
  const opened = [...(request.opened ?? attachImages(pc, services, options, images))];
  /** Those of media that come later are added. */
  const references = [...images];
  const outDir = options.outDir ?? DEFAULT_OUT_DIR;
  const events = new Events<MachineEvents>();
  const session = new LiveSession(pc.machine, epoch);
  const network = new NetworkLinks(pc, session, request.networks ?? []);
  const holder = new PolicyHolder(resolvePolicy(options.policy, services));
  const auditFile =
    options.audit ?? (holder.current.auditFile === null ? null : `${outDir}/${holder.current.auditFile}`);
  const auditSink = auditFile === null ? null : services.openAudit(auditFile);
  const audit = new AuditLog({
    run: services.randomId(),
    ...(auditSink === null ? {} : { prev: auditSink.lastHash }),
    hashing: services.hashing,
    sink: (line, entry) => {
      auditSink?.append(line);
      control.recorder?.audit(entry as unknown as Readonly<Record<string, unknown>>);
    },
  });
  const gatekeeper = new Gatekeeper({
    holder,
    counters: new PolicyCounters(standing.counters),
    audit,
    hashing: services.hashing,
    wallTime: () => services.isoTime(),
  });
  const control: RecordingControl = new RecordingControl({
    session,
    hashing: services.hashing,
    compressor: services.compressor,
    createFile: (name) => services.createRecording(outDir, name),
    description: {
      generator: { name: 'guestreel', version: services.version },
      machine: { ...pc.config },
      cpuid: JSON.stringify(cpuidOf(pc.config)),
      nsPerTick: pc.config.nsPerTick,
      images: references,
    },
    policySha256: () => gatekeeper.policyDigest,
    randomId: () => services.randomId(),
    isoTime: () => services.isoTime(),
    taken: standing,
    standing: () => {
      const { tokenSha256 } = backdoor;
      return encodeStanding({ counters: gatekeeper.counters.state, tokenSha256, ...control.taken });
    },
    ...(parent === undefined ? {} : { parent }),
    ...(options.digestTicks === undefined ? {} : { digestTicks: options.digestTicks }),
    ...(options.signingKey === undefined
      ? {}
      : { signer: services.createSigner(services.readText(options.signingKey), options.signingKey) }),
    onGrown: (recording, bytes) => gatekeeper.counters.recordingGrew(recording.number, bytes),
    onEnded: (recording) => gatekeeper.counters.recordingEnded(recording.number, session.tick),
    onFailure: (recording, error) => {
      events.emit('recording', {
        state: 'failed',
        name: recording.name,
        file: recording.file,
        reason: error.describe(),
      });
      if (holder.current.onFailure === 'stop-machine') pc.machine.end({ kind: 'powered-off' });
    },
  });
  new Retention({ folder: outDir, services, gatekeeper, events, tick: () => session.tick });
  const backdoor: BackdoorControl = new BackdoorControl({
    session,
    control,
    gatekeeper,
    hashing: services.hashing,
    events: guestEvents(events),
    tokenSha256: standing.tokenSha256,
  });
  if (epoch > 0) {
    try {
      authorizeHost(gatekeeper, session, control, 'user', 'goLive', '');
    } catch (error) {
      auditSink?.close();
      for (const image of opened) image.close();
      throw error;
    }
  }
  pc.backdoor.service = backdoor;
  pc.machine.onReset = (byHost) => events.emit('reset', { byHost, tick: session.tick });
  // A replay ran under the recorded policy's answer; the policy of this run takes effect as an input.
  const policyChanged = (): void => session.send('policy', Uint8Array.of(backdoor.allowsRing3() ? 1 : 0));
  if (pc.backdoor.state.ring3 !== backdoor.allowsRing3()) policyChanged();
  return new GuestMachine({
    pc,
    session,
    control,
    services,
    events,
    network,
    pacer: (options.pacing ?? !network.isEmpty) ? services.createPacer(pc.config.nsPerTick) : null,
    slices: new SliceLength(options.sliceTicks),
    authorize: (host, action, name) => void authorizeHost(gatekeeper, session, control, host, action, name),
    start: (host, { name, reason }) => {
      const grant = authorizeHost(gatekeeper, session, control, host, 'start', name);
      const rule = gatekeeper.lastRule;
      const prepared = control.prepare({ name, reason, by: `host:${host}`, ...grant });
      gatekeeper.counters.recordingStarted(prepared.number, rule, session.tick);
      return prepared.begin();
    },
    setPolicy: (text) => {
      const error = holder.replace(text, 'new policy');
      if (error !== null) throw error;
      policyChanged();
    },
    offer: (handle, bytes) => backdoor.offer(handle, bytes),
    changeMedium: (drive, source, format) => {
      const { payload, image } = mediaChange(pc, services, drive, source, format);
      if (image !== null) {
        opened.push(image);
        const others = references.filter((r) => r.role !== drive && !r.role.startsWith(`${drive}.`));
        references.splice(0, references.length, ...others, ...referencesOf(drive, image));
      }
      session.send('media', payload);
    },
    drives: () => driveContents(pc, references),
    release: () => {
      network.close();
      auditSink?.close();
      for (const image of opened) image.close();
    },
  });
}

function authorizeHost(
  gatekeeper: Gatekeeper,
  session: LiveSession,
  control: RecordingControl,
  host: HostName,
  action: 'start' | 'stop' | 'mark' | 'goLive' | 'control',
  name: string,
): StartGrant | null {
  const { active } = control;
  const decision = gatekeeper.ask({
    principal: { host },
    action,
    tick: session.tick,
    name,
    ...(active === null ? {} : { startedBy: active.startedBy }),
  });
  if (decision.allow) return decision.grant;
  throw new CodedError('DENIED', decision.reason, { hint: `rule ${decision.ruleId} of the policy` });
}

function guestEvents(events: Events<MachineEvents>): GuestEvents {
  return {
    recordingStarted: (name, file, by) => events.emit('recording', { state: 'started', name, file, reason: by }),
    recordingStopped: (name, file, by) => events.emit('recording', { state: 'stopped', name, file, reason: by }),
    denied: (principal, action, rule, reason, tick) => events.emit('denied', { principal, action, rule, reason, tick }),
    mark: (type, label, value, tick, by, phaseId) => {
      if (type === 'begin' || type === 'end') events.emit('phase', { type, name: label, id: phaseId ?? 0, tick, by });
      else if (type === 'verdict') events.emit('verdict', { name: label, verdict: VERDICTS[value], tick, by });
      else if (type === 'log') events.emit('log', { text: label, tick, by });
      else events.emit('mark', { label, value, tick, by });
    },
  };
}
