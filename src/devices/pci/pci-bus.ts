/**
 * PCI bus 0: configuration mechanism 1 and what follows from base address registers. PCI Local Bus Specification 3.0,
 * section 3.2.2.3.
 *
 * NOT implemented: bridges and further buses, special cycles, configuration mechanism 2.
 *
 * Usual ports: CF8h-CFFh.
 */
import { assert } from '../../base/assert.js';
import type { Mapping, PortHandler, Width } from '../../core/bus.js';
import type { Device } from '../../core/device.js';
import { u32, type StateSchema } from '../../core/state.js';
import type { PciBar, PciFunction } from './config-space.js';

/** Ports of the block. */
export const PCI_PORT_COUNT = 8;
const OPEN: Record<Width, number> = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff };
const ENABLE = 0x8000_0000;
const CONFIG_DATA = 4;
/** CF9h, the PIIX3's reset control register, lies within CONFIG_ADDRESS but is a byte access of its own. */
const RESET_CONTROL = 1;
const RESET_CPU = 0x04;

export interface PciBusState {
  /** CONFIG_ADDRESS. */
  address: number;
  resetControl: number;
}

export interface PciBusOptions {
  readonly onReset: () => void;
  /** Pages of device memory answer at `base` (null: nowhere any more). */
  readonly onAperture: (
    name: string,
    aperture: { readonly base: number; readonly size: number; readonly target: number } | null,
  ) => void;
}

interface Slot {
  readonly name: string;
  readonly device: number;
  readonly function: number;
  readonly target: PciFunction;
}

export class PciBus implements Device<PciBusState> {
  readonly kind = 'pci-bus';
  readonly version = 1;
  readonly schema: StateSchema<PciBusState> = { address: u32, resetControl: u32 };
  readonly state: PciBusState = { address: 0, resetControl: 0 };
  /** PCI_PORT_COUNT ports. */
  readonly ports: PortHandler;
  /** By device and function number. */
  readonly #slots = new Map<number, Slot>();
  #io: Mapping[] = [];
  #memory: Mapping[] = [];
  readonly #apertures = new Map<string, number>();

  constructor(
    readonly id: string,
    private readonly options: PciBusOptions,
  ) {
    this.ports = {
      read: (offset, width) => this.#read(offset, width),
      write: (offset, value, width) => this.#write(offset, value, width),
    };
  }

  /** Plugs a function in. Devices are asked in the order in which they were plugged in. */
  plug<F extends PciFunction>(name: string, device: number, fn: number, target: F): F {
    const key = device * 8 + fn;
    assert(!this.#slots.has(key), `two functions in PCI slot ${device}.${fn}`);
    this.#slots.set(key, { name, device, function: fn, target });
    return target;
  }

  /** For PortBus.movable. */
  portAt(port: number): Mapping | undefined {
    for (const m of this.#io) if (port >= m.base && port < m.base + m.count) return m;
    return undefined;
  }
  /** For MmioBus.movable. */
  memoryAt(address: number): Mapping | undefined {
    for (const m of this.#memory) if (address >= m.base && address < m.base + m.count) return m;
    return undefined;
  }

  /** Functions were reset with their devices already, or will be before anything runs. */
  reset(): void {
    Object.assign(this.state, { address: 0, resetControl: 0 });
    this.remap();
  }

  restored(): void {
    this.remap();
  }

  /** Finds anew who answers where: after base addresses or decoding changed. */
  remap(): void {
    this.#io = [];
    this.#memory = [];
    for (const { name, target } of this.#slots.values()) {
      for (const bar of target.config.bars) this.#mapBar(name, target, bar);
      if (target.config.rom !== null) this.#mapBar(name, target, target.config.rom);
      for (const { space, base, sizeBytes, handler } of target.ranges?.() ?? []) {
        (space === 'io' ? this.#io : this.#memory).push({ base, count: sizeBytes, owner: name, handler });
      }
    }
  }

  #mapBar(name: string, { config }: PciFunction, bar: PciBar): void {
    const base = config.base(bar);
    const { handler, sizeBytes } = bar;
    if (handler === null) this.#mapAperture(`${name}.${bar.index}`, base, bar);
    else if (base >= 0)
      (bar.space === 'io' ? this.#io : this.#memory).push({ base, count: sizeBytes, owner: name, handler });
  }

  #mapAperture(name: string, base: number, { deviceMemory, sizeBytes }: PciBar): void {
    assert(deviceMemory !== undefined, `${name} has neither a handler nor memory`);
    if ((this.#apertures.get(name) ?? -1) === base) return;
    this.#apertures.set(name, base);
    this.options.onAperture(name, base < 0 ? null : { base, size: sizeBytes, target: deviceMemory });
  }

  /** Configuration access of firmware that is not the guest's own code, e.g. before the first instruction. */
  configure(device: number, fn: number, offset: number, value: number, width: Width): void {
    this.#configWrite(device * 8 + fn, offset, value, width);
  }
  config(device: number, fn: number): PciFunction | undefined {
    return this.#slots.get(device * 8 + fn)?.target;
  }
  /** All functions, by slot. */
  get slots(): readonly { readonly device: number; readonly function: number; readonly target: PciFunction }[] {
    return [...this.#slots.values()].sort((a, b) => a.device * 8 + a.function - (b.device * 8 + b.function));
  }

  /** Device and function that CONFIG_ADDRESS selects, -1 for none: only bus 0 exists. */
  get #selected(): number {
    const { address } = this.state;
    return (address & ENABLE) === 0 || ((address >>> 16) & 0xff) !== 0 ? -1 : (address >>> 8) & 0xff;
  }

  #read(offset: number, width: Width): number {
    if (offset < CONFIG_DATA) {
      if (offset === 0 && width === 4) return this.state.address;
      return offset === RESET_CONTROL && width === 1 ? this.state.resetControl : OPEN[width];
    }
    const target = this.#slots.get(this.#selected)?.target;
    if (target === undefined) return OPEN[width];
    return target.config.read((this.state.address & 0xfc) | (offset & 3), width);
  }

  #write(offset: number, value: number, width: Width): void {
    if (offset >= CONFIG_DATA) {
      this.#configWrite(this.#selected, (this.state.address & 0xfc) | (offset & 3), value, width);
    } else if (offset === 0 && width === 4) {
      this.state.address = (value & 0x80ff_fffc) >>> 0;
    } else if (offset === RESET_CONTROL && width === 1) {
      const rising = value & ~this.state.resetControl & RESET_CPU;
      this.state.resetControl = value & 0x0e;
      if (rising !== 0) this.options.onReset();
    }
  }

  #configWrite(key: number, offset: number, value: number, width: Width): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    slot.target.config.write(offset, value, width);
    slot.target.configWritten?.(offset, width);
    this.remap();
  }
}
