/**
 * AT/PS/2 keyboard: IBM PS/2 Hardware Interface Technical Reference (1988), "Keyboards (101- and 102-key)".
 *
 * NOT implemented: typematic repeat (the host sends repeats), per-key type selection of scan set 3 (acknowledged), the 16-byte buffer
 * overrun: what the host types waits without bound.
 *
 * The device end of the cable; i8042.ts is the other one.
 */
import { bool, bytes, nullable, u8, type StateSchema } from '../core/state.js';
import { set3FromSet2, translated } from './scan-codes.js';

const ACK = 0xfa;
const RESEND = 0xfe;
const ECHO = 0xee;
const BAT_PASSED = 0xaa;

export interface Ps2KeyboardState {
  /** Answers to commands, sent before key codes. */
  answers: Uint8Array;
  keys: Uint8Array;
  scanning: boolean;
  scanSet: number;
  /** Bit 0 scroll lock, 1 num lock, 2 caps lock. */
  leds: number;
  typematic: number;
  /** Command whose parameter comes next. */
  command: number | null;
  lastSent: number;
  /** Prefix bytes (set 2) of the key that is being converted to another set. */
  prefix: Uint8Array;
}

export const PS2_KEYBOARD_SCHEMA: StateSchema<Ps2KeyboardState> = {
  answers: bytes,
  keys: bytes,
  scanning: bool,
  scanSet: u8,
  leds: u8,
  typematic: u8,
  command: nullable(u8),
  lastSent: u8,
  prefix: bytes,
};

function appended(queue: Uint8Array, more: ArrayLike<number>): Uint8Array {
  const joined = new Uint8Array(queue.length + more.length);
  joined.set(queue);
  joined.set(more, queue.length);
  return joined;
}

export function powerOnKeyboard(): Ps2KeyboardState {
  return {
    answers: Uint8Array.of(),
    keys: Uint8Array.of(),
    scanning: true,
    scanSet: 2,
    leds: 0,
    typematic: 0x2b,
    command: null,
    lastSent: 0,
    prefix: Uint8Array.of(),
  };
}

export class Ps2Keyboard {
  constructor(private readonly s: Ps2KeyboardState) {}

  get hasBytes(): boolean {
    return this.s.answers.length > 0 || this.s.keys.length > 0;
  }

  /** Takes the next byte for the wire; there must be one. */
  send(): number {
    const { s } = this;
    const from = s.answers.length > 0 ? 'answers' : 'keys';
    s.lastSent = s[from][0];
    s[from] = s[from].subarray(1);
    return s.lastSent;
  }

  /** Keys go down and up: scan codes of set 2. Lost while the guest has scanning disabled. */
  press(set2: Uint8Array): void {
    const { s } = this;
    if (!s.scanning) return;
    const out: number[] = [];
    for (const byte of set2) {
      if (s.scanSet === 2) out.push(byte);
      else if (s.scanSet === 1) this.#convertTo1(byte, out);
      else this.#convertTo3(byte, out);
    }
    s.keys = appended(s.keys, out);
  }

  #convertTo1(byte: number, out: number[]): void {
    const { s } = this;
    if (byte === 0xf0) {
      s.prefix = Uint8Array.of(byte);
      return;
    }
    out.push(byte === 0xe0 || byte === 0xe1 ? byte : translated(byte, s.prefix.length > 0));
    s.prefix = Uint8Array.of();
  }

  #convertTo3(byte: number, out: number[]): void {
    const { s } = this;
    const paused = s.prefix.includes(0xe1);
    // Pause is E1 14 77 and E1 F0 14 F0 77: its 14h belongs to the prefix.
    if (byte === 0xe0 || byte === 0xe1 || byte === 0xf0 || (paused && byte === 0x14)) {
      s.prefix = appended(s.prefix.slice(-3), [byte]);
      return;
    }
    const code = set3FromSet2(paused ? 0xe1 : s.prefix.includes(0xe0) ? 0xe0 : 0, byte);
    if (code !== undefined && s.prefix.includes(0xf0)) out.push(0xf0);
    if (code !== undefined) out.push(code);
    s.prefix = Uint8Array.of();
  }

  /** A byte from the controller. */
  receive(value: number): void {
    const { s } = this;
    const { command } = s;
    s.command = null;
    if (command !== null && this.#parameter(command, value)) return;
    switch (value) {
      case 0xed: // set LEDs
      case 0xf0: // select scan set
      case 0xf3: // typematic rate
      case 0xfb: // set 3: one key's type
      case 0xfc:
      case 0xfd:
        s.command = value;
        return this.#answer(ACK);
      case 0xee:
        return this.#answer(ECHO);
      case 0xf2:
        return this.#answer(ACK, 0xab, 0x83);
      case 0xf4:
        s.scanning = true;
        s.keys = Uint8Array.of();
        return this.#answer(ACK);
      case 0xf5:
      case 0xf6:
        this.#defaults();
        s.scanning = value === 0xf6;
        return this.#answer(ACK);
      case 0xf7: // set 3: all keys' types
      case 0xf8:
      case 0xf9:
      case 0xfa:
        return this.#answer(ACK);
      case 0xfe:
        return this.#answer(s.lastSent);
      case 0xff:
        this.#defaults();
        s.answers = Uint8Array.of();
        s.leds = 0;
        s.scanning = true;
        return this.#answer(ACK, BAT_PASSED);
      default:
        return this.#answer(RESEND);
    }
  }

  /** Returns false when `value` is no parameter but a new command. */
  #parameter(command: number, value: number): boolean {
    const { s } = this;
    if (command === 0xed && value < 0x80) s.leds = value & 7;
    else if (command === 0xf3 && value < 0x80) s.typematic = value;
    else if (command === 0xf0 && value <= 3) {
      if (value === 0) {
        this.#answer(ACK, s.scanSet);
        return true;
      }
      s.scanSet = value;
      s.prefix = Uint8Array.of();
      s.keys = Uint8Array.of();
    } else if (command >= 0xfb && value < 0x80) {
      // More keys may follow until the next command.
      s.command = command;
    } else return false;
    this.#answer(ACK);
    return true;
  }

  #defaults(): void {
    const { s } = this;
    s.keys = Uint8Array.of();
    s.prefix = Uint8Array.of();
    s.scanSet = 2;
    s.typematic = 0x2b;
  }

  #answer(...values: number[]): void {
    this.s.answers = appended(this.s.answers, values);
  }
}
