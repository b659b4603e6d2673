/**
 * Two cascaded 8237A DMA controllers and the page registers of the PC AT. Intel 8237A datasheet 231466-005; page
 * registers: IBM PC AT Technical Reference (1985), "DMA page register".
 *
 * NOT implemented: memory-to-memory transfers, software requests (they are remembered only), priorities and timing: a
 * device's transfer is done when it asks for it.
 *
 * Usual ports: channels 0-3 00h-0Fh, page registers 80h-8Fh, channels 4-7 C0h-DFh (every other port).
 */
import { bytePorts, type PortHandler, type SystemMemory } from '../core/bus.js';
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

/** What became of a device's request. */
export interface DmaResult {
  /** Bytes moved; fewer than asked for when the channel was done before, or masked. */
  readonly count: number;
  /** Terminal count: the channel has moved all that it was programmed for. */
  readonly isTerminal: boolean;
}

/** Mode register, bits 2-3. */
const TRANSFER = { verify: 0, write: 1, read: 2 } as const;
const MODE_AUTO_INITIALISE = 0x10;
const MODE_DECREMENT = 0x20;
/** Command register: the controller is off. */
const COMMAND_DISABLE = 0x04;

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

  constructor(
    readonly id: string,
    private readonly memory: SystemMemory,
  ) {
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

  /** Bytes from a device to memory, as channel `n` is programmed; a verify transfer moves none, but counts. */
  deviceToMemory(n: number, bytes: Uint8Array): DmaResult {
    return this.#transfer(n, bytes.length, (address, at, count) => {
      if (this.#direction(n) === TRANSFER.write) this.memory.write(address, bytes.subarray(at, at + count));
    });
  }

  /** Up to `bytes.length` bytes from memory to a device. */
  memoryToDevice(n: number, bytes: Uint8Array): DmaResult {
    return this.#transfer(n, bytes.length, (address, at, count) => {
      if (this.#direction(n) === TRANSFER.read) bytes.set(this.memory.read(address, count), at);
    });
  }

  #direction(n: number): number {
    return (this.state.chips[n >> 2].channels[n & 3].mode >> 2) & 3;
  }

  /** `move` gets runs of ascending addresses: one unit each where the channel counts down. */
  #transfer(n: number, wanted: number, move: (address: number, at: number, count: number) => void): DmaResult {
    const chip = this.state.chips[n >> 2];
    const channel = chip.channels[n & 3];
    const unit = n >= 4 ? 2 : 1;
    if (((chip.mask >> (n & 3)) & 1) !== 0 || (chip.command & COMMAND_DISABLE) !== 0)
      return { count: 0, isTerminal: false };
    const isDown = (channel.mode & MODE_DECREMENT) !== 0;
    const count = Math.min(Math.floor(wanted / unit), channel.count + 1);
    for (let done = 0; done < count;) {
      // Addresses wrap within 64 K units: the page register does not count.
      const run = isDown ? 1 : Math.min(count - done, 0x1_0000 - channel.address);
      move(this.channel(n).address, done * unit, run * unit);
      channel.address = (channel.address + (isDown ? -1 : run)) & 0xffff;
      done += run;
    }
    channel.count = (channel.count - count) & 0xffff;
    const isTerminal = count > 0 && channel.count === 0xffff;
    if (isTerminal) {
      chip.status |= 1 << (n & 3);
      if ((channel.mode & MODE_AUTO_INITIALISE) !== 0) {
        Object.assign(channel, { address: channel.baseAddress, count: channel.baseCount });
      } else chip.mask |= 1 << (n & 3);
    }
    return { count: count * unit, isTerminal };
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
