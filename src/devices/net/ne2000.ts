/**
 * NE2000-compatible PCI network card, RTL8029. National Semiconductor DP8390D datasheet (1995); Realtek RTL8029AS
 * datasheet (1997).
 *
 * NOT implemented: tally counters beyond missed frames, collisions (there are none), the RTL8029's own configuration
 * pages (registers of page 3 read as a card with its EEPROM idle), wake-up.
 *
 * PCI: BAR0 is 256 ports: 00h-0Fh registers, 10h-17h data, 18h-1Fh reset, the rest empty.
 */
import type { PortHandler, Width } from '../../core/bus.js';
import type { Device } from '../../core/device.js';
import { PciConfigSpace, type PciFunction } from '../pci/config-space.js';
import {
  hashSent,
  isBroadcast,
  isMulticast,
  MAC_BYTES,
  MAX_FRAME_BYTES,
  MIN_FRAME_BYTES,
  multicastCrc,
  NO_FRAMES_HASH,
  padded,
  type NetworkCard,
  type NetworkCardOptions,
} from './network-card.js';
import {
  CR,
  RD_READ,
  RD_WRITE,
  RD_SEND,
  RD_ABORT,
  ISR,
  RCR,
  RSR_PRX,
  RSR_PHY,
  TSR_PTX,
  NE2000_SCHEMA,
  powerOn,
  readPage0,
  readPage2,
  type Ne2000State,
} from './ne2000-registers.js';

const BAR_BYTES = 256;
/** The station address's ROM lies at 0, packet memory from 4000h to C000h. */
const ROM_BYTES = 32;
const MEMORY_START = 0x4000;
const MEMORY_END = 0xc000;
const PAGE = 256;
const DATA = 0x10;
const RESET = 0x18;
const RESET_END = 0x20;

/** TCR bits 1-2: loop back. */
const TCR_LOOPBACK = 0x06;
const DCR_WTS = 0x01;
const CRC_BYTES = 4;
const HEADER_BYTES = 4;
/** Registers of page 0 that are kept as written. */
const PLAIN = { 1: 'pstart', 2: 'pstop', 3: 'bnry', 4: 'tpsr' } as const;
const MANY_MISSED = 0x80;
const MOST_MISSED = 0xc0;

export class Ne2000 implements Device<Ne2000State>, PciFunction, NetworkCard {
  readonly kind = 'rtl8029';
  readonly version = 1;
  readonly schema = NE2000_SCHEMA;
  readonly state: Ne2000State;
  readonly config: PciConfigSpace;
  readonly #options: NetworkCardOptions;
  readonly #rom = new Uint8Array(ROM_BYTES);

  constructor(
    readonly id: string,
    options: NetworkCardOptions,
  ) {
    this.#options = options;
    // Each byte twice, as an 8-bit ROM on a 16-bit bus; 57h 57h says that the card is one of 16 bits.
    for (let i = 0; i < MAC_BYTES; i++) this.#rom[2 * i] = this.#rom[2 * i + 1] = options.mac[i];
    this.#rom.fill(0x57, 28);
    this.config = new PciConfigSpace({
      vendorId: 0x10ec,
      deviceId: 0x8029,
      classCode: 0x020000,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      interruptPin: 1,
      bars: [{ index: 0, space: 'io', sizeBytes: BAR_BYTES, handler: this.#ports() }],
      ...(options.rom === undefined ? {} : { rom: options.rom }),
    });
    this.state = {
      config: this.config.bytes,
      ...powerOn(),
      par: new Uint8Array(MAC_BYTES),
      mar: new Uint8Array(8),
      memory: new Uint8Array(MEMORY_END - MEMORY_START),
      sentHash: NO_FRAMES_HASH,
    };
  }

  reset(): void {
    this.config.reset();
    const { state } = this;
    Object.assign(state, powerOn(), { sentHash: NO_FRAMES_HASH });
    state.par.fill(0);
    state.mar.fill(0);
    state.memory.fill(0);
    this.#drive();
  }

  restored(): void {
    this.#drive();
  }

  #drive(): void {
    this.#options.irq.set((this.state.isr & this.state.imr & 0x7f) !== 0);
  }
  #raise(bits: number): void {
    this.state.isr |= bits;
    this.#drive();
  }

  // ---- ports
  #ports(): PortHandler {
    return {
      read: (offset, width) => {
        if (offset >= DATA && offset < RESET) return this.#readData(width);
        let value = 0;
        for (let i = 0; i < width; i++) value |= this.#readByte(offset + i) << (8 * i);
        return value >>> 0;
      },
      write: (offset, value, width) => {
        if (offset >= DATA && offset < RESET) return this.#writeData(value, width);
        for (let i = 0; i < width; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
      },
    };
  }

  #readByte(offset: number): number {
    const { state } = this;
    if (offset >= RESET && offset < RESET_END) {
      // A read pulses the chip's reset.
      Object.assign(state, { command: CR.STP | RD_ABORT, stopped: true });
      this.#raise(ISR.RST);
      return 0;
    }
    if (offset >= DATA) return 0xff;
    if (offset === 0) return state.command;
    switch (state.command >> 6) {
      case 0:
        return readPage0(state, offset);
      case 1:
        if (offset < 7) return state.par[offset - 1];
        return offset === 7 ? state.curr : state.mar[offset - 8];
      case 2:
        return readPage2(state, offset);
      default:
        // RTL8029: 9346CR, CONFIG0 to CONFIG3 (bit 6 of the last: full duplex).
        return offset === 6 ? 0x40 : 0;
    }
  }

  #writeByte(offset: number, value: number): void {
    const { state } = this;
    if (offset >= DATA) return;
    if (offset === 0) return this.#command(value);
    const page = state.command >> 6;
    if (page === 0) this.#writePage0(offset, value);
    else if (page === 1) {
      if (offset < 7) state.par[offset - 1] = value;
      else if (offset === 7) state.curr = value;
      else state.mar[offset - 8] = value;
    }
  }

  #writePage0(offset: number, value: number): void {
    const { state } = this;
    const low = (word: number): number => (word & 0xff00) | value;
    const high = (word: number): number => (word & 0x00ff) | (value << 8);
    switch (offset) {
      case 1:
      case 2:
      case 3:
      case 4:
        state[PLAIN[offset]] = value;
        return;
      case 5:
        state.tbcr = low(state.tbcr);
        return;
      case 6:
        state.tbcr = high(state.tbcr);
        return;
      case 7:
        state.isr &= ~(value & 0x7f);
        return this.#drive();
      case 8:
        state.rsar = low(state.rsar);
        return;
      case 9:
        state.rsar = high(state.rsar);
        return;
      case 10:
        state.rbcr = low(state.rbcr);
        return;
      case 11:
        state.rbcr = high(state.rbcr);
        return;
      case 12:
        state.rcr = value & 0x3f;
        return;
      case 13:
        state.tcr = value & 0x1f;
        return;
      case 14:
        state.dcr = value & 0x7f;
        return;
      case 15:
        state.imr = value & 0x7f;
        return this.#drive();
    }
  }

  #command(value: number): void {
    const { state } = this;
    const wasSending = state.command & CR.TXP;
    state.command = value & ~CR.TXP;
    if ((value & CR.STP) !== 0) {
      state.stopped = true;
      this.#raise(ISR.RST);
    } else if ((value & CR.STA) !== 0) {
      state.stopped = false;
      state.isr &= ~ISR.RST;
    }
    const remote = value & CR.RD;
    if (remote === RD_SEND) this.#sendPacket();
    // A remote transfer of nothing is done at once.
    if ((remote === RD_READ || remote === RD_WRITE) && state.rbcr === 0) this.#raise(ISR.RDC);
    if ((value & CR.TXP) !== 0 && wasSending === 0 && !state.stopped) this.#transmit();
    this.#drive();
  }

  // ---- remote DMA
  #memoryByte(address: number): number {
    if (address < ROM_BYTES) return this.#rom[address];
    return address >= MEMORY_START && address < MEMORY_END ? this.state.memory[address - MEMORY_START] : 0xff;
  }

  /** Remote addresses go round the ring, too (datasheet, remote DMA). */
  #after(address: number): number {
    const { pstart, pstop } = this.state;
    const next = (address + 1) & 0xffff;
    return next === pstop * PAGE ? pstart * PAGE : next;
  }

  #advance(bytes: number): void {
    const { state } = this;
    for (let i = 0; i < bytes; i++) state.rsar = this.#after(state.rsar);
    if (state.rbcr <= bytes) {
      state.rbcr = 0;
      this.#raise(ISR.RDC);
    } else state.rbcr -= bytes;
  }

  /** Bytes that an access takes from memory: a byte, or (DCR.WTS) at least a word, whatever the CPU wants of it. */
  #step(width: Width): number {
    return (this.state.dcr & DCR_WTS) === 0 ? 1 : Math.max(2, width);
  }

  #readData(width: Width): number {
    const { state } = this;
    if ((state.command & CR.RD) !== RD_READ || state.rbcr === 0) return 0;
    const count = this.#step(width);
    let value = 0;
    let address = state.rsar;
    for (let i = 0; i < Math.min(count, width); i++, address = this.#after(address)) {
      value |= this.#memoryByte(address) << (8 * i);
    }
    this.#advance(count);
    return value >>> 0;
  }

  #writeData(value: number, width: Width): void {
    const { state } = this;
    if ((state.command & CR.RD) !== RD_WRITE || state.rbcr === 0) return;
    const count = this.#step(width);
    let address = state.rsar;
    for (let i = 0; i < Math.min(count, width); i++, address = this.#after(address)) {
      this.#put(address, value >>> (8 * i));
    }
    this.#advance(count);
  }

  #put(address: number, value: number): void {
    if (address >= MEMORY_START && address < MEMORY_END) this.state.memory[address - MEMORY_START] = value;
  }

  /** Send Packet command: the next remote read is of the packet at BNRY. */
  #sendPacket(): void {
    const { state } = this;
    state.rsar = state.bnry * PAGE;
    state.rbcr = this.#memoryByte(state.rsar + 2) | (this.#memoryByte(state.rsar + 3) << 8);
    state.command = (state.command & ~CR.RD) | RD_READ;
  }

  // ---- frames
  #transmit(): void {
    const { state } = this;
    const start = state.tpsr * PAGE;
    const frame = new Uint8Array(Math.min(state.tbcr, MAX_FRAME_BYTES));
    for (let i = 0; i < frame.length; i++) frame[i] = this.#memoryByte((start + i) & 0xffff);
    state.tsr = TSR_PTX;
    if ((state.tcr & TCR_LOOPBACK) !== 0) this.#take(frame);
    else if (frame.length > 0) {
      const whole = padded(frame);
      state.sentHash = hashSent(state.sentHash, whole);
      this.#options.transmit(whole);
    }
    this.#raise(ISR.PTX);
  }

  receive(frame: Uint8Array): boolean {
    const { state } = this;
    if (state.stopped || (state.tcr & TCR_LOOPBACK) !== 0) return false;
    return this.#take(padded(frame));
  }

  #accepts(frame: Uint8Array): boolean {
    const { rcr, par, mar } = this.state;
    if (frame.length > MAX_FRAME_BYTES || frame.length < 14) return false;
    if (frame.length < MIN_FRAME_BYTES && (rcr & RCR.AR) === 0) return false;
    if (isBroadcast(frame)) return (rcr & RCR.AB) !== 0;
    if (isMulticast(frame)) {
      const bit = multicastCrc(frame) >>> 26;
      return (rcr & RCR.AM) !== 0 && ((mar[bit >> 3] >> (bit & 7)) & 1) !== 0;
    }
    return (rcr & RCR.PRO) !== 0 || par.every((byte, i) => byte === frame[i]);
  }

  /** The tally stops at 192 and asks to be read from 128 on (datasheet, tally counters). */
  #miss(cause: number): void {
    const { state } = this;
    state.missed = Math.min(MOST_MISSED, state.missed + 1);
    this.#raise(cause | (state.missed >= MANY_MISSED ? ISR.CNT : 0));
  }

  /** Puts a frame with its header into the ring (datasheet 7.0). */
  #take(frame: Uint8Array): boolean {
    const { state } = this;
    if (!this.#accepts(frame)) return false;
    if ((state.rcr & RCR.MON) !== 0) {
      this.#miss(0);
      return false;
    }
    const total = frame.length + HEADER_BYTES + CRC_BYTES;
    const pages = Math.ceil(total / PAGE);
    const ring = state.pstop - state.pstart;
    if (ring <= 0 || state.curr < state.pstart || state.curr >= state.pstop) return false;
    const free = state.bnry === state.curr ? ring : (state.bnry - state.curr + 2 * ring) % ring;
    if (free <= pages) {
      this.#miss(ISR.OVW);
      return false;
    }
    const start = state.curr;
    const next = state.pstart + ((start - state.pstart + pages) % ring);
    state.rsr = RSR_PRX | (isMulticast(frame) ? RSR_PHY : 0);
    const packet = new Uint8Array(total);
    packet.set([
      state.rsr,
      next,
      (frame.length + CRC_BYTES + HEADER_BYTES) & 0xff,
      (frame.length + CRC_BYTES + HEADER_BYTES) >> 8,
    ]);
    packet.set(frame, HEADER_BYTES);
    const end = state.pstop * PAGE;
    let address = start * PAGE;
    for (const byte of packet) {
      this.#put(address, byte);
      if (++address === end) address = state.pstart * PAGE;
    }
    state.curr = next;
    this.#raise(ISR.PRX);
    return true;
  }
}
