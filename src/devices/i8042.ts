/**
 * 8042 keyboard controller with a PS/2 keyboard and mouse. IBM PS/2 Hardware Interface Technical Reference (1988),
 * "Keyboard and Auxiliary Device Controller"; A20 commands DDh/DFh: Compaq Technical Reference.
 *
 * NOT implemented: passwords (A4h answers "none", A5h and A6h are ignored), active multiplexing, the controller's
 * firmware RAM beyond 32 bytes, parity and time-out errors.
 *
 * The A20 level itself belongs to the machine (port 92h drives it too): a restore does not call onA20.
 *
 * Usual ports: data 60h, status and command 64h; IRQ 1 and 12.
 */
import { bytePorts, type PortHandler } from '../core/bus.js';
import { ticksFromNs, type Clock } from '../core/clock.js';
import type { Device } from '../core/device.js';
import type { IrqLine } from '../core/irq.js';
import { bool, bytes, fixedBytes, nullable, record, u8, type StateSchema } from '../core/state.js';
import type { Timer, TimerQueue } from '../core/timers.js';
import { Ps2Keyboard, PS2_KEYBOARD_SCHEMA, powerOnKeyboard, type Ps2KeyboardState } from './ps2-keyboard.js';
import { Ps2Mouse, PS2_MOUSE_SCHEMA, powerOnMouse, type MouseInput, type Ps2MouseState } from './ps2-mouse.js';
import { translated } from './scan-codes.js';

const STATUS_OBF = 0x01;
const STATUS_SYS = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_AUX = 0x20;

const CTR_KBD_INT = 0x01;
const CTR_AUX_INT = 0x02;
const CTR_SYS = 0x04;
const CTR_KBD_DISABLE = 0x10;
const CTR_AUX_DISABLE = 0x20;
const CTR_TRANSLATE = 0x40;

const OUT_RUN = 0x01;
const OUT_A20 = 0x02;
/** Clock and data lines idle high. */
const OUT_IDLE = 0xcc;

/** Time of a byte on the cable. The real 11 bits at 12 kHz take three times as long; drivers only rely on a pause. */
const DEVICE_BYTE_NS = 300_000;
/** Time the controller takes to answer a command. */
const CONTROLLER_BYTE_NS = 10_000;

export interface I8042State {
  /** Internal RAM; byte 0 is the command byte (CTR). */
  ram: Uint8Array;
  /** Output port P2 without the live bits 4 and 5. */
  outputPort: number;
  output: number;
  outputFull: boolean;
  outputAux: boolean;
  /** Status bit 3: the last write went to the command port. */
  lastWasCommand: boolean;
  /** Command whose parameter comes next at the data port. */
  command: number | null;
  /** Controller's own answers: pairs of (1 when it shows as auxiliary data, byte). */
  replies: Uint8Array;
  /** Translation has swallowed an F0h. */
  breakNext: boolean;
  keyboard: Ps2KeyboardState;
  mouse: Ps2MouseState;
}

export interface I8042Options {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly irq1: IrqLine;
  readonly irq12: IrqLine;
  readonly onA20: (level: boolean) => void;
  /** The reset line of the CPU is pulsed. */
  readonly onReset: () => void;
}

function powerOn() {
  const ram = new Uint8Array(32);
  // As firmware leaves it: translation, both interrupts, self-test passed.
  ram[0] = CTR_TRANSLATE | CTR_SYS | CTR_AUX_INT | CTR_KBD_INT;
  return {
    ram,
    outputPort: OUT_IDLE | OUT_A20 | OUT_RUN,
    output: 0,
    outputFull: false,
    outputAux: false,
    lastWasCommand: true,
    command: null,
    replies: Uint8Array.of(),
    breakNext: false,
  };
}

export class I8042 implements Device<I8042State> {
  readonly kind = 'i8042';
  readonly version = 1;
  readonly schema: StateSchema<I8042State> = {
    ram: fixedBytes,
    outputPort: u8,
    output: u8,
    outputFull: bool,
    outputAux: bool,
    lastWasCommand: bool,
    command: nullable(u8),
    replies: bytes,
    breakNext: bool,
    keyboard: record(PS2_KEYBOARD_SCHEMA),
    mouse: record(PS2_MOUSE_SCHEMA),
  };
  readonly state: I8042State = { ...powerOn(), keyboard: powerOnKeyboard(), mouse: powerOnMouse() };
  /** 1 port: 60h. */
  readonly dataPorts: PortHandler;
  /** 1 port: 64h. */
  readonly commandPorts: PortHandler;
  readonly #options: I8042Options;
  readonly #transfer: Timer;
  readonly #keyboard: Ps2Keyboard;
  readonly #mouse: Ps2Mouse;

  constructor(
    readonly id: string,
    options: I8042Options,
  ) {
    this.#options = options;
    this.#transfer = options.timers.define(`${id}.transfer`, () => this.#fillOutput());
    this.#keyboard = new Ps2Keyboard(this.state.keyboard);
    this.#mouse = new Ps2Mouse(this.state.mouse);
    this.dataPorts = bytePorts({ read: () => this.#readData(), write: (_offset, value) => this.#writeData(value) });
    this.commandPorts = bytePorts({
      read: () => this.#status(),
      write: (_offset, value) => this.#writeCommand(value),
      steadyUntil: () => Infinity,
    });
  }

  /** Keys pressed and released at the host: scan codes of set 2, see keyboard-layout.ts. */
  keyBytes(set2: Uint8Array): void {
    this.#keyboard.press(set2);
    this.#schedule();
  }

  mouseMove(input: MouseInput): void {
    this.#mouse.move(input);
    this.#schedule();
  }

  /** As the host's mouse last said: 1 left, 2 right, 4 middle. */
  get mouseButtons(): number {
    return this.state.mouse.buttons;
  }

  /** Key bytes that the guest has not yet taken. */
  get waitingKeyBytes(): number {
    return this.state.keyboard.keys.length;
  }

  reset(): void {
    this.#transfer.cancel();
    const { ram, ...rest } = powerOn();
    this.state.ram.set(ram);
    Object.assign(this.state, rest);
    Object.assign(this.state.keyboard, powerOnKeyboard());
    Object.assign(this.state.mouse, powerOnMouse());
    this.#drive();
    this.#options.onA20(true);
  }

  restored(): void {
    this.#drive();
  }

  #status(): number {
    const { state } = this;
    return (
      STATUS_UNLOCKED |
      (state.outputFull ? STATUS_OBF : 0) |
      (state.outputFull && state.outputAux ? STATUS_AUX : 0) |
      (state.ram[0] & CTR_SYS ? STATUS_SYS : 0) |
      (state.lastWasCommand ? STATUS_COMMAND : 0)
    );
  }

  #drive(): void {
    const { outputFull, outputAux, ram } = this.state;
    this.#options.irq1.set(outputFull && !outputAux && (ram[0] & CTR_KBD_INT) !== 0);
    this.#options.irq12.set(outputFull && outputAux && (ram[0] & CTR_AUX_INT) !== 0);
  }

  #readData(): number {
    const { state } = this;
    state.outputFull = false;
    this.#drive();
    this.#schedule();
    return state.output;
  }

  get #keyboardReady(): boolean {
    return (this.state.ram[0] & CTR_KBD_DISABLE) === 0 && this.#keyboard.hasBytes;
  }

  #mouseReady(): boolean {
    return (this.state.ram[0] & CTR_AUX_DISABLE) === 0 && this.#mouse.ready();
  }

  /** Arms the next transfer into the output buffer, if it is empty and something waits. */
  #schedule(): void {
    if (this.state.outputFull) return;
    const fromController = this.state.replies.length > 0;
    if (!fromController && !this.#keyboardReady && !this.#mouseReady()) return;
    const { clock } = this.#options;
    const ns = fromController ? CONTROLLER_BYTE_NS : DEVICE_BYTE_NS;
    const deadline = clock.now + ticksFromNs(ns, clock.nsPerTick);
    // A reply of the controller overtakes a byte that is still on a cable.
    if (this.#transfer.deadline === null || deadline < this.#transfer.deadline) this.#transfer.arm(deadline);
  }

  #fillOutput(): void {
    const { state } = this;
    if (state.outputFull) return;
    if (state.replies.length > 0) {
      const [aux, byte] = state.replies;
      state.replies = state.replies.slice(2);
      this.#output(byte, aux === 1);
    } else if (this.#keyboardReady) {
      const byte = this.#keyboard.send();
      const translating = (state.ram[0] & CTR_TRANSLATE) !== 0;
      if (translating && byte === 0xf0) {
        // The break code comes with the next byte; the controller waits for it.
        state.breakNext = true;
        this.#schedule();
        return;
      }
      this.#output(translating ? translated(byte, state.breakNext) : byte, false);
      state.breakNext = false;
    } else if (this.#mouseReady()) {
      this.#output(this.#mouse.send(), true);
    }
  }

  #output(byte: number, aux: boolean): void {
    Object.assign(this.state, { output: byte, outputAux: aux, outputFull: true });
    this.#drive();
  }

  #reply(byte: number, aux = false): void {
    this.state.replies = Uint8Array.of(...this.state.replies.slice(-30), aux ? 1 : 0, byte);
    this.#schedule();
  }

  #writeCommand(value: number): void {
    const { state } = this;
    state.lastWasCommand = true;
    state.command = null;
    if (value >= 0x20 && value <= 0x3f) return this.#reply(state.ram[value & 0x1f]);
    if (value >= 0x60 && value <= 0x7f) {
      state.command = value;
      return;
    }
    if (value >= 0xf0) {
      // Pulses the output port's lines 0-3 that are 0 in the command; line 0 is the CPU's reset.
      if ((value & 1) === 0) this.#options.onReset();
      return;
    }
    switch (value) {
      case 0xa4: // password installed?
        return this.#reply(0xf1);
      case 0xa7:
        return this.#control(CTR_AUX_DISABLE, true);
      case 0xa8:
        return this.#control(CTR_AUX_DISABLE, false);
      case 0xa9: // test of the auxiliary port
      case 0xab: // test of the keyboard port
        return this.#reply(0x00);
      case 0xaa:
        state.ram[0] |= CTR_SYS;
        return this.#reply(0x55);
      case 0xad:
        return this.#control(CTR_KBD_DISABLE, true);
      case 0xae:
        return this.#control(CTR_KBD_DISABLE, false);
      case 0xc0: // input port: keyboard not locked, no manufacturing jumper
        return this.#reply(0xa0);
      case 0xd0:
        return this.#reply(this.#outputPort());
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        state.command = value;
        return;
      case 0xdd:
      case 0xdf:
        return this.#writeOutputPort((state.outputPort & ~OUT_A20) | (value === 0xdf ? OUT_A20 : 0));
      case 0xe0: // test inputs: both clocks high
        return this.#reply(0x03);
      default:
        return;
    }
  }

  #writeData(value: number): void {
    const { state } = this;
    const { command } = state;
    state.lastWasCommand = false;
    state.command = null;
    if (command === null) {
      // Talking to the keyboard enables its clock.
      state.ram[0] &= ~CTR_KBD_DISABLE;
      this.#keyboard.receive(value);
      this.#schedule();
    } else if (command <= 0x7f) {
      state.ram[command & 0x1f] = value;
      this.#drive();
      this.#schedule();
    } else if (command === 0xd1) {
      this.#writeOutputPort(value);
    } else if (command === 0xd4) {
      state.ram[0] &= ~CTR_AUX_DISABLE;
      this.#mouse.receive(value);
      this.#schedule();
    } else {
      // D2 and D3: as if the keyboard or the auxiliary device had sent it.
      this.#reply(value, command === 0xd3);
    }
  }

  #control(bit: number, set: boolean): void {
    const { ram } = this.state;
    ram[0] = set ? ram[0] | bit : ram[0] & ~bit;
    this.#schedule();
  }

  #outputPort(): number {
    const { outputFull, outputAux, outputPort } = this.state;
    return (outputPort & ~0x30) | (outputFull ? (outputAux ? 0x20 : 0x10) : 0);
  }

  #writeOutputPort(value: number): void {
    this.state.outputPort = value | OUT_RUN;
    // Told even when unchanged: port 92h may have driven the line meanwhile, and the last write wins.
    this.#options.onA20((value & OUT_A20) !== 0);
    if ((value & OUT_RUN) === 0) this.#options.onReset();
  }
}
