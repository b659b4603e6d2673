/**
 * Two cascaded 8237A DMA controllers and the page registers of the PC AT. Intel 8237A datasheet 231466-005; page
 * registers: IBM PC AT Technical Reference (1985), "DMA page register".
 *
 * NOT implemented: transfers of any kind. Registers can be programmed and read back, channel() tells a device what it would transfer; software
 * requests are remembered only.
 *
 * Usual ports: channels 0-3 00h-0Fh, page registers 80h-8Fh, channels 4-7 C0h-DFh (every other port).
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import type { Device } from '../core/device.js';
import { bool, fixedBytes, fixedList, record, u16, u8, type StateSchema } from '../core/state.js';

interface Channel8237 {
  baseAddress: number;
  baseCount: number;
  address: number;
  count: number;
  mode: number;
}

interface Chip8237 {
  channels: Channel8237[];
  /** Next access of an address or count is its high byte. */
  flipFlop: boolean;
  command: number;
  /** Terminal counts, bits 0-3; reading the status clears them. */
  status: number;
  request: number;
  mask: number;
  temporary: number;
}

const CHANNEL_SCHEMA: StateSchema<Channel8237> = {
  baseAddress: u16,
  baseCount: u16,
  address: u16,
  count: u16,
  mode: u8,
};
const CHIP_SCHEMA: StateSchema<Chip8237> = {
  channels: fixedList(record(CHANNEL_SCHEMA)),
  flipFlop: bool,
  command: u8,
  status: u8,
  request: u8,
  mask: u8,
  temporary: u8,
};

/** Page register offset (from 80h) of each channel; channel 4 is the cascade and has none. */
const PAGE_OFFSET: readonly number[] = [0x07, 0x03, 0x01, 0x02, 0x0f, 0x0b, 0x09, 0x0a];

export interface DmaState {
  chips: Chip8237[];
  pages: Uint8Array;
}

/** What a channel is programmed for. */
export interface DmaTransfer {
  /** Physical address of the next byte. */
  readonly address: number;
  /** Bytes left. */
  readonly sizeBytes: number;
  /** Mode register: bits 2-3 transfer (1 = device to memory, 2 = memory to device), 4 auto-initialise, 5 decrement. */
  readonly mode: number;
  readonly masked: boolean;
}

function masterClear() {
  return { flipFlop: false, command: 0, status: 0, request: 0, mask: 0x0f, temporary: 0 };
}

function powerOn(): Chip8237 {
  const channel = () => ({ baseAddress: 0, baseCount: 0, address: 0, count: 0, mode: 0 });
  return { channels: [channel(), channel(), channel(), channel()], ...masterClear() };
}

export class Dma implements Device<DmaState> {
  readonly kind = 'i8237a-pair';
  readonly version = 1;
  readonly schema: StateSchema<DmaState> = { chips: fixedList(record(CHIP_SCHEMA)), pages: fixedBytes };
  readonly state: DmaState = { chips: [powerOn(), powerOn()], pages: new Uint8Array(16) };
  /** 16 ports: channels 0-3. */
  readonly lowPorts: PortHandler;
  /** 32 ports: channels 4-7, registers at even offsets. */
  readonly highPorts: PortHandler;
  /** 16 ports: page registers. */
  readonly pagePorts: PortHandler;

  constructor(readonly id: string) {
    const chipPorts = (which: number, shift: number) =>
      bytePorts({
        read: (offset) => this.#read(this.state.chips[which], offset >> shift),
        write: (offset, value) => this.#write(this.state.chips[which], offset >> shift, value),
      });
    this.lowPorts = chipPorts(0, 0);
    this.highPorts = chipPorts(1, 1);
    this.pagePorts = bytePorts({
      read: (offset) => this.state.pages[offset],
      write: (offset, value) => {
        this.state.pages[offset] = value;
      },
    });
  }

  /** What channel `n` (0-7) is programmed for; channels 4-7 move words. */
  channel(n: number): DmaTransfer {
    const chip = this.state.chips[n >> 2];
    const { address, count, mode } = chip.channels[n & 3];
    const page = this.state.pages[PAGE_OFFSET[n]];
    const wide = n >= 4;
    return {
      address: wide ? ((page & 0xfe) << 16) | (address << 1) : (page << 16) | address,
      sizeBytes: (count + 1) * (wide ? 2 : 1),
      mode,
      masked: ((chip.mask >> (n & 3)) & 1) === 1,
    };
  }

  reset(): void {
    for (const chip of this.state.chips) {
      const { channels, ...rest } = powerOn();
      Object.assign(chip, rest);
      channels.forEach((channel, n) => Object.assign(chip.channels[n], channel));
    }
    this.state.pages.fill(0);
  }

  #read(chip: Chip8237, register: number): number {
    if (register < 8) {
      const { address, count } = chip.channels[register >> 1];
      const value = register & 1 ? count : address;
      chip.flipFlop = !chip.flipFlop;
      return chip.flipFlop ? value & 0xff : value >> 8;
    }
    if (register === 8) {
      const status = chip.status | (chip.request << 4);
      chip.status = 0;
      return status;
    }
    if (register === 0x0d) return chip.temporary;
    return register === 0x0f ? 0xf0 | chip.mask : 0;
  }

  #write(chip: Chip8237, register: number, value: number): void {
    if (register < 8) return this.#writeChannel(chip, register, value);
    const bit = 1 << (value & 3);
    switch (register) {
      case 0x08:
        chip.command = value;
        break;
      case 0x09:
        chip.request = value & 4 ? chip.request | bit : chip.request & ~bit;
        break;
      case 0x0a:
        chip.mask = value & 4 ? chip.mask | bit : chip.mask & ~bit;
        break;
      case 0x0b:
        chip.channels[value & 3].mode = value & 0xfc;
        break;
      case 0x0c:
        chip.flipFlop = false;
        break;
      case 0x0d:
        Object.assign(chip, masterClear());
        break;
      case 0x0e:
        chip.mask = 0;
        break;
      default:
        chip.mask = value & 0x0f;
    }
  }

  /** A byte goes to both the base and the current register (datasheet, "Register description"). */
  #writeChannel(chip: Chip8237, register: number, value: number): void {
    const channel = chip.channels[register >> 1];
    const merge = (old: number) => (chip.flipFlop ? (old & 0xff) | (value << 8) : (old & 0xff00) | value);
    if (register & 1) channel.count = channel.baseCount = merge(channel.baseCount);
    else channel.address = channel.baseAddress = merge(channel.baseAddress);
    chip.flipFlop = !chip.flipFlop;
  }
}
