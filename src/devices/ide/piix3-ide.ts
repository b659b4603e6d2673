/**
 * IDE function of the 82371SB (PIIX3): two ATA channels at their legacy ports, with bus masters. Intel 82371SB datasheet
 * 290550-002, 2.3 and 2.7. Drives: ata-disk.ts, atapi-cdrom.ts.
 *
 * NOT implemented: timing registers are remembered and change nothing; the enable bits of IDETIM do not turn a channel
 * off.
 *
 * Usual slot: 01.1. Ports: 1F0h-1F7h, 3F6h, IRQ 14; 170h-177h, 376h, IRQ 15; 16 from BAR 4.
 */
import type { PortHandler, SystemMemory } from '../../core/bus.js';
import type { Clock } from '../../core/clock.js';
import type { Device } from '../../core/device.js';
import type { IrqLine } from '../../core/irq.js';
import { fixedBytes, fixedList, record, type StateSchema } from '../../core/state.js';
import type { TimerQueue } from '../../core/timers.js';
import type { Disk } from '../disk/disk.js';
import { PciConfigSpace, type PciFunction } from '../pci/config-space.js';
import { AtaDisk } from './ata-disk.js';
import { AtapiCdrom } from './atapi-cdrom.js';
import { BUS_MASTER_PORTS, BUS_MASTER_SCHEMA, BusMaster, type BusMasterState } from './bus-master.js';
import { DRIVE_SCHEMA, newDriveState, type DriveState } from './drive-state.js';
import { CHANNEL_SCHEMA, IdeChannel, type ChannelState } from './ide-channel.js';

const IDENTITY = {
  vendorId: 0x8086,
  deviceId: 0x7010,
  classCode: 0x010180,
  subsystemVendorId: 0x1af4,
  subsystemId: 0x1100,
};
/** IDETIM of both channels (2.3.9): bit 15 lets the channel's ports answer. */
const IDETIM = 0x40;
const IDETIM_ENABLED = 0x80;

export interface Piix3IdeState {
  config: Uint8Array;
  busMasters: BusMasterState[];
  channels: ChannelState[];
  /** Master and slave of the first channel, then of the second; those that are not there stay as they are. */
  drives: DriveState[];
}

export interface Piix3IdeOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly memory: SystemMemory;
  readonly irq14: IrqLine;
  readonly irq15: IrqLine;
  /** Master and slave of the first channel, then of the second. */
  readonly disks: readonly (Disk | null)[];
  /** The channels are enabled at power-on, where firmware is in place before the first instruction. */
  readonly isPreset: boolean;
}

export class Piix3Ide implements Device<Piix3IdeState>, PciFunction {
  readonly kind = 'piix3-ide';
  readonly version = 1;
  readonly schema: StateSchema<Piix3IdeState> = {
    config: fixedBytes,
    busMasters: fixedList(record(BUS_MASTER_SCHEMA)),
    channels: fixedList(record(CHANNEL_SCHEMA)),
    drives: fixedList(record(DRIVE_SCHEMA)),
  };
  readonly state: Piix3IdeState;
  readonly config: PciConfigSpace;
  readonly channels: readonly IdeChannel[];
  readonly #busMasters: readonly BusMaster[];

  constructor(
    readonly id: string,
    { clock, timers, memory, irq14, irq15, disks, isPreset }: Piix3IdeOptions,
  ) {
    const busMasters = [0, 1].map(
      (i): BusMaster =>
        new BusMaster(
          { command: 0, status: 0, table: 0 },
          {
            memory,
            isEnabled: () => this.config.isBusMaster,
            onStart: (isStarted) => {
              for (const drive of channels[i].drives) {
                if (isStarted) drive?.busMasterStarted();
                else drive?.busMasterStopped();
              }
            },
          },
        ),
    );
    const channels = [irq14, irq15].map((irq, i) => new IdeChannel(busMasters[i], irq));
    disks.forEach((disk, i) => {
      if (disk === null) return;
      const channel = channels[i >> 1];
      const options = { disk, clock, timers, busMaster: busMasters[i >> 1], onInterrupt: () => channel.drive() };
      const serial = `GR0000${i + 1}`;
      channel.drives[i & 1] =
        disk.driveKind === 'cdrom'
          ? new AtapiCdrom(`${id}.${i}`, serial, options)
          : new AtaDisk(`${id}.${i}`, serial, options);
    });
    const busMasterPorts: PortHandler = {
      read: (offset, width) => busMasters[offset >> 3].ports.read(offset & 7, width),
      write: (offset, value, width) => busMasters[offset >> 3].ports.write(offset & 7, value, width),
    };
    const bar = { index: 4, space: 'io', sizeBytes: 2 * BUS_MASTER_PORTS, handler: busMasterPorts } as const;
    this.config = new PciConfigSpace({ ...IDENTITY, bars: [bar] }, [
      ...Array.from({ length: 8 }, (_, i) => ({
        offset: IDETIM + i,
        mask: 0xff,
        initial: isPreset && (i === 1 || i === 3) ? IDETIM_ENABLED : 0,
      })),
    ]);
    this.channels = channels;
    this.#busMasters = busMasters;
    this.state = {
      config: this.config.bytes,
      busMasters: busMasters.map((b) => b.state),
      channels: channels.map((c) => c.state),
      drives: [0, 1, 2, 3].map((i) => channels[i >> 1].drives[i & 1]?.state ?? newDriveState()),
    };
    for (const channel of channels) for (const drive of channel.drives) drive?.powerOn();
  }

  reset(): void {
    this.config.reset();
    for (const busMaster of this.#busMasters) busMaster.reset();
    for (const channel of this.channels) channel.reset();
  }

  restored(): void {
    for (const channel of this.channels) channel.restored();
  }
}
