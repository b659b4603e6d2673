/**
 * 82371SB PCI-to-ISA bridge (PIIX3). Intel 82371FB/SB datasheet 290550-002, chapter 4.
 *
 * NOT implemented: X-bus chip selects, ISA timing, USB, SMI; their registers keep what is written.
 *
 * Usual slot: 01.0. Lines: the four PCI interrupts PIRQA# to PIRQD#.
 */
import type { Device } from '../../core/device.js';
import { SharedIrqLine, type IrqLine } from '../../core/irq.js';
import { fixedBytes, type StateSchema } from '../../core/state.js';
import { PciConfigSpace, type PciFunction } from './config-space.js';

/** PIRQRC[A:D] (4.1.10): bits 0-3 IRQ, bit 7 routing off. */
const PIRQ_ROUTE = 0x60;
const ROUTE_OFF = 0x80;
/** IRQs that a PCI interrupt can be routed to. */
const ROUTABLE = 0xdef8;

export interface Piix3State {
  config: Uint8Array;
}

export interface Piix3Options {
  /** A source of its own on ISA interrupt `irq` (0-15). */
  readonly isaLine: (irq: number) => IrqLine;
  /** The level of PIRQ `n` (0-3) itself, for an I/O APIC that sees it as a line of its own. */
  readonly onPirq?: (n: number, level: boolean) => void;
}

export class Piix3 implements Device<Piix3State>, PciFunction {
  readonly kind = 'piix3';
  readonly version = 1;
  readonly schema: StateSchema<Piix3State> = { config: fixedBytes };
  readonly config = new PciConfigSpace(
    {
      vendorId: 0x8086,
      deviceId: 0x7000,
      classCode: 0x060100,
      isMultiFunction: true,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
    },
    [
      { offset: 0x4c, mask: 0xff, initial: 0x4d },
      { offset: 0x4e, mask: 0xff, initial: 0x03 },
      { offset: 0x4f, mask: 0x01 },
      ...[0, 1, 2, 3].map((n) => ({ offset: PIRQ_ROUTE + n, mask: 0x8f, initial: ROUTE_OFF })),
      { offset: 0x69, mask: 0xfe, initial: 0x02 },
      { offset: 0x70, mask: 0xff, initial: 0x80 },
      { offset: 0x76, mask: 0x8f, initial: 0x0c },
      { offset: 0x77, mask: 0x8f, initial: 0x0c },
      { offset: 0x78, mask: 0xff, initial: 0x02 },
      { offset: 0x82, mask: 0xff },
      ...Array.from({ length: 16 }, (_, i) => ({ offset: 0xa0 + i, mask: 0xff })),
    ],
  );
  readonly state: Piix3State = { config: this.config.bytes };
  /** By PIRQ: its level, as sources drive it. */
  readonly #levels = [false, false, false, false];
  readonly #pirqs: readonly SharedIrqLine[];
  /** By PIRQ: its source on each IRQ that it was ever routed to. */
  readonly #outputs: readonly Map<number, IrqLine>[] = [0, 1, 2, 3].map(() => new Map<number, IrqLine>());

  constructor(
    readonly id: string,
    private readonly options: Piix3Options,
  ) {
    this.#pirqs = [0, 1, 2, 3].map(
      (n) =>
        new SharedIrqLine({
          set: (level) => {
            if (this.#levels[n] === level) return;
            this.#levels[n] = level;
            this.options.onPirq?.(n, level);
            this.#drive(n);
          },
        }),
    );
  }

  /** Interrupt pin (1 = INTA#) of the device in a slot: boards rotate the pins by slot. */
  line(device: number, pin: number): IrqLine {
    return this.#pirqs[(device - 1 + pin - 1) & 3].input();
  }

  reset(): void {
    this.config.reset();
    for (let n = 0; n < 4; n++) this.#drive(n);
  }

  restored(): void {
    for (let n = 0; n < 4; n++) this.#drive(n);
  }

  configWritten(offset: number, width: number): void {
    if (offset < PIRQ_ROUTE + 4 && offset + width > PIRQ_ROUTE) for (let n = 0; n < 4; n++) this.#drive(n);
  }

  #drive(n: number): void {
    const route = this.config.bytes[PIRQ_ROUTE + n];
    const irq = route & 0x0f;
    const isRouted = (route & ROUTE_OFF) === 0 && ((ROUTABLE >> irq) & 1) !== 0;
    const outputs = this.#outputs[n];
    if (isRouted && !outputs.has(irq)) outputs.set(irq, this.options.isaLine(irq));
    for (const [to, output] of outputs) output.set(isRouted && to === irq && this.#levels[n]);
  }
}
