/**
 * 82441FX host bridge (PMC). Intel 440FX PCIset datasheet 290549-001, chapter 3.
 *
 * NOT implemented: DRAM configuration (registers keep what is written), the AGP-less PCI arbiter, SMRAM (the CPU has no
 * system management mode).
 *
 * Usual slot: 00.0.
 */
import type { Device } from '../../core/device.js';
import { fixedBytes, type StateSchema } from '../../core/state.js';
import { PciConfigSpace, type PciFunction } from './config-space.js';

const PAM0 = 0x59;
const PAM_COUNT = 7;
const READ_ENABLE = 1;
const WRITE_ENABLE = 2;

/** PAM5 and PAM6: E0000h-EFFFFh. */
const TABLES_IN_RAM = [PAM0 + 5, PAM0 + 6];

const IDENTITY = {
  vendorId: 0x8086,
  deviceId: 0x1237,
  revisionId: 2,
  classCode: 0x060000,
  subsystemVendorId: 0x1af4,
  subsystemId: 0x1100,
};

/** What the CPU finds in a part of C0000h-FFFFFh (3.2.18). */
export interface Shadow {
  /** From RAM; from the bus behind the bridge otherwise, which is ROM. */
  readonly readsRam: boolean;
  /** To RAM; lost otherwise. */
  readonly writesRam: boolean;
}

export interface I440FxState {
  config: Uint8Array;
}

export interface I440FxOptions {
  /** E0000h-EFFFFh is RAM from power-on: firmware that is in place before the first instruction keeps tables there. */
  readonly hasTablesInRam: boolean;
  /** The choice for `sizeBytes` from `base` changed. */
  readonly onShadow: (base: number, sizeBytes: number, shadow: Shadow) => void;
}

interface Segment {
  readonly base: number;
  readonly sizeBytes: number;
  readonly shadow: Shadow;
}

export class I440Fx implements Device<I440FxState>, PciFunction {
  readonly kind = 'i440fx';
  readonly version = 1;
  readonly schema: StateSchema<I440FxState> = { config: fixedBytes };
  readonly config: PciConfigSpace;
  readonly state: I440FxState;
  /** By segment: what was announced last. */
  readonly #announced = new Map<number, number>();

  constructor(
    readonly id: string,
    private readonly options: I440FxOptions,
  ) {
    const inRam = options.hasTablesInRam ? TABLES_IN_RAM : [];
    this.config = new PciConfigSpace(IDENTITY, [
      // PMC configuration, DRAM control, timing and row boundaries, SMRAM: kept as written.
      ...Array.from({ length: 0x23 }, (_, i) => ({ offset: 0x50 + i, mask: 0xff })),
      ...inRam.map((offset) => ({ offset, mask: 0xff, initial: 0x33 })),
    ]);
    this.state = { config: this.config.bytes };
    this.#announce();
  }

  reset(): void {
    this.config.reset();
    this.#announce();
  }

  restored(): void {
    this.#announce();
  }

  configWritten(): void {
    this.#announce();
  }

  /** The parts of C0000h-FFFFFh with their own choice. */
  segments(): Segment[] {
    const { bytes } = this.config;
    const segments: Segment[] = [];
    const add = (base: number, sizeBytes: number, bits: number): void => {
      const shadow = { readsRam: (bits & READ_ENABLE) !== 0, writesRam: (bits & WRITE_ENABLE) !== 0 };
      segments.push({ base, sizeBytes, shadow });
    };
    for (let n = 1; n < PAM_COUNT; n++) {
      const base = 0xc0000 + (n - 1) * 0x8000;
      add(base, 0x4000, bytes[PAM0 + n] & 3);
      add(base + 0x4000, 0x4000, (bytes[PAM0 + n] >> 4) & 3);
    }
    add(0xf0000, 0x10000, (bytes[PAM0] >> 4) & 3);
    return segments;
  }

  #announce(): void {
    for (const { base, sizeBytes, shadow } of this.segments()) {
      const value = (shadow.readsRam ? READ_ENABLE : 0) | (shadow.writesRam ? WRITE_ENABLE : 0);
      if (this.#announced.get(base) === value) continue;
      this.#announced.set(base, value);
      this.options.onShadow(base, sizeBytes, shadow);
    }
  }
}
