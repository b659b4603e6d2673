/** US keyboard layout: text and key names to scan codes of set 2, presses and releases, as I8042.keyBytes takes them. */
import { CodedError } from '../base/errors.js';

/** Printable keys: set 2 code, character, character with Shift. */
// prettier-ignore
const CHARACTER_KEYS: readonly (readonly [number, string, string])[] = [
  [0x0e, '`', '~'], [0x16, '1', '!'], [0x1e, '2', '@'], [0x26, '3', '#'], [0x25, '4', '$'], [0x2e, '5', '%'],
  [0x36, '6', '^'], [0x3d, '7', '&'], [0x3e, '8', '*'], [0x46, '9', '('], [0x45, '0', ')'], [0x4e, '-', '_'],
  [0x55, '=', '+'], [0x15, 'q', 'Q'], [0x1d, 'w', 'W'], [0x24, 'e', 'E'], [0x2d, 'r', 'R'], [0x2c, 't', 'T'],
  [0x35, 'y', 'Y'], [0x3c, 'u', 'U'], [0x43, 'i', 'I'], [0x44, 'o', 'O'], [0x4d, 'p', 'P'], [0x54, '[', '{'],
  [0x5b, ']', '}'], [0x5d, '\\', '|'], [0x1c, 'a', 'A'], [0x1b, 's', 'S'], [0x23, 'd', 'D'], [0x2b, 'f', 'F'],
  [0x34, 'g', 'G'], [0x33, 'h', 'H'], [0x3b, 'j', 'J'], [0x42, 'k', 'K'], [0x4b, 'l', 'L'], [0x4c, ';', ':'],
  [0x52, "'", '"'], [0x1a, 'z', 'Z'], [0x22, 'x', 'X'], [0x21, 'c', 'C'], [0x2a, 'v', 'V'], [0x32, 'b', 'B'],
  [0x31, 'n', 'N'], [0x3a, 'm', 'M'], [0x41, ',', '<'], [0x49, '.', '>'], [0x4a, '/', '?'], [0x29, ' ', ' '],
];

/** Keys with names; codes above FFh have the prefix E0h. Names follow QEMU's `sendkey`, with common synonyms. */
// prettier-ignore
export const NAMED_KEYS = {
  ret: 0x5a, enter: 0x5a, tab: 0x0d, esc: 0x76, backspace: 0x66, spc: 0x29, space: 0x29,
  shift: 0x12, shift_r: 0x59, ctrl: 0x14, ctrl_r: 0xe014, alt: 0x11, alt_r: 0xe011, altgr: 0xe011,
  meta_l: 0xe01f, meta_r: 0xe027, menu: 0xe02f, caps_lock: 0x58, num_lock: 0x77, scroll_lock: 0x7e,
  f1: 0x05, f2: 0x06, f3: 0x04, f4: 0x0c, f5: 0x03, f6: 0x0b, f7: 0x83, f8: 0x0a, f9: 0x01, f10: 0x09, f11: 0x78, f12: 0x07,
  up: 0xe075, down: 0xe072, left: 0xe06b, right: 0xe074, home: 0xe06c, end: 0xe069, pgup: 0xe07d, pgdn: 0xe07a,
  insert: 0xe070, delete: 0xe071, sysrq: 0x84, less: 0x61,
  minus: 0x4e, equal: 0x55, comma: 0x41, dot: 0x49, slash: 0x4a, backslash: 0x5d, semicolon: 0x4c, apostrophe: 0x52,
  grave_accent: 0x0e, bracket_left: 0x54, bracket_right: 0x5b,
  kp_0: 0x70, kp_1: 0x69, kp_2: 0x72, kp_3: 0x7a, kp_4: 0x6b, kp_5: 0x73, kp_6: 0x74, kp_7: 0x6c, kp_8: 0x75, kp_9: 0x7d,
  kp_add: 0x79, kp_subtract: 0x7b, kp_multiply: 0x7c, kp_divide: 0xe04a, kp_enter: 0xe05a, kp_decimal: 0x71,
} as const;

export type KeyName = keyof typeof NAMED_KEYS;

/** Keys whose codes are no plain press and release. */
const PAUSE: readonly number[] = [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];
const PRINT_PRESS: readonly number[] = [0xe0, 0x12, 0xe0, 0x7c];
const PRINT_RELEASE: readonly number[] = [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12];

interface Key {
  readonly press: readonly number[];
  readonly release: readonly number[];
}

function key(code: number): Key {
  const prefix = code > 0xff ? [code >> 8] : [];
  return { press: [...prefix, code & 0xff], release: [...prefix, 0xf0, code & 0xff] };
}

const SHIFT = key(NAMED_KEYS.shift);
const CTRL = key(NAMED_KEYS.ctrl);

/** All keys held together: pressed in order, released in reverse. */
function chord(keys: readonly Key[]): number[] {
  return [...keys.flatMap((k) => k.press), ...keys.toReversed().flatMap((k) => k.release)];
}

function characterKeys(character: string): Key[] | undefined {
  for (const [code, plain, shifted] of CHARACTER_KEYS) {
    if (character === plain) return [key(code)];
    if (character === shifted) return [SHIFT, key(code)];
  }
  switch (character) {
    case '\n':
    case '\r':
      return [key(NAMED_KEYS.enter)];
    case '\t':
      return [key(NAMED_KEYS.tab)];
    case '\b':
    case '\x7f':
      return [key(NAMED_KEYS.backspace)];
    case '\x1b':
      return [key(NAMED_KEYS.esc)];
  }
  // The other control characters are Ctrl with a letter.
  const code = character.charCodeAt(0);
  return code >= 1 && code <= 26 ? [CTRL, ...characterKeys(String.fromCharCode(code + 0x60))!] : undefined;
}

/** Scan codes (set 2) that type `text` on a US keyboard; control characters are Ctrl with a letter. Throws USAGE for others. */
export function scanCodesForText(text: string): Uint8Array {
  const codes: number[] = [];
  for (const character of text.replaceAll('\r\n', '\n')) {
    const keys = characterKeys(character);
    if (keys === undefined) {
      throw new CodedError('USAGE', `no key of the US layout types ${JSON.stringify(character)}`, {
        hint: 'send text beyond ASCII through a serial port',
      });
    }
    for (const code of chord(keys)) codes.push(code);
  }
  return Uint8Array.from(codes);
}

function namedKey(name: string): Key {
  if (name === 'pause') return { press: PAUSE, release: [] };
  if (name === 'print') return { press: PRINT_PRESS, release: PRINT_RELEASE };
  if (Object.hasOwn(NAMED_KEYS, name)) return key(NAMED_KEYS[name as KeyName]);
  const character = characterKeys(name);
  if (character?.length === 1 && [...name].length === 1) return character[0];
  throw new CodedError('USAGE', `no key is called "${name}"`, {
    hint: `keys are characters, pause, print, ${Object.keys(NAMED_KEYS).join(', ')}`,
  });
}

/** Scan codes (set 2) of one key or a combination such as `ctrl-alt-delete`. Throws USAGE for a name it does not know. */
export function scanCodesForKeys(combination: string): Uint8Array {
  // A lone "-" or a trailing one is the key itself.
  const names = combination === '-' ? ['minus'] : combination.replace(/--$/, '-minus').split('-');
  return Uint8Array.from(chord(names.map((name) => namedKey(name.length > 1 ? name.toLowerCase() : name))));
}
