/**
 * Power management function of the 82371AB (PIIX4): tells where the ACPI registers of power.ts lie. Intel 82371AB
 * datasheet 290562-001, chapter 7.
 *
 * NOT implemented: SMBus, device monitors, SMI: the APM control ports exist without anybody behind them, and DEVACTB says
 * that SMIs by the APM port are set up, so that firmware leaves them alone.
 *
 * Usual slot: 01.3. Ports: 64 from PMBASE, and B2h-B3h.
 */
import type { PortHandler } from '../../core/bus.js';
import type { Device } from '../../core/device.js';
import { fixedBytes, type StateSchema } from '../../core/state.js';
import { PciConfigSpace, type PciFunction, type PciRange } from './config-space.js';

/** PMBASE (7.1.19), bits 6-15. */
const PMBASE = 0x40;
/** PMREGMISC (7.1.25), bit 0: the ports at PMBASE answer. */
const PMREGMISC = 0x80;
/** DEVACTB (7.1.23), bit 25. */
const DEVACTB_APMC_ENABLED = { offset: 0x5b, mask: 0x03, initial: 0x02 };

export interface Piix4PmState {
  config: Uint8Array;
  /** Registers of the APM control and status ports. */
  apm: Uint8Array;
}

export interface Piix4PmOptions {
  /** The ACPI registers. */
  readonly registers: PortHandler;
  readonly registerCount: number;
  /** PMBASE at power-on, where firmware is in place before the first instruction; 0: not set. */
  readonly presetBase: number;
}

const IDENTITY = {
  vendorId: 0x8086,
  deviceId: 0x7113,
  revisionId: 3,
  classCode: 0x068000,
  interruptPin: 1,
  subsystemVendorId: 0x1af4,
  subsystemId: 0x1100,
};

export class Piix4Pm implements Device<Piix4PmState>, PciFunction {
  readonly kind = 'piix4-pm';
  readonly version = 1;
  readonly schema: StateSchema<Piix4PmState> = { config: fixedBytes, apm: fixedBytes };
  readonly config: PciConfigSpace;
  readonly state: Piix4PmState;
  /** 2 ports: APMC and APMS. */
  readonly apmPorts: PortHandler = {
    read: (offset) => this.state.apm[offset] ?? 0xff,
    write: (offset, value) => {
      this.state.apm[offset] = value;
    },
  };

  constructor(
    readonly id: string,
    private readonly options: Piix4PmOptions,
  ) {
    const base = options.presetBase;
    this.config = new PciConfigSpace(IDENTITY, [
      { offset: PMBASE, mask: 0xc0, initial: (base & 0xc0) | 1 },
      { offset: PMBASE + 1, mask: 0xff, initial: base >> 8 },
      ...Array.from({ length: 0x17 }, (_, i) => ({ offset: 0x44 + i, mask: 0xff })),
      DEVACTB_APMC_ENABLED,
      ...Array.from({ length: 0x24 }, (_, i) => ({ offset: 0x5c + i, mask: 0xff })),
      { offset: PMREGMISC, mask: 0x01, initial: base === 0 ? 0 : 1 },
      { offset: 0x90, mask: 0xf0, initial: 1 },
      { offset: 0x91, mask: 0xff },
      { offset: 0xd2, mask: 0x0f },
    ]);
    this.state = { config: this.config.bytes, apm: new Uint8Array(2) };
  }

  reset(): void {
    this.config.reset();
    this.state.apm.fill(0);
  }

  ranges(): readonly PciRange[] {
    const base = this.config.read(PMBASE, 4) & 0xffc0;
    if ((this.config.bytes[PMREGMISC] & 1) === 0 || base === 0) return [];
    const { registers, registerCount } = this.options;
    return [{ space: 'io', base, sizeBytes: registerCount, handler: registers }];
  }
}
