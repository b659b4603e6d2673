/**
 * Gigabit Ethernet controller 82540EM ("e1000"). Intel PCI/PCI-X Family of Gigabit Ethernet Controllers Software
 * Developer's Manual 317453 (2009).
 *
 * NOT implemented: interrupt moderation (ITR and the delay timers keep what is written; causes show at once), flow
 * control, wake-up, the flash, PCI power management, receive checksum offload (the descriptor says that checksums were
 * not looked at), early receive.
 *
 * PCI: BAR0 is 128 KiB of registers, BAR1 64 ports to reach them by address and data.
 */
import type { PortHandler } from '../../../core/bus.js';
import { ticksFromNs } from '../../../core/clock.js';
import type { Device } from '../../../core/device.js';
import { fixedBytes, fixedList, record, safe, u16, u32, type Codec, type StateSchema } from '../../../core/state.js';
import type { Timer } from '../../../core/timers.js';
import { PciConfigSpace, type PciFunction } from '../../pci/config-space.js';
import {
  hashSent,
  isBroadcast,
  isMulticast,
  NO_FRAMES_HASH,
  padded,
  type NetworkCard,
  type NetworkCardOptions,
} from '../network-card.js';
import { EEPROM_SCHEMA, EEPROM_WORDS, eepromOf, newEeprom, readPins, writePins, type EepromState } from './eeprom.js';
import { isLoopedBack, mdic, newPhy } from './phy.js';
import { receive } from './receive.js';
import { CAUSE, CTRL_PHY_RST, CTRL_RST, E1000, KEPT, STATUS_LINK_UP } from './registers.js';
import { newTransmit, transmit, TRANSMIT_SCHEMA, type TransmitState } from './transmit.js';

const BAR_BYTES = 0x2_0000;
const IO_BYTES = 64;
const CTRL_POWER_ON = 0x0050_0240;
const PBA_POWER_ON = 0x0010_0030;
const LEDCTL_POWER_ON = 0x602;
const ADDRESS_VALID = 0x8000_0000;
const EERD_START = 1;
const EERD_DONE = 0x10;
/** Between looks at a ring with more descriptors than are worked off at once. */
const RING_PAUSE_NS = 4000;
/** On the wire, 1000 Mbit/s: a byte, and what every frame has around it (preamble, checksum, gap). */
const NS_PER_BYTE = 8;
const BYTES_AROUND_FRAME = 24;
/** Frames are handed on as soon as software offers them, up to so far ahead of the wire: some 64 KiB. */
const MAX_AHEAD_NS = 524_288;

/** Registers in order. */
const registersCodec: Codec<Uint32Array> = {
  write: (out, values) => {
    for (const value of values) out.u32(value);
  },
  read: (input, current) => {
    for (let i = 0; i < current.length; i++) current[i] = input.u32();
    return current;
  },
};

export interface E1000State {
  config: Uint8Array;
  /** By offset / 4. */
  registers: Uint32Array;
  ioAddress: number;
  eeprom: EepromState;
  phy: number[];
  transmit: TransmitState;
  /** Tick at which the wire would have carried all that was sent. */
  wireFreeAt: number;
  /** Of all frames sent. */
  sentHash: number;
}

export class E1000Card implements Device<E1000State>, PciFunction, NetworkCard {
  readonly kind = 'e1000';
  readonly version = 1;
  readonly schema: StateSchema<E1000State> = {
    config: fixedBytes,
    registers: registersCodec,
    ioAddress: u32,
    eeprom: record(EEPROM_SCHEMA),
    phy: fixedList(u16),
    transmit: record(TRANSMIT_SCHEMA),
    wireFreeAt: safe,
    sentHash: u32,
  };
  readonly state: E1000State;
  readonly config: PciConfigSpace;
  readonly #options: NetworkCardOptions;
  readonly #eepromWords: Uint16Array;
  readonly #ring: Timer;

  constructor(
    readonly id: string,
    options: NetworkCardOptions,
  ) {
    this.#options = options;
    this.#eepromWords = eepromOf(options.mac);
    this.#ring = options.timers.define(`${id}.ring`, () => this.#transmit());
    this.config = new PciConfigSpace({
      vendorId: 0x8086,
      deviceId: 0x100e,
      revisionId: 3,
      classCode: 0x020000,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      interruptPin: 1,
      bars: [
        { index: 0, space: 'memory', sizeBytes: BAR_BYTES, handler: this.#registerPorts() },
        { index: 1, space: 'io', sizeBytes: IO_BYTES, handler: this.#indirectPorts() },
      ],
      ...(options.rom === undefined ? {} : { rom: options.rom }),
    });
    this.state = {
      config: this.config.bytes,
      registers: new Uint32Array(E1000.END / 4),
      ioAddress: 0,
      eeprom: newEeprom(),
      phy: newPhy(),
      transmit: newTransmit(),
      wireFreeAt: 0,
      sentHash: NO_FRAMES_HASH,
    };
    this.#resetChip();
  }

  reset(): void {
    this.config.reset();
    this.#resetChip();
    Object.assign(this.state, { ioAddress: 0, eeprom: newEeprom(), phy: newPhy(), sentHash: NO_FRAMES_HASH });
  }

  restored(): void {
    this.#drive();
  }

  #resetChip(): void {
    const { registers } = this.state;
    const { mac } = this.#options;
    registers.fill(0);
    this.#set(E1000.CTRL, CTRL_POWER_ON);
    this.#set(E1000.STATUS, STATUS_LINK_UP);
    this.#set(E1000.PBA, PBA_POWER_ON);
    this.#set(E1000.LEDCTL, LEDCTL_POWER_ON);
    this.#set(E1000.RAL, mac[0] | (mac[1] << 8) | (mac[2] << 16) | (mac[3] << 24));
    this.#set(E1000.RAL + 4, mac[4] | (mac[5] << 8) | ADDRESS_VALID);
    Object.assign(this.state.transmit, newTransmit());
    this.state.wireFreeAt = 0;
    this.#ring.cancel();
    this.#drive();
  }

  // ---- registers
  readonly #get = (register: number): number => this.state.registers[register >> 2];
  readonly #set = (register: number, value: number): void => {
    this.state.registers[register >> 2] = value;
  };

  /** Registers are dwords; parts of one read right, and are written as if the rest were zero. */
  #registerPorts(): PortHandler {
    return {
      read: (offset, width) => {
        const value = this.#read(offset & ~3) >>> (8 * (offset & 3));
        return width === 4 ? value : value & (2 ** (8 * width) - 1);
      },
      write: (offset, value) => this.#write(offset & ~3, value * 2 ** (8 * (offset & 3))),
    };
  }

  /** IOADDR and IODATA (13.3). */
  #indirectPorts(): PortHandler {
    return {
      read: (offset) => (offset < 4 ? this.state.ioAddress : offset < 8 ? this.#read(this.state.ioAddress & ~3) : 0),
      write: (offset, value) => {
        if (offset < 4) this.state.ioAddress = value & (BAR_BYTES - 1);
        else if (offset < 8) this.#write(this.state.ioAddress & ~3, value);
      },
    };
  }

  #read(register: number): number {
    const { state } = this;
    if (register === E1000.ICR) {
      const causes = this.#get(E1000.ICR);
      this.#set(E1000.ICR, 0);
      this.#drive();
      return causes;
    }
    if (register === E1000.ICS) return this.#get(E1000.ICR);
    if (register === E1000.IMC) return 0;
    if (register === E1000.EECD) return readPins(state.eeprom, this.#eepromWords);
    if (register >= E1000.END) return 0;
    const value = this.#get(register);
    if (register >= E1000.STATISTICS && register < E1000.STATISTICS_END) this.#set(register, 0);
    return value;
  }

  #write(register: number, dword: number): void {
    const { state } = this;
    const value = dword >>> 0;
    switch (register) {
      case E1000.CTRL:
        if ((value & CTRL_RST) !== 0) return this.#resetChip();
        if ((value & CTRL_PHY_RST) !== 0) state.phy = newPhy();
        return this.#set(register, (value & ~(CTRL_RST | CTRL_PHY_RST)) >>> 0);
      case E1000.EECD:
        return writePins(state.eeprom, value);
      case E1000.EERD:
        if ((value & EERD_START) === 0) return this.#set(register, value);
        const word = this.#eepromWords[(value >>> 8) % EEPROM_WORDS];
        return this.#set(register, ((value & 0xff00) | EERD_DONE | (word << 16)) >>> 0);
      case E1000.MDIC: {
        const done = mdic(state.phy, value);
        this.#set(register, done.value);
        return this.#cause(done.cause);
      }
      case E1000.ICR:
        this.#set(E1000.ICR, this.#get(E1000.ICR) & ~value);
        return this.#drive();
      case E1000.ICS:
        return this.#cause(value & 0xffff);
      case E1000.IMS:
        this.#set(E1000.IMS, this.#get(E1000.IMS) | (value & 0xffff));
        return this.#drive();
      case E1000.IMC:
        this.#set(E1000.IMS, this.#get(E1000.IMS) & ~value);
        return this.#drive();
      case E1000.TCTL:
        this.#set(register, value);
        return this.#transmit();
      case E1000.TDT:
        this.#set(register, value & 0xffff);
        return this.#transmit();
    }
    const mask = KEPT.get(register);
    if (mask !== undefined) return this.#set(register, (value & mask) >>> 0);
    const isTable =
      (register >= E1000.MTA && register < E1000.RAL_END) || (register >= E1000.VFTA && register < E1000.VFTA_END);
    if (isTable) this.#set(register, value);
  }

  // ---- interrupts
  readonly #cause = (bits: number): void => {
    this.#set(E1000.ICR, this.#get(E1000.ICR) | bits);
    this.#drive();
  };

  #drive(): void {
    const causes = this.#get(E1000.ICR) & ~CAUSE.INT_ASSERTED;
    const asserted = (causes & this.#get(E1000.IMS)) !== 0;
    this.#set(E1000.ICR, (causes | (asserted ? CAUSE.INT_ASSERTED : 0)) >>> 0);
    this.#options.irq.set(asserted);
  }

  // ---- frames
  /** How far the card has got ahead of its wire. */
  get #aheadTicks(): number {
    return this.state.wireFreeAt - this.#options.clock.now;
  }

  #transmit(): void {
    const { clock, memory } = this.#options;
    // While a look at the ring is due, there is nothing to add: software only moves the tail.
    if (!this.config.isBusMaster || this.#ring.deadline !== null) return;
    const maxAhead = ticksFromNs(MAX_AHEAD_NS, clock.nsPerTick);
    const isMore = transmit({
      state: this.state.transmit,
      memory,
      get: this.#get,
      set: this.#set,
      cause: this.#cause,
      send: (frame) => this.#send(frame),
      canSend: () => this.#aheadTicks < maxAhead,
    });
    const pause = Math.max(ticksFromNs(RING_PAUSE_NS, clock.nsPerTick), this.#aheadTicks - Math.floor(maxAhead / 2));
    if (isMore) this.#ring.arm(clock.now + pause);
  }

  #send(packet: Uint8Array): void {
    const { state } = this;
    const { clock } = this.#options;
    const frame = padded(packet);
    const wireNs = (frame.length + BYTES_AROUND_FRAME) * NS_PER_BYTE;
    state.wireFreeAt = Math.max(state.wireFreeAt, clock.now) + ticksFromNs(wireNs, clock.nsPerTick);
    this.#count([E1000.TPT, E1000.GPTC, isBroadcast(frame) ? E1000.BPTC : isMulticast(frame) ? E1000.MPTC : 0]);
    this.#countBytes([E1000.TOTL, E1000.GOTCL], frame.length + 4);
    if (isLoopedBack(state.phy)) {
      this.receive(frame);
      return;
    }
    state.sentHash = hashSent(state.sentHash, frame);
    this.#options.transmit(frame);
  }

  receive(frame: Uint8Array): boolean {
    if (!this.config.isBusMaster) return false;
    const { memory } = this.#options;
    const result = receive({ memory, get: this.#get, set: this.#set, cause: this.#cause }, frame);
    if (result === 'no-room') this.#count([E1000.MPC, E1000.RNBC]);
    if (result === 'taken') {
      this.#count([E1000.TPR, E1000.GPRC, isBroadcast(frame) ? E1000.BPRC : isMulticast(frame) ? E1000.MPRC : 0]);
      this.#countBytes([E1000.TORL, E1000.GORCL], frame.length + 4);
    }
    return result === 'taken';
  }

  /** Counters stay at their greatest value. */
  #count(counters: readonly number[]): void {
    for (const counter of counters)
      if (counter !== 0) this.#set(counter, Math.min(0xffff_ffff, this.#get(counter) + 1));
  }
  #countBytes(lows: readonly number[], bytes: number): void {
    for (const low of lows) {
      const sum = this.#get(low) + bytes;
      this.#set(low, sum >>> 0);
      if (sum > 0xffff_ffff) this.#set(low + 4, this.#get(low + 4) + 1);
    }
  }
}
