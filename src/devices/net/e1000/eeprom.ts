/** The serial EEPROM (a 93C46) behind EECD, and its contents (SDM 317453, sections 5.6 and 13.4.3). */
import { u16, u32, u8, type StateSchema } from '../../../core/state.js';

export const EEPROM_WORDS = 64;
const CHECKSUM_WORD = 0x3f;
const CHECKSUM = 0xbaba;

const SK = 0x01;
const CS = 0x02;
const DI = 0x04;
const DO = 0x08;
const REQUEST = 0x40;
const GRANT = 0x80;
const PRESENT = 0x100;
/** Start bit, opcode and six address bits. */
const COMMAND_BITS = 9;
const OPCODE_READ = 6;

/** Words 0 to 63 of a card with address `mac`. */
export function eepromOf(mac: Uint8Array): Uint16Array {
  const words = new Uint16Array(EEPROM_WORDS);
  for (let i = 0; i < 3; i++) words[i] = mac[2 * i] | (mac[2 * i + 1] << 8);
  // Compatibility, subsystem and device numbers, and what describes the board (section 5.6.1).
  words.set([0x3000, 0x1000, 0x6403, 0x100e, 0x8086, 0x100e, 0x8086, 0x3040], 8);
  words.set([0x0008, 0x2000, 0x7e14, 0x0048, 0x1000, 0x00d8, 0x0000, 0x2700], 16);
  words.set([0x6cc9, 0x3150, 0x0722, 0x040b, 0x0984, 0x0000, 0xc000, 0x0706], 24);
  words[CHECKSUM_WORD] = CHECKSUM - words.subarray(0, CHECKSUM_WORD).reduce((sum, word) => sum + word, 0);
  return words;
}

export interface EepromState {
  /** EECD as written last. */
  pins: number;
  /** Bits that came in since the chip was selected. */
  shift: number;
  bits: number;
  /** Word whose bits go out, and how many have; `reading` says whether any do. */
  word: number;
  out: number;
  reading: number;
}
export const EEPROM_SCHEMA: StateSchema<EepromState> = {
  pins: u32,
  shift: u32,
  bits: u8,
  word: u8,
  out: u16,
  reading: u8,
};

export function newEeprom(): EepromState {
  return { pins: 0, shift: 0, bits: 0, word: 0, out: 0, reading: 0 };
}

/** EECD as read. */
export function readPins(state: EepromState, words: Uint16Array): number {
  const word = words[(state.word + (state.out >> 4)) % EEPROM_WORDS];
  // The bit that is out shows from its rising edge on; a dummy zero comes before the first.
  const isHigh = state.reading === 0 || ((word >> (15 - (state.out & 15))) & 1) !== 0;
  return (state.pins & (SK | CS | DI | REQUEST)) | PRESENT | GRANT | (isHigh ? DO : 0);
}

/** EECD as written: clocks the chip. */
export function writePins(state: EepromState, pins: number): void {
  const rose = pins & ~state.pins;
  state.pins = pins & (SK | CS | DI | REQUEST);
  if ((pins & CS) === 0 || (rose & CS) !== 0) Object.assign(state, { shift: 0, bits: 0, out: 0, reading: 0 });
  if ((pins & CS) === 0 || (rose & SK) === 0) return;
  if (state.reading !== 0) {
    state.out = (state.out + 1) & 0xffff;
    return;
  }
  if (state.bits === 0 && (pins & DI) === 0) return;
  state.shift = (state.shift << 1) | ((pins & DI) !== 0 ? 1 : 0);
  if (++state.bits < COMMAND_BITS) return;
  const opcode = state.shift >> 6;
  // Writing is not enabled, so that every other command is over here.
  Object.assign(state, {
    reading: opcode === OPCODE_READ ? 1 : 0,
    word: state.shift & 0x3f,
    out: 0xffff,
    bits: 0,
    shift: 0,
  });
}
