import { assert } from '../base/assert.js';
import { ByteReader, ByteWriter, sameBytes } from '../base/bytes.js';
import { CodedError } from '../base/errors.js';
import { CHECKSUM_BYTES, type Hashing } from '../base/hash.js';
import type { PortBus } from '../core/bus.js';
import type { Tick } from '../core/clock.js';
import type { Device } from '../core/device.js';
import type { InputGate, InputKind } from '../core/input-gate.js';
import type { PageStore } from '../core/page-store.js';
import { readState, writeState } from '../core/state.js';
import type { TimerQueue } from '../core/timers.js';
import type { Cpu } from '../cpu/cpu.js';
import type { RamCapture } from '../cpu/memory/ram-capture.js';
import { FLAG } from '../isa/cpu-state.js';

/** Why a machine cannot go on by itself. */
export type MachineStop =
  | { readonly kind: 'powered-off' }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'triple-fault' }
  /** Halted with no timer armed: only an input can wake it. */
  | { readonly kind: 'halted' };

/** One named part of a snapshot. */
export interface Section {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** All state of a machine between two instructions, RAM and page stores apart. */
export interface StateSnapshot {
  readonly tick: Tick;
  readonly sections: readonly Section[];
}

/** Hash of a machine's state at a tick; see docs/determinism.md. */
export interface Digest {
  readonly tick: Tick;
  /** Of every section, and of what was written to each page store since the last digest, by name: 32 bytes. */
  readonly sections: ReadonlyMap<string, Uint8Array>;
  /** Of all sections: SHA-256 of their names and hashes. */
  readonly state: Uint8Array;
  /** Of numbers and contents of the RAM pages written since the last digest: 32 bytes. */
  readonly ram: Uint8Array;
  readonly pages: readonly number[];
}

export interface MachineParts {
  readonly cpu: Cpu;
  readonly ports: PortBus;
  readonly timers: TimerQueue;
  readonly gate: InputGate;
  readonly devices: readonly Device[];
  readonly hashing: Hashing;
}

/** A deterministic PC: parts and the loop that runs them. Wiring is in pc.ts. */
export class Machine {
  readonly cpu: Cpu;
  readonly #ports: PortBus;
  readonly timers: TimerQueue;
  readonly gate: InputGate;
  readonly devices: readonly Device[];
  readonly hashing: Hashing;
  /** The devices' page stores, by the names of their sections. */
  readonly stores: ReadonlyMap<string, PageStore>;
  #stop: MachineStop | null = null;
  /** Told of each reset, behind it. No state: what it does must not concern the guest. */
  onReset: (byHost: boolean) => void = () => {};
  #resetRequested = false;
  #breakRequested = false;
  #idleTicks: Tick = 0;
  readonly #scratch = new ByteWriter(4096);
  /** What was hashed last of each section, and its hash: most of them stand still. */
  readonly #hashed = new Map<string, { readonly bytes: Uint8Array; readonly hash: Uint8Array }>();
  /** Occasions until the last digest; null when devices have changed without any. */
  #occasionsHashed: number | null = null;

  constructor(parts: MachineParts) {
    this.cpu = parts.cpu;
    this.#ports = parts.ports;
    this.timers = parts.timers;
    this.gate = parts.gate;
    this.devices = parts.devices;
    this.hashing = parts.hashing;
    this.stores = storesOf(parts.devices);
    this.timers.onEarlier = (deadline) => this.cpu.cutAt(deadline);
  }

  get tick(): Tick {
    return this.cpu.now;
  }

  /** Why the machine ended, or null while it can go on. */
  get stop(): MachineStop | null {
    return this.#stop;
  }

  /** The machine ends behind the instruction in flight. */
  end(stop: MachineStop): void {
    this.#stop ??= stop;
    this.cpu.cut();
  }

  /** Ticks since this object was made that passed while the CPU was halted. No state: for accounts only. */
  get idleTicks(): Tick {
    return this.#idleTicks;
  }

  /** Power-on reset behind the instruction in flight, asked for by guest or host. */
  requestReset(): void {
    this.#resetRequested = true;
    this.cpu.cut();
  }

  /** run() returns behind the instruction in flight. */
  requestBreak(): void {
    this.#breakRequested = true;
    this.cpu.cut();
  }

  /** Halted, and no timer can wake the CPU: none is armed or interrupts are off. */
  get #needsInput(): boolean {
    const { cpu } = this;
    if (!cpu.halted || cpu.wakeable || cpu.state.nmiPending !== 0) return false;
    return this.timers.next === Infinity || (cpu.state.eflagsRest & FLAG.IF) === 0;
  }

  /**
   * Runs to tick `until` exactly (timers due then have not fired yet), or until the machine stops or a break is asked
   * for. Where the calls are cut never changes what happens. With `waits`, a CPU that only an input can wake is a stop
   * at the tick of its HLT; without, time passes until `until`.
   */
  run(until: Tick, waits = false): MachineStop | null {
    const { cpu, timers } = this;
    for (;;) {
      // Before anything returns: no boundary that the outside sees lies between a request and its reset.
      if (this.#resetRequested && this.#stop === null) this.#reset();
      if (this.#breakRequested) {
        this.#breakRequested = false;
        return null;
      }
      if (this.#stop !== null) return this.#stop;
      if (cpu.now >= until) return null;
      timers.runDue(cpu.now);
      if (this.#stop !== null || this.#resetRequested) continue;
      cpu.takeInterrupt();
      if (cpu.shutdown) {
        this.#stop = { kind: 'triple-fault' };
      } else if (cpu.halted) {
        if (waits && this.#needsInput) return { kind: 'halted' };
        const next = Math.min(timers.next, until);
        if (next === Infinity) return { kind: 'halted' };
        const idle = Math.max(next - cpu.now, 0);
        this.#idleTicks += idle;
        cpu.now += idle;
      } else {
        cpu.run(Math.min(until, timers.next));
        if (cpu.shutdown) this.#stop ??= { kind: 'triple-fault' };
      }
    }
  }

  /** Delivers an input at the present boundary: behind the timers of this tick, before interrupts are taken. */
  admit(kind: InputKind, payload: Uint8Array): void {
    this.timers.runDue(this.cpu.now);
    this.gate.admit(kind, payload);
    if (this.#resetRequested && this.#stop === null) this.#reset(kind === 'reset');
  }

  #reset(byHost = false): void {
    this.#resetRequested = false;
    this.#occasionsHashed = null;
    for (const device of this.devices) device.reset();
    this.cpu.reset();
    this.onReset(byHost);
  }

  // ---- state
  /** CPU, timers and devices. RAM is read through `cpu.physical`, page stores through `stores`. */
  save(): StateSnapshot {
    const sections: Section[] = [];
    this.#forOwnSections((name, bytes) => sections.push({ name, bytes: bytes.slice() }));
    for (const device of this.devices) sections.push({ name: device.id, bytes: this.#stateOf(device).slice() });
    return { tick: this.tick, sections };
  }

  /** All sections but the devices'. `bytes` are valid during the call. */
  #forOwnSections(visit: (name: string, bytes: Uint8Array) => void): void {
    this.cpu.settle();
    const out = this.#scratch;
    this.cpu.state.save(out.clear());
    visit('cpu', out.view());
    this.timers.save(out.clear());
    visit('timers', out.view());
    const stop = this.#stop === null ? '' : JSON.stringify(this.#stop);
    out
      .clear()
      .u8(this.cpu.physical.a20 ? 1 : 0)
      .u8(this.#resetRequested ? 1 : 0)
      .text(stop);
    visit('machine', out.view());
  }

  /** A device's section; valid until the next one is asked for. */
  #stateOf(device: Device): Uint8Array {
    const out = this.#scratch.clear().text(device.kind).u32(device.version);
    writeState(out, device.schema, device.state);
    return out.view();
  }

  /** How often devices may have changed; interrupt controllers change besides. */
  get #occasions(): number {
    return this.#ports.accesses + this.cpu.physical.mmio.accesses + this.timers.alarms + this.gate.inputs;
  }

  /** The opposite of save(); RAM and page stores must already hold the snapshot's pages. Throws MISMATCH or DAMAGED. */
  restore(snapshot: StateSnapshot): void {
    const left = new Map(snapshot.sections.map((s) => [s.name, s.bytes]));
    const take = (name: string, read: (input: ByteReader) => void): void => {
      const bytes = left.get(name);
      if (bytes === undefined) {
        throw new CodedError('MISMATCH', `the snapshot has no section "${name}" that this machine needs`);
      }
      left.delete(name);
      const input = new ByteReader(bytes, `snapshot section "${name}"`);
      read(input);
      input.end();
    };
    take('cpu', (input) => this.cpu.state.restore(input));
    take('machine', (input) => {
      this.cpu.physical.a20 = input.u8() !== 0;
      this.#resetRequested = input.u8() !== 0;
      const stop = input.text();
      this.#stop = stop === '' ? null : (JSON.parse(stop) as MachineStop);
    });
    for (const device of this.devices) take(device.id, (input) => restoreDevice(device, input));
    take('timers', (input) => this.timers.restore(input));
    const [unknown] = left.keys();
    if (unknown !== undefined) {
      throw new CodedError('MISMATCH', `the snapshot has a section "${unknown}" that this machine does not know`);
    }
    this.cpu.now = snapshot.tick;
    this.cpu.restored();
    for (const device of this.devices) device.restored?.();
    // A line that several devices drive may have changed twice on the way, which interrupt controllers remember. Now all
    // lines are as they should be.
    const sections = new Map(snapshot.sections.map((s) => [s.name, s.bytes]));
    for (const device of this.devices) {
      restoreDevice(device, new ByteReader(sections.get(device.id)!, `snapshot section "${device.id}"`));
      device.restored?.();
    }
    this.#breakRequested = false;
    this.#occasionsHashed = null;
  }

  /** Hash of the state at this boundary; the RAM part covers what changed since the last call. */
  digest(): Digest {
    const { physical, memory } = this.cpu;
    const hashes = new Map<string, Uint8Array>();
    this.#forOwnSections((name, bytes) => hashes.set(name, this.#hashOf(name, bytes)));
    // Taking down what stands still would be most of a digest.
    const standStill = this.#occasions === this.#occasionsHashed;
    this.#occasionsHashed = this.#occasions;
    for (const device of this.devices) {
      const known = standStill && !device.isInterruptController ? this.#hashed.get(device.id) : undefined;
      hashes.set(device.id, known?.hash ?? this.#hashOf(device.id, this.#stateOf(device)));
    }
    const pages = physical.takeDirty();
    memory.tlb.flushWrites();
    const numbers = new ByteWriter(pages.length * 4 + CHECKSUM_BYTES);
    for (const page of pages) numbers.u32(page);
    const ram = hashOfPages(numbers, physical.pages(pages), this.hashing);
    for (const [name, store] of this.stores) hashes.set(name, hashWritten(store, this.hashing));
    const all = this.#scratch.clear();
    for (const [name, hash] of hashes) all.text(name).raw(hash);
    return { tick: this.tick, sections: hashes, state: this.hashing.sha256(all.view()), ram, pages };
  }

  #hashOf(section: string, bytes: Uint8Array): Uint8Array {
    const known = this.#hashed.get(section);
    if (known !== undefined && sameBytes(known.bytes, bytes)) return known.hash;
    const hash = this.hashing.sha256(bytes);
    this.#hashed.set(section, { bytes: bytes.slice(), hash });
    return hash;
  }

  /** Starts the next digest's RAM part, and those of page stores, afresh, as if every page had just been hashed. */
  clearDirty(): void {
    for (const store of this.stores.values()) store.takeDirty();
    this.cpu.physical.takeDirty();
    this.cpu.memory.tlb.flushWrites();
  }

  /** RAM at this boundary, to be read while the machine goes on. */
  captureRam(): RamCapture {
    const capture = this.cpu.physical.capture();
    this.cpu.memory.tlb.flushWrites();
    return capture;
  }

  get ramPages(): number {
    return this.cpu.physical.pageCount;
  }
}

function restoreDevice(device: Device, input: ByteReader): void {
  const kind = input.text();
  const version = input.u32();
  if (kind !== device.kind || version !== device.version) {
    throw new CodedError(
      'MISMATCH',
      `the snapshot has ${kind} version ${version} where this machine has ${device.kind} version ${device.version}`,
      { where: input.source },
    );
  }
  readState(input, device.schema, device.state);
}

function storesOf(devices: readonly Device[]): Map<string, PageStore> {
  const stores = new Map<string, PageStore>();
  for (const { id, pages } of devices) {
    if (pages === undefined) continue;
    assert(!devices.some((d) => d.id === `${id}.pages`), `a device "${id}.pages"`);
    stores.set(`${id}.pages`, pages);
  }
  return stores;
}

/** Hash of numbers and contents of what was written since the last call; a page that went away has no contents. */
function hashWritten(store: PageStore, hashing: Hashing): Uint8Array {
  const written = store.takeDirty();
  const numbers = new ByteWriter(written.length * 9 + CHECKSUM_BYTES);
  const pages: Uint8Array[] = [];
  for (const number of written) {
    const page = store.get(number);
    numbers.safe(number).u8(page === undefined ? 0 : 1);
    if (page !== undefined) pages.push(page);
  }
  return hashOfPages(numbers, pages, hashing);
}

/** Of what tells which pages they are, and of their contents. */
function hashOfPages(numbers: ByteWriter, pages: readonly Uint8Array[], hashing: Hashing): Uint8Array {
  return hashing.sha256(numbers.raw(hashing.checksum(pages)).view());
}
