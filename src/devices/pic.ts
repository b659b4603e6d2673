/**
 * Two cascaded 8259A programmable interrupt controllers with the edge/level control registers of the PC.
 * Intel 8259A datasheet 231468-003; ELCR: Intel 82371AB (PIIX4) datasheet 290562, section 8.3.
 *
 * NOT implemented: MCS-80/85 mode (ICW4 uPM = 0 is treated as 8086 mode), buffered mode (no effect on a guest), slaves
 * elsewhere than at master input 2.
 *
 * Usual ports: master 20h-21h, slave A0h-A1h, ELCR 4D0h-4D1h.
 */
import { assert } from '../base/assert.js';
import { bytePorts, type PortHandler } from '../core/bus.js';
import type { Device } from '../core/device.js';
import type { IrqLine } from '../core/irq.js';
import { bool, fixedList, record, u8, type StateSchema } from '../core/state.js';

interface Chip8259 {
  /** Interrupt request register: latched edges, or levels. */
  irr: number;
  imr: number;
  isr: number;
  /** Levels on IR0-IR7. */
  lines: number;
  /** Level-triggered inputs. */
  elcr: number;
  /** ICW1 LTIM: all inputs level-triggered. */
  levelTriggered: boolean;
  /** ICW2: bits 7-3 of the vector. */
  vectorBase: number;
  icw3: number;
  /** The ICW expected next (2, 3, 4), 0 when initialised. */
  nextIcw: number;
  icw4Needed: boolean;
  single: boolean;
  autoEoi: boolean;
  rotateOnAutoEoi: boolean;
  specialFullyNested: boolean;
  specialMask: boolean;
  readIsr: boolean;
  poll: boolean;
  /** Input with the lowest priority; the next one has the highest. */
  lowest: number;
}

const CHIP_SCHEMA: StateSchema<Chip8259> = {
  irr: u8,
  imr: u8,
  isr: u8,
  lines: u8,
  elcr: u8,
  levelTriggered: bool,
  vectorBase: u8,
  icw3: u8,
  nextIcw: u8,
  icw4Needed: bool,
  single: bool,
  autoEoi: bool,
  rotateOnAutoEoi: bool,
  specialFullyNested: bool,
  specialMask: bool,
  readIsr: bool,
  poll: bool,
  lowest: u8,
};

const MASTER = 0;
const SLAVE = 1;
const CASCADE_INPUT = 2;
/** IRQ 0, 1, 2 and 8, 13 are always edge-triggered. */
const ELCR_WRITABLE = [0xf8, 0xde];
/** Nobody drives the data bus during INTA. */
const FLOATING_BUS = 0xff;

export interface PicState {
  chips: Chip8259[];
}

export interface PicOptions {
  /** INTR to the CPU; called on changes and after a restore. */
  readonly onIntr: (level: boolean) => void;
  /** ELCR after a reset, as firmware would leave it: bit n is IRQ n. 0 if left out. */
  readonly resetElcr?: number;
}

function powerOn(elcr: number, icw3: number): Chip8259 {
  return {
    irr: 0,
    imr: 0xff,
    isr: 0,
    lines: 0,
    elcr,
    levelTriggered: false,
    vectorBase: 0,
    icw3,
    nextIcw: 0,
    icw4Needed: false,
    single: false,
    autoEoi: false,
    rotateOnAutoEoi: false,
    specialFullyNested: false,
    specialMask: false,
    readIsr: false,
    poll: false,
    lowest: 7,
  };
}

export class Pic implements Device<PicState> {
  readonly kind = 'i8259a-pair';
  readonly isInterruptController = true;
  readonly version = 1;
  readonly schema: StateSchema<PicState> = { chips: fixedList(record(CHIP_SCHEMA)) };
  readonly state: PicState;
  readonly masterPorts: PortHandler;
  readonly slavePorts: PortHandler;
  readonly elcrPorts: PortHandler;
  readonly #onIntr: (level: boolean) => void;
  readonly #resetElcr: number;
  /** What onIntr was told last; null makes the next update tell it again. */
  #drivenIntr: boolean | null = null;

  constructor(
    readonly id: string,
    options: PicOptions,
  ) {
    this.#onIntr = options.onIntr;
    this.#resetElcr = options.resetElcr ?? 0;
    this.state = { chips: [powerOn(this.#elcrAtReset(MASTER), 4), powerOn(this.#elcrAtReset(SLAVE), 2)] };
    this.masterPorts = this.#chipPorts(MASTER);
    this.slavePorts = this.#chipPorts(SLAVE);
    this.elcrPorts = bytePorts({
      read: (offset) => this.state.chips[offset].elcr,
      write: (offset, value) => {
        this.state.chips[offset].elcr = value & ELCR_WRITABLE[offset];
        this.#sampleLevels(this.state.chips[offset]);
        this.#update();
      },
    });
  }

  /** Input `irq` (0-15, not 2). There is one line per input: several sources must be combined by whoever wires them. */
  line(irq: number): IrqLine {
    assert(irq >= 0 && irq < 16 && irq !== CASCADE_INPUT, `no interrupt line ${irq}`);
    const which = irq >> 3;
    return {
      set: (level) => {
        if (this.#setLine(which, irq & 7, level)) this.#update();
      },
    };
  }

  /** The INTA cycles: the vector of the interrupt that the CPU takes now. Without a request: spurious IRQ 7 or 15. */
  acknowledge(): number {
    const master = this.state.chips[MASTER];
    const input = this.#take(master);
    let vector = master.vectorBase | (input < 0 ? 7 : input);
    if (input >= 0 && !master.single && (master.icw3 >> input) & 1) vector = this.#acknowledgeSlave(input);
    this.#update();
    return vector;
  }

  reset(): void {
    for (const which of [MASTER, SLAVE]) {
      const lines = this.state.chips[which].lines;
      // The levels on the inputs belong to their drivers.
      Object.assign(this.state.chips[which], powerOn(this.#elcrAtReset(which), which === MASTER ? 4 : 2), { lines });
    }
    this.#update();
  }

  restored(): void {
    this.#drivenIntr = null;
    this.#update();
  }

  #elcrAtReset(which: number): number {
    return (this.#resetElcr >> (8 * which)) & ELCR_WRITABLE[which];
  }

  #acknowledgeSlave(input: number): number {
    const slave = this.state.chips[SLAVE];
    if ((slave.icw3 & 7) !== input) return FLOATING_BUS;
    const request = this.#take(slave);
    // INT falls during INTA, so that a further request of the slave is a new edge at the master.
    this.#setLine(MASTER, CASCADE_INPUT, false);
    return slave.vectorBase | (request < 0 ? 7 : request);
  }

  /** First INTA pulse: moves the best request into service. -1: there is none. */
  #take(chip: Chip8259): number {
    const input = this.#request(chip);
    if (input < 0) return -1;
    const bit = 1 << input;
    if (!this.#isLevel(chip, bit)) chip.irr &= ~bit;
    if (!chip.autoEoi) chip.isr |= bit;
    else if (chip.rotateOnAutoEoi) chip.lowest = input;
    return input;
  }

  #isLevel(chip: Chip8259, bit: number): boolean {
    return chip.levelTriggered || (chip.elcr & bit) !== 0;
  }

  /** Input of the highest priority in `bits`, or -1. */
  #highest(chip: Chip8259, bits: number): number {
    for (let i = 1; i <= 8; i++) {
      const input = (chip.lowest + i) & 7;
      if ((bits >> input) & 1) return input;
    }
    return -1;
  }

  /** The request that INT announces, or -1. */
  #request(chip: Chip8259): number {
    if (chip.nextIcw !== 0) return -1;
    const pending = chip.irr & ~chip.imr;
    if (pending === 0) return -1;
    const input = this.#highest(chip, pending);
    // In special mask mode a level in service that is masked blocks nobody (datasheet, "Special mask mode").
    const inService = this.#highest(chip, chip.specialMask ? chip.isr & ~chip.imr : chip.isr);
    if (inService < 0) return input;
    const rank = (n: number) => (n - chip.lowest - 1) & 7;
    if (rank(input) < rank(inService)) return input;
    // Special fully nested mode: the slave in service may interrupt again with a better request of its own.
    const nested = chip.specialFullyNested && input === inService && ((chip.icw3 >> input) & 1) === 1;
    return nested ? input : -1;
  }

  /** Returns whether a request may have changed. */
  #setLine(which: number, input: number, level: boolean): boolean {
    const chip = this.state.chips[which];
    const bit = 1 << input;
    if (((chip.lines & bit) !== 0) === level) return false;
    if (level) {
      chip.lines |= bit;
      chip.irr |= bit;
    } else {
      chip.lines &= ~bit;
      // The request must stay until INTA; one that goes away early is forgotten (datasheet, "Edge and level triggered modes").
      chip.irr &= ~bit;
    }
    return true;
  }

  #sampleLevels(chip: Chip8259): void {
    const levels = chip.levelTriggered ? 0xff : chip.elcr;
    chip.irr = (chip.irr & ~levels) | (chip.lines & levels);
  }

  #update(): void {
    const { chips } = this.state;
    this.#setLine(MASTER, CASCADE_INPUT, this.#request(chips[SLAVE]) >= 0);
    const intr = this.#request(chips[MASTER]) >= 0;
    if (intr === this.#drivenIntr) return;
    this.#drivenIntr = intr;
    this.#onIntr(intr);
  }

  #chipPorts(which: number): PortHandler {
    return bytePorts({
      read: (offset) => this.#read(this.state.chips[which], offset),
      write: (offset, value) => {
        const chip = this.state.chips[which];
        if (offset === 1) this.#writeData(chip, value);
        else if (value & 0x10) this.#writeIcw1(chip, value);
        else if (value & 0x08) this.#writeOcw3(chip, value);
        else this.#writeOcw2(chip, value);
        this.#update();
      },
    });
  }

  #read(chip: Chip8259, offset: number): number {
    if (chip.poll) {
      chip.poll = false;
      const input = this.#take(chip);
      if (chip === this.state.chips[SLAVE]) this.#setLine(MASTER, CASCADE_INPUT, false);
      this.#update();
      return input < 0 ? 0 : 0x80 | input;
    }
    if (offset === 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  #writeIcw1(chip: Chip8259, value: number): void {
    chip.imr = 0;
    chip.isr = 0;
    chip.irr = 0;
    chip.lowest = 7;
    chip.specialMask = false;
    chip.readIsr = false;
    chip.poll = false;
    chip.autoEoi = false;
    chip.rotateOnAutoEoi = false;
    chip.specialFullyNested = false;
    chip.icw4Needed = (value & 0x01) !== 0;
    chip.single = (value & 0x02) !== 0;
    chip.levelTriggered = (value & 0x08) !== 0;
    chip.nextIcw = 2;
    this.#sampleLevels(chip);
  }

  #writeData(chip: Chip8259, value: number): void {
    if (chip.nextIcw === 0) {
      chip.imr = value;
    } else if (chip.nextIcw === 2) {
      chip.vectorBase = value & 0xf8;
      chip.nextIcw = !chip.single ? 3 : chip.icw4Needed ? 4 : 0;
    } else if (chip.nextIcw === 3) {
      chip.icw3 = value;
      chip.nextIcw = chip.icw4Needed ? 4 : 0;
    } else {
      chip.autoEoi = (value & 0x02) !== 0;
      chip.specialFullyNested = (value & 0x10) !== 0;
      chip.nextIcw = 0;
    }
  }

  #writeOcw2(chip: Chip8259, value: number): void {
    const command = value >> 5;
    const rotate = (command & 4) !== 0;
    if (command === 0 || command === 4) {
      chip.rotateOnAutoEoi = rotate;
    } else if (command === 6) {
      chip.lowest = value & 7;
    } else if ((command & 1) !== 0) {
      // Non-specific EOI passes over levels that special mask mode has masked (datasheet, "Special mask mode").
      const candidates = chip.specialMask ? chip.isr & ~chip.imr : chip.isr;
      const input = (command & 2) !== 0 ? value & 7 : this.#highest(chip, candidates);
      if (input < 0) return;
      chip.isr &= ~(1 << input);
      if (rotate) chip.lowest = input;
    }
  }

  #writeOcw3(chip: Chip8259, value: number): void {
    if (value & 0x40) chip.specialMask = (value & 0x20) !== 0;
    if (value & 0x04) chip.poll = true;
    else if (value & 0x02) chip.readIsr = (value & 0x01) !== 0;
  }
}
